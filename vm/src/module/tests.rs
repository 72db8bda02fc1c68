//! Modules as bytes, and what is made of them.

use wasmparser::WasmFeatures;

use super::const_expr::ConstOps;
use super::{ConstOp, DataKind, ElemItems, ElemKind, ExportKind, FuncIdx, ImportKind, ModuleData};
use crate::error::{LoadError, LoadErrorKind};
use crate::types::{TypeId, TypeRegistry};

/// Features of the Wasm that is run.
fn features() -> WasmFeatures {
    (WasmFeatures::WASM2 - WasmFeatures::SIMD) | WasmFeatures::EXTENDED_CONST | WasmFeatures::MULTI_MEMORY
}

fn load_with(bytes: &[u8], threads: usize) -> Result<ModuleData, LoadError> {
    ModuleData::parse(bytes.into(), features(), &TypeRegistry::default(), threads)
}

fn load(bytes: &[u8]) -> Result<ModuleData, LoadError> {
    load_with(bytes, 1)
}

fn binary(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the test's text is well-formed")
}

fn load_text(text: &str) -> Result<ModuleData, LoadError> {
    load(&binary(text))
}

/// Appends an unsigned number in LEB128.
fn leb(mut n: usize, to: &mut Vec<u8>) {
    while n >= 0x80 {
        to.push(u8::try_from(n & 0x7f).expect("7 bits") | 0x80);
        n >>= 7;
    }
    to.push(u8::try_from(n).expect("7 bits"));
}

/// `content` behind its length.
fn sized(content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    leb(content.len(), &mut bytes);
    bytes.extend(content);
    bytes
}

/// A list of `count` entries that are already encoded.
fn list(count: usize, entries: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    leb(count, &mut bytes);
    bytes.extend(entries);
    bytes
}

/// A module of sections: id and content.
fn module(sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    for (id, content) in sections {
        bytes.push(*id);
        bytes.extend(sized(content));
    }
    bytes
}

/// A module of functions of type `(func)` with these bodies, locals included,
/// and more sections.
fn functions(bodies: &[Vec<u8>], more: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let code: Vec<u8> = bodies.iter().flat_map(|body| sized(body)).collect();
    let mut sections = vec![
        (1, vec![1, 0x60, 0, 0]),
        (3, list(bodies.len(), &vec![0; bodies.len()])),
        (10, list(bodies.len(), &code)),
    ];
    sections.extend_from_slice(more);
    module(&sections)
}

/// One of everything.
const RICH: &str = r#"
(module $rich
  (type $pair (func (param i32 i64) (result i64)))
  (import "env" "f" (func $f (type $pair)))
  (import "env" "g" (global $g i32))
  (import "env" "m" (memory 1 2))
  (import "env" "t" (table 3 externref))
  (global $sum i32 (i32.add (global.get $g) (i32.const -2)))
  (global $ref (mut funcref) (ref.func $main))
  (memory $second 1)
  (table $funcs 4 8 funcref)
  (func $main (type $pair) (local f32)
    (call $f (local.get 0) (i64.add (local.get 1) (i64.mul (i64.const 2) (i64.const 3)))))
  (func $starter (drop (ref.func $declared)))
  (func $unused)
  (func $declared)
  (func $in_table)
  (start $starter)
  (elem (table $funcs) (i32.const 1) func $in_table $main)
  (elem funcref (ref.func $in_table) (ref.null func))
  (elem funcref (ref.func $in_table))
  (elem declare func $declared)
  (data (memory $second) (global.get $g) "hello")
  (data "passive")
  (export "b" (func $main))
  (export "a" (memory $second))
  (export "c" (global $ref))
  (export "" (table $funcs))
  (@custom "note" "content"))
"#;

