//! The units of debug information: which of them has an address, and what it says
//! about it.

use gimli::{
    AttributeValue, DebugInfoOffset, Dwarf, EntriesRaw, LineProgramHeader, RangeListsOffset, Reader, Section, Unit,
    UnitHeader, UnitOffset, UnitRef, UnitSectionOffset,
};

use super::reader::Bytes;
use crate::trap::FrameSymbol;

type Result<T> = gimli::Result<T>;

/// Functions at one address, inlined ones included.
const MOST_FUNCTIONS: usize = 32;
/// Bytes of the longest path and the longest name that are shown.
const LONGEST: usize = 4096;
/// Bytes of the longest header of a line program: with its lists of directories and
/// files, for which gimli makes room as if each byte were one.
const LONGEST_LINE_HEADER: usize = 256 << 10;
/// References that are followed to the name of a function.
const MOST_REFERENCES: usize = 16;
/// Where older linkers put the functions that they left out; no function is there.
const LEFT_OUT: u64 = 0;

/// An address that is looked up, and what was found.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Whose address it is.
    pub(super) frame: usize,
    /// In bytes from the start of the code section's contents.
    pub(super) address: u64,
    row: Option<Location>,
    /// Outermost first.
    functions: Vec<Function>,
}

/// A function at an address.
#[derive(Debug)]
struct Function {
    name: Option<String>,
    /// Where the one around it calls it, if it is inlined.
    call: Location,
}

/// A place in a source file.
#[derive(Clone, Debug, Default)]
struct Location {
    file: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
}

impl Wanted {
    pub(super) fn new(frame: usize, address: u64) -> Self {
        Self {
            frame,
            address,
            row: None,
            functions: Vec::new(),
        }
    }

    fn is_found(&self) -> bool {
        self.row.is_some() || !self.functions.is_empty()
    }

    /// The functions, innermost first, each with where it is.
    pub(super) fn into_symbols(mut self) -> Box<[FrameSymbol]> {
        if self.functions.is_empty() && self.row.is_some() {
            self.functions.push(Function {
                name: None,
                call: Location::default(),
            });
        }
        let mut location = self.row.unwrap_or_default();
        let functions = self.functions.into_iter().rev();
        let symbols = functions.map(|function| {
            let Location { file, line, column } = std::mem::replace(&mut location, function.call);
            FrameSymbol::new(function.name, file, line, column)
        });
        symbols.collect()
    }
}

/// Looks up addresses, which ascend, in all units. What cannot be read is left out.
pub(super) fn read(dwarf: &Dwarf<Bytes<'_>>, wanted: &mut [Wanted]) {
    let mut units = dwarf.units();
    while let Ok(Some(header)) = units.next() {
        // The unit is malformed, but its neighbours need not be.
        let _malformed = read_unit(dwarf, header, wanted);
        if wanted.iter().all(Wanted::is_found) {
            break;
        }
    }
}

fn read_unit(dwarf: &Dwarf<Bytes<'_>>, header: UnitHeader<Bytes<'_>>, wanted: &mut [Wanted]) -> Result<()> {
    let Some(unit) = open(dwarf, header)? else {
        return Ok(());
    };
    let unit = unit.unit_ref(dwarf);
    let mut entries = unit.entries_raw(None)?;
    let Some(abbreviation) = entries.read_abbreviation()? else {
        return Ok(());
    };
    let root = Entry::read(&mut entries, unit, abbreviation)?;
    let mut part = match root.has_ranges() {
        true => root.addresses(unit, wanted)?,
        false => (0..wanted.len()).collect(),
    };
    part.retain(|index| wanted.get(*index).is_some_and(|wanted| !wanted.is_found()));
    if part.is_empty() {
        return Ok(());
    }
    // One may be malformed without the other.
    let lines = read_lines(unit, wanted, &part);
    read_functions(unit, &mut entries, wanted, &part)?;
    lines
}

