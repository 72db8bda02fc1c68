//! The code buffer: instructions, their origins, and the last of them, whose
//! destination may still change.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;

use smallvec::SmallVec;

use super::bump::FirstBump;
use super::catches::Catches;
use super::code::FuncCode;
use super::instr::{Address, Instr, Line, Operand, Pins};
use super::stack::Ty;
use crate::exec::data::{self, LoadInfo};
use crate::exec::dispatch::Handler;
use crate::exec::fused;
use crate::exec::numeric::{BinaryId, BinaryInfo};
use crate::exec::operand::{Destinations, SRC};
use crate::exec::replica;
use crate::exec::simd::vector::IN_ACC;

/// What an instruction computes, as far as the next one may take it over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// Something else.
    Other,
    /// A binary operator of two operands.
    Binary(&'static BinaryInfo, Operand, Operand),
    /// `outer(inner(x, y), other)`.
    Pair {
        outer: &'static BinaryInfo,
        inner: &'static BinaryInfo,
        x: Operand,
        y: Operand,
        other: Operand,
    },
    /// A load of memory 0 with guard pages.
    Load(&'static LoadInfo, Address),
    /// A copy from a slot or of a constant.
    Copy(Operand),
    /// The value of a slot as another integer type, which reads the slot alike:
    /// 32 bits in a slot are zero-extended, and who reads 32 bits of a slot
    /// leaves the others alone.
    Same(u16),
    /// The value of the instance's own global at a place in its context.
    Global(u32),
}

/// What is known of the instruction emitted last, if nothing can jump between
/// it and the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Last {
    /// Its first word.
    at: usize,
    /// The word after it.
    end: usize,
    /// Its destination slot.
    pub(crate) slot: u16,
    /// Whether the slot is a local's, and so read by others too.
    local: bool,
    /// Whether it passes its result in the accumulator (too, if to a local).
    acc: bool,
    /// Its handlers by destination.
    to: Destinations,
    /// The class of its result ([`Ty::class`]).
    class: usize,
    /// What it computes.
    pub(crate) what: What,
    /// The operator it comes from.
    origin: u32,
}

impl Last {
    /// The comparison it makes, if it is one.
    pub(crate) fn compare(&self) -> Option<(&'static BinaryInfo, Operand, Operand)> {
        match self.what {
            What::Binary(info, left, right) if info.compare.is_some() => Some((info, left, right)),
            _ => None,
        }
    }
}

/// An instruction `slot = slot + number`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bump {
    /// Its first word.
    at: usize,
    /// The word after it.
    end: usize,
    /// The addition.
    pub(crate) info: &'static BinaryInfo,
    /// The slot.
    pub(crate) slot: u16,
    /// The number added: a slot or a constant.
    pub(crate) number: Operand,
    /// The addition that the same instruction does before, if it does two.
    pub(crate) first: Option<FirstBump>,
}

/// An instruction lifted off; see [`Emitter::lift`].
#[derive(Debug)]
pub(crate) struct Lifted {
    words: SmallVec<[u64; 8]>,
    line: Option<Line>,
    last: Last,
}

/// An instruction of two copies from slot to slot.
#[derive(Clone, Copy, Debug)]
struct Copies {
    /// Its first word.
    at: usize,
    /// The word after it.
    end: usize,
    /// To, from.
    pairs: [(u16, u16); 2],
}

/// A place in the code, in words.
pub(crate) type Position = usize;

/// The code of a function in the making.
#[derive(Debug, Default)]
pub(crate) struct Emitter {
    words: Vec<u64>,
    origins: Vec<(u32, u32)>,
    /// The first words of the instructions that [`Emitter::spread`] is for.
    starts: Vec<u32>,
    /// Whether the next ones are among them.
    spreading: bool,
    /// How often a handler has come in them; a buffer.
    uses: HashMap<u64, usize>,
    /// Byte offset in the module of the operator being translated.
    origin: u32,
    last: Option<Last>,
    /// The instruction before the last one, if it passes its result to that in
    /// the accumulator.
    before: Option<Last>,
    /// The last addition to a slot, or the one before the last instruction.
    bump: Option<Bump>,
    /// The last copies from slot to slot, if they are one instruction.
    copies: Option<Copies>,
    /// Locals that are in registers too.
    pins: Pins,
    /// Words at the beginning that the finished code does without.
    skipped: usize,
    /// The instructions as text has them, if a listing is wanted.
    listing: Option<Vec<Line>>,
}

