//! Handlers pass control on by jumps and keep off the host stack: the machine
//! code of every handler in the `orcavm` command is read and held to that.
//!
//! A handler ends in a call of the next one, which LLVM makes a jump if it can.
//! Nothing tells where it cannot, or where a handler wants more registers than
//! it may use and saves some on the stack; a program would only run slower, and
//! end with a host stack overflow some day. `vm/tests/interpreter/host_stack.rs` runs what
//! it can think of; here is every variant of every handler.

mod binary;
mod declared;
mod scan;

use std::collections::BTreeSet;
use std::path::Path;

use binary::{Binary, Function};
use scan::{Deed, Finding, Scan, Target};

/// Handlers there are at least, as distinct machine code.
const MINIMUM: usize = 10_000;

/// Faults that are shown; a change of LLVM's mind may make thousands.
const SHOWN: usize = 60;

/// What a handler may do besides jumping.
enum May {
    /// Return: it ends the run.
    Return,
    /// Save that many registers at most.
    Push(usize),
    /// Call these functions, and use the stack for that. Of a trait's functions
    /// the name goes on from `as`.
    Call(&'static [&'static str]),
}

/// An exception from the rules.
struct Allowed {
    /// The handler, without its module.
    handler: &'static str,
    /// Parameters one of which its variant has; none: all variants.
    variants: &'static [&'static str],
    /// What it may do.
    may: May,
    /// Why.
    #[expect(dead_code, reason = "for readers")]
    why: &'static str,
}