/// A unit, if it is none of types only and its line program is no monster.
fn open<'a>(dwarf: &Dwarf<Bytes<'a>>, header: UnitHeader<Bytes<'a>>) -> Result<Option<Unit<Bytes<'a>>>> {
    if matches!(
        header.type_(),
        gimli::UnitType::Type { .. } | gimli::UnitType::SplitType { .. }
    ) {
        return Ok(None);
    }
    let abbreviations = dwarf.abbreviations(&header)?;
    let mut entries = header.entries_raw(&abbreviations, None)?;
    if let Some(root) = entries.read_abbreviation()? {
        for attribute in root.attributes() {
            let value = entries.read_attribute(*attribute)?;
            if value.name() == gimli::DW_AT_stmt_list
                && let AttributeValue::DebugLineRef(offset) = value.value()
            {
                let mut line = *dwarf.debug_line.reader();
                line.skip(offset.0)?;
                let (_, format) = line.read_initial_length()?;
                if line.read_u16()? >= 5 {
                    // Sizes of addresses and of segment selectors.
                    line.read_u16()?;
                }
                if line.read_length(format)? > LONGEST_LINE_HEADER {
                    return Ok(None);
                }
            }
        }
    }
    Unit::new_with_abbreviations(dwarf, header, abbreviations).map(Some)
}

/// A row of a line program, which ends where the next one begins.
#[derive(Clone, Copy)]
struct Row {
    address: u64,
    file: u64,
    line: Option<u32>,
    column: Option<u32>,
}

/// Runs a unit's line program, until the rows are found that these of the wanted
/// addresses are in.
fn read_lines(unit: UnitRef<'_, Bytes<'_>>, wanted: &mut [Wanted], part: &[usize]) -> Result<()> {
    let Some(program) = unit.line_program.clone() else {
        return Ok(());
    };
    let mut found: Vec<Option<Row>> = vec![None; part.len()];
    let address = |index: usize| wanted.get(index).map_or(u64::MAX, |wanted| wanted.address);
    let mut rows = program.rows();
    let mut open: Option<Row> = None;
    let mut missing = part.len();
    let mut is_first = true;
    let mut is_left_out = false;
    // Behind something malformed, nothing is there.
    while let Ok(Some((_, row))) = rows.next_row() {
        if is_first {
            is_left_out = row.address() == LEFT_OUT;
        }
        is_first = row.end_sequence();
        if let Some(open) = open.filter(|open| open.address < row.address()) {
            let first = part.partition_point(|index| address(*index) < open.address);
            let inside = part.iter().zip(&mut found).skip(first);
            for (_, place) in inside.take_while(|(index, _)| address(**index) < row.address()) {
                unit.dwarf.debug_line.reader().charge(1)?;
                if place.is_none() {
                    *place = Some(open);
                    missing -= 1;
                }
            }
            if missing == 0 {
                break;
            }
        }
        let column = match row.column() {
            gimli::ColumnType::Column(column) => u32::try_from(column.get()).ok(),
            gimli::ColumnType::LeftEdge => None,
        };
        open = (!row.end_sequence() && !is_left_out).then(|| Row {
            address: row.address(),
            file: row.file_index(),
            line: row.line().and_then(|line| u32::try_from(line.get()).ok()),
            column,
        });
    }
    let header = rows.header();
    for (index, row) in part.iter().zip(found) {
        if let (Some(wanted), Some(row)) = (wanted.get_mut(*index), row) {
            wanted.row = Some(Location {
                file: path(unit, header, row.file),
                line: row.line,
                column: row.column,
            });
        }
    }
    Ok(())
}

/// Reads the functions of a unit, and notes those that these of the wanted
/// addresses are in.
fn read_functions<'a>(
    unit: UnitRef<'_, Bytes<'a>>,
    entries: &mut EntriesRaw<'_, Bytes<'a>>,
    wanted: &mut [Wanted],
    part: &[usize],
) -> Result<()> {
    // The functions around the next entry that have wanted addresses: how deep they
    // stand, and which addresses.
    let mut around: Vec<(isize, Vec<usize>)> = Vec::new();
    let mut missing = part.len();
    while !entries.is_empty() && (missing > 0 || !around.is_empty()) {
        let (offset, depth) = (entries.next_offset(), entries.next_depth());
        let Some(abbreviation) = entries.read_abbreviation()? else {
            continue;
        };
        while around.last().is_some_and(|(outer, _)| depth <= *outer) {
            around.pop();
        }
        let is_inlined = abbreviation.tag() == gimli::DW_TAG_inlined_subroutine && !around.is_empty();
        if !is_inlined && abbreviation.tag() != gimli::DW_TAG_subprogram {
            unit.dwarf.debug_info.reader().charge(abbreviation.attributes().len())?;
            entries.skip_attributes(abbreviation.attributes())?;
            continue;
        }
        let entry = Entry::read(entries, unit, abbreviation)?;
        let mut inside = entry.addresses(unit, wanted)?;
        let outer = around.last().map_or(&[][..], |(_, inside)| inside);
        inside.retain(|index| {
            let functions = wanted.get(*index).map_or(0, |wanted| wanted.functions.len());
            match is_inlined {
                true => outer.contains(index) && functions < MOST_FUNCTIONS,
                // Of functions that share their code the first is shown.
                false => part.contains(index) && functions == 0,
            }
        });
        if inside.is_empty() {
            continue;
        }
        let name = name(unit, offset);
        let call = entry.call(unit);
        for index in &inside {
            if let Some(wanted) = wanted.get_mut(*index) {
                wanted.functions.push(Function {
                    name: name.clone(),
                    call: call.clone(),
                });
            }
        }
        if !is_inlined {
            missing = missing.saturating_sub(inside.len());
            around.push((depth, inside));
        }
    }
    Ok(())
}