impl Emitter {
    /// Empties the buffer.
    pub(crate) fn reset(&mut self) {
        self.words.clear();
        self.origins.clear();
        self.starts.clear();
        self.spreading = false;
        self.last = None;
        self.before = None;
        self.bump = None;
        self.copies = None;
        self.pins = Pins::default();
        self.skipped = 0;
        self.listing = None;
    }

    /// Keeps the instructions for [`Emitter::listing`] from now on.
    pub(crate) fn keep_listing(&mut self) {
        self.listing = Some(Vec::new());
    }

    /// Leaves out the first words of the code, to which nothing jumps.
    pub(crate) fn skip_first(&mut self, words: usize) {
        self.skipped = words;
    }

    /// The instructions as text, one a line.
    pub(crate) fn listing(&self) -> String {
        self.lines().map(|line| format!("{line}\n")).collect()
    }

    /// The instructions: byte offsets, and names with the kinds of operands.
    pub(crate) fn ops(&self) -> Vec<(usize, String)> {
        self.lines().map(|line| (line.at * 8, line.instr.kind())).collect()
    }

    /// The lines of the listing, as the finished code has them.
    fn lines(&self) -> impl Iterator<Item = Line> {
        self.listing.iter().flatten().filter_map(|line| {
            Some(Line {
                at: line.at.checked_sub(self.skipped)?,
                ..*line
            })
        })
    }

    /// The line of the instruction at a position, the last one.
    fn line_at(&mut self, at: Position) -> Option<&mut Line> {
        self.listing.as_mut()?.last_mut().filter(|line| line.at == at)
    }

    /// Says which operator the next instructions come from.
    pub(crate) fn set_origin(&mut self, origin: u32) {
        self.origin = origin;
    }

    /// The operator that instructions come from now.
    pub(crate) fn origin(&self) -> u32 {
        self.origin
    }

    /// The position of the next instruction.
    pub(crate) fn position(&self) -> Position {
        self.words.len()
    }

    /// The position of the next instruction, to which something may jump.
    pub(crate) fn bind(&mut self) -> Position {
        self.last = None;
        self.before = None;
        self.bump = None;
        self.copies = None;
        self.position()
    }

    /// Notes the operator that the instruction at a position comes from.
    fn note_origin(&mut self, at: Position, origin: u32) {
        if self.origins.last().is_none_or(|(_, last)| *last != origin) {
            self.origins.push(((at * 8) as u32, origin));
        }
    }

    /// Forgets where instructions from a position on come from.
    fn forget_origins(&mut self, at: Position) {
        while self
            .origins
            .last()
            .is_some_and(|(offset, _)| *offset as usize >= at * 8)
        {
            self.origins.pop();
        }
    }

    /// Notes where an instruction begins.
    fn note_start(&mut self, at: Position) {
        if self.spreading {
            self.starts.push(at as u32);
        }
    }

    /// Forgets the instructions from a position on.
    fn forget_starts(&mut self, at: Position) {
        while self.starts.last().is_some_and(|start| *start as usize >= at) {
            self.starts.pop();
        }
    }

    /// Appends an instruction.
    pub(crate) fn push(&mut self, instr: &Instr) -> Position {
        let at = self.position();
        self.note_origin(at, self.origin);
        self.note_start(at);
        self.words.extend_from_slice(&instr.words[..instr.len]);
        self.before = match self.last.take() {
            Some(last) => Some(last).filter(|last| last.acc),
            None => self.before.filter(|before| before.end == at),
        };
        if let Some(listing) = &mut self.listing {
            listing.push(Line {
                at,
                destination: None,
                and_acc: false,
                instr: *instr,
            });
        }
        at
    }

    /// Appends an instruction whose destination is `slot`, unless it becomes
    /// another by putting in another of its handlers `to`.
    pub(crate) fn push_result(&mut self, instr: Instr, slot: u16, to: Destinations, ty: Ty) {
        let at = self.push(&instr.u16(8, slot));
        self.last = Some(Last {
            at,
            end: self.words.len(),
            slot,
            local: false,
            acc: false,
            to,
            class: ty.class(),
            what: What::Other,
            origin: self.origin,
        });
        if let Some(line) = self.line_at(at) {
            line.destination = Some(Operand::Slot(slot));
        }
    }