#[test]
fn everything_in_a_module_is_kept() {
    let data = load_text(RICH).expect("a valid module");
    let imports: Vec<String> = data
        .imports
        .iter()
        .map(|i| format!("{} {}", i.name, data.import_type(i)))
        .collect();
    let expected = [
        "f (func (param i32 i64) (result i64))",
        "g (global i32)",
        "m (memory 1 2)",
        "t (table 3 externref)",
    ];
    assert_eq!(imports, expected);
    assert!(matches!(data.imports[0].ty, ImportKind::Func(ty) if ty.index() == 0));
    let imported = [
        data.num_imported_funcs,
        data.num_imported_globals,
        data.num_imported_memories,
        data.num_imported_tables,
    ];
    assert_eq!(imported, [1; 4]);
    assert_eq!((data.funcs.len(), data.bodies.len()), (6, 5));
    assert_eq!((data.globals.len(), data.global_inits.len()), (3, 2));
    assert_eq!(
        (data.tables.len(), data.table_inits.len(), data.memories.len()),
        (2, 1, 2)
    );

    let exports: Vec<String> = data
        .exports
        .iter()
        .map(|e| format!("{} {}", e.name, data.export_type(e)))
        .collect();
    let expected = [
        "b (func (param i32 i64) (result i64))",
        "a (memory 1)",
        "c (global (mut funcref))",
        " (table 4 8 funcref)",
    ];
    assert_eq!(exports, expected);
    for export in &data.exports {
        assert_eq!(data.export(&export.name).map(|found| &found.name), Some(&export.name));
    }
    assert!(matches!(data.export("b").map(|e| e.kind), Some(ExportKind::Func(f)) if f.as_u32() == 1));
    assert!(data.export("d").is_none());

    let sum = &data.global_inits[0].0;
    assert!(matches!(
        **sum,
        [ConstOp::GlobalGet(_), ConstOp::Const(0xffff_fffe), ConstOp::I32Add]
    ));
    assert!(matches!(data.global_inits[1].0, ConstOps::One(ConstOp::RefFunc(f)) if f.as_u32() == 1));
    assert_eq!(data.start.map(FuncIdx::as_u32), Some(2));

    let body = &data.bodies[0];
    assert_eq!((body.max_stack, body.local_slots), (4, 3));
    assert_eq!(data.body_start(FuncIdx::new(1)), body.range.start);
    assert_eq!(data.bytes[body.range.end - 1], 0x0b, "a body ends with `end`");
    assert_eq!(data.func_type(FuncIdx::new(0)), data.func_type(FuncIdx::new(1)));
    assert_eq!(data.func_type_id(FuncIdx::new(0)), data.func_type_id(FuncIdx::new(1)));
}

#[test]
fn segments_are_kept() {
    let data = load_text(RICH).expect("a valid module");
    let items = |i: usize| match &data.elems[i].items {
        ElemItems::Funcs(funcs) => funcs.iter().map(|f| f.as_u32()).collect::<Vec<_>>(),
        ElemItems::Exprs(exprs) => vec![u32::MAX; exprs.len()],
    };
    assert_eq!(
        (items(0), items(1), items(2), items(3)),
        (vec![5, 1], vec![u32::MAX; 2], vec![5], vec![4])
    );
    assert!(matches!(&data.elems[0].kind, ElemKind::Active { table, .. } if table.index() == 1));
    assert!(matches!(data.elems[1].kind, ElemKind::Passive));
    assert!(matches!(data.elems[3].kind, ElemKind::Declared));

    assert_eq!(&data.bytes[data.datas[0].range.clone()], b"hello");
    assert!(matches!(&data.datas[0].kind, DataKind::Active { memory, .. } if memory.index() == 1));
    assert_eq!(&data.bytes[data.datas[1].range.clone()], b"passive");
    assert!(matches!(data.datas[1].kind, DataKind::Passive));

    let note = data
        .customs
        .iter()
        .find(|(name, _)| &**name == "note")
        .expect("the custom section");
    assert_eq!(&data.bytes[note.1.clone()], b"content");
}