/// What is of interest in an entry.
#[derive(Default)]
struct Entry<'a> {
    low: Option<u64>,
    high: Option<AttributeValue<Bytes<'a>>>,
    ranges: Option<RangeListsOffset<usize>>,
    call_file: Option<u64>,
    call_line: Option<u64>,
    call_column: Option<u64>,
    name: Option<AttributeValue<Bytes<'a>>>,
    linkage_name: Option<AttributeValue<Bytes<'a>>>,
    /// What says more about the function.
    origin: Option<AttributeValue<Bytes<'a>>>,
}

impl<'a> Entry<'a> {
    /// Reads the attributes of the entry whose abbreviation was read.
    fn read(
        entries: &mut EntriesRaw<'_, Bytes<'a>>,
        unit: UnitRef<'_, Bytes<'a>>,
        abbreviation: &gimli::Abbreviation,
    ) -> Result<Self> {
        // Some take no bytes.
        unit.dwarf.debug_info.reader().charge(abbreviation.attributes().len())?;
        let mut entry = Self::default();
        for attribute in abbreviation.attributes() {
            let attribute = entries.read_attribute(*attribute)?;
            let value = attribute.value();
            match attribute.name() {
                gimli::DW_AT_low_pc => entry.low = unit.attr_address(value)?,
                gimli::DW_AT_high_pc => entry.high = Some(value),
                gimli::DW_AT_ranges => entry.ranges = unit.attr_ranges_offset(value)?,
                gimli::DW_AT_call_file => {
                    if let AttributeValue::FileIndex(file) = value {
                        entry.call_file = Some(file);
                    }
                }
                gimli::DW_AT_call_line => entry.call_line = attribute.udata_value(),
                gimli::DW_AT_call_column => entry.call_column = attribute.udata_value(),
                gimli::DW_AT_name => entry.name = Some(value),
                gimli::DW_AT_linkage_name | gimli::DW_AT_MIPS_linkage_name => entry.linkage_name = Some(value),
                gimli::DW_AT_abstract_origin | gimli::DW_AT_specification => entry.origin = Some(value),
                _ => {}
            }
        }
        Ok(entry)
    }

    fn has_ranges(&self) -> bool {
        self.ranges.is_some() || (self.low.is_some() && self.high.is_some())
    }

    /// Which of the wanted addresses are in it, ascending.
    fn addresses(&self, unit: UnitRef<'_, Bytes<'a>>, wanted: &[Wanted]) -> Result<Vec<usize>> {
        let mut inside = Vec::new();
        let mut add = |begin: u64, end: u64| -> Result<()> {
            if begin == LEFT_OUT {
                return Ok(());
            }
            let first = wanted.partition_point(|wanted| wanted.address < begin);
            let part = wanted.iter().enumerate().skip(first);
            for (index, _) in part.take_while(|(_, wanted)| wanted.address < end) {
                unit.dwarf.debug_info.reader().charge(1)?;
                if inside.last().is_none_or(|last| *last < index) || !inside.contains(&index) {
                    inside.push(index);
                }
            }
            Ok(())
        };
        if let Some(ranges) = self.ranges {
            let mut ranges = unit.ranges(ranges)?;
            while let Some(range) = ranges.next()? {
                add(range.begin, range.end)?;
            }
        } else if let (Some(low), Some(high)) = (self.low, self.high) {
            let end = match unit.attr_address(high)? {
                Some(end) => Some(end),
                None => high.udata_value().and_then(|size| low.checked_add(size)),
            };
            add(low, end.unwrap_or(low))?;
        }
        inside.sort_unstable();
        Ok(inside)
    }

