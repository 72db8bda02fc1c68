//! What errors say, and what becomes of those that cross a guest's frames.

use std::io;

use super::{
    Error, HostError, LimitError, LinkError, LoadError, LoadErrorKind, MemoryAccessError, ResourceError, Shown,
};
use super::{TrapError, TypeError};
use crate::proposal::Proposal;
use crate::trap::Trap;
use crate::types::{FuncType, GlobalType, MemoryType, Mutability, ValType};

/// What a host function's error becomes where it leaves its guest.
fn through_guest(error: Error) -> Error {
    Error::Host(Box::new(HostError::with_frames(error, Vec::new())))
}

#[test]
fn a_host_function_that_fails_with_a_trap_traps() {
    let raised: Error = Trap::IntegerOverflow.into();
    for error in [
        Error::from(Trap::IntegerOverflow),
        Error::host(Trap::IntegerOverflow),
        Error::host(raised),
        Error::Trap(Box::new(TrapError::new(Trap::IntegerOverflow, Vec::new()))),
    ] {
        assert!(matches!(&error, Error::Trap(_)), "{error:?}");
        assert_eq!(error.trap(), Some(Trap::IntegerOverflow));
        assert_eq!(error.to_string(), "integer overflow");
        assert!(error.backtrace().is_some());
    }
    assert_eq!(Error::from(MemoryAccessError::OutOfBounds).trap(), None);
}

#[test]
fn host_errors_keep_their_type_through_guests() {
    let error = Error::host(io::Error::new(io::ErrorKind::NotFound, "no such file"));
    let error = through_guest(through_guest(error));
    assert_eq!(
        error.downcast_ref::<io::Error>().map(io::Error::kind),
        Some(io::ErrorKind::NotFound)
    );
    assert_eq!(error.to_string(), "no such file");
    assert!(error.downcast_ref::<LinkError>().is_none());
    assert_eq!(error.trap(), None);
    assert!(error.backtrace().is_some());

    let error = through_guest(LinkError::WrongImportCount { expected: 2, found: 1 }.into());
    assert!(matches!(
        error.downcast_ref(),
        Some(LinkError::WrongImportCount { expected: 2, found: 1 })
    ));
    let error = through_guest(Trap::NullReference.into());
    assert_eq!(error.trap(), Some(Trap::NullReference));
}

#[test]
fn errors_say_what_and_where() {
    let ty = FuncType::new([ValType::I32], []);
    let name = |name: &str| -> Box<str> { name.into() };
    let load = |kind, offset| Error::from(LoadError::new(kind, offset));
    let cases: Vec<(Error, &str)> = vec![
        (
            load(LoadErrorKind::Invalid(name("unknown local 3")), Some(26)),
            "not a valid WebAssembly module: unknown local 3 (at byte 0x1a)",
        ),
        (
            load(LoadErrorKind::Unsupported("the memory-control proposal"), Some(9)),
            "the memory-control proposal is not supported (at byte 0x9)",
        ),
        (
            load(LoadErrorKind::Disabled(Proposal::Gc), Some(9)),
            "the gc proposal is switched off (at byte 0x9)",
        ),
        (
            load(
                LoadErrorKind::FrameTooLarge {
                    func: 3,
                    name: Some(name("f")),
                    slots: 70_000,
                },
                None,
            ),
            "function 3 (`f`) needs a frame of 70000 slots of 8 bytes, but 65535 is the limit; \
             give it fewer locals or operands, or split it",
        ),
        (
            LinkError::UnknownImport {
                module: name("env"),
                name: name("f"),
                ty: Box::new(ty.clone().into()),
                similar: None,
            }
            .into(),
            "unknown import `env` `f`: the module needs a function (func (param i32))",
        ),
        (
            LinkError::IncompatibleImport {
                module: name("env"),
                name: name("f"),
                expected: Box::new(MemoryType::new(1, None).into()),
                found: Box::new(GlobalType::new(ValType::I64, Mutability::Var).into()),
            }
            .into(),
            "import `env` `f` does not fit: the module needs a memory (memory 1), \
             but was given a global (global (mut i64))",
        ),
        (
            LinkError::MissingExport {
                kind: "function",
                name: name("run"),
                available: Vec::new(),
            }
            .into(),
            "no exported function `run`; the module exports nothing",
        ),
        (
            LinkError::MissingExport {
                kind: "function",
                name: name("run"),
                available: vec![name("a"), name("b")],
            }
            .into(),
            "no exported function `run`; the module exports `a`, `b`",
        ),
        (
            TypeError::Count {
                ty,
                what: "arguments",
                expected: 1,
                found: 2,
            }
            .into(),
            "a (func (param i32)) takes 1 arguments, but was given 2",
        ),
        (MemoryAccessError::OutOfBounds.into(), "out of bounds memory access"),
        (MemoryAccessError::ReadOnly.into(), "write to read-only memory"),
        (
            LimitError::TooMany {
                what: "instances",
                limit: 10,
            }
            .into(),
            "the store's limit of 10 instances is reached",
        ),
        (
            ResourceError::new("a thread", io::ErrorKind::OutOfMemory.into()).into(),
            "the system refused a thread: out of memory",
        ),
    ];
    for (error, text) in cases {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn long_lists_of_exports_are_cut() {
    let available = (0..25).map(|i| format!("e{i}").into()).collect();
    let error = LinkError::MissingExport {
        kind: "memory",
        name: "m".into(),
        available,
    };
    let text = error.to_string();
    assert!(text.ends_with("`e18`, `e19` and 5 more"), "{text}");
}

#[test]
fn names_are_shown_on_one_line_and_cut() {
    for (name, shown) in [
        ("plain name: größe", "plain name: größe"),
        ("a\nb\u{1b}[31mc", "a\\u{a}b\\u{1b}[31mc"),
        ("\u{202e}reversed", "\\u{202e}reversed"),
        ("", ""),
    ] {
        assert_eq!(Shown(name).to_string(), shown);
    }
    assert_eq!(Shown(&"x".repeat(100_000)).to_string(), "x".repeat(200) + "…");
}
