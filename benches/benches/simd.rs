//! `simd`: kernels with vectors beside wasmi, and beside the same kernels without,
//! from the same source. Scalar code is to take at least three times as long.

use anyhow::{Context as _, Result};
use orcavm_benches::measure::{Group, Per, Run};
use orcavm_benches::{ours, theirs};

/// A kernel: arguments of `run` in tests and otherwise, each with the result that
/// the same source gives when it is compiled for the machine itself.
struct Kernel {
    name: &'static str,
    test: (i32, i32),
    bench: (i32, i32),
}

const KERNELS: [Kernel; 3] = [
    Kernel {
        name: "convolve",
        test: (2, -810_555_361),
        bench: (20, 1_337_027_763),
    },
    Kernel {
        name: "dot",
        test: (2, 18),
        bench: (1000, 1_029_946),
    },
    Kernel {
        name: "find",
        test: (2, 131_069),
        bench: (1000, 65_035_500),
    },
];

type RunKernel = fn(&[u8], i32, i32) -> Result<Run>;

/// A side of a comparison: its name, what runs it, and the kind of module.
type Side = (&'static str, RunKernel, &'static str);

fn main() -> Result<()> {
    let simd: Side = ("orcavm", ours::run_kernel, "simd");
    let scalar: Side = ("scalar", ours::run_kernel, "scalar");
    let wasmi: Side = ("wasmi", theirs::run_kernel, "simd");
    let wasmi_scalar: Side = ("scalar", theirs::run_kernel, "scalar");
    for (name, sides) in [
        ("simd", [simd, wasmi]),
        ("simd-gain", [simd, scalar]),
        ("simd-gain-wasmi", [wasmi, wasmi_scalar]),
    ] {
        let mut group = Group::new(name, sides.map(|(name, ..)| name));
        for Kernel { name, test, bench } in KERNELS {
            let (times, expected) = if group.is_test() { test } else { bench };
            let prepare = |(side, run, kind): Side| {
                let path = format!("{}/simd/{name}.{kind}.wasm", env!("CARGO_MANIFEST_DIR"));
                let wasm = std::fs::read(&path).with_context(|| path.clone())?;
                run(&wasm, times, expected).with_context(|| format!("{side}: {path}"))
            };
            let [first, second] = sides;
            group.compare(name, Per::Iteration, 1000, [prepare(first)?, prepare(second)?]);
        }
        group.finish();
    }
    Ok(())
}