    /// Where the function is called that it is a copy of.
    fn call(&self, unit: UnitRef<'_, Bytes<'a>>) -> Location {
        let number = |number: Option<u64>| u32::try_from(number?).ok().filter(|number| *number > 0);
        let program = unit.line_program.as_ref();
        let file = program.zip(self.call_file);
        Location {
            file: file.and_then(|(program, file)| path(unit, program.header(), file)),
            line: number(self.call_line),
            column: number(self.call_column),
        }
    }
}

/// The name of the function whose entry is at `offset`, or of the one that it is a
/// copy of or declared by: the linker's if it has one.
fn name(unit: UnitRef<'_, Bytes<'_>>, offset: UnitOffset) -> Option<String> {
    name_at(unit, offset, MOST_REFERENCES).ok().flatten()
}

fn name_at(unit: UnitRef<'_, Bytes<'_>>, offset: UnitOffset, references: usize) -> Result<Option<String>> {
    let mut entries = unit.entries_raw(Some(offset))?;
    let Some(abbreviation) = entries.read_abbreviation()? else {
        return Ok(None);
    };
    let entry = Entry::read(&mut entries, unit, abbreviation)?;
    if let Some(name) = entry.linkage_name {
        return Ok(Some(text(unit, name)?));
    }
    let origin = match (entry.origin, references.checked_sub(1)) {
        (Some(origin), Some(references)) => name_by(unit, &origin, references).ok().flatten(),
        _ => None,
    };
    match (origin, entry.name) {
        (None, Some(name)) => Ok(Some(text(unit, name)?)),
        (origin, _) => Ok(origin),
    }
}

/// The name of the function that an attribute refers to, in this unit or another.
fn name_by<'a>(
    unit: UnitRef<'_, Bytes<'a>>,
    reference: &AttributeValue<Bytes<'a>>,
    references: usize,
) -> Result<Option<String>> {
    match reference {
        AttributeValue::UnitRef(offset) => name_at(unit, *offset, references),
        AttributeValue::DebugInfoRef(DebugInfoOffset(offset)) => {
            if let Some(offset) = UnitSectionOffset(*offset).to_unit_offset(&unit.header) {
                return name_at(unit, offset, references);
            }
            let mut units = unit.dwarf.units();
            while let Some(header) = units.next()? {
                let Some(offset) = UnitSectionOffset(*offset).to_unit_offset(&header) else {
                    continue;
                };
                let Some(other) = open(unit.dwarf, header)? else { break };
                return name_at(other.unit_ref(unit.dwarf), offset, references);
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

/// A text, if it is none too long.
fn text<'a>(unit: UnitRef<'_, Bytes<'a>>, value: AttributeValue<Bytes<'a>>) -> Result<String> {
    let bytes = unit.attr_string(value)?;
    match bytes.len() {
        ..=LONGEST => Ok(bytes.to_string_lossy()?.into_owned()),
        _ => Err(gimli::Error::BadUtf8),
    }
}

/// The path of a file as the compiler wrote it: its name, after its directory's if
/// that is relative, after the compiler's if that is relative too.
fn path<'a>(unit: UnitRef<'_, Bytes<'a>>, header: &LineProgramHeader<Bytes<'a>>, file: u64) -> Option<String> {
    let file = header.file(file)?;
    let mut path = text(unit, file.path_name()).ok()?;
    // Number 0 is the compiler's directory.
    if !is_absolute(&path)
        && file.directory_index() != 0
        && let Some(directory) = file.directory(header)
    {
        path = below(&text(unit, directory).ok()?, &path);
    }
    if !is_absolute(&path)
        && let Some(directory) = unit.comp_dir
        && directory.len() <= LONGEST
    {
        path = below(&directory.to_string_lossy().ok()?, &path);
    }
    (path.len() <= LONGEST).then_some(path)
}

fn below(directory: &str, path: &str) -> String {
    match directory {
        "" => path.to_owned(),
        _ if directory.ends_with(['/', '\\']) => format!("{directory}{path}"),
        _ => format!("{directory}/{path}"),
    }
}

/// Whether a path begins at a root, be it of Unix or of a Windows drive.
fn is_absolute(path: &str) -> bool {
    path.starts_with(['/', '\\']) || path.get(1..3).is_some_and(|root| matches!(root, ":/" | ":\\"))
}
