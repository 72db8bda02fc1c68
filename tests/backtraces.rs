//! Backtraces with source lines, and debug information that is no good: damaged in
//! every byte, or made to keep its reader busy.
//!
//! What the command prints stands in `tests/cli/backtrace.trycmd`.

use std::path::Path;
use std::time::{Duration, Instant};

use orcavm::vm::{Engine, Error, FrameInfo, Instance, Module, Store, Trap, Val, ValType};
use wasm_encoder::{
    CodeSection, CustomSection, ExportKind, ExportSection, Function, FunctionSection, Instruction, TypeSection,
};
use wasmparser::{Parser, Payload};

/// A program that the command's tests run too.
fn program(name: &str) -> Vec<u8> {
    let path = Path::new("tests/cli/backtrace.in").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The trap of a module's function `run`, which takes this number or none.
fn trap(module: &[u8], number: i32) -> Error {
    let engine = Engine::default();
    let module = Module::new(&engine, module).expect("debug information is not validated");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("nothing is imported");
    let run = instance.get_func(&mut store, "run").expect("it is exported");
    let ty = run.ty(&store);
    let args: Vec<Val> = ty.params().map(|_| Val::I32(number)).collect();
    let mut results: Vec<Val> = ty.results().map(|_| Val::I32(0)).collect();
    assert!(ty.params().chain(ty.results()).all(|ty| ty == ValType::I32));
    run.call(&mut store, &args, &mut results).expect_err("it traps")
}

fn frames(error: &Error) -> &[FrameInfo] {
    error.backtrace().expect("it has run").frames()
}

/// What debug information says about frames: file, line, column and name.
fn symbols(error: &Error) -> Vec<String> {
    let symbols = frames(error).iter().flat_map(FrameInfo::symbols);
    let shown = symbols.map(|symbol| {
        let number = |number: Option<u32>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let (file, name) = (symbol.file().unwrap_or("-"), symbol.name().unwrap_or("-"));
        format!("{file}:{}:{} {name}", number(symbol.line()), number(symbol.column()))
    });
    shown.collect()
}

#[test]
fn symbols_of_frames() {
    let error = trap(&program("mean.wasm"), 0);
    assert_eq!(error.trap(), Some(Trap::IntegerDivisionByZero));
    assert_eq!(
        symbols(&error),
        [
            "/source/mean.c:4:16 quotient",
            "/source/mean.c:11:12 mean",
            "/source/mean.c:16:12 run"
        ]
    );
    let per_frame: Vec<usize> = frames(&error).iter().map(|frame| frame.symbols().len()).collect();
    assert_eq!(per_frame, [2, 1]);
    let [mean, run] = frames(&error) else {
        panic!("{:?}", error.backtrace())
    };
    assert!(Module::same(mean.module(), run.module()));
    assert_eq!((mean.func_index(), run.func_index()), (0, 1));
    assert_eq!(
        (mean.func_name().as_deref(), run.raw_func_name()),
        (Some("mean"), Some("run"))
    );
    assert!(mean.func_offset() > 0 && mean.module_offset() > mean.func_offset());
}

#[test]
fn mangled_names_are_given_as_they_are() {
    let error = trap(&program("shapes.wasm"), 20);
    assert!(
        symbols(&error)[0].ends_with(" _ZN6shapes3BoxIiE5checkEii"),
        "{:?}",
        symbols(&error)
    );
}

/// A frame without debug information has no symbols, and shows its offset.
#[test]
fn no_debug_information() {
    let error = trap(b"(module $plain (func (export \"run\") unreachable))", 0);
    assert_eq!(symbols(&error), [""; 0]);
    let shown = error.backtrace().expect("it has run").to_string();
    assert_eq!(
        shown,
        format!("   0: plain!run @ {:#x}", frames(&error)[0].module_offset())
    );
}

/// Where the contents of a module's debug sections are.
fn debug_sections(module: &[u8]) -> Vec<std::ops::Range<usize>> {
    let payloads = Parser::new(0)
        .parse_all(module)
        .map(|payload| payload.expect("it is well-formed"));
    let sections = payloads.filter_map(|payload| match payload {
        Payload::CustomSection(section) if section.name().starts_with(".debug_") => Some(section.data_range()),
        _ => None,
    });
    let usize = |offset| usize::try_from(offset).expect("it is in memory");
    sections.map(|range| usize(range.start)..usize(range.end)).collect()
}

/// Each byte of debug information is replaced. Nothing may panic, and the frames stay
/// what they are.
#[test]
fn damaged_bytes() {
    for (name, number) in [
        ("mean.wasm", 0),
        ("shapes.wasm", 20),
        ("sum.wasm", 20),
        ("five.wasm", 0),
    ] {
        let module = program(name);
        let whole = trap(&module, number);
        let functions = |error: &Error| frames(error).iter().map(FrameInfo::func_index).collect::<Vec<_>>();
        let mut with_symbols = 0;
        for position in debug_sections(&module).into_iter().flatten() {
            let byte = module[position];
            for replaced in [0xff, byte ^ 0x80, byte.wrapping_add(1)] {
                let mut damaged = module.clone();
                damaged[position] = replaced;
                let error = trap(&damaged, number);
                assert_eq!(functions(&error), functions(&whole), "{name} {position}");
                let symbols = symbols(&error);
                assert!(symbols.len() <= 32 * frames(&error).len(), "{name} {position}");
                with_symbols += usize::from(!symbols.is_empty());
            }
        }
        // Most bytes do not matter for all of it.
        assert!(with_symbols > 100, "{name}");
    }
}

/// Each section ends early.
#[test]
fn damaged_lengths() {
    for (name, number) in [("mean.wasm", 0), ("five.wasm", 0)] {
        let module = program(name);
        for cut in debug_sections(&module) {
            for len in 0..cut.len() {
                let mut damaged = wasm_encoder::Module::new();
                for payload in Parser::new(0).parse_all(&module) {
                    match payload.expect("it is well-formed") {
                        Payload::CustomSection(section) => {
                            let is_cut = section.data_range().start == cut.start as u64;
                            let data = if is_cut { &section.data()[..len] } else { section.data() };
                            let (name, data) = (section.name().into(), data.into());
                            damaged.section(&CustomSection { name, data });
                        }
                        payload => {
                            if let Some((id, range)) = payload.as_section() {
                                let range = range.start as usize..range.end as usize;
                                let data = &module[range];
                                damaged.section(&wasm_encoder::RawSection { id, data });
                            }
                        }
                    }
                }
                let error = trap(&damaged.finish(), number);
                assert_eq!(error.trap(), Some(Trap::IntegerDivisionByZero), "{name} {cut:?} {len}");
                assert!(symbols(&error).len() <= 3, "{name} {cut:?} {len}");
            }
        }
    }
}

/// A module whose function traps at once, with these sections. Debug information
/// calls the place 3.
fn hostile(sections: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut module = wasm_encoder::Module::new();
    let (mut types, mut functions) = (TypeSection::new(), FunctionSection::new());
    types.ty().function([], []);
    functions.function(0);
    let (mut exports, mut code) = (ExportSection::new(), CodeSection::new());
    exports.export("run", ExportKind::Func, 0);
    let mut body = Function::new([]);
    body.instruction(&Instruction::Unreachable)
        .instruction(&Instruction::End);
    code.function(&body);
    module
        .section(&types)
        .section(&functions)
        .section(&exports)
        .section(&code);
    for (name, data) in sections {
        let (name, data) = ((*name).into(), data.into());
        module.section(&CustomSection { name, data });
    }
    module.finish()
}

/// Tags, attributes, and forms of DWARF 4, section 7.5.
mod form {
    pub const COMPILE_UNIT: u8 = 0x11;
    pub const INLINED: u8 = 0x1d;
    pub const SUBPROGRAM: u8 = 0x2e;
    pub const NAME: u8 = 0x03;
    pub const STMT_LIST: u8 = 0x10;
    pub const LOW_PC: u8 = 0x11;
    pub const HIGH_PC: u8 = 0x12;
    pub const ORIGIN: u8 = 0x31;
    pub const RANGES: u8 = 0x55;
    pub const ADDR: u8 = 0x01;
    pub const DATA1: u8 = 0x0b;
    pub const STRP: u8 = 0x0e;
    pub const REF4: u8 = 0x13;
    pub const SEC_OFFSET: u8 = 0x17;
    pub const FLAG_PRESENT: u8 = 0x19;
}
use form::*;

/// Abbreviations from 1 on: a tag, and attributes with their forms. All have
/// children.
fn abbreviations(list: &[(u8, &[(u8, u8)])]) -> Vec<u8> {
    let mut section = Vec::new();
    for ((tag, attributes), code) in list.iter().zip(1..) {
        section.extend([code, *tag, 1]);
        section.extend(attributes.iter().flat_map(|(name, form)| [*name, *form]));
        section.extend([0, 0]);
    }
    section.push(0);
    section
}

/// A unit of `.debug_info`, in the 32-bit format.
fn unit(entries: &[u8]) -> Vec<u8> {
    let mut unit = u32::try_from(entries.len() + 7)
        .expect("it is short")
        .to_le_bytes()
        .to_vec();
    unit.extend([4, 0, 0, 0, 0, 0, 4]);
    unit.extend(entries);
    unit
}

/// The trap of a module with such sections, which is shown within seconds though
/// what is asked for would take hours or all memory there is; the text.
fn shown_soon(sections: &[(&str, Vec<u8>)]) -> (Error, String) {
    let error = trap(&hostile(sections), 0);
    let start = Instant::now();
    let shown = error.backtrace().expect("it has run").to_string();
    // Without optimisation, on a busy machine.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    assert_eq!(frames(&error).len(), 1);
    (error, shown)
}

const CUT: &str = "(lines may be missing: there is too much debug information)";

const CODE: [(u8, u8); 2] = [(LOW_PC, ADDR), (HIGH_PC, DATA1)];
/// Attributes for [`CODE`]: all there is.
const ALL: [u8; 5] = [1, 0, 0, 0, 99];

#[test]
fn functions_inlined_in_each_other_without_end() {
    let abbrev = abbreviations(&[(COMPILE_UNIT, &CODE), (SUBPROGRAM, &CODE), (INLINED, &CODE)]);
    let mut entries = Vec::new();
    for code in [1, 2].into_iter().chain(std::iter::repeat_n(3, 500_000)) {
        entries.push(code);
        entries.extend(ALL);
    }
    let (error, _) = shown_soon(&[(".debug_info", unit(&entries)), (".debug_abbrev", abbrev)]);
    assert_eq!(frames(&error)[0].symbols().len(), 32);
}

#[test]
fn units_that_share_ranges() {
    let abbrev = abbreviations(&[(COMPILE_UNIT, &[(LOW_PC, ADDR), (RANGES, SEC_OFFSET)])]);
    let info = unit(&[1, 0, 0, 0, 0, 0, 0, 0, 0]).repeat(50_000);
    let ranges = [10, 0, 0, 0, 20, 0, 0, 0].repeat(50_000);
    let sections = [
        (".debug_info", info),
        (".debug_abbrev", abbrev),
        (".debug_ranges", ranges),
    ];
    let (error, shown) = shown_soon(&sections);
    assert!(shown.ends_with(CUT), "{shown}");
    assert!(frames(&error)[0].symbols().is_empty());
}

#[test]
fn strings_without_end() {
    let attributes = [(LOW_PC, ADDR), (HIGH_PC, DATA1), (NAME, STRP)];
    let abbrev = abbreviations(&[(COMPILE_UNIT, &attributes)]);
    let info = unit(&[1, 1, 0, 0, 0, 99, 0, 0, 0, 0]).repeat(50_000);
    let text = vec![b'x'; 4 << 20];
    let sections = [(".debug_info", info), (".debug_abbrev", abbrev), (".debug_str", text)];
    let (_, shown) = shown_soon(&sections);
    assert!(shown.ends_with(CUT), "{shown}");
}

#[test]
fn attributes_that_take_no_bytes() {
    let attributes = [&CODE[..], &[(NAME, FLAG_PRESENT); 50_000]].concat();
    let abbrev = abbreviations(&[(COMPILE_UNIT, &CODE), (SUBPROGRAM, &attributes), (0x34, &attributes)]);
    for code in [2, 3] {
        let mut entries = vec![1];
        entries.extend(ALL);
        entries.extend([&[code][..], &[0, 0, 0, 0, 0]].concat().repeat(200_000));
        let sections = [(".debug_info", unit(&entries)), (".debug_abbrev", abbrev.clone())];
        let (_, shown) = shown_soon(&sections);
        assert!(shown.ends_with(CUT), "{shown}");
    }
}

#[test]
fn functions_that_are_copies_of_themselves() {
    let abbrev = abbreviations(&[(COMPILE_UNIT, &CODE), (SUBPROGRAM, &[CODE[0], CODE[1], (ORIGIN, REF4)])]);
    // The function's offset in its unit, behind the header and the root.
    let function = [17, 0, 0, 0];
    let entries = [&[1][..], &ALL, &[2], &ALL, &function].concat();
    let (error, shown) = shown_soon(&[(".debug_info", unit(&entries)), (".debug_abbrev", abbrev)]);
    assert_eq!(frames(&error)[0].symbols().len(), 1);
    assert!(shown.starts_with("   0: <unknown>!run @ 0x"), "{shown}");
}

/// A line program with these lists of directories and files, and instructions.
fn line_program(lists: &[u8], instructions: &[u8], claimed: Option<u32>) -> Vec<u8> {
    let u32 = |len: usize| u32::try_from(len).expect("it is short");
    // From the sizes of instructions on: no instruction but special ones.
    let header = [&[1, 1, 1, 0, 1, 1][..], lists].concat();
    let mut body = vec![5, 0, 4, 0];
    body.extend(claimed.unwrap_or(u32(header.len())).to_le_bytes());
    body.extend(header);
    body.extend(instructions);
    let mut program = u32(body.len()).to_le_bytes().to_vec();
    program.extend(body);
    program
}

/// A module with 2,000 units that share a line program.
fn with_lines(program: Vec<u8>) -> String {
    let attributes = [(LOW_PC, ADDR), (HIGH_PC, DATA1), (STMT_LIST, SEC_OFFSET)];
    let abbrev = abbreviations(&[(COMPILE_UNIT, &attributes)]);
    let info = unit(&[1, 1, 0, 0, 0, 99, 0, 0, 0, 0]).repeat(2000);
    shown_soon(&[
        (".debug_info", info),
        (".debug_abbrev", abbrev),
        (".debug_line", program),
    ])
    .1
}

#[test]
fn line_programs_without_end() {
    // Rows that do not move on.
    let none = [1, 1, 8, 0];
    let shown = with_lines(line_program(&[none, none].concat(), &[1; 4 << 20], None));
    assert!(shown.ends_with(CUT), "{shown}");
}

#[test]
fn more_files_than_there_are_bytes() {
    let path_as_string = [1, 1, 8];
    let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let lists = |names: usize| [&path_as_string[..], &most, &vec![0; names]].concat();
    // Short enough to be read, again and again.
    let shown = with_lines(line_program(&lists(200_000), &[], None));
    assert!(shown.ends_with(CUT), "{shown}");
    // Too long, and shorter than it claims to be: left out.
    for claimed in [None, Some(u32::MAX), Some(0xffff_fff0)] {
        let shown = with_lines(line_program(&lists(4 << 20), &[], claimed));
        assert!(!shown.contains('\n') && shown.contains(" @ "), "{shown}");
    }
}
