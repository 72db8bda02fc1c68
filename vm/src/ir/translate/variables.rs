//! `local.set`, `local.tee` and the globals' operators. `local.get` emits
//! nothing: operands mean locals until those change.

use super::{Stop, Translator};
use crate::exec::context::GlobalPlace;
use crate::exec::numeric::{Binary, I32Add};
use crate::exec::{data, fused};
use crate::ir::emit::What;
use crate::ir::instr::{Instr, Operand};
use crate::module::{ConstOp, GlobalIdx};

impl Translator<'_> {
    /// `local.set`, and `local.tee` if the value stays.
    pub(super) fn local_set(&mut self, local: u32, tee: bool) -> Result<(), Stop> {
        let (operand, ty) = self.pop();
        let slot = self.local_slot(local);
        if let Some(local) = (local as usize).checked_sub(self.params) {
            self.assigned.set(local);
        }
        if operand != Operand::Slot(slot) {
            let last = match operand {
                Operand::Slot(from) => self.emit.last_into(from),
                _ => None,
            };
            match last {
                // What other operands mean is saved first.
                Some(last) if self.stack.topmost_of(local).is_some() => {
                    let lifted = self.emit.lift(last);
                    self.preserve(local);
                    let last = self.emit.put_down(lifted);
                    self.emit.redirect_to_local(last, slot);
                }
                Some(last) => self.emit.redirect_to_local(last, slot),
                None => {
                    self.preserve(local);
                    let operand = self.fold(operand);
                    self.copy_to(operand, ty, slot);
                    self.emit.result_is_local();
                }
            }
        }
        if tee {
            self.stack.push_local(ty, local);
        }
        Ok(())
    }

    /// Saves the value of a local for the operands that mean it.
    fn preserve(&mut self, local: u32) {
        while let Some(at) = self.stack.topmost_of(local) {
            self.spill(at);
        }
    }

    /// Brings the operand at a position into its temporary.
    pub(super) fn spill(&mut self, at: usize) {
        let operand = self.operand_at(at);
        let slot = self.temp_slot(at);
        if operand != Operand::Slot(slot) {
            let ty = self.stack.get(at).ty;
            self.copy_to(operand, ty, slot);
            self.stack.set_temp(at);
        }
    }

    /// Brings all operands that mean locals into their temporaries, before
    /// control may take ways on which the locals differ.
    pub(super) fn spill_locals(&mut self) {
        while let Some((at, _)) = self.stack.take_local() {
            self.spill(at);
        }
    }

    /// `global.get`.
    pub(super) fn global_get(&mut self, global: GlobalIdx) -> Result<(), Stop> {
        let ty = super::own_ty(self.module.globals.get(global.index()).ok_or(Stop)?.content());
        if let Some(value) = self.constant_global(global) {
            return self.constant(ty, value);
        }
        let (kind, offset) = self.global_place(global)?;
        let to = data::GLOBAL_GET[ty.class()][kind];
        self.push_result(Instr::new("global.get", to.slot, 16).u32(12, offset), to, ty);
        if kind == 0 {
            self.emit.note(What::Global(offset));
        }
        Ok(())
    }

    /// The value of a global that the code may have as a constant: one with which
    /// this code is made, or whose first value it never changes.
    fn constant_global(&self, global: GlobalIdx) -> Option<u64> {
        let constants = &self.code.options().constants;
        if let Some(value) = constants.get(global.index()).copied().flatten() {
            return Some(value);
        }
        let own = global.index().checked_sub(self.module.num_imported_globals)?;
        if !self.module.globals.get(global.index())?.is_constant_number() {
            return None;
        }
        match *self.module.global_inits.get(own)?.0 {
            [ConstOp::Const(value)] => Some(value),
            _ => None,
        }
    }

    /// `global.set`.
    pub(super) fn global_set(&mut self, global: GlobalIdx) -> Result<(), Stop> {
        let (operand, ty) = self.pop();
        let (kind, offset) = self.global_place(global)?;
        if kind == 0 && self.global_sum(operand, offset) {
            return Ok(());
        }
        let operand = self.fold(operand);
        let handler = data::GLOBAL_SET[ty.class()][kind][operand.kind()];
        let len = if matches!(operand, Operand::Const(_)) { 24 } else { 16 };
        self.emit.push(
            &Instr::new("global.set", handler, len)
                .operands(10, 16, true, &[operand])
                .u32(12, offset),
        );
        Ok(())
    }

    /// If the value for the instance's own global at `place` is the sum of a
    /// slot and a constant, or of the global itself and a constant (as the
    /// stack pointer's is where functions begin), makes that one instruction.
    fn global_sum(&mut self, operand: Operand, place: u32) -> bool {
        let Operand::Slot(slot) = operand else { return false };
        let Some(last) = self.emit.last_result(slot) else {
            return false;
        };
        let What::Binary(info, left, Operand::Const(number)) = last.what else {
            return false;
        };
        if info.id != I32Add::info().id || self.emit.is_pinned(slot) {
            return false;
        }
        match left {
            Operand::Acc => {
                let Some(before) = self.emit.feeding_last() else {
                    return false;
                };
                if !matches!(before.what, What::Global(from) if from == place) {
                    return false;
                }
                self.emit.take_back(last);
                self.emit.take_back(before);
                let instr = Instr::new("global.set", fused::global_add, 24)
                    .inner(info.name)
                    .u16(8, slot)
                    .u32(12, place)
                    .u32(16, number as u32)
                    .showing([Operand::Slot(slot), Operand::Const(number)]);
                self.emit.push(&instr);
                true
            }
            Operand::Slot(from) => {
                if self.emit.last_into(slot).is_none() {
                    return false;
                }
                self.emit.take_back(last);
                let instr = Instr::new("global.set", fused::global_set_sum, 24)
                    .inner(info.name)
                    .u32(12, place)
                    .made(16, Operand::Slot(from), Operand::Const(number))
                    .showing([Operand::Slot(from), Operand::Const(number)]);
                self.emit.push(&instr);
                true
            }
            Operand::Const(_) | Operand::Pinned(..) => false,
        }
    }

    /// The kind of a global's place and its offset in contexts.
    fn global_place(&self, global: GlobalIdx) -> Result<(usize, u32), Stop> {
        Ok(match self.code.cx_layout().global(global) {
            GlobalPlace::Own(offset) => (0, u32::try_from(offset)?),
            GlobalPlace::Imported(offset) => (1, u32::try_from(offset)?),
        })
    }
}
