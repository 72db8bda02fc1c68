//! Operators on vectors. A vector takes two slots; it is neither folded as a
//! constant nor pinned.

use super::{Stop, Translator};
use crate::exec::simd::moves;
use crate::ir::instr::{Instr, Operand};
use crate::ir::stack::Ty;

impl Translator<'_> {
    /// `v128.const`.
    pub(super) fn vector_constant(&mut self, value: u128) -> Result<(), Stop> {
        let (low, high) = (value as u64, (value >> 64) as u64);
        let instr = Instr::new("v128.const", moves::CONST.slot, 32)
            .u64(16, low)
            .u64(24, high)
            .showing([Operand::Const(low), Operand::Const(high)]);
        self.push_result(instr, moves::CONST, Ty::V128);
        Ok(())
    }

    /// Appends the instruction that copies a vector to the slots from `slot` on.
    pub(super) fn copy_vector(&mut self, operand: Operand, slot: u16) {
        let instr = Instr::new("v128.copy", moves::COPY.slot, 16).operands(10, 0, true, &[operand]);
        self.emit.push_result(instr, slot, moves::COPY, Ty::V128);
    }

    /// Brings a vector operand to the slots from `slot` on, where nothing but control
    /// follows.
    pub(super) fn vector_to(&mut self, operand: Operand, slot: u16) {
        let last = match operand {
            Operand::Slot(from) => self.emit.last_into(from),
            _ => None,
        };
        match last {
            Some(last) => self.emit.redirect_to_slot(last, slot),
            None if operand == Operand::Slot(slot) => {}
            None => self.copy_vector(operand, slot),
        }
    }

    /// `select` of vectors; the operands have been popped.
    pub(super) fn select_vector(&mut self, condition: Operand, first: Operand, second: Operand) -> Result<(), Stop> {
        let condition = self.constant_to_acc(condition, Ty::I32);
        let to = moves::SELECT[condition.kind()];
        let instr = Instr::new("v128.select", to.slot, 16).operands(10, 0, true, &[first, second, condition]);
        self.push_result(instr, to, Ty::V128);
        Ok(())
    }

    /// `global.get` of a vector in a global's place of a kind.
    pub(super) fn vector_global_get(&mut self, kind: usize, offset: u32) -> Result<(), Stop> {
        let to = moves::GLOBAL_GET[kind];
        let instr = Instr::new("v128.global.get", to.slot, 16).u32(12, offset);
        self.push_result(instr, to, Ty::V128);
        Ok(())
    }

    /// `global.set` of a vector, already popped, in a global's place of a kind.
    pub(super) fn vector_global_set(&mut self, operand: Operand, kind: usize, offset: u32) -> Result<(), Stop> {
        let instr = Instr::new("v128.global.set", moves::GLOBAL_SET[kind], 16);
        self.emit.push(&instr.operands(10, 0, true, &[operand]).u32(12, offset));
        Ok(())
    }
}
