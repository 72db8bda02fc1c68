//! Exceptions (Spec 3.0 §2.4.8): what throws them, and blocks that catch them,
//! those of the legacy proposal too.
//!
//! Blocks that catch make no code but a line in a table ([`Catches`]). Where
//! something is caught, what the exception carries is put where the operands of the
//! label are, and code goes on there; so that is a label as any other. A local has
//! the value there that it had when the exception was thrown, and counts as
//! assigned if it was where the block began.
//!
//! A legacy `catch` keeps the exception in a temporary below its operands, for
//! `rethrow`.
//!
//! [`Catches`]: crate::ir::catches::Catches

use wasmparser::{BlockType, Catch, TryTable};

use super::control::{Frame, Kind};
use super::{Stop, Translator, own_ty};
use crate::exec::unwind;
use crate::ir::catches::{ClauseIdx, RangeIdx};
use crate::ir::instr::{Instr, Operand};
use crate::ir::stack::{Ty, Value};
use crate::module::TagIdx;

impl Translator<'_> {
    /// `throw`.
    pub(super) fn throw(&mut self, tag: TagIdx) -> Result<(), Stop> {
        let n = self.tag_types(tag)?.len();
        let first = self.stack.len() - n;
        for at in (first..self.stack.len()).rev() {
            self.spill(at);
        }
        let operands = (first..self.stack.len()).map(|at| self.operand_at(at));
        let instr = Instr::new("throw", unwind::throw, 16)
            .u16(8, self.temp_slot(first))
            .u32(12, self.tag_offset(tag)?)
            .showing(operands);
        self.emit.push(&instr);
        self.stop();
        Ok(())
    }

    /// `throw_ref`.
    pub(super) fn throw_ref(&mut self) -> Result<(), Stop> {
        let at = self.stack.len() - 1;
        self.spill(at);
        self.throw_slot(self.temp_slot(at));
        Ok(())
    }

    /// Throws the exception in a slot.
    fn throw_slot(&mut self, slot: u16) {
        let instr = Instr::new("throw_ref", unwind::throw_ref, 16)
            .u16(8, slot)
            .showing([Operand::Slot(slot)]);
        self.emit.push(&instr);
        self.stop();
    }

    /// `try_table`.
    pub(super) fn try_table(&mut self, table: &TryTable) -> Result<(), Stop> {
        // Labels are those around the block.
        let around = self.frames.len();
        let range = self.open_range(table.ty, !table.catches.is_empty())?;
        let Some(range) = range else { return Ok(()) };
        for catch in &table.catches {
            let (tag, exception, label) = match *catch {
                Catch::One { tag, label } => (Some(tag), false, label),
                Catch::OneRef { tag, label } => (Some(tag), true, label),
                Catch::All { label } => (None, false, label),
                Catch::AllRef { label } => (None, true, label),
            };
            let target = (around - 1).checked_sub(label as usize).ok_or(Stop)?;
            let tag = tag.map(TagIdx::new);
            let height = match self.frames[target].kind {
                Kind::Function => 0,
                _ => self.frames[target].height,
            };
            let clause = self.add_clause(range, tag, height, exception)?;
            self.land_at(target, clause);
        }
        Ok(())
    }

    /// Opens a block in which exceptions are caught, unless nothing `catches` them.
    fn open_range(&mut self, ty: BlockType, catches: bool) -> Result<Option<RangeIdx>, Stop> {
        let outer = self.protecting(self.frames.len());
        let mut range = None;
        self.open(ty, |this| {
            this.straight_from = None;
            let start = this.emit.bind() * 8;
            range = catches.then(|| this.catches.open(start, outer));
            Ok(range.map_or(Kind::Block, Kind::Try))
        })?;
        Ok(range)
    }

    /// The innermost open range that the first `frames` frames are.
    fn protecting(&self, frames: usize) -> Option<RangeIdx> {
        self.frames[..frames].iter().rev().find_map(Frame::range)
    }

    /// Adds a clause that leaves what it catches in the temporaries from `height` on.
    fn add_clause(
        &mut self,
        range: RangeIdx,
        tag: Option<TagIdx>,
        height: usize,
        exception: bool,
    ) -> Result<ClauseIdx, Stop> {
        let types = tag.map_or(Ok(Vec::new()), |tag| self.tag_types(tag))?;
        let carried: u32 = types.into_iter().map(Ty::slots).sum();
        let tag = tag.map(|tag| self.tag_offset(tag)).transpose()?;
        let payload = self.temp_slot(height);
        let exception = exception.then(|| payload.wrapping_add(carried as u16));
        Ok(self.catches.add(range, tag, payload, exception))
    }

    /// Lets a clause go on at a frame's label.
    fn land_at(&mut self, target: usize, clause: ClauseIdx) {
        let assigned = self.assigned.now;
        let frame = &mut self.frames[target];
        match frame.kind {
            Kind::Function => self.returning.push(clause),
            Kind::Loop(start) => self.catches.land(clause, start * 8),
            _ => frame.catch(clause, assigned),
        }
    }

    /// Appends the code of clauses that return what they catch.
    pub(super) fn returning_clauses(&mut self) -> Result<(), Stop> {
        if self.returning.is_empty() {
            return Ok(());
        }
        let here = self.emit.bind() * 8;
        for clause in std::mem::take(&mut self.returning) {
            self.catches.land(clause, here);
        }
        self.frames.push(Frame::function(self.results.len()));
        self.stack.truncate(0);
        for i in 0..self.results.len() {
            self.stack.push(self.results[i], Value::Temp);
        }
        self.return_()?;
        self.frames.pop();
        Ok(())
    }

    /// The types of what exceptions of a tag carry.
    fn tag_types(&self, tag: TagIdx) -> Result<Vec<Ty>, Stop> {
        if tag.index() >= self.module.tags.len() {
            return Err(Stop);
        }
        Ok(self.module.tag_type(tag).params().map(|ty| own_ty(&ty)).collect())
    }

    /// Where contexts have the pointer to a tag.
    fn tag_offset(&self, tag: TagIdx) -> Result<u32, Stop> {
        Ok(u32::try_from(self.code.cx_layout().tag(tag))?)
    }
}