    /// Appends words to the last instruction, which has a result.
    pub(crate) fn extend_last(&mut self, words: &[u64]) {
        self.words.extend_from_slice(words);
        if let Some(last) = &mut self.last {
            last.end = self.words.len();
        }
    }

    /// Appends words that are no instruction.
    pub(crate) fn push_words(&mut self, words: impl IntoIterator<Item = u64>) {
        self.words.extend(words);
        self.last = None;
    }

    /// Notes what the last instruction computes.
    pub(crate) fn note(&mut self, what: What) {
        if let Some(last) = &mut self.last {
            last.what = what;
        }
    }

    /// The addition to a slot that ends here, if nothing can jump between it
    /// and the next instruction.
    pub(crate) fn bump(&self) -> Option<Bump> {
        self.bump.filter(|bump| bump.end == self.position())
    }

    /// Takes the addition to a slot back, which is the last instruction.
    pub(crate) fn take_bump_back(&mut self, bump: Bump) {
        self.truncate(bump.at);
    }

    /// The last instruction, if its result is in `slot` and read nowhere else.
    pub(crate) fn last_into(&self, slot: u16) -> Option<Last> {
        self.last.filter(|last| last.slot == slot && !last.local && !last.acc)
    }

    /// The last instruction, if its result is in `slot`, which may be a local.
    pub(crate) fn last_result(&self, slot: u16) -> Option<Last> {
        self.last.filter(|last| last.slot == slot)
    }

    /// The instruction right before the last one, if it passes its result to
    /// that in the accumulator and nowhere else.
    pub(crate) fn feeding_last(&self) -> Option<Last> {
        let last = self.last?;
        self.before.filter(|before| before.end == last.at && !before.local)
    }

    /// After the last instruction has been taken back: the one before it, if
    /// it passed its result to that in the accumulator.
    pub(crate) fn feeding(&self) -> Option<Last> {
        self.before.filter(|before| before.end == self.words.len())
    }

    /// Says which locals are in registers too from here on.
    pub(crate) fn pin(&mut self, pins: Pins) {
        self.pins = pins;
    }

    /// Whether the slot is a pinned local's.
    pub(crate) fn is_pinned(&self, slot: u16) -> bool {
        self.pins.place(slot).is_some()
    }

    /// The operand, as a pinned local if it is the slot of one.
    pub(crate) fn pinned(&self, operand: Operand) -> Operand {
        match operand {
            Operand::Slot(slot) => self
                .pins
                .place(slot)
                .map_or(operand, |place| Operand::Pinned(place, slot)),
            other => other,
        }
    }

    /// Index in tables of an integer operand that is not constant: slot,
    /// accumulator, pinned.
    pub(crate) fn first_kind(&self, operand: Operand) -> usize {
        match self.pinned(operand) {
            Operand::Pinned(..) => 2,
            other => other.kind(),
        }
    }

    /// If the last instruction's result is in `slot`, makes it pass the result
    /// in the accumulator too, or only there if nothing else reads the slot.
    pub(crate) fn pass_in_acc(&mut self, slot: u16) -> bool {
        let Some(last) = self.last.filter(|last| last.slot == slot) else {
            return false;
        };
        // It is in a register already.
        if last.local && self.is_pinned(slot) {
            return false;
        }
        if last.class == Ty::V128.class() && (last.local || !IN_ACC) {
            return false;
        }
        self.words[last.at] = if last.local { last.to.both } else { last.to.acc } as usize as u64;
        self.last = Some(Last { acc: true, ..last });
        if let Some(line) = self.line_at(last.at) {
            match last.local {
                true => line.and_acc = true,
                false => line.destination = Some(Operand::Acc),
            }
        }
        true
    }

