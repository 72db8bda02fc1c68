//! `pic`: kernels as position-independent code beside the same kernels linked
//! statically, on one engine at a time. The ratio is what a shared library
//! costs; for orcavm, whose dynamic linker makes programs of them, it is to be at
//! most 1.05. wasmi has none, so its host gives the kernels what they import.

use anyhow::{Context as _, Result};
use orcavm_benches::measure::{Group, Per, Run};
use orcavm_benches::{linking, ours, theirs};

/// A kernel: arguments of `run` in tests and otherwise, each with the result that
/// the same source gives when it is compiled for the machine itself.
struct Kernel {
    name: &'static str,
    /// A shared library (`pic`) or a program (`pie`), whose GOT are globals of its own.
    kind: &'static str,
    test: (i32, i32),
    bench: (i32, i32),
}

const KERNELS: [Kernel; 5] = [
    Kernel {
        name: "sieve",
        kind: "pic",
        test: (1000, 168),
        bench: (1 << 20, 82_025),
    },
    Kernel {
        name: "sort",
        kind: "pic",
        test: (1, -2_144_452_536),
        bench: (60, 312_542_563),
    },
    Kernel {
        name: "sha256",
        kind: "pic",
        test: (1, -1_166_534_977),
        bench: (5000, -591_269_828),
    },
    Kernel {
        name: "machine",
        kind: "pic",
        test: (200, 831_497_388),
        bench: (400_000, 266_031_022),
    },
    Kernel {
        name: "machine",
        kind: "pie",
        test: (200, 831_497_388),
        bench: (400_000, 266_031_022),
    },
];

type RunKernel = fn(&[u8], i32, i32) -> Result<Run>;

fn main() -> Result<()> {
    let engines: [(&str, [RunKernel; 2]); 2] = [
        ("pic", [ours::run_kernel, linking::run_kernel]),
        ("pic-wasmi", [theirs::run_kernel; 2]),
    ];
    for (engine, [run_static, run_pic]) in engines {
        let mut group = Group::new(engine, ["static", "PIC"]);
        for Kernel {
            name,
            kind,
            test,
            bench,
        } in KERNELS
        {
            let (size, expected) = if group.is_test() { test } else { bench };
            let read = |kind: &str, run: RunKernel| {
                let path = format!("{}/pic/{name}.{kind}.wasm", env!("CARGO_MANIFEST_DIR"));
                let wasm = std::fs::read(&path).with_context(|| path.clone())?;
                run(&wasm, size, expected).with_context(|| format!("{engine}: {path}"))
            };
            let runs = [read("static", run_static)?, read(kind, run_pic)?];
            group.compare(&format!("{name}, {kind}"), Per::Iteration, 1000, runs);
        }
        group.finish();
    }
    Ok(())
}