#[test]
fn functions_that_can_be_referred_to_by_value_are_known() {
    let data = load_text(RICH).expect("a valid module");
    let escaped: Vec<(usize, u32)> = data
        .escaped_funcs()
        .map(|(dense, func)| (dense, func.as_u32()))
        .collect();
    assert_eq!(escaped, [(0, 1), (1, 2), (2, 4), (3, 5)]);
    assert_eq!(data.num_escaped, 4);
    assert_eq!(data.escaped_index(FuncIdx::new(4)), Some(2));
    assert_eq!(data.escaped_index(FuncIdx::new(3)), None);
}

#[test]
fn functions_have_names_from_the_name_section_exports_or_imports() {
    let name = |text: &str, func: u32| {
        load_text(text)
            .expect("valid")
            .func_name(FuncIdx::new(func))
            .map(str::to_owned)
    };
    assert_eq!(name(RICH, 2).as_deref(), Some("starter"));
    assert_eq!(load_text(RICH).expect("valid").module_name(), Some("rich"));
    let bare = r#"(module (import "a" "b" (global i32)) (import "a" "c" (func)) (func (export "d")) (func))"#;
    assert_eq!(name(bare, 0).as_deref(), Some("c"));
    assert_eq!(name(bare, 1).as_deref(), Some("d"));
    assert_eq!(name(bare, 2), None);
    assert_eq!(name(bare, 7), None);
    assert_eq!(load_text(bare).expect("valid").module_name(), None);
}

#[test]
fn a_malformed_name_section_names_what_it_can() {
    let named = |functions: &[u8]| {
        let section = [&[4][..], b"name", &[0, 2, 1, b'm', 1], &sized(functions)].concat();
        let data = load(&module(&[(0, section)])).expect("the name section is not validated");
        let names = [0, 1, 2].map(|func| data.func_name(FuncIdx::new(func)).map(str::to_owned));
        (
            data.module_name().map(str::to_owned),
            names.map(Option::unwrap_or_default).concat(),
        )
    };
    let name = Some("m".to_owned());
    assert_eq!(named(&[2, 0, 1, b'x', 1, 1, b'y']), (name.clone(), "xy".into()));
    assert_eq!(
        named(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1, b'x']),
        (name.clone(), "x".into())
    );
    assert_eq!(
        named(&[2, 0, 1, b'x', 0, 1, b'y']),
        (name.clone(), "x".into()),
        "indices must ascend"
    );
    assert_eq!(
        named(&[2, 0, 1, b'x', 1, 1, 0xff]),
        (name.clone(), "x".into()),
        "not UTF-8"
    );
    assert_eq!(named(&[2, 0, 1, b'x', 1, 9, b'y']), (name, "x".into()), "too long");
}

#[test]
fn what_is_no_module_is_refused() {
    let cases: &[(&[u8], Option<u64>, &str)] = &[
        (
            b"",
            Some(0),
            "not a WebAssembly module: it does not begin with the magic bytes `\\0asm` (at byte 0x0)",
        ),
        (b"hello, world", Some(0), "not a WebAssembly module"),
        (b"\x7fELF", Some(0), "not a WebAssembly module"),
        (b"\0as", None, "unexpected end"),
        (b"\0asm\x01\0", None, "unexpected end"),
        (b"\0asm\x02\0\0\0", Some(4), "unknown binary version"),
        (
            b"\0asm\x0d\0\x01\0",
            Some(4),
            "this is a WebAssembly component, not a core module",
        ),
        (b"\0asm\x01\0\0\0\x01\x7f", None, "unexpected end"),
        (b"\0asm\x01\0\0\0\x01\xff\xff\xff\xff\x0f", None, "unexpected end"),
        (b"\0asm\x01\0\0\0\x63\0", Some(10), "malformed section id"),
        (
            b"\0asm\x01\0\0\0\x01\x05\xff\xff\xff\xff\x0f",
            None,
            "types count exceeds limit",
        ),
        (b"\0asm\x01\0\0\0\x01\x04\xc0\x84\x3d\x60", None, "unexpected end"),
        (
            b"\0asm\x01\0\0\0\x0a\x05\xff\xff\xff\xff\x0f",
            None,
            "code section has non-zero count",
        ),
        (
            b"\0asm\x01\0\0\0\x0b\x05\xff\xff\xff\xff\x0f",
            None,
            "data segments count exceeds limit",
        ),
    ];
    for (bytes, offset, message) in cases {
        let error = load(bytes).expect_err("no module");
        assert!(error.to_string().contains(message), "{bytes:x?}: {error}");
        assert!(
            error.offset().is_some_and(|at| at <= bytes.len() as u64),
            "{bytes:x?}: {error}"
        );
        assert!(offset.is_none() || error.offset() == *offset, "{bytes:x?}: {error}");
    }
}