    /// Gives the last instruction a local as destination.
    pub(crate) fn redirect_to_local(&mut self, last: Last, slot: u16) {
        let earlier = self.bump.filter(|bump| bump.end == last.at && bump.first.is_none());
        self.redirect_to_slot(last, slot);
        if let Some(place) = self.pins.place(slot) {
            match last.to.pinned[usize::from(place)] {
                Some(handler) => self.words[last.at] = handler as usize as u64,
                None => {
                    self.reload(slot, last.class);
                    return;
                }
            }
        }
        self.last = Some(Last {
            slot,
            local: true,
            ..last
        });
        let What::Binary(info, Operand::Slot(left), number @ (Operand::Slot(_) | Operand::Const(_))) = last.what else {
            return;
        };
        if left == slot && matches!(info.id, BinaryId::I32Add | BinaryId::I64Add) {
            let (at, end) = (last.at, self.words.len());
            self.bump = Some(Bump {
                at,
                end,
                info,
                slot,
                number,
                first: None,
            });
            if let Some(earlier) = earlier {
                self.join_bumps(earlier);
            }
        }
    }

    /// Appends the instruction that brings a pinned local, whose slot has been
    /// written, into its register.
    fn reload(&mut self, slot: u16, class: usize) {
        let to = data::COPY[class][0];
        let place = self.pins.place(slot).map_or(0, usize::from);
        if let Some(handler) = to.pinned[place] {
            self.push(
                &Instr::new("pin", handler, 16)
                    .u16(8, slot)
                    .operands(10, 16, false, &[Operand::Slot(slot)]),
            );
        }
    }

    /// Makes the addition to a slot that ends here and the `earlier` one, right
    /// before it, one instruction, if their numbers are small enough.
    fn join_bumps(&mut self, earlier: Bump) {
        let Some(bump) = self.bump() else { return };
        let first = FirstBump {
            wide: earlier.info.wide,
            slot: earlier.slot,
            number: earlier.number,
            pinned: self.is_pinned(earlier.slot),
        };
        let Some(word) = first.word() else { return };
        let second = FirstBump {
            wide: bump.info.wide,
            slot: bump.slot,
            number: bump.number,
            pinned: self.is_pinned(bump.slot),
        };
        let Some(second_word) = second.word() else { return };
        let handler = fused::BUMP_TWO[first.kind()][second.kind()];
        let instr = Instr::new(bump.info.name, handler, 24)
            .inner(earlier.info.name)
            .u64(8, word)
            .u64(16, second_word)
            .showing([
                Operand::Slot(first.slot),
                first.number,
                Operand::Slot(second.slot),
                second.number,
            ]);
        self.truncate(bump.at);
        self.truncate(earlier.at);
        let at = self.push(&instr);
        self.bump = Some(Bump {
            at,
            end: self.words.len(),
            first: Some(first),
            ..bump
        });
    }

    /// Says that the last instruction's destination is a local, which others
    /// read too.
    pub(crate) fn result_is_local(&mut self) {
        if let Some(last) = self.last {
            self.redirect_to_local(last, last.slot);
        }
    }

    /// Takes back the copies from slot to slot that end here, of one
    /// instruction: to, from.
    pub(crate) fn take_copies_back(&mut self) -> SmallVec<[(u16, u16); 2]> {
        if let Some(copies) = self.copies.filter(|copies| copies.end == self.words.len()) {
            self.truncate(copies.at);
            return SmallVec::from(copies.pairs);
        }
        match self.last {
            Some(last) if !last.acc && !self.is_pinned(last.slot) => match last.what {
                What::Copy(Operand::Slot(from)) => {
                    self.truncate(last.at);
                    SmallVec::from_slice(&[(last.slot, from)])
                }
                _ => SmallVec::new(),
            },
            _ => SmallVec::new(),
        }
    }