/// All exceptions. One that no handler needs any more fails the test too.
const ALLOWED: &[Allowed] = &[
    Allowed {
        handler: "raise",
        variants: &[],
        may: May::Return,
        why: "ends the run",
    },
    Allowed {
        handler: "finish",
        variants: &[],
        may: May::Return,
        why: "ends the run",
    },
    Allowed {
        handler: "bulk",
        variants: &[],
        may: May::Call(&["vm::exec::bulk::Bulk>::run"]),
        why: "an operator on a whole memory, table or segment is worth a call",
    },
    Allowed {
        handler: "atomic_called",
        variants: &[],
        may: May::Call(&["vm::exec::atomic::run"]),
        why: "atomic operators in memories that are checked, and waiting, are worth a call",
    },
    Allowed {
        handler: "struct_new_slow",
        variants: &[],
        may: May::Call(&["vm::exec::aggregate::new_slow"]),
        why: "makes an object where none is at hand",
    },
    Allowed {
        handler: "struct_new",
        variants: &[],
        may: May::Push(6),
        why: "writes fields of any number and width in a loop",
    },
    Allowed {
        handler: "array_set",
        variants: &[],
        may: May::Push(1),
        why: "an array, an index, a value and what is compared",
    },
    Allowed {
        handler: "callee",
        variants: &[],
        may: May::Push(1),
        why: "looks whether a function is of a subtype, where it is not of the type itself",
    },
    Allowed {
        handler: "copy_within",
        variants: &["u64"],
        may: May::Push(1),
        why: "three numbers of 64 bits that may overflow; a copy is worth it",
    },
    Allowed {
        handler: "fill_within",
        variants: &["u64"],
        may: May::Push(1),
        why: "as `copy_within`",
    },
    Allowed {
        handler: "sum",
        variants: &[],
        may: May::Push(1),
        why: "four halves, and the carry",
    },
    Allowed {
        handler: "store_at",
        variants: &["u64"],
        may: May::Push(1),
        why: "a constant at a computed address of 64 bits, which is compared too",
    },
    Allowed {
        handler: "atomic_fence",
        variants: &[],
        may: May::Call(&[]),
        why: "the fence is an instruction on a word below the stack's end",
    },
    Allowed {
        handler: "out_of_fuel",
        variants: &[],
        may: May::Call(&["vm::exec::control::more_fuel"]),
        why: "takes fuel from what several stores have, or ends the run",
    },
    Allowed {
        handler: "find_mapped",
        variants: &[],
        may: May::Call(&["vm::exec::reach::mapped"]),
        why: "looks for an access's bytes in regions mapped into a memory that is checked",
    },
    Allowed {
        handler: "throw",
        variants: &[],
        may: May::Call(&["vm::exec::unwind::throw_slow"]),
        why: "looks for what catches an exception",
    },
    Allowed {
        handler: "throw_ref",
        variants: &[],
        may: May::Call(&["vm::exec::unwind::throw_ref_slow"]),
        why: "looks for what catches an exception",
    },
    Allowed {
        handler: "throw_pending",
        variants: &[],
        may: May::Call(&["vm::exec::unwind::throw_pending_slow"]),
        why: "looks for what catches an exception of the host's",
    },
    Allowed {
        handler: "host_call",
        variants: &[],
        may: May::Call(&["vm::exec::host::call_from_guest"]),
        why: "calls the host",
    },
    Allowed {
        handler: "bind",
        variants: &[],
        may: May::Call(&["vm::exec::stubs::bind_slow"]),
        why: "runs once for each record",
    },
    Allowed {
        handler: "bind_call",
        variants: &[],
        may: May::Call(&["vm::exec::stubs::bind_call_slow"]),
        why: "runs once for each call of an import",
    },
    Allowed {
        handler: "bind_import",
        variants: &[],
        may: May::Call(&[
            "vm::exec::stubs::bind_import_slow",
            "core::panicking::panic_cannot_unwind",
        ]),
        why: "finds the function of an import, once for each",
    },
    Allowed {
        handler: "unloaded",
        variants: &[],
        may: May::Call(&[
            "vm::exec::stubs::leave_unloaded",
            "core::panicking::panic_cannot_unwind",
        ]),
        why: "ends the run: what was called is gone",
    },
    Allowed {
        handler: "lazy",
        variants: &[],
        may: May::Call(&["vm::exec::stubs::lazy_slow"]),
        why: "translates a function or binds a call to it, once for each call",
    },
    Allowed {
        handler: "return_call_lazy",
        variants: &[],
        may: May::Call(&["vm::exec::stubs::bind_tail_call_slow"]),
        why: "translates a function or binds a tail call to it, once for each tail call",
    },
    Allowed {
        handler: "tail_special",
        variants: &[],
        may: May::Call(&["vm::exec::tail::special_slow"]),
        why: "binds, translates or tells of what is gone, once for each record",
    },
    Allowed {
        handler: "tail_settle",
        variants: &[],
        may: May::Call(&["vm::exec::tail::stub::settle"]),
        why: "makes the stub frame of a tail call out of the instance, or looks for one",
    },
    Allowed {
        handler: "tail_out",
        variants: &[],
        may: May::Push(2),
        why: "moves what a list says and the header",
    },
    Allowed {
        handler: "return_call_listed",
        variants: &[],
        may: May::Push(2),
        why: "as `tail_out`; tail calls of few moves have handlers of their own",
    },
    Allowed {
        handler: "return_call_indirect",
        variants: &["Listed"],
        may: May::Push(2),
        why: "as `return_call_listed`",
    },
    Allowed {
        handler: "return_call_ref",
        variants: &["Listed"],
        may: May::Push(2),
        why: "as `return_call_listed`",
    },
    Allowed {
        handler: "tail_return",
        variants: &[],
        may: May::Push(6),
        why: "moves results down from above a stub frame",
    },
    Allowed {
        handler: "copy_many",
        variants: &[],
        may: May::Call(&["memmove"]),
        why: "moves five values or more, which is rare",
    },
    Allowed {
        handler: "unary",
        variants: &[
            "F32Ceil",
            "F32Floor",
            "F32Trunc",
            "F32Nearest",
            "F64Ceil",
            "F64Floor",
            "F64Trunc",
            "F64Nearest",
        ],
        may: May::Call(&["ceilf", "floorf", "truncf", "rintf", "ceil", "floor", "trunc", "rint"]),
        why: "x86-64 without SSE4.1 has no instruction that rounds",
    },
    Allowed {
        handler: "binary",
        variants: &["I32DivS", "I64DivS"],
        may: May::Push(1),
        why: "the division takes rax and rdx, the check for overflow one more",
    },
    Allowed {
        handler: "shuffle",
        variants: &[],
        may: May::Call(&[
            "vm::exec::simd::ops::shuffle_lanes",
            "core::panicking::panic_cannot_unwind",
        ]),
        why: "x86-64 without SSSE3 has no instruction for it",
    },
    Allowed {
        handler: "vector_binary",
        variants: &["I8x16Swizzle", "I8x16RelaxedSwizzle"],
        may: May::Call(&["vm::exec::simd::lanes::swizzle_vectors"]),
        why: "as `shuffle`",
    },
    Allowed {
        handler: "vector_ternary",
        variants: &[
            "F32x4RelaxedMadd",
            "F32x4RelaxedNmadd",
            "F64x2RelaxedMadd",
            "F64x2RelaxedNmadd",
        ],
        may: May::Call(&[
            "vm::exec::simd::lanes::fused32_vectors",
            "vm::exec::simd::lanes::fused64_vectors",
        ]),
        why: "x86-64 without FMA rounds products",
    },
];

