//! Damages modules, and adds an export to a module, on the binary format.

use std::ops::Range;

use wasm_encoder::{Encode, ExportKind};
use wasmparser::{Operator, Parser, Payload};

use crate::random::Random;

/// Programs that serve as raw material beside the random modules.
pub(crate) const PROGRAMS: [&[u8]; 4] = [
    include_bytes!("../../tests/programs/c_sort.wasm"),
    include_bytes!("../../tests/programs/c_format.wasm"),
    include_bytes!("../../tests/programs/cpp_objects.wasm"),
    include_bytes!("../../tests/programs/rust_panic.wasm"),
];

/// Opcodes of one byte without immediates that have the same type and so can stand
/// for each other: first, last.
const SAME_TYPE: [(u8, u8); 14] = [
    (0x46, 0x4f), // i32 comparisons
    (0x51, 0x5a), // i64 comparisons
    (0x5b, 0x60), // f32 comparisons
    (0x61, 0x66), // f64 comparisons
    (0x67, 0x69), // i32 bit counts
    (0x6a, 0x78), // i32 binary operations
    (0x79, 0x7b), // i64 bit counts
    (0x7c, 0x8a), // i64 binary operations
    (0x8b, 0x91), // f32 unary operations
    (0x92, 0x98), // f32 binary operations
    (0x99, 0x9f), // f64 unary operations
    (0xa0, 0xa6), // f64 binary operations
    (0xc0, 0xc1), // i32 sign extensions
    (0xc2, 0xc4), // i64 sign extensions
];

/// Opcodes with an immediate that may become another number without harm: integer
/// constants.
const CONSTANTS: Range<u8> = 0x41..0x43;

/// Opcodes whose immediates make a module invalid when they change, or change much:
/// blocks, branches, calls, accesses to variables and memory.
const WITH_INDEX: [Range<u8>; 4] = [0x02..0x05, 0x0c..0x12, 0x20..0x27, 0x28..0x3f];

/// Makes some changes of random kinds to `wasm`, with parts of `donor` among others.
pub(crate) fn damage(mut wasm: Vec<u8>, donor: &[u8], random: &mut Random) -> Vec<u8> {
    // Changes that often leave the module valid come first, while it still parses.
    let instructions = instructions(&wasm);
    for _ in 0..1 + random.below(8) {
        if !instructions.is_empty() {
            let at = *random.pick(&instructions);
            change_instruction(&mut wasm, at, random);
        }
    }
    let changes = if random.below(2) == 0 && !instructions.is_empty() {
        0
    } else {
        1 + random.below(3)
    };
    for _ in 0..changes {
        if wasm.is_empty() {
            break;
        }
        match random.below(8) {
            0 => {
                let at = random.below(wasm.len());
                wasm[at] ^= 1 << random.below(8);
            }
            1 => {
                let at = random.below(wasm.len());
                wasm[at] = *random.pick(&[0, 1, 0x0b, 0x40, 0x6f, 0x70, 0x7f, 0x80, 0xff]);
            }
            2 => {
                let range = some_range(&wasm, 16, random);
                wasm.drain(range);
            }
            3 => {
                let part = wasm[some_range(&wasm, 64, random)].to_vec();
                insert(&mut wasm, &part, random);
            }
            4 => wasm.truncate(random.below(wasm.len())),
            5 => {
                let part = donor[some_range(donor, 64, random)].to_vec();
                insert(&mut wasm, &part, random);
            }
            6 => wasm = replace_section(&wasm, donor, random).unwrap_or(wasm),
            _ => insert(&mut wasm, &[0xff, 0xff, 0xff, 0xff, 0x0f], random),
        }
    }
    wasm
}

fn some_range(bytes: &[u8], longest: usize, random: &mut Random) -> Range<usize> {
    let start = random.below(bytes.len());
    let length = 1 + random.below(longest);
    start..bytes.len().min(start + length)
}

fn insert(wasm: &mut Vec<u8>, part: &[u8], random: &mut Random) {
    let at = random.below(wasm.len() + 1);
    wasm.splice(at..at, part.iter().copied());
}

