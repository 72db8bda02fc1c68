//! Arithmetic with 128 bits (wide-arithmetic): operands are brought into slots,
//! and both results are in their temporaries.

use super::{Stop, Translator};
use crate::exec::dispatch::Handler;
use crate::exec::operand::SHORT;
use crate::exec::wide::{SUM_BYTES, Sums};
use crate::ir::instr::{Instr, Operand};
use crate::ir::stack::{Ty, Value};

impl Translator<'_> {
    /// `i64.add128` or `i64.sub128`.
    pub(super) fn sum_128(&mut self, name: &'static str, handlers: &Sums) -> Result<(), Stop> {
        let first = self.stack.len() - 4;
        let is_zero = |this: &Self, at: usize| usize::from(this.operand_at(first + at) == Operand::Const(0));
        let (x, y) = (is_zero(self, 1), is_zero(self, 3));
        let mut instr = Instr::new(name, handlers[x][y], SUM_BYTES);
        for (i, is_zero) in [0, x, 0, y].into_iter().enumerate() {
            if is_zero == 0 {
                instr = instr.u16(10 + 2 * i, self.in_slot(first + i));
            }
        }
        let shown: Vec<Operand> = (first..first + 4).map(|at| self.operand_at(at)).collect();
        self.two_results(instr.showing(shown), first);
        Ok(())
    }

    /// `i64.mul_wide_s` or `i64.mul_wide_u`.
    pub(super) fn mul_wide(&mut self, name: &'static str, handler: Handler) -> Result<(), Stop> {
        let first = self.stack.len() - 2;
        let (x, y) = (self.in_slot(first), self.in_slot(first + 1));
        let instr = Instr::new(name, handler, SHORT).u16(10, x).u16(12, y);
        self.two_results(instr.showing([Operand::Slot(x), Operand::Slot(y)]), first);
        Ok(())
    }

    /// The slot of the operand at a position, where a constant is brought first.
    fn in_slot(&mut self, at: usize) -> u16 {
        if let Operand::Slot(slot) = self.operand_at(at) {
            return slot;
        }
        self.spill(at);
        self.temp_slot(at)
    }

    /// Appends an instruction whose two results take the place of the operands
    /// from a position on.
    fn two_results(&mut self, instr: Instr, first: usize) {
        self.stack.truncate(first);
        self.emit.push(&instr.u16(8, self.temp_slot(first)));
        self.stack.push(Ty::I64, Value::Temp);
        self.stack.push(Ty::I64, Value::Temp);
    }
}