    /// Appends a copy to a slot that only control reads, with the last
    /// instruction if that is one too.
    pub(crate) fn push_copy(&mut self, instr: Instr, from: Operand, slot: u16, to: Destinations, ty: Ty) {
        if ty == Ty::V128 {
            return self.push_result(instr, slot, to, ty);
        }
        let small = |operand| match operand {
            Operand::Slot(slot) => Some((0, slot, 0)),
            Operand::Const(number) => Some((1, 0, u32::try_from(number).ok()?)),
            Operand::Acc | Operand::Pinned(..) => None,
        };
        if let Some(last) = self.last.filter(|last| !last.acc && !self.is_pinned(last.slot))
            && let What::Copy(first) = last.what
            && let (Some(x), Some(y)) = (small(first), small(from))
        {
            let handler = fused::COPY_TWO[x.0][y.0];
            let len = if x.0 + y.0 > 0 { 24 } else { 16 };
            let mut both = Instr::new("copy", handler, len)
                .inner("copy")
                .u16(8, last.slot)
                .u16(10, x.1)
                .u16(12, slot)
                .u16(14, y.1)
                .showing([Operand::Slot(last.slot), first, Operand::Slot(slot), from]);
            if len == 24 {
                both = both.u32(16, x.2).u32(20, y.2);
            }
            self.truncate(last.at);
            let at = self.push(&both);
            self.copies = (x.0 + y.0 == 0).then_some(Copies {
                at,
                end: self.words.len(),
                pairs: [(last.slot, x.1), (slot, y.1)],
            });
            return;
        }
        self.push_result(instr, slot, to, ty);
        self.note(What::Copy(from));
    }

    /// Gives the last instruction another destination slot.
    pub(crate) fn redirect_to_slot(&mut self, last: Last, slot: u16) {
        let word = &mut self.words[last.at + 1];
        *word = *word & !0xffff | u64::from(slot);
        self.last = None;
        if let Some(line) = self.line_at(last.at) {
            line.destination = Some(Operand::Slot(slot));
        }
    }

    /// Lifts the last instruction off, to be put down further on.
    pub(crate) fn lift(&mut self, last: Last) -> Lifted {
        let lifted = Lifted {
            words: self.words[last.at..].into(),
            line: self.listing.as_mut().and_then(Vec::pop),
            last,
        };
        self.words.truncate(last.at);
        self.forget_starts(last.at);
        self.forget_origins(last.at);
        self.last = None;
        self.bump = self.bump.filter(|bump| bump.end <= last.at);
        lifted
    }

    /// Puts a lifted instruction down here; it is the last one again. What is
    /// between its old and its new place must not change its operands.
    pub(crate) fn put_down(&mut self, lifted: Lifted) -> Last {
        let Lifted { words, line, last } = lifted;
        let at = self.position();
        self.note_origin(at, last.origin);
        self.note_start(at);
        self.words.extend_from_slice(&words);
        if let (Some(listing), Some(line)) = (&mut self.listing, line) {
            listing.push(Line { at, ..line });
        }
        let last = Last {
            at,
            end: self.words.len(),
            ..last
        };
        self.before = None;
        self.last = Some(last);
        last
    }

    /// Takes the last instruction back.
    pub(crate) fn take_back(&mut self, last: Last) {
        self.truncate(last.at);
    }

    /// Takes the last instruction back and appends one that does its work
    /// too, which counts as coming from the same operator: if it traps, that
    /// is why.
    pub(crate) fn replace<R>(&mut self, last: Last, push: impl FnOnce(&mut Self) -> R) -> R {
        self.truncate(last.at);
        let origin = std::mem::replace(&mut self.origin, last.origin);
        let result = push(self);
        self.origin = origin;
        result
    }

    /// Removes the last instruction, which starts at a word.
    fn truncate(&mut self, at: usize) {
        self.words.truncate(at);
        self.forget_starts(at);
        if let Some(listing) = &mut self.listing {
            listing.pop();
        }
        self.forget_origins(at);
        self.last = None;
        self.bump = self.bump.filter(|bump| bump.end <= at);
        self.copies = self.copies.filter(|copies| copies.end <= at);
    }

    /// Appends the code from one position to another again, offsets included,
    /// which are the caller's to correct.
    pub(crate) fn repeat(&mut self, from: Position, to: Position) -> Position {
        let at = self.position();
        let from_acc = self.first_takes_acc(from);
        let shift = (at - from) * 8;
        let first = self
            .origins
            .partition_point(|(offset, _)| *offset as usize <= from * 8)
            .saturating_sub(1);
        let beyond = self.origins.partition_point(|(offset, _)| (*offset as usize) < to * 8);
        for i in first..beyond {
            let (offset, origin) = self.origins[i];
            self.note_origin((offset as usize).max(from * 8).saturating_add(shift) / 8, origin);
        }
        self.words.extend_from_within(from..to);
        if let Some(listing) = &mut self.listing {
            let lines = listing.partition_point(|line| line.at < from)..listing.partition_point(|line| line.at < to);
            for i in lines {
                let line = listing[i];
                listing.push(Line {
                    at: line.at + (at - from),
                    ..line
                });
            }
        }
        if let Some(handler) = from_acc {
            self.set_handler(at, handler);
            if let Some(listing) = &mut self.listing
                && let Ok(line) = listing.binary_search_by_key(&at, |line| line.at)
            {
                listing[line].instr.shown[0] = Some(Operand::Acc);
            }
        }
        self.bind();
        at
    }

