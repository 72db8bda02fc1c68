//! Blocks, branches, calls and returns.
//!
//! Where ways of control meet, operands are in their temporaries: the results
//! of a block (the parameters of a loop) are brought there before each branch.
//! Operands below them that mean locals are brought to their temporaries when
//! a block begins; constants stay constants.

use smallvec::SmallVec;
use wasmparser::BlockType;

use super::assigned::{ALL, Set};
use super::operators::fits_32_bits;
use super::{Stop, Translator};
use crate::exec::control::{self as ctl, Jump};
use crate::exec::data;
use crate::exec::dispatch::Handler;
use crate::exec::fused;
use crate::exec::numeric::{Binary, BinaryInfo, I32Eq, I32Ne};
use crate::ir::catches::{ClauseIdx, RangeIdx};
use crate::ir::emit::{Last, Position, What};
use crate::ir::instr::{Instr, Operand, Pins};
use crate::ir::stack::{Ty, Value};

/// A field of an instruction that will hold the offset of a label.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fixup {
    from: Position,
    field: usize,
    /// The branch's handler, should the label be the innermost loop's.
    back: Option<Handler>,
}

impl Fixup {
    /// A field of a table.
    pub(super) fn table(from: Position, field: usize) -> Self {
        Self {
            from,
            field,
            back: None,
        }
    }
}

/// A block being translated.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    /// Operands below the block's parameters.
    pub(super) height: usize,
    /// Number of parameters.
    params: usize,
    /// Number of results.
    results: usize,
    ty: BlockType,
    /// Branches to the end of the block.
    fixups: Vec<Fixup>,
    /// Clauses that go on at the end of the block.
    catches: Vec<ClauseIdx>,
    /// Locals assigned where the block begins.
    assigned: Set,
    /// Locals assigned on every way to the block's end so far.
    assigned_at_end: Set,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// The whole body; branches to it return.
    Function,
    Block,
    /// A loop and where it starts.
    Loop(Position),
    /// An `if` whose `else` has not come; where its condition goes.
    If(Fixup),
    /// A block whose exceptions are caught.
    Try(RangeIdx),
    /// A legacy block at one of its `catch`es.
    Catch(RangeIdx),
}

/// Operands that are moved one by one where control branches.
pub(super) const FEW: usize = 4;

impl Frame {
    /// The frame of a whole body.
    pub(super) fn function(results: usize) -> Self {
        // Nothing follows whose types would matter.
        let ty = BlockType::Empty;
        Self {
            kind: Kind::Function,
            height: 0,
            params: 0,
            results,
            ty,
            fixups: Vec::new(),
            catches: Vec::new(),
            assigned: 0,
            assigned_at_end: ALL,
        }
    }

    /// Whether it is the function's own.
    pub(super) fn is_function(&self) -> bool {
        matches!(self.kind, Kind::Function)
    }

    /// The range of code that it is, if exceptions that are thrown here are caught.
    pub(super) fn range(&self) -> Option<RangeIdx> {
        match self.kind {
            Kind::Try(range) => Some(range),
            _ => None,
        }
    }

    /// Operands below those of the block, which a legacy `catch` has one more of.
    pub(super) fn floor(&self) -> usize {
        self.height + usize::from(matches!(self.kind, Kind::Catch(_)))
    }

    /// Lets a clause go on at the end of the block, with these locals assigned.
    pub(super) fn catch(&mut self, clause: ClauseIdx, assigned: Set) {
        self.catches.push(clause);
        self.assigned_at_end &= assigned;
    }

    /// The locals assigned where the block begins.
    pub(super) fn assigned(&self) -> Set {
        self.assigned
    }

    /// Number of operands that a branch to the block takes.
    pub(super) fn arity(&self) -> usize {
        match self.kind {
            Kind::Loop(_) => self.params,
            _ => self.results,
        }
    }
}

