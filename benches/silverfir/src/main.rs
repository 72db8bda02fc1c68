//! Runs a WASI program on Silverfir-nano's interpreter:
//! `silverfir MODULE.wasm ARGUMENTS…`. `benches/peers` compares with it.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use sf_nano_core::wasi::{WasiContextBuilder, wasi_imports};
use sf_nano_core::{Config, Engine, Instance, Tier};

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(message) => {
            eprintln!("silverfir: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let path = args.first().ok_or("usage: silverfir MODULE.wasm ARGUMENTS…")?;
    if path == "--version" {
        println!("silverfir: sf-nano-core {}", env!("SF_NANO_CORE_VERSION"));
        return Ok(ExitCode::SUCCESS);
    }
    let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let engine = Engine::new(Config::new().tier(Tier::Interp)).map_err(|error| error.to_string())?;
    let imports = wasi_imports(WasiContextBuilder::new().args(&args).build());
    let mut instance = Instance::new(&engine, &bytes, &imports).map_err(|error| error.to_string())?;
    match instance.invoke("_start", &[]) {
        Ok(_) => Ok(ExitCode::SUCCESS),
        // A code the host cannot pass on is still a failure.
        Err(error) => match error.exit_code() {
            Some(code) => Ok(u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)),
            None => Err(error.to_string()),
        },
    }
}