    /// If the code at a position begins with a copy from the slot where the
    /// last instruction has its result, has that passed in the accumulator too
    /// and gives the handler that copies it from there.
    fn first_takes_acc(&mut self, from: Position) -> Option<Handler> {
        let handler = self.words[from];
        let is = |other: &Handler| *other as usize as u64 == handler;
        let copied = data::COPY.iter().find_map(|[slot, acc, _]| {
            let pinned = || {
                slot.pinned
                    .iter()
                    .zip(&acc.pinned)
                    .find(|(slot, _)| slot.as_ref().is_some_and(is))
            };
            if is(&slot.slot) { Some(acc.slot) } else { *pinned()?.1 }
        })?;
        let source = (self.words[from + SRC / 8] >> (SRC % 8 * 8)) as u16;
        self.pass_in_acc(source).then_some(copied)
    }

    /// The offset in a field of the instruction at a position, 0 if it has not
    /// been written.
    pub(crate) fn offset(&self, at: Position, field: usize) -> i32 {
        (self.words[at + field / 8] >> (field % 8 * 8)) as i32
    }

    /// Writes the offset from the instruction at `from` to `to` into its field
    /// at byte `field`.
    ///
    /// # Errors
    /// If they are more than 2 GiB apart.
    pub(crate) fn set_offset(
        &mut self,
        from: Position,
        field: usize,
        to: Position,
    ) -> Result<(), std::num::TryFromIntError> {
        let offset = i32::try_from((to as i64 - from as i64) * 8)?;
        self.set_u32(from, field, offset as u32);
        Ok(())
    }

    /// Says that the next instructions are those of an innermost loop, which
    /// [`Emitter::spread`] ends.
    pub(crate) fn begin_spread(&mut self) {
        self.spreading = true;
    }

    /// Gives the instructions since [`Emitter::begin_spread`], if that was
    /// called, handlers of their own, as far as there are copies.
    pub(crate) fn spread(&mut self) {
        self.spreading = false;
        self.uses.clear();
        for start in self.starts.drain(..) {
            let word = &mut self.words[start as usize];
            let uses = self.uses.entry(*word).or_default();
            if let Some(copy) = replica::copy(*word as usize, *uses % replica::COPIES) {
                *word = copy as usize as u64;
            }
            *uses += 1;
        }
    }

    /// Gives the instruction at a position another handler.
    pub(crate) fn set_handler(&mut self, at: Position, handler: Handler) {
        self.words[at] = handler as usize as u64;
    }

    /// Overwrites a four-byte field of an instruction.
    pub(crate) fn set_u32(&mut self, at: Position, field: usize, value: u32) {
        let word = &mut self.words[at + field / 8];
        let shift = field % 8 * 8;
        *word = *word & !(0xffff_ffff << shift) | u64::from(value) << shift;
    }

    /// The finished code and origins, with what it catches; the buffers stay with the
    /// emitter.
    pub(crate) fn finish(&self, catches: &Catches) -> FuncCode {
        let skipped = (self.skipped * 8) as u32;
        // What comes first comes from the last operator noted up to there.
        let first = self.origins.partition_point(|(at, _)| *at <= skipped).max(1) - 1;
        let origins = self.origins[first..]
            .iter()
            .map(|(at, origin)| (at.saturating_sub(skipped), *origin));
        FuncCode {
            words: self.words[self.skipped..]
                .iter()
                .map(|word| AtomicU64::new(*word))
                .collect(),
            origins: origins.collect(),
            catches: catches.finish(self.skipped * 8),
        }
    }
}
