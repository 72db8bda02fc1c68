//! Names that are found, and those that are meant to do harm.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vm::Permissions;

use super::*;

/// A folder with files that hold a module each, which exports its path.
fn folder(files: &[&str]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().expect("in a folder")).expect("it is made");
        fs::write(path, binary(file)).expect("it is written");
    }
    folder
}

fn binary(export: &str) -> Vec<u8> {
    wat::parse_str(format!(r#"(module (func (export "{export}")))"#)).expect("text")
}

fn directories() -> Directories {
    Directories::new(&Engine::default())
}

/// The path of the module that is found, in the folder.
fn export(found: Result<Found, FindError>) -> String {
    match found {
        Ok(found) => found.module.exports().next().map(|export| export.name().to_owned()),
        Err(error) => Some(error.to_string()),
    }
    .expect("it exports its path")
}

/// The error, without the folder's name.
fn error(folder: &TempDir, found: Result<Found, FindError>) -> String {
    let message = found.expect_err("it is not found").to_string();
    message.replace(&*folder.path().to_string_lossy(), "FOLDER")
}

#[test]
fn the_runtime_path_comes_first_then_directories_in_order() {
    let folder = folder(&["a/x", "b/x", "b/y", "own/x", "own/z", "r/lib/x"]);
    let at = |name: &str| folder.path().join(name);
    let finder = directories().search(at("missing")).search(at("b")).search(at("a"));
    let find = |name, runtime_path: &[&str], origin: Option<&Path>| {
        let runtime_path: Vec<Box<str>> = runtime_path.iter().map(|path| (*path).into()).collect();
        let request = Request::new(name, "app").in_runtime_path(&runtime_path, origin);
        export(finder.find(&request))
    };
    let own = at("own");
    let r = at("r");
    assert_eq!(find("x", &[], None), "b/x");
    assert_eq!(find("x", &["$ORIGIN"], Some(&own)), "own/x");
    assert_eq!(find("x", &["${ORIGIN}/lib", "$ORIGIN"], Some(&r)), "r/lib/x");
    assert_eq!(find("x", &["$ORIGIN/../a"], Some(&own)), "a/x");
    assert_eq!(find("y", &["$ORIGIN"], Some(&own)), "b/y");
    assert_eq!(find("x", &[own.to_str().expect("text")], None), "own/x");
    // One that has no directory, or is none.
    assert_eq!(find("x", &["$ORIGIN", "", "\0", "$ORIGINAL"], None), "b/x");
}

#[test]
fn origins_are_put_in() {
    let origin = Some(Path::new("/o"));
    for (entry, path) in [
        ("$ORIGIN", "/o"),
        ("${ORIGIN}x", "/ox"),
        ("$ORIGIN/../lib", "/o/../lib"),
        ("$ORIGIN$ORIGIN", "/o/o"),
        ("$ORIGIN_X/$y/$", "$ORIGIN_X/$y/$"),
        ("lib", "lib"),
    ] {
        assert_eq!(expanded(entry, origin), Some(path.into()), "{entry}");
    }
    assert_eq!(expanded("lib", None), Some("lib".into()));
    assert_eq!(expanded("$ORIGIN/lib", None), None);
    assert_eq!(expanded(&"$ORIGIN".repeat(1000), origin), None, "it is too long");
}

#[test]
fn one_file_by_two_names_is_one_library() {
    let folder = folder(&["lib/libx.so"]);
    let lib = folder.path().join("lib");
    fs::hard_link(lib.join("libx.so"), lib.join("libx.so.1")).expect("it is made");
    let finder = directories().search(&lib);
    let a = finder.find(&Request::new("libx.so", "app")).expect("found");
    let b = finder.find(&Request::new("libx.so.1", "app")).expect("found");
    assert_eq!(a.identity, b.identity);
    let path = format!("{}/../lib/libx.so", lib.display());
    let c = finder.find(&Request::new(&path, "app")).expect("found");
    assert_eq!((c.identity, &*c.name), (a.identity.clone(), &*path));
    assert_eq!(finder.file(&lib.join("libx.so")).expect("found").identity, a.identity);
    assert_eq!(a.origin(), Some(&*lib));
}

#[test]
fn what_is_found_again_is_not_read_again() {
    let folder = folder(&["x"]);
    let finder = directories().search(folder.path());
    let find = || finder.find(&Request::new("x", "app")).expect("found");
    let kept = || finder.kept.lock().expect("no panic").0.len();
    let (a, b) = (find(), find());
    assert_eq!((kept(), a.identity == b.identity), (1, true));
    // As a compiler does it: another file by the same name.
    fs::write(folder.path().join("new"), binary("changed")).expect("it is written");
    fs::rename(folder.path().join("new"), folder.path().join("x")).expect("it is moved");
    assert_eq!(export(finder.find(&Request::new("x", "app"))), "changed");
    for i in 0..50 {
        fs::write(folder.path().join(format!("{i}")), binary("many")).expect("it is written");
        finder.find(&Request::new(&i.to_string(), "app")).expect("found");
    }
    assert_eq!(kept(), KEPT);
}

#[test]
fn modules_that_are_kept_are_limited_in_bytes() {
    let module = Module::new(&Engine::default(), "(module)").expect("valid");
    let mut kept = Kept::default();
    let key = |inode, length| Key {
        identity: Identity::File { device: 0, inode },
        length,
        modified: None,
    };
    kept.add(key(1, KEPT_BYTES / 2), module.clone());
    kept.add(key(2, KEPT_BYTES / 2), module.clone());
    assert!(kept.get(&key(1, KEPT_BYTES / 2)).is_some());
    kept.add(key(3, 1), module.clone());
    assert_eq!((kept.0.len(), kept.get(&key(2, KEPT_BYTES / 2)).is_none()), (2, true));
    kept.add(key(4, KEPT_BYTES + 1), module.clone());
    assert_eq!(kept.0.len(), 0, "it is too large to be kept");
    kept.add(key(1, 1), module.clone());
    kept.add(key(1, 2), module);
    assert_eq!(kept.0.len(), 1, "one state of each file");
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_told_at_once() {
    let folder = folder(&["ok"]);
    let at = |name: &str| folder.path().join(name);
    let made = Command::new("mkfifo").arg(at("pipe")).status().expect("mkfifo runs");
    assert!(made.success());
    fs::create_dir(at("directory")).expect("it is made");
    fs::write(at("elf"), b"\x7fELF\x02\x01").expect("it is written");
    fs::write(at("empty"), "").expect("it is written");
    fs::write(at("script"), "INPUT(libc.a)").expect("it is written");
    fs::write(at("component"), b"\0asm\x0d\0\x01\0").expect("it is written");
    File::create(at("huge"))
        .and_then(|file| file.set_len(1 << 40))
        .expect("a file full of holes");
    for (target, link) in [
        ("/dev/zero", "zero"),
        ("/dev/tty", "tty"),
        ("loop", "loop"),
        ("gone", "dangling"),
    ] {
        std::os::unix::fs::symlink(target, at(link)).expect("it is made");
    }
    let finder = directories().search(folder.path());
    let before = Instant::now();
    for (name, message) in [
        ("pipe", "FOLDER/pipe: it is no regular file"),
        ("zero", "FOLDER/zero: it is no regular file"),
        ("tty", "FOLDER/tty: it is no regular file"),
        (
            "directory",
            "FOLDER/directory: it is a directory, not a WebAssembly module",
        ),
        (".", "FOLDER/.: it is a directory, not a WebAssembly module"),
        ("..", "FOLDER/..: it is a directory, not a WebAssembly module"),
        ("huge", "FOLDER/huge: it is larger than 268435456 bytes"),
        (
            "component",
            "FOLDER/component: it is a WebAssembly component, not a core module",
        ),
        ("dangling", "not found in FOLDER"),
        ("ok\n", "not found in FOLDER"),
        ("", "the name is empty"),
        ("o\0k", "the name has a zero byte"),
        ("./ok", "not found"),
    ] {
        assert_eq!(
            error(&folder, finder.find(&Request::new(name, "app"))),
            message,
            "{name:?}"
        );
    }
    for (name, message) in [("elf", "not a"), ("empty", "not a"), ("script", "not a"), ("loop", "")] {
        let told = error(&folder, finder.find(&Request::new(name, "app")));
        assert!(told.starts_with(&format!("FOLDER/{name}: {message}")), "{told}");
        assert!(!told.contains('\n'), "{told}");
    }
    let long = "x".repeat(1000);
    assert_eq!(
        error(&folder, finder.find(&Request::new(&long, "app"))),
        "not found in FOLDER"
    );
    let long = "x".repeat(1 << 20);
    let told = error(&folder, finder.find(&Request::new(&long, "app")));
    assert_eq!(told, "the name has 1048576 bytes, more than 4096");
    let path = vec!["/nowhere".into(); 101];
    let told = error(
        &folder,
        finder.find(&Request::new("ok", "app").in_runtime_path(&path, None)),
    );
    assert_eq!(told, "the module's runtime path has 101 directories, more than 100");
    assert!(before.elapsed() < Duration::from_secs(20));
}

#[test]
fn guests_find_what_they_may_load() {
    let folder = folder(&["lib/x", "data/plugins/p", "data/q", "secret/s"]);
    let at = |name: &str| folder.path().join(name);
    fs::write(at("data/text"), "(module)").expect("it is written");
    let finder = directories()
        .translate(|_, text| Ok(wat::parse_bytes(text)?.into_owned()))
        .search(at("lib"))
        .give(at("data"), "/data");
    let secret: Vec<Box<str>> = vec![at("secret").to_str().expect("text").into()];
    let find = |name, permissions: &str| {
        let permissions: Permissions = permissions.parse().expect("permissions");
        let request = Request::new(name, "app").in_runtime_path(&secret, None);
        export(finder.find(&request.permitted(Some(&permissions))))
    };
    let outside = "it is in no directory from which it may be loaded";
    for (name, permissions, answer) in [
        ("x", "load", "lib/x"),
        ("x", "inherit,-load", "it has no permission `load`"),
        ("/data/q", "load,dir=/data:ro", "data/q"),
        ("data/./q", "load,dir=/data:ro", "data/q"),
        ("/data/q", "load", "it has no permission `read`"),
        ("/data/q", "inherit,-read", "it has no permission `read`"),
        ("/data/q", "load,dir=/data/plugins:ro", outside),
        ("/data/plugins/p", "load,dir=/data/plugins:ro", "data/plugins/p"),
        ("/data/none", "load,dir=/data:ro", "not found"),
        ("/data/../secret/s", "inherit", outside),
        ("../secret/s", "inherit", outside),
        ("/etc/passwd", "inherit", outside),
        // The runtime path leads there, and must not say what is there.
        ("s", "inherit", outside),
        ("t", "inherit", outside),
    ] {
        assert_eq!(find(name, permissions), answer, "{name} with {permissions}");
    }
    let host = Request::new("s", "app").in_runtime_path(&secret, None);
    assert_eq!(export(finder.find(&host)), "secret/s", "it is for guests only");
    let told = find("/data/text", "inherit");
    assert!(
        told.starts_with("not a") && !told.contains(&*folder.path().to_string_lossy()),
        "{told}"
    );
    let text = at("data/text");
    assert!(finder.file(&text).is_ok(), "it is a module for the host");
    assert_eq!(
        export(finder.find(&Request::new("none", "app").permitted(Some(&Permissions::all())))),
        "not found",
        "guests are not told the host's directories"
    );
}
