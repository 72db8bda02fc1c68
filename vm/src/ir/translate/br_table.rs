//! `br_table`, and loops that begin with one.

use std::collections::BTreeMap;

use wasmparser::BrTable;

use super::control::Fixup;
use super::{Stop, Translator};
use crate::exec::address::AddressKind;
use crate::exec::control as ctl;
use crate::exec::data::{LoadId, LoadInfo};
use crate::ir::emit::{Last, Position, What};
use crate::ir::instr::{Address, Instr, Operand};

/// The beginning of a loop that is straight code and a `br_table`.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) start: Position,
    /// The `br_table`.
    table: Position,
    /// The word after its offsets.
    end: Position,
    /// Byte of the first offset.
    field: usize,
    /// Indices of the frames that its offsets lead to.
    targets: Vec<usize>,
}

/// Words of a loop's header that are worth repeating.
const HEADER_WORDS: usize = 160;

/// Words of repeated headers that a function may have: a branch of two bytes
/// must not become any amount of code.
const REPEATED_WORDS: usize = 8192;

impl Translator<'_> {
    /// If the loop at `start` begins with straight code up to a `br_table`, as
    /// interpreters' loops do, appends that again in place of a branch to it:
    /// it takes no longer, and each place that goes back to the loop has a
    /// jump of its own to predict. Gives whether it did.
    pub(super) fn repeat_header(&mut self, start: Position) -> Result<bool, Stop> {
        let Some(header) = self.header.take_if(|header| header.start == start) else {
            return Ok(false);
        };
        let words = header.end - header.start;
        let fits = self.repeated + words <= REPEATED_WORDS;
        if fits {
            self.repeated += words;
            let at = self.emit.repeat(header.start, header.end) + (header.table - header.start);
            for (i, target) in header.targets.iter().enumerate() {
                let field = header.field + 4 * i;
                match self.emit.offset(header.table, field) {
                    // Its block is open still.
                    0 => self.link(*target, Fixup::table(at, field))?,
                    offset => {
                        let to = header.table as i64 + i64::from(offset) / 8;
                        self.emit.set_offset(at, field, usize::try_from(to)?)?;
                    }
                }
            }
        }
        self.header = Some(header);
        Ok(fits)
    }

    /// If the last instruction loads an index for this use alone, an i32 or a
    /// byte at an address and offset: that, the load and the address.
    pub(super) fn loaded_index(&self, index: Operand) -> Option<(Last, &'static LoadInfo, Address)> {
        let Operand::Slot(slot) = index else { return None };
        let last = self.emit.last_into(slot)?;
        match last.what {
            What::Load(load, address)
                if address.kind == AddressKind::Base && matches!(load.id, LoadId::I32Load | LoadId::I32Load8U) =>
            {
                Some((last, load, address))
            }
            _ => None,
        }
    }

    /// `br_table`.
    pub(super) fn br_table(&mut self, targets: &BrTable<'_>) -> Result<(), Stop> {
        let (index, ty) = self.pop();
        let loaded = self.loaded_index(index);
        let index = match loaded {
            Some(_) => index,
            None => self.constant_to_acc(index, ty),
        };
        let default = self.target(targets.default())?;
        self.settle_many(self.frames[default].arity());
        let depths = targets.targets().collect::<Result<Vec<u32>, _>>()?;
        let depths = || depths.iter().copied().chain(std::iter::once(targets.default()));
        for depth in depths() {
            let target = self.target(depth)?;
            if self.frames[target].is_function() {
                self.prepare_return(target);
                break;
            }
        }
        let count = targets.len() + 1;
        // Copies may have come between.
        let loaded = loaded.filter(|(last, ..)| self.emit.last_into(last.slot).is_some());
        let from = match loaded {
            Some((last, load, address)) => {
                let byte = usize::from(load.id == LoadId::I32Load8U);
                let handler = ctl::BR_TABLE_LOADED[byte][self.emit.first_kind(address.first)];
                let instr = Instr::new("br_table", handler, 24)
                    .inner(load.name)
                    .address(16, &address)
                    .u32(12, count)
                    .showing(address.shown());
                self.emit.replace(last, |emit| emit.push(&instr))
            }
            None => self.emit.push(
                &Instr::new("br_table", ctl::BR_TABLE[index.kind()], 16)
                    .operands(8, 0, false, &[index])
                    .u32(12, count),
            ),
        };
        let offsets = if loaded.is_some() { 24 } else { 16 };
        let straight_from = self.straight_from.take();
        self.emit
            .push_words(std::iter::repeat_n(0, (count as usize).div_ceil(2)));
        let end = self.emit.position();
        if let Some(start) = straight_from
            && end - start <= HEADER_WORDS
            && !self.code.options().fuel
        {
            self.header = Some(Header {
                start,
                table: from,
                end,
                field: offsets,
                targets: depths().map(|depth| self.target(depth)).collect::<Result<_, _>>()?,
            });
        }
        // Branches that bring operands along do so in code of their own.
        let mut detours: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (i, depth) in depths().enumerate() {
            let target = self.target(depth)?;
            let field = offsets + 4 * i;
            if self.in_place(target) {
                self.link(target, Fixup::table(from, field))?;
            } else {
                detours.entry(target).or_default().push(field);
            }
        }
        for (target, fields) in detours {
            let here = self.emit.bind();
            for field in fields {
                self.emit.set_offset(from, field, here)?;
            }
            self.go(target, false)?;
        }
        self.stop();
        Ok(())
    }
}