/// Called where a Rust function unwinds into a handler, which ends the process.
const UNWOUND: &str = "core::panicking::panic_cannot_unwind";

/// A handler's machine code.
struct Handler<'a> {
    at: u64,
    /// Its name, with the parameters of one of its variants.
    variant: String,
    /// Its names without module.
    names: Vec<&'a str>,
    /// Whether it has a conditional branch.
    branches: bool,
    scan: Scan,
}

impl Handler<'_> {
    fn allowed(&self) -> impl Iterator<Item = (usize, &'static Allowed)> {
        let parameters: Vec<&str> = self
            .variant
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .collect();
        ALLOWED.iter().enumerate().filter(move |(_, allowed)| {
            self.names.contains(&allowed.handler)
                && (allowed.variants.is_empty() || allowed.variants.iter().any(|variant| parameters.contains(variant)))
        })
    }
}

#[test]
#[cfg_attr(
    any(
        debug_assertions,
        orcavm_portable,
        not(all(target_arch = "x86_64", target_os = "linux"))
    ),
    ignore = "reads optimised code for x86-64 Linux"
)]
fn handlers_jump_and_keep_off_the_stack() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vm/src/exec");
    let declared = declared::declared(&folder, "vm::exec");
    let binary = Binary::read(Path::new(env!("CARGO_BIN_EXE_orcavm")));
    let handlers: Vec<Handler<'_>> = binary
        .functions
        .iter()
        .filter_map(|(at, function)| handler(*at, function, &declared))
        .collect();

    let mut faults = Vec::new();
    for declared in &declared {
        if !binary
            .functions
            .values()
            .any(|function| function.names.contains(&declared.path))
        {
            faults.push(format!(
                "{} is declared, but has no machine code of its own",
                declared.path
            ));
        }
    }
    let starts: BTreeSet<u64> = handlers.iter().map(|handler| handler.at).collect();
    let mut needed = BTreeSet::new();
    for handler in &handlers {
        for fault in faults_of(handler, &binary, &starts, &mut needed) {
            faults.push(format!("{} at {:#x}: {fault}", handler.variant, handler.at));
        }
    }
    // With more instructions than plain x86-64 has, some exceptions go.
    if !cfg!(target_feature = "sse4.1") {
        faults.extend(unneeded(&needed));
    }
    let shown = &faults[..faults.len().min(SHOWN)];
    assert!(shown.is_empty(), "{} faults:\n{}", faults.len(), shown.join("\n"));
    assert!(handlers.len() >= MINIMUM, "only {} handlers found", handlers.len());
}

/// The handler whose machine code `function` is, if it is one.
fn handler<'a>(at: u64, function: &'a Function, declared: &[declared::Declared]) -> Option<Handler<'a>> {
    let own: Vec<_> = declared
        .iter()
        .filter(|declared| function.names.contains(&declared.path))
        .collect();
    let first = own.first()?;
    Some(Handler {
        at,
        variant: function.variant.clone().unwrap_or_else(|| first.path.clone()),
        names: function
            .names
            .iter()
            .filter_map(|name| name.rsplit("::").next())
            .collect(),
        branches: own.iter().any(|declared| declared.branches),
        scan: scan::scan(at, &function.code),
    })
}

