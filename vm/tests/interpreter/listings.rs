//! The interpreter's code for small functions: each `listings/X.wat` is
//! translated and compared with `X.txt`. `BLESS=1` rewrites those; read the
//! difference before you commit it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use vm::{Engine, Module};

fn sources() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interpreter/listings");
    let files = std::fs::read_dir(folder).expect("the folder is in the tree");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("readable").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "wat"));
    files.sort();
    files
}

fn listing(source: &Path) -> String {
    let text = std::fs::read(source).expect("readable");
    let module = Module::new(&Engine::default(), text).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
    let functions = module
        .imports()
        .filter(|import| import.ty().kind() == "function")
        .count();
    let mut all = String::new();
    for index in functions.. {
        let index = u32::try_from(index).expect("few functions");
        let Some(code) = module.code_listing(index).expect("small functions") else {
            break;
        };
        write!(all, "func {index}\n{code}\n").expect("strings can be written to");
    }
    all
}

#[test]
fn functions_are_translated_as_expected() {
    // Checked memories have other code.
    if !cfg!(all(target_arch = "x86_64", target_os = "linux", not(orcavm_portable))) {
        return;
    }
    let sources = sources();
    assert!(sources.len() >= 5, "found only {sources:?}");
    let mut wrong = Vec::new();
    for source in sources {
        let got = listing(&source);
        let expected = source.with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected, &got).expect("writable");
        }
        if std::fs::read_to_string(&expected).unwrap_or_default() != got {
            wrong.push(format!("{}:\n{got}", source.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "not as expected (BLESS=1 rewrites):\n{}",
        wrong.join("\n")
    );
}