/// The legacy proposal.
impl Translator<'_> {
    /// `try`.
    pub(super) fn legacy_try(&mut self, ty: BlockType) -> Result<(), Stop> {
        self.open_range(ty, true)?;
        Ok(())
    }

    /// `catch`, and `catch_all` without a tag.
    pub(super) fn legacy_catch(&mut self, tag: Option<TagIdx>) -> Result<(), Stop> {
        let index = self.frames.len() - 1;
        if self.reachable {
            self.go(index, true)?;
        }
        self.end_fuel();
        let here = self.emit.bind() * 8;
        self.straight_from = None;
        let frame = &self.frames[index];
        let (Kind::Try(range) | Kind::Catch(range)) = frame.kind else {
            return Err(Stop);
        };
        let height = frame.height;
        self.assigned.now = frame.assigned();
        self.catches.close(range, here);
        self.frames[index].kind = Kind::Catch(range);
        self.stack.truncate(height);
        self.stack.push(Ty::Ref, Value::Temp);
        let exception = Some(self.temp_slot(height));
        let types = tag.map_or(Ok(Vec::new()), |tag| self.tag_types(tag))?;
        for ty in types {
            self.stack.push(ty, Value::Temp);
        }
        let payload = self.temp_slot(height + 1);
        let tag = tag.map(|tag| self.tag_offset(tag)).transpose()?;
        let clause = self.catches.add(range, tag, payload, exception);
        self.catches.land(clause, here);
        self.reachable = true;
        self.begin_fuel();
        Ok(())
    }

    /// `delegate`.
    pub(super) fn legacy_delegate(&mut self, depth: u32) -> Result<(), Stop> {
        let around = self.frames.len() - 1;
        let Kind::Try(range) = self.frames[around].kind else {
            return Err(Stop);
        };
        // The label is one around the block, whose own range counts.
        let frames = around.checked_sub(depth as usize).ok_or(Stop)?;
        let next = self.protecting(frames);
        self.catches.delegate(range, next);
        self.end()
    }

    /// `rethrow`.
    pub(super) fn legacy_rethrow(&mut self, depth: u32) -> Result<(), Stop> {
        let frame = self.target(depth)?;
        let slot = self.temp_slot(self.frames[frame].height);
        self.throw_slot(slot);
        Ok(())
    }
}