#[test]
fn what_needs_another_proposal_is_refused_by_its_name() {
    let cases = [
        ("(module (func (drop (v128.const i64x2 0 0))))", "the simd proposal"),
        ("(module (func (param v128)))", "the simd proposal"),
        ("(module (func $f (return_call $f)))", "the tail-call proposal"),
        ("(module (memory 1 1 shared))", "the threads proposal"),
        (
            "(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))",
            "the threads proposal",
        ),
        ("(module (memory i64 1))", "the memory64 proposal"),
        ("(module (table i64 1 funcref))", "the memory64 proposal"),
        ("(module (memory 1 (pagesize 1)))", "the custom-page-sizes proposal"),
        ("(module (tag))", "the exceptions proposal"),
        ("(module (import \"a\" \"b\" (tag)))", "the exceptions proposal"),
        ("(module (func (param exnref)))", "the exceptions proposal"),
        ("(module (func try catch_all end))", "the legacy-exceptions proposal"),
        (
            "(module (type $t (func)) (func (param (ref $t))))",
            "the function-references proposal",
        ),
        (
            "(module (type $t (func)) (func (param (ref null $t)) (call_ref $t (local.get 0))))",
            "the function-references proposal",
        ),
        ("(module (type (struct (field i32))))", "the gc proposal"),
        ("(module (func (drop (ref.i31 (i32.const 0)))))", "the gc proposal"),
        (
            "(module (func (param i64 i64) (result i64 i64) (i64.add128 (local.get 0) (local.get 1) (local.get 0) (local.get 1))))",
            "the wide-arithmetic proposal",
        ),
    ];
    for (text, proposal) in cases {
        let error = load_text(text).expect_err("needs a proposal");
        assert!(matches!(error.kind(), LoadErrorKind::Disabled(_)), "{text}: {error}");
        assert!(error.to_string().starts_with(proposal), "{text}: {error}");
        assert!(
            error.to_string().contains(" is switched off (at byte 0x"),
            "{text}: {error}"
        );
    }
}

#[test]
fn no_proposal_is_blamed_for_what_none_makes_valid() {
    // A SIMD operator without operands; an offset in more bytes than 32 bits
    // take but not 64, without a memory.
    let simd = functions(&[vec![0, 0xfd, 0x4e, 0x0b]], &[]);
    let address = functions(
        &[vec![0, 0x41, 0, 0x28, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0x1a, 0x0b]],
        &[],
    );
    for bytes in [simd, address] {
        let error = load(&bytes).expect_err("not valid");
        assert!(matches!(error.kind(), LoadErrorKind::Invalid(_)), "{error}");
    }
}

