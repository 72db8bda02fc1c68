//! Modules whose types are many, or refer to each other without end.

use std::hash::{DefaultHasher, Hash, Hasher};

use vm::{Engine, ExternType, Instance, Module, Store};

/// A number in the binary format.
fn leb(mut n: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (n & 0x7f) as u8;
        n >>= 7;
        if n == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

/// The index of a type as a heap type: a signed number.
fn heap_type(mut n: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while n > 0x3f {
        bytes.push((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
    bytes
}

/// A module of nothing but types, each of which is one of so many entries.
fn module(entries: u32, types: &[u8]) -> Vec<u8> {
    let content = [leb(entries), types.to_vec()].concat();
    let len = u32::try_from(content.len()).expect("small");
    [b"\0asm\x01\0\0\0\x01".to_vec(), leb(len), content].concat()
}

/// Types that a test makes.
const MANY: u32 = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };

#[test]
fn chains_of_types_of_any_length_load_and_go() {
    // Each but the first takes a reference to the one before.
    let mut types = vec![0x60, 0, 0];
    for i in 1..MANY {
        types.extend([0x60, 1, 0x63]);
        types.extend(heap_type(i - 1));
        types.push(0);
    }
    let bytes = module(MANY, &types);
    let engine = Engine::default();
    let one = Module::from_binary(&engine, &bytes).expect("valid");
    let two = Module::from_binary(&engine, &bytes).expect("valid, of the same types");
    let mut store = Store::new(&engine, ());
    Instance::new(&mut store, &one, &[]).expect("nothing to do");
    drop((one, two));
    drop(store);
    Module::from_binary(&engine, &bytes).expect("valid again");
}

#[test]
fn large_groups_that_name_themselves_load_and_go() {
    // Each has a field for the next, the last for the first.
    let mut types = vec![0x4e];
    types.extend(leb(MANY));
    for i in 0..MANY {
        types.extend([0x5f, 1, 0x63]);
        types.extend(heap_type((i + 1) % MANY));
        types.push(1);
    }
    let bytes = module(1, &types);
    let engine = Engine::default();
    for _ in 0..2 {
        let module = Module::from_binary(&engine, &bytes).expect("valid");
        let mut store = Store::new(&engine, ());
        Instance::new(&mut store, &module, &[]).expect("nothing to do");
    }
}

#[test]
#[allow(
    clippy::mutable_key_type,
    reason = "a type leads to its engine's registry, but is compared by identity"
)]
fn types_that_name_themselves_are_shown_and_compared() {
    let engine = Engine::default();
    let text = r#"(module
        (rec (type $f (func (param (ref null $s)) (result (ref null $f)))) (type $s (struct (field (ref null $f)))))
        (func (export "f") (type $f) (ref.null $f))
        (global (export "g") (ref null $s) (ref.null $s))
        (table (export "t") 1 (ref null $f)))"#;
    let [one, two] = [(); 2].map(|()| Module::new(&engine, text).expect("valid"));
    for (one, two) in one.exports().zip(two.exports()) {
        assert_eq!(one.ty(), two.ty(), "{}", one.ty());
        let hash = |ty: ExternType| {
            let mut hasher = DefaultHasher::new();
            ty.hash(&mut hasher);
            hasher.finish()
        };
        assert_eq!(hash(one.ty()), hash(two.ty()));
    }
    let other = Module::new(&engine, text.replace("(field (ref null $f))", "(field (ref null $s))")).expect("valid");
    for (one, other) in one.exports().zip(other.exports()) {
        assert_ne!(one.ty(), other.ty());
    }
}