impl Translator<'_> {
    /// Opens a block; its parameters are in their temporaries.
    pub(super) fn open(
        &mut self,
        blockty: BlockType,
        kind: impl FnOnce(&mut Self) -> Result<Kind, Stop>,
    ) -> Result<(), Stop> {
        let (params, results) = self.block_arity(blockty)?;
        self.spill_locals();
        let height = self.stack.len() - params;
        for at in (height..self.stack.len()).rev() {
            self.spill(at);
        }
        let kind = kind(self)?;
        self.frames.push(Frame {
            kind,
            height,
            params,
            results,
            ty: blockty,
            fixups: Vec::new(),
            catches: Vec::new(),
            assigned: self.assigned.now,
            assigned_at_end: ALL,
        });
        Ok(())
    }

    /// `block`.
    pub(super) fn block(&mut self, blockty: BlockType) -> Result<(), Stop> {
        self.open(blockty, |_| Ok(Kind::Block))
    }

    /// `loop`.
    pub(super) fn loop_(&mut self, blockty: BlockType) -> Result<(), Stop> {
        self.open(blockty, |this| {
            this.end_fuel();
            this.pin_for_loop()?;
            let start = this.emit.bind();
            this.straight_from = Some(start);
            this.begin_fuel();
            Ok(Kind::Loop(start))
        })
    }

    /// Brings the locals that the loop beginning here pins into registers, and
    /// its address.
    fn pin_for_loop(&mut self) -> Result<(), Stop> {
        let Some(pins) = self.loops.at(self.emit.origin()) else {
            return Ok(());
        };
        let slot = |local: Option<u32>| local.map(|local| self.local_slot(local));
        let (int, floats) = (slot(pins.int), pins.floats.map(slot));
        let shown = int.into_iter().chain(floats.into_iter().flatten()).map(Operand::Slot);
        let instr = match (int, floats[0]) {
            (None, None) => Instr::new("loop", fused::begin_loop, 8),
            (Some(int), None) => Instr::new("loop", fused::pin_int, 16).u16(8, int),
            (_, Some(_)) => {
                let mut instr = Instr::new("loop", fused::pin_all, 24).u16(8, int.unwrap_or(0));
                for (i, float) in floats.into_iter().enumerate() {
                    instr = instr.u16(16 + 2 * i, float.unwrap_or(0));
                }
                instr
            }
        };
        self.emit.push(&instr.showing(shown));
        self.emit.pin(Pins::new(int, floats));
        self.head = Some(self.emit.position());
        if !pins.switches {
            self.emit.begin_spread();
        }
        Ok(())
    }

    /// `if`.
    pub(super) fn if_(&mut self, blockty: BlockType) -> Result<(), Stop> {
        let (condition, _) = self.pop();
        self.open(blockty, |this| {
            let fixup = this.conditional_branch(condition, false);
            this.begin_fuel();
            Ok(Kind::If(fixup))
        })
    }

    /// `else`.
    pub(super) fn else_(&mut self) -> Result<(), Stop> {
        let index = self.frames.len() - 1;
        if self.reachable {
            self.go(index, true)?;
        }
        self.end_fuel();
        let here = self.emit.bind();
        let frame = &mut self.frames[index];
        if let Kind::If(fixup) = frame.kind {
            self.emit.set_offset(fixup.from, fixup.field, here)?;
        }
        frame.kind = Kind::Block;
        let (height, ty) = (frame.height, frame.ty);
        self.assigned.now = frame.assigned;
        self.stack.truncate(height);
        for ty in self.block_types(ty)?.0 {
            self.stack.push(ty, Value::Temp);
        }
        self.reachable = true;
        self.begin_fuel();
        Ok(())
    }

    /// `end`.
    pub(super) fn end(&mut self) -> Result<(), Stop> {
        let index = self.frames.len() - 1;
        if self.frames[index].is_function() {
            if self.reachable {
                self.return_()?;
            }
            self.frames.pop();
            return Ok(());
        }
        if self.reachable {
            let (results, height) = (self.frames[index].results, self.frames[index].height);
            self.move_operands(results, height, true)?;
            if results > 0 {
                // The last instruction's result is read beyond the block's end,
                // and operands keep their places on other ways.
                self.emit.bind();
            }
        }
        self.end_fuel();
        let frame = self.frames.pop().ok_or(Stop)?;
        if let Kind::Try(range) = frame.kind {
            let end = self.emit.bind() * 8;
            self.catches.close(range, end);
        }
        self.straight_from = None;
        if let Kind::Loop(start) = frame.kind {
            self.emit.pin(Pins::default());
            if self.head.take() == Some(start) {
                self.emit.spread();
            }
            self.header.take_if(|header| header.start == start);
        }
        let mut reachable = self.reachable;
        let jumped_to = !frame.fixups.is_empty() || !frame.catches.is_empty() || matches!(frame.kind, Kind::If(_));
        if !matches!(frame.kind, Kind::Loop(_)) {
            self.assigned.now &= frame.assigned_at_end;
        }
        if jumped_to {
            let here = self.emit.bind();
            for fixup in frame.fixups {
                self.emit.set_offset(fixup.from, fixup.field, here)?;
            }
            for clause in frame.catches {
                self.catches.land(clause, here * 8);
            }
            if let Kind::If(fixup) = frame.kind {
                self.emit.set_offset(fixup.from, fixup.field, here)?;
                self.assigned.now &= frame.assigned;
            }
            reachable = true;
        }
        self.stack.truncate(frame.height);
        self.reachable = reachable;
        if reachable {
            for ty in self.block_types(frame.ty)?.1 {
                self.stack.push(ty, Value::Temp);
            }
            self.begin_fuel();
        }
        Ok(())
    }

    /// Index of the frame that a label names.
    pub(super) fn target(&self, depth: u32) -> Result<usize, Stop> {
        (self.frames.len() - 1).checked_sub(depth as usize).ok_or(Stop)
    }

    /// Whether the top operands are where a branch to the frame wants them.
    pub(super) fn in_place(&mut self, index: usize) -> bool {
        let frame = &self.frames[index];
        let arity = frame.arity();
        if frame.is_function() {
            return false;
        }
        let first = self.stack.len() - arity;
        arity == 0 || (first == frame.height && self.stack.all_temps_from(first))
    }

    /// If a branch takes many operands, brings them into their temporaries, so
    /// that one instruction can move them all. A branch of two bytes must not
    /// become an instruction for each operand.
    pub(super) fn settle_many(&mut self, n: usize) {
        let first = self.stack.len() - n;
        if n > FEW && !self.stack.all_temps_from(first) {
            for at in (first..self.stack.len()).rev() {
                self.spill(at);
            }
        }
    }

    /// Appends the instruction that moves the top `n` operands, all in their
    /// temporaries, down to the slots from `to` on.
    pub(super) fn move_many(&mut self, n: usize, to: usize) -> Result<(), Stop> {
        let (first, end) = (self.stack.len() - n, self.stack.len());
        let from = self.temps + self.stack.slot(first);
        let n = self.stack.slot(end) - self.stack.slot(first);
        let instr = Instr::new("copy_many", data::copy_many, 16);
        let (from, to) = (u16::try_from(from)?, u16::try_from(to)?);
        let shown = [Operand::Slot(to), Operand::Slot(from), Operand::Const(n as u64)];
        self.emit
            .push(&instr.u16(8, to).u16(10, from).u32(12, u32::try_from(n)?).showing(shown));
        Ok(())
    }

    /// Brings the top `n` operands to the temporaries from `height` on. If it
    /// is the `only` way to go on, the last instruction may do it.
    fn move_operands(&mut self, n: usize, height: usize, only: bool) -> Result<(), Stop> {
        let first = self.stack.len() - n;
        if n > FEW {
            self.settle_many(n);
            if first != height {
                self.move_many(n, self.temps + self.stack.slot(height))?;
            }
            return Ok(());
        }
        let mut next = self.temps + self.stack.slot(height);
        for i in 0..n {
            let slot = next as u16;
            next += self.stack.get(first + i).ty.slots() as usize;
            let operand = self.operand_at(first + i);
            if operand == Operand::Slot(slot) {
                continue;
            }
            let last = match operand {
                Operand::Slot(from) if only && n == 1 => self.emit.last_into(from),
                _ => None,
            };
            match last {
                Some(last) => self.emit.redirect_to_slot(last, slot),
                None => {
                    let ty = self.stack.get(first + i).ty;
                    self.copy_for_control(operand, ty, slot);
                }
            }
        }
        Ok(())
    }

    /// Goes to a frame's label, taking the top operands along. If it is the
    /// `only` way to go on, the last instruction may bring an operand there.
    pub(super) fn go(&mut self, index: usize, only: bool) -> Result<(), Stop> {
        let frame = &self.frames[index];
        if frame.is_function() {
            return self.return_();
        }
        let (kind, arity, height) = (frame.kind, frame.arity(), frame.height);
        self.move_operands(arity, height, only)?;
        // What is thrown in the loop's beginning is not caught in blocks inside it.
        if let Kind::Loop(start) = kind
            && self.frames[index..].iter().all(|frame| frame.range().is_none())
            && self.repeat_header(start)?
        {
            return Ok(());
        }
        let fixup = self.branch();
        self.link(index, fixup)
    }

    /// Appends an unconditional branch, which makes the copies before it.
    fn branch(&mut self) -> Fixup {
        let copies = self.emit.take_copies_back();
        let n = copies.len();
        let handlers = ctl::BR[n];
        let instr = Instr::new("br", handlers.far, 16 + ctl::copy_bytes(n)).copies(16, &copies);
        self.push_branch(&instr, handlers)
    }

    /// Appends a branch with its offset at byte 8.
    pub(super) fn push_branch(&mut self, instr: &Instr, handlers: Jump) -> Fixup {
        Fixup {
            from: self.emit.push(instr),
            field: 8,
            back: Some(handlers.back),
        }
    }

    /// Makes a field hold the offset of a frame's label.
    pub(super) fn link(&mut self, index: usize, fixup: Fixup) -> Result<(), Stop> {
        let frame = &mut self.frames[index];
        match frame.kind {
            Kind::Loop(start) => {
                self.emit.set_offset(fixup.from, fixup.field, start)?;
                if let (true, Some(back)) = (self.head == Some(start), fixup.back) {
                    self.emit.set_handler(fixup.from, back);
                }
            }
            _ => {
                frame.assigned_at_end &= self.assigned.now;
                frame.fixups.push(fixup);
            }
        }
        Ok(())
    }

    /// Appends a branch that is taken if the condition is (not) zero, and
    /// gives the field of its offset.
    fn conditional_branch(&mut self, condition: Operand, if_true: bool) -> Fixup {
        self.straight_from = None;
        let mut condition = condition;
        let mut if_true = if_true;
        if let Operand::Slot(slot) = condition
            && let Some((last, (info, left, right))) =
                self.emit.last_into(slot).and_then(|last| Some((last, last.compare()?)))
        {
            self.emit.take_back(last);
            if let Some(fixup) = self.bump_branch(info, left, right, if_true) {
                return fixup;
            }
            if let Some(fixup) = self.fed_branch(info, left, right, if_true) {
                return fixup;
            }
            let equal = std::ptr::eq(info, I32Eq::info());
            if right == Operand::Const(0) && (equal || std::ptr::eq(info, I32Ne::info())) {
                condition = left;
                if_true ^= equal;
            } else if let Some(compare) = &info.compare {
                let (mut left, mut right) = (left, right);
                let pinned = (self.emit.pinned(left), self.emit.pinned(right));
                let handlers = match compare.pinned_branch[usize::from(if_true)].get(pinned.0.kind(), pinned.1.kind()) {
                    Some(handlers) => {
                        (left, right) = pinned;
                        handlers
                    }
                    None => compare.branch[usize::from(if_true)][left.kind()][right.kind()],
                };
                let constant = matches!(left, Operand::Const(_)) || matches!(right, Operand::Const(_));
                let instr = Instr::new(info.name, handlers.far, if constant { 24 } else { 16 })
                    .prefix(if if_true { "br_if" } else { "br_if_not" })
                    .operands(12, 16, info.wide, &[left, right]);
                return self.push_branch(&instr, handlers);
            }
        }
        if let Some(fixup) = self.bump_branch(I32Ne::info(), condition, Operand::Const(0), if_true) {
            return fixup;
        }
        if let Operand::Slot(slot) = condition
            && let Some(last) = self.emit.last_result(slot)
            && let Some(fixup) = self.absorb_branch(last, I32Ne::info(), Operand::Const(0), if_true)
        {
            return fixup;
        }
        let condition = self.constant_to_acc(condition, Ty::I32);
        let handlers = if if_true { &ctl::BR_IF } else { &ctl::BR_IF_ZERO };
        let name = if if_true { "br_if" } else { "br_if_not" };
        let handlers = handlers[condition.kind()];
        let instr = Instr::new(name, handlers.far, 16).operands(12, 0, false, &[condition]);
        self.push_branch(&instr, handlers)
    }

    /// Says that control branches here.
    pub(super) fn end_straight(&mut self) {
        self.straight_from = None;
    }

    /// Prepares a conditional branch to a frame that brings operands along.
    pub(super) fn prepare_branch(&mut self, index: usize) {
        self.settle_many(self.frames[index].arity());
        self.prepare_return(index);
    }

    /// Goes to a frame's label in code that the branch with the fixup skips.
    pub(super) fn go_aside(&mut self, index: usize, skip: &Fixup) -> Result<(), Stop> {
        self.go(index, false)?;
        let here = self.emit.bind();
        Ok(self.emit.set_offset(skip.from, skip.field, here)?)
    }

    /// If the instruction before the comparison, which has been taken back,
    /// loads or makes its left operand, makes both and the branch one
    /// instruction.
    fn fed_branch(&mut self, info: &'static BinaryInfo, left: Operand, right: Operand, if_true: bool) -> Option<Fixup> {
        let before = self.emit.feeding()?;
        match (left, right) {
            (Operand::Acc, Operand::Slot(_) | Operand::Const(_)) => self.absorb_branch(before, info, right, if_true),
            (Operand::Slot(_), Operand::Acc) => {
                let swapped = (info.compare.as_ref()?.swapped)();
                self.absorb_branch(before, swapped, left, if_true)
            }
            _ => None,
        }
    }

    /// If a comparison of the last instruction's result with `right` and the
    /// branch can be one instruction with it, appends that in its place.
    fn absorb_branch(&mut self, last: Last, info: &'static BinaryInfo, right: Operand, if_true: bool) -> Option<Fixup> {
        let info = match if_true {
            true => info,
            false => (info.compare.as_ref()?.negated?)(),
        };
        if right == Operand::Slot(last.slot) {
            return None;
        }
        let constant = matches!(right, Operand::Const(_));
        let len = if constant { 32 } else { 24 };
        let pinned = usize::from(self.emit.is_pinned(last.slot));
        let (handlers, instr, shown) = match last.what {
            What::Load(load, address) => {
                let table = fused::LOADED_BRANCH[info.id as usize]?;
                let table = table[fused::loaded_branch_index(load.id)?].as_ref()?;
                let handlers = table.get(address.kind as usize)?[self.emit.first_kind(address.first)][pinned]
                    [usize::from(constant)];
                let shown: SmallVec<[Operand; 4]> = address.shown().chain([right]).collect();
                (
                    handlers,
                    Instr::new(info.name, handlers.far, len)
                        .address(16, &address)
                        .inner(load.name),
                    shown,
                )
            }
            What::Binary(made, x @ (Operand::Slot(_) | Operand::Acc), y @ Operand::Const(number)) => {
                let inner = match fused::inner(made.id, true)? {
                    fused::Inner::AndK => 0,
                    fused::Inner::AddK => 1,
                    _ => return None,
                };
                if made.wide != info.wide || !fits_32_bits(number, info.wide) {
                    return None;
                }
                let handlers = fused::MADE_BRANCH[info.id as usize]?[inner][self.emit.first_kind(x)][pinned]
                    [usize::from(constant)];
                let shown = SmallVec::from_slice(&[x, y, right]);
                (
                    handlers,
                    Instr::new(info.name, handlers.far, len).made(16, x, y).inner(made.name),
                    shown,
                )
            }
            _ => return None,
        };
        let instr = instr
            .operands(12, 24, info.wide, &[right])
            .u16(14, last.slot)
            .prefix("br_if")
            .showing([Operand::Slot(last.slot)].into_iter().chain(shown));
        Some(Fixup {
            from: self.emit.replace(last, |emit| emit.push(&instr)),
            field: 8,
            back: Some(handlers.back),
        })
    }

    /// If the last instruction adds to a slot that the comparison is about,
    /// makes both and the branch one instruction: the end of a loop.
    fn bump_branch(
        &mut self,
        info: &'static BinaryInfo,
        left: Operand,
        right: Operand,
        if_true: bool,
    ) -> Option<Fixup> {
        let bump = self.emit.bump()?;
        let slot = Operand::Slot(bump.slot);
        let (info, left, right) = match info.compare.as_ref() {
            Some(compare) if right == slot && left != slot => ((compare.swapped)(), right, left),
            _ => (info, left, right),
        };
        if left != slot || right == slot || bump.info.wide != info.wide {
            return None;
        }
        let info = match if_true {
            true => info,
            false => (info.compare.as_ref()?.negated?)(),
        };
        let (before, word) = match bump.first {
            Some(first) => (first.kind() + 1, Some(first.word()?)),
            None => (0, None),
        };
        let handlers = info.compare.as_ref()?.bump.as_ref()?[before];
        let in_32_bits = |value: u64| match info.wide {
            true => i32::try_from(value.cast_signed()).ok(),
            false => Some(value as u32 as i32),
        };
        let constant = |operand| usize::from(matches!(operand, Operand::Const(_)));
        let pinned = usize::from(self.emit.is_pinned(bump.slot));
        let handlers = handlers[pinned][constant(bump.number)][constant(right)];
        let mut instr = Instr::new(info.name, handlers.far, if word.is_some() { 32 } else { 24 });
        instr = match bump.number {
            Operand::Slot(number) => instr.u16(16, number),
            Operand::Const(number) => instr.u32(16, in_32_bits(number)?.cast_unsigned()),
            Operand::Acc | Operand::Pinned(..) => return None,
        };
        instr = match right {
            Operand::Slot(right) => instr.u16(14, right),
            Operand::Const(right) => instr.u32(20, in_32_bits(right)?.cast_unsigned()),
            Operand::Acc | Operand::Pinned(..) => return None,
        };
        if let Some(word) = word {
            instr = instr.u64(24, word);
        }
        self.emit.take_bump_back(bump);
        let instr = instr.u16(12, bump.slot).prefix("add, br_if").showing(
            bump.first
                .into_iter()
                .flat_map(|first| [Operand::Slot(first.slot), first.number])
                .chain([slot, bump.number, right]),
        );
        Some(self.push_branch(&instr, handlers))
    }

    /// `br`.
    pub(super) fn br(&mut self, depth: u32) -> Result<(), Stop> {
        let index = self.target(depth)?;
        self.go(index, true)?;
        self.stop();
        Ok(())
    }

    /// `br_if`.
    pub(super) fn br_if(&mut self, depth: u32) -> Result<(), Stop> {
        let index = self.target(depth)?;
        let (condition, _) = self.pop();
        if self.in_place(index) {
            let fixup = self.conditional_branch(condition, true);
            self.link(index, fixup)?;
        } else {
            self.prepare_branch(index);
            let fixup = self.conditional_branch(condition, false);
            self.go_aside(index, &fixup)?;
        }
        self.begin_fuel();
        Ok(())
    }
}