#[test]
fn what_is_not_valid_is_refused_at_its_offset() {
    let body = |code: &[u8]| functions(&[[&[0], code, &[0x0b]].concat()], &[]);
    // Code begins at byte 23, behind the number of local groups.
    for (bytes, offset, message) in [
        (body(&[0x41, 0]), 25, "type mismatch: values remaining on stack"),
        (body(&[0x1a]), 23, "type mismatch: expected a type but nothing on stack"),
        (body(&[0x01, 0x01, 0xff]), 25, "illegal opcode: 0xff"),
        (body(&[0x10, 0x07]), 23, "unknown function 7"),
        (
            functions(&[vec![1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0x0b]], &[]),
            23,
            "too many locals",
        ),
    ] {
        let error = load(&bytes).expect_err("not valid");
        assert!(matches!(error.kind(), LoadErrorKind::Invalid(_)), "{error}");
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(error.offset(), Some(offset), "{error}");
    }
}

#[test]
fn the_first_fault_is_reported_however_many_threads_look() {
    const BODIES: usize = 3000;
    let good = [&[0][..], &[0x01; 200], &[0x0b]].concat();
    let bad = vec![0, 0x1a, 0x0b];
    // A data segment of a memory that is not there.
    let bad_data = (11, vec![1, 0, 0x41, 0, 0x0b, 0]);
    for first in [0, 1, 31, 32, 1500, BODIES - 1] {
        let mut bodies = vec![good.clone(); BODIES];
        for i in [first, (first + 40).min(BODIES - 1), BODIES - 1] {
            bodies[i].clone_from(&bad);
        }
        let bytes = functions(&bodies, std::slice::from_ref(&bad_data));
        let errors = [1, 2, 8].map(|threads| load_with(&bytes, threads).expect_err("not valid").to_string());
        let at = bytes
            .windows(4)
            .position(|window| window == [3, 0, 0x1a, 0x0b])
            .expect("the bad body")
            + 2;
        assert!(errors[0].ends_with(&format!("(at byte {at:#x})")), "{errors:?}");
        assert!(errors.iter().all(|error| *error == errors[0]), "{errors:?}");
    }
    let bytes = functions(&vec![good; BODIES], &[bad_data]);
    let error = load_with(&bytes, 2).expect_err("not valid");
    assert!(error.to_string().contains("unknown memory 0"), "{error}");
}

#[test]
fn a_function_whose_frame_is_too_large_is_refused_with_its_name() {
    // `operands` constants, and as many drops, with `locals` locals.
    let body = |locals: usize, operands: usize| {
        let mut body = vec![1];
        leb(locals, &mut body);
        body.push(0x7f);
        body.extend([0x41, 0].repeat(operands));
        body.extend([0x1a].repeat(operands));
        body.push(0x0b);
        body
    };
    let names = |name: &str| {
        (
            0,
            [
                &[4][..],
                b"name\x01",
                &sized(&[&[1, 1][..], &sized(name.as_bytes())].concat()),
            ]
            .concat(),
        )
    };
    let small = vec![0, 0x0b];
    for (locals, operands) in [(49_999, 0), (40_000, 25_000), (0, 65_000)] {
        let data = load(&functions(&[small.clone(), body(locals, operands)], &[])).expect("the frame is small enough");
        let sizes = (data.bodies[1].local_slots as usize, data.bodies[1].max_stack as usize);
        assert_eq!(sizes, (locals, operands));
    }
    for (locals, operands) in [(49_999, 15_999), (40_000, 25_600), (0, 65_600), (0, 200_000)] {
        let error = load(&functions(&[small.clone(), body(locals, operands)], &[names("big")])).expect_err("too large");
        assert!(
            matches!(error.kind(), LoadErrorKind::FrameTooLarge { func: 1, .. }),
            "{error}"
        );
        assert!(
            error.to_string().starts_with("function 1 (`big`) needs a frame of "),
            "{error}"
        );
        assert!(error.to_string().contains("65535 is the limit"), "{error}");
    }
}

#[test]
fn truncated_modules_are_refused_or_whole() {
    let bytes = binary(RICH);
    for len in 0..bytes.len() {
        if let Err(error) = load(&bytes[..len]) {
            assert!(error.offset().is_some_and(|at| at <= len as u64), "{len}: {error}");
        }
    }
}