/// What a handler does wrong, one line for each kind. Exceptions that it needs
/// are added to `needed`, by index and what of it.
fn faults_of(
    handler: &Handler<'_>,
    binary: &Binary,
    starts: &BTreeSet<u64>,
    needed: &mut BTreeSet<(usize, usize)>,
) -> Vec<String> {
    // What is wrong, the first instruction, and how many more there are.
    let mut found: Vec<(String, &Finding, usize)> = Vec::new();
    let is_scalar = handler
        .names
        .iter()
        .any(|name| matches!(*name, "binary" | "binary_again"));
    for finding in &handler.scan.findings {
        if finding.deed == Deed::Lanes && !is_scalar {
            continue;
        }
        if let Some(excuse) = excuse(handler, binary, finding.deed) {
            needed.extend(excuse);
        } else if let Some(fault) = fault(binary, starts, finding.deed) {
            match found.iter_mut().find(|(known, ..)| *known == fault) {
                Some((.., more)) => *more += 1,
                None => found.push((fault, finding, 0)),
            }
        }
    }
    let mut faults: Vec<String> = found
        .into_iter()
        .map(|(fault, Finding { at, instruction, .. }, more)| match more {
            0 => format!("{at:#x}: `{instruction}` {fault}"),
            more => format!("{at:#x}: `{instruction}` {fault}, as {more} more do"),
        })
        .collect();
    if handler.branches && handler.scan.computed_jumps < 2 {
        faults.push("the branch and the way past it share a jump, which the processor cannot predict apart".to_owned());
    }
    faults
}

/// Whether an exception covers a deed: which, and what of it, if it counts as
/// a need for it.
fn excuse(handler: &Handler<'_>, binary: &Binary, deed: Deed) -> Option<Option<(usize, usize)>> {
    let pushes = || {
        handler
            .scan
            .findings
            .iter()
            .filter(|finding| finding.deed == Deed::Push)
            .count()
    };
    handler
        .allowed()
        .find_map(|(index, allowed)| match (&allowed.may, deed) {
            (May::Return, Deed::Return) => Some(Some((index, 0))),
            (May::Push(most), Deed::Push | Deed::Pop) => (pushes() <= *most).then(|| Some((index, pushes()))),
            (May::Call(_), Deed::Push | Deed::Pop | Deed::Stack) => Some(None),
            (May::Call(callees), Deed::Call(target)) => {
                let name = binary.name(target);
                let callee = |callee: &&str| name == **callee || name.ends_with(&format!(" as {callee}"));
                match callees.iter().position(callee) {
                    Some(i) => Some(Some((index, i))),
                    None => (name == UNWOUND).then_some(None),
                }
            }
            _ => None,
        })
}

/// What is wrong with a deed that no exception covers.
fn fault(binary: &Binary, starts: &BTreeSet<u64>, deed: Deed) -> Option<String> {
    Some(match deed {
        Deed::Leave(target) if binary.address(target).is_some_and(|at| starts.contains(&at)) => return None,
        Deed::Push | Deed::Pop | Deed::Stack => "uses the host stack".to_owned(),
        Deed::Call(Target::Computed) => "calls the next handler, it seems, instead of jumping".to_owned(),
        Deed::Call(target) => format!("calls {}", binary.name(target)),
        Deed::Leave(target) => format!("jumps to {}, which is no handler", binary.name(target)),
        Deed::Return => "returns".to_owned(),
        Deed::DeadEnd => "ends in neither a jump nor a return".to_owned(),
        Deed::Lanes => "computes with what stands beside a float, too".to_owned(),
    })
}

/// Exceptions that no handler needs.
fn unneeded(needed: &BTreeSet<(usize, usize)>) -> Vec<String> {
    let mut faults = Vec::new();
    for (index, allowed) in ALLOWED.iter().enumerate() {
        let Allowed {
            handler, variants, may, ..
        } = allowed;
        let mut check = |what: usize, permission: &str| {
            if !needed.contains(&(index, what)) {
                faults.push(format!(
                    "no variant of {handler} {variants:?} needs to {permission} any more"
                ));
            }
        };
        match may {
            May::Return => check(0, "return"),
            May::Push(most) => check(*most, &format!("push {most} registers")),
            May::Call(callees) => {
                for (i, callee) in callees.iter().enumerate() {
                    check(i, &format!("call {callee}"));
                }
            }
        }
    }
    faults
}
