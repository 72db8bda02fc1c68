//! Which functions are handlers: those that the sources declare.

use std::fs;
use std::path::Path;

/// A handler as a `handler!` block declares it, whatever its variants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its path: `vm::exec::control::br_if`.
    pub path: String,
    /// Whether it ends in a branch that is taken or not.
    pub branches: bool,
}

/// The handlers that the files in `folder`, of module `module`, declare for
/// builds with tail calls.
///
/// # Panics
/// If a file cannot be read, or a macro chooses a handler's name.
pub fn declared(folder: &Path, module: &str) -> Vec<Declared> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder of the handlers") {
        let path = entry.expect("readable").path();
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("Unicode")
            .to_owned();
        let module = match stem.as_str() {
            "mod" => module.to_owned(),
            stem => format!("{module}::{stem}"),
        };
        if path.is_dir() {
            all.extend(declared(&path, &module));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).expect("readable");
            all.extend(in_source(&source, &module));
        }
    }
    all
}

fn in_source(source: &str, module: &str) -> Vec<Declared> {
    let mut all: Vec<Declared> = Vec::new();
    let (mut depth, mut before) = (0, "");
    // Ways that the body of the last one has: the branch, and the one past it.
    let (mut taken, mut not_taken) = (false, false);
    for line in source.lines() {
        let line = line.split("//").next().unwrap_or_default().trim();
        let begins = line == "handler! {" && before != "#[cfg(not(orcavm_tail_calls))]";
        before = line;
        if depth == 0 && !begins {
            continue;
        }
        let mut words = line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
        if depth == 1 && words.any(|word| word == "fn") {
            let name = words.next().unwrap_or_default();
            assert!(!name.starts_with('$'), "in {module}: a macro names the handler {name}");
            (taken, not_taken) = (false, false);
            all.push(Declared {
                path: format!("{module}::{name}"),
                branches: false,
            });
        } else if let Some(last) = all.last_mut() {
            taken |= line.contains("branch(s, ");
            not_taken |= line.contains("next(s)");
            last.branches = taken && not_taken;
        }
        depth += line.matches('{').count();
        depth -= line.matches('}').count();
    }
    all
}

#[test]
fn what_a_source_declares() {
    let source = r#"
fn helper() {}
#[cfg(not(orcavm_tail_calls))]
handler! {
    fn trampoline(s) { next(s) }
}
handler! {
    /// A fn of its own.
    #[cold]
    fn one<T: Prim, I: Src>(s) {
        if true {
            branch(s, 8)
        } else {
            next(s)
        }
    }

    pub(crate) fn two[N](s) {
        // branch(s, 8)
        next(s)
    }
    fn branch(s) {
        branch(s, 8)
    }
}
fn other() { branch(s, 8) }
"#;
    let declared = |path: &str, branches| Declared {
        path: path.to_owned(),
        branches,
    };
    let expected = [
        declared("vm::m::one", true),
        declared("vm::m::two", false),
        declared("vm::m::branch", false),
    ];
    assert_eq!(in_source(source, "vm::m"), expected);
}
