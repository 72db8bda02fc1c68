//! Source lines of a module's instructions, from the debug information (DWARF 2
//! to 5) that compilers leave in custom sections `.debug_*`.
//!
//! It is read when a backtrace is to be shown, for all frames of a run at once, in
//! one pass in which nothing is kept but what the frames need. Addresses in it
//! count from the start of the code section's contents (tool-conventions,
//! "Debugging").
//!
//! gimli decodes it. What is malformed is left out, and what there is to do is
//! limited (`reader.rs`): debug information is a guest's. That is also why the crate
//! `addr2line` is not used, which is made for files that one trusts: it calls itself
//! for each level of inlined functions, and keeps tables of whole units.

mod reader;
mod unit;

use gimli::{AbbreviationsCache, Dwarf, DwarfFileType, LocationLists, RangeLists, Section};

use self::reader::{Bytes, Steps};
use crate::module::ModuleData;
use crate::trap::FrameSymbol;

/// Steps in which the debug information for one run's frames is read; some bytes
/// take one each. They take a quarter of a second.
pub(crate) const STEPS: usize = 16 << 20;

/// Looks up frames: modules, and offsets in their bytes. No more than `steps` are
/// made for all of them; the second value says whether more would have been.
///
/// For each frame there are functions, those first that are inlined in the ones
/// behind.
pub(crate) fn find(frames: &[(&ModuleData, u32)], steps: usize) -> (Vec<Box<[FrameSymbol]>>, bool) {
    let steps = Steps::new(steps);
    let mut by_frame: Vec<Option<Box<[FrameSymbol]>>> = vec![None; frames.len()];
    for (first, (module, _)) in frames.iter().enumerate() {
        if by_frame.get(first).is_none_or(Option::is_some) {
            continue;
        }
        let same = frames.iter().enumerate().skip(first);
        let same = same.filter(|(_, (other, _))| std::ptr::eq(*other, *module));
        let mut wanted: Vec<unit::Wanted> = same
            .map(|(frame, (_, offset))| unit::Wanted::new(frame, address(module, *offset)))
            .collect();
        wanted.sort_by_key(|wanted| wanted.address);
        unit::read(&sections(module, &steps), &mut wanted);
        for wanted in wanted {
            let frame = wanted.frame;
            if let Some(symbols) = by_frame.get_mut(frame) {
                *symbols = Some(wanted.into_symbols());
            }
        }
    }
    let by_frame = by_frame.into_iter().map(Option::unwrap_or_default).collect();
    (by_frame, steps.are_over())
}

/// What debug information calls an offset in a module.
fn address(module: &ModuleData, offset: u32) -> u64 {
    u64::from(offset).saturating_sub(module.code_start as u64)
}

/// A module's sections.
fn sections<'a>(module: &'a ModuleData, steps: &'a Steps) -> Dwarf<Bytes<'a>> {
    let bytes = |name: &str| {
        let section = module.customs.iter().find(|(own, _)| **own == *name);
        let bytes = section.and_then(|(_, range)| module.bytes.get(range.clone()));
        Bytes::new(bytes.unwrap_or_default(), steps)
    };
    /// A section by its own name.
    fn section<'a, S: Section<Bytes<'a>>>(bytes: impl Fn(&str) -> Bytes<'a>) -> S {
        S::from(bytes(S::id().name()))
    }
    let none = Bytes::new(&[], steps);
    Dwarf {
        debug_abbrev: section(bytes),
        debug_addr: section(bytes),
        debug_aranges: none.into(),
        debug_info: section(bytes),
        debug_line: section(bytes),
        debug_line_str: section(bytes),
        debug_macinfo: none.into(),
        debug_macro: none.into(),
        debug_names: none.into(),
        debug_str: section(bytes),
        debug_str_offsets: section(bytes),
        debug_types: none.into(),
        locations: LocationLists::new(none.into(), none.into()),
        ranges: RangeLists::new(section(bytes), section(bytes)),
        file_type: DwarfFileType::Main,
        sup: None,
        abbreviations_cache: AbbreviationsCache::new(),
    }
}