/// The offsets of all instructions, as far as the module can be parsed.
fn instructions(wasm: &[u8]) -> Vec<usize> {
    let mut offsets = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload {
            Ok(Payload::CodeSectionEntry(body)) => {
                let Ok(reader) = body.get_operators_reader() else {
                    continue;
                };
                let at = reader
                    .into_iter_with_offsets()
                    .filter_map(Result::ok)
                    .map(|(_, offset)| offset);
                offsets.extend(at.filter_map(|offset| usize::try_from(offset).ok()));
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    offsets
}

/// Whether some function of a valid module waits for another thread. Nobody would
/// wake it.
pub(crate) fn may_wait(wasm: &[u8]) -> bool {
    let bodies = Parser::new(0).parse_all(wasm).filter_map(|payload| match payload {
        Ok(Payload::CodeSectionEntry(body)) => Some(body),
        _ => None,
    });
    let mut operators = bodies.flat_map(|body| body.get_operators_reader().into_iter().flatten());
    operators.any(|operator| {
        matches!(
            operator,
            Ok(Operator::MemoryAtomicWait32 { .. } | Operator::MemoryAtomicWait64 { .. })
        )
    })
}

/// Replaces an opcode by one of the same type, or changes its immediate.
fn change_instruction(wasm: &mut [u8], at: usize, random: &mut Random) {
    let opcode = wasm[at];
    if let Some((first, last)) = SAME_TYPE
        .into_iter()
        .find(|(first, last)| (first..=last).contains(&&opcode))
    {
        wasm[at] = *random.pick(&(first..=last).collect::<Vec<u8>>());
    }
    let with_index = WITH_INDEX.iter().any(|range| range.contains(&opcode)) && random.below(4) == 0;
    if let Some(byte) = wasm.get_mut(at + 1)
        && (CONSTANTS.contains(&opcode) || with_index)
    {
        // The bit that says whether the number goes on stays.
        *byte ^= *random.pick(&[1, 2, 3, 4, 7, 0x40, 0x3f]);
    }
}

/// The sections of a module: identifier, range of the content.
fn sections(wasm: &[u8]) -> Option<Vec<(u8, Range<usize>)>> {
    let mut sections = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let Some((id, range)) = payload.ok()?.as_section() {
            sections.push((id, usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?));
        }
    }
    Some(sections)
}

/// Puts a module together from its sections.
fn assemble<'a>(sections: impl IntoIterator<Item = (u8, &'a [u8])>) -> Vec<u8> {
    let mut module = wasm_encoder::Module::new();
    for (id, data) in sections {
        module.section(&wasm_encoder::RawSection { id, data });
    }
    module.finish()
}

/// Replaces a section by the donor's section of the same kind.
fn replace_section(wasm: &[u8], donor: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let (mine, others) = (sections(wasm)?, sections(donor)?);
    let (id, replacement) = others.get(random.below(others.len().max(1)))?;
    let parts = mine.iter().map(|(kind, range)| {
        let part = if kind == id {
            &donor[replacement.clone()]
        } else {
            &wasm[range.clone()]
        };
        (*kind, part)
    });
    Some(assemble(parts))
}

/// Adds an export of a global to a module that has an export section.
pub(crate) fn with_global_export(wasm: &[u8], name: &str, global: u32) -> Vec<u8> {
    const EXPORTS: u8 = 7;
    let sections = sections(wasm).expect("the module is valid");
    let mut exports = Vec::new();
    if let Some((_, range)) = sections.iter().find(|(id, _)| *id == EXPORTS) {
        let old = &wasm[range.clone()];
        let mut reader = wasmparser::BinaryReader::new(old, 0);
        let count = reader.read_var_u32().expect("the module is valid");
        let rest = usize::try_from(reader.original_position()).expect("inside the section");
        (count + 1).encode(&mut exports);
        exports.extend_from_slice(&old[rest..]);
        name.encode(&mut exports);
        ExportKind::Global.encode(&mut exports);
        global.encode(&mut exports);
    }
    assemble(sections.iter().map(|(id, range)| {
        (
            *id,
            if *id == EXPORTS {
                &exports[..]
            } else {
                &wasm[range.clone()]
            },
        )
    }))
}