#[test]
fn corrupted_modules_are_refused_or_valid() {
    let bytes = binary(RICH);
    let mut refused = 0;
    for i in 0..bytes.len() {
        for flip in [0x01, 0x02, 0x40, 0x80, 0xff] {
            let mut corrupted = bytes.clone();
            corrupted[i] ^= flip;
            match load_with(&corrupted, 2) {
                Ok(data) => drop(data.func_name(FuncIdx::new(0)).map(str::len)),
                Err(error) => refused += usize::from(error.offset().is_some_and(|at| at <= bytes.len() as u64)),
            }
        }
    }
    assert!(
        refused > bytes.len(),
        "{refused} of {} corruptions were refused",
        5 * bytes.len()
    );
}

#[test]
fn as_many_segments_and_sections_as_allowed_load() {
    const MANY: usize = 100_000;
    let segments = list(MANY, &[0, 0x41, 0, 0x0b, 1, b'x'].repeat(MANY));
    let bytes = module(&[(5, vec![1, 0, 1]), (11, segments)]);
    let data = load(&bytes).expect("valid");
    assert_eq!(data.datas.len(), MANY);
    assert_eq!(data.datas[MANY - 1].range, bytes.len() - 1..bytes.len());

    let sections = |count| vec![(0, vec![1, b'n']); count];
    assert_eq!(load(&module(&sections(MANY))).expect("valid").customs.len(), MANY);
    let error = load(&module(&sections(MANY + 1))).expect_err("too many");
    assert!(
        error
            .to_string()
            .starts_with("more than 100000 custom sections, which is the limit"),
        "{error}"
    );
}

/// The identities of a module's types.
fn ids(module: &ModuleData) -> Vec<TypeId> {
    module.types.iter().map(|ty| ty.def().id()).collect()
}

#[test]
fn equal_types_of_an_engine_are_one() {
    let registry = TypeRegistry::default();
    let load = |text: &str| ModuleData::parse(binary(text).into(), features(), &registry, 1);
    let one = load("(module (type (func (param i32))) (type (func)) (type (func (param i32))))").expect("valid");
    let two = load("(module (type (func)) (type (func (param f32))))").expect("valid");
    assert_eq!(ids(&one)[0], ids(&one)[2]);
    assert_eq!(ids(&one)[1], ids(&two)[0]);
    assert_ne!(ids(&one)[0], ids(&two)[1]);
    assert_eq!(registry.get(ids(&two)[1]), *two.types[1].def());
    assert_eq!(registry.len(), 3);
    load("(module (type (func (param i64))) (func (result i32)))").expect_err("not valid");
    assert_eq!(registry.len(), 3, "a refused module leaves no types");
    drop(one);
    assert_eq!(registry.len(), 2);
}

#[test]
fn types_of_modules_that_are_gone_make_room() {
    let registry = TypeRegistry::default();
    let load = |text: &str| ModuleData::parse(binary(text).into(), features(), &registry, 1).expect("valid");
    let kept = load("(module (type (func (param i32 i32 i32))))");
    for i in 0..50_u32 {
        let types = (0..200_u32).map(|j| {
            let n = 200 * i + j;
            let params = (0..16).map(|bit| if n >> bit & 1 == 0 { "i64 " } else { "f64 " });
            format!("(type (func (param {})))", params.collect::<String>())
        });
        let module = load(&format!("(module {})", types.collect::<String>()));
        assert_ne!(ids(&module)[7], ids(&kept)[0]);
        assert_eq!(registry.get(ids(&module)[7]), *module.types[7].def());
        assert!(ids(&module).iter().all(|id| id.as_u32() <= 200), "{i}");
    }
    assert_eq!(registry.get(ids(&kept)[0]), *kept.types[0].def());
    assert_eq!(ids(&load("(module (type (func (param i32 i32 i32))))")), ids(&kept));
}
