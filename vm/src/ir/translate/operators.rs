//! Plain operators: operands are folded in, results go to their temporaries.

use wasmparser::{MemArg, MemArgTarget};

use super::{Stop, Translator};
use crate::exec::context::GlobalPlace;
use crate::exec::data::{self, Bulk, LoadInfo, StoreInfo};
use crate::exec::numeric::{Binary, BinaryInfo, I32Add, I32Sub, I64Add, I64Sub, UnaryInfo};
use crate::exec::operand::Destinations;
use crate::ir::emit::{Instr, Operand};
use crate::ir::stack::{Ty, Value};
use crate::module::{FuncIdx, GlobalIdx};

impl Translator<'_> {
    /// A constant: no code.
    pub(super) fn constant(&mut self, ty: Ty, value: u64) -> Result<(), Stop> {
        self.stack.push(ty, Value::Const(value));
        Ok(())
    }

    /// Appends an instruction with a result, which becomes the top operand.
    fn push_result(&mut self, instr: Instr, to: Destinations, ty: Ty) {
        let slot = self.temp_slot(self.stack.len());
        self.emit.push_result(instr, slot, to);
        self.stack.push(ty, Value::Temp);
    }

    /// Makes a constant operand, already popped, the accumulator's value.
    fn constant_to_acc(&mut self, operand: Operand, ty: Ty) -> Operand {
        match operand {
            Operand::Const(_) => {
                let slot = self.temp_slot(self.stack.len());
                self.copy_to(operand, ty, slot);
                self.fold(Operand::Slot(slot))
            }
            other => self.fold(other),
        }
    }

    /// A binary operator.
    pub(super) fn binary(&mut self, info: &'static BinaryInfo) -> Result<(), Stop> {
        let (right, _) = self.pop();
        let (left, ty) = self.pop();
        let (mut info, mut left, mut right) = (info, left, right);
        if matches!(left, Operand::Const(_)) && !matches!(right, Operand::Const(_)) {
            if info.commutes {
                std::mem::swap(&mut left, &mut right);
            } else if let Some(compare) = &info.compare {
                info = (compare.swapped)();
                std::mem::swap(&mut left, &mut right);
            }
        }
        if let Operand::Const(number) = right {
            if std::ptr::eq(info, I32Sub::info()) {
                (info, right) = (I32Add::info(), Operand::Const(number.wrapping_neg() & 0xffff_ffff));
            } else if std::ptr::eq(info, I64Sub::info()) {
                (info, right) = (I64Add::info(), Operand::Const(number.wrapping_neg()));
            }
        }
        if info.compare.is_some() && (self.ends_loop(left) || self.ends_loop(right)) {
            self.emit_binary(info, left, right);
            return Ok(());
        }
        let folded = self.fold(right);
        if folded == right {
            left = match (left, right) {
                (Operand::Const(_), Operand::Const(_)) => self.constant_to_acc(left, ty),
                _ => self.fold(left),
            };
        }
        self.emit_binary(info, left, folded);
        Ok(())
    }

    /// Whether the operand is a slot that the last instruction adds to: with a
    /// comparison it may become the end of a loop, which works on the slot.
    fn ends_loop(&self, operand: Operand) -> bool {
        self.emit.bump().is_some_and(|bump| operand == Operand::Slot(bump.slot))
    }

    /// Appends a binary operator's instruction.
    fn emit_binary(&mut self, info: &'static BinaryInfo, left: Operand, right: Operand) {
        let constant = matches!(left, Operand::Const(_)) || matches!(right, Operand::Const(_));
        let (len, imm) = match (constant, info.wide) {
            (true, true) => (24, 16),
            _ => (16, 12),
        };
        let to = info.handlers[left.kind()][right.kind()];
        let instr = Instr::new(info.name, to[0], len).operands(10, imm, info.wide, &[left, right]);
        self.push_result(instr, to, info.out);
        self.emit.note_binary(info, left, right);
    }

    /// `eqz`: the negation of the comparison that the operand is, or the
    /// comparison with zero.
    pub(super) fn eqz(&mut self, equal: &'static BinaryInfo) {
        let (operand, ty) = self.pop();
        if let (Operand::Slot(slot), false) = (operand, equal.wide)
            && let Some(last) = self.emit.last_into(slot)
            && let Some((info, left, right)) = last.compare()
            && let Some(negated) = info.compare.as_ref().and_then(|compare| compare.negated)
        {
            self.emit.take_back(last);
            self.emit_binary(negated(), left, right);
            return;
        }
        let operand = match self.ends_loop(operand) {
            true => operand,
            false => self.constant_to_acc(operand, ty),
        };
        self.emit_binary(equal, operand, Operand::Const(0));
    }

    /// A unary operator.
    pub(super) fn unary(&mut self, info: &'static UnaryInfo) -> Result<(), Stop> {
        let (operand, ty) = self.pop();
        let operand = self.constant_to_acc(operand, ty);
        let to = info.handlers[operand.kind()];
        let instr = Instr::new(info.name, to[0], 16).operands(10, 16, false, &[operand]);
        self.push_result(instr, to, info.out);
        Ok(())
    }

    /// The variant of an address operand, already popped, and its offset.
    fn address(&mut self, operand: Operand, offset: u64) -> Result<(usize, Operand, u32), Stop> {
        let offset = u32::try_from(offset)?;
        if let Operand::Const(base) = operand
            && let Ok(whole) = u32::try_from(base + u64::from(offset))
        {
            return Ok((2, Operand::Acc, whole));
        }
        Ok((operand.kind(), operand, offset))
    }

    /// The terms of an address, already popped, if it is the sum that the last
    /// instruction computes and for nothing else; takes that back. The first is
    /// a slot or the accumulator, the second a slot or a constant.
    fn sum(&mut self, operand: Operand) -> Option<(Operand, Operand)> {
        let Operand::Slot(slot) = operand else { return None };
        let last = self.emit.last_into(slot)?;
        let (info, left, right) = last.binary?;
        let terms = match (left, right) {
            _ if !std::ptr::eq(info, I32Add::info()) => return None,
            (Operand::Slot(_) | Operand::Acc, Operand::Slot(_) | Operand::Const(_)) => (left, right),
            (Operand::Slot(_), Operand::Acc) => (right, left),
            _ => return None,
        };
        self.emit.take_back(last);
        Some(terms)
    }

    /// A load.
    pub(super) fn load(&mut self, info: &'static LoadInfo, memarg: &MemArg) -> Result<(), Stop> {
        let (operand, ty) = self.pop();
        if !self.is_checked(memory_of(memarg)?)
            && let Some((first, second)) = self.sum(operand)
        {
            let offset = u32::try_from(memarg.offset)?;
            let to = info.sum[first.kind()][second.kind() / 2];
            let instr = Instr::new(info.name, to[0], 24)
                .operands(10, 0, false, &[first])
                .operands(16, 16, false, &[second])
                .showing([Some(first), Some(second), Some(Operand::Const(offset.into()))])
                .u32(12, offset);
            self.push_result(instr, to, info.out);
            return Ok(());
        }
        let (mut variant, mut operand, offset) = self.address(operand, memarg.offset)?;
        if variant != 2 || matches!(operand, Operand::Const(_)) {
            operand = self.constant_to_acc(operand, ty);
            variant = operand.kind();
        }
        let memory = memory_of(memarg)?;
        let checked = self.is_checked(memory);
        let to = info.handlers[usize::from(checked)][variant];
        let mut instr = Instr::new(info.name, to[0], if checked { 24 } else { 16 })
            .operands(10, 16, false, &[operand])
            .showing([
                (variant != 2).then_some(operand),
                Some(Operand::Const(offset.into())),
                None,
            ])
            .u32(12, offset);
        if checked {
            instr = instr.u32(16, self.memory_offset(memory)?);
        }
        self.push_result(instr, to, info.out);
        Ok(())
    }

    /// A store.
    pub(super) fn store(&mut self, info: &'static StoreInfo, memarg: &MemArg) -> Result<(), Stop> {
        let (value, _) = self.pop();
        let (operand, ty) = self.pop();
        if !self.is_checked(memory_of(memarg)?)
            && let Some((first, second)) = self.sum(operand)
        {
            let offset = u32::try_from(memarg.offset)?;
            let constant = matches!(value, Operand::Const(_));
            let handler = info.sum[first.kind()][second.kind() / 2][usize::from(constant)];
            let instr = Instr::new(info.name, handler, if constant { 32 } else { 24 })
                .operands(8, 0, false, &[first])
                .operands(10, 24, info.wide, &[value])
                .operands(16, 16, false, &[second])
                .showing([Some(first), Some(second), Some(value)])
                .u32(12, offset);
            self.emit.push(&instr);
            return Ok(());
        }
        let (mut variant, mut operand, offset) = self.address(operand, memarg.offset)?;
        let folded = self.fold(value);
        let mut value = folded;
        if variant != 2 {
            if folded != Operand::Acc {
                operand = self.fold(operand);
            }
            variant = operand.kind();
        } else if matches!(operand, Operand::Const(_)) {
            // A constant address beyond what the offset can hold. If the value
            // is in the accumulator, it moves to its temporary first.
            if folded == Operand::Acc {
                let slot = self.temp_slot(self.stack.len() + 1);
                self.copy_to(Operand::Acc, Ty::I64, slot);
                value = Operand::Slot(slot);
            }
            operand = self.constant_to_acc(operand, ty);
            variant = operand.kind();
        }
        let memory = memory_of(memarg)?;
        let checked = self.is_checked(memory);
        let imm = if checked { 24 } else { 16 };
        let len = imm + if matches!(value, Operand::Const(_)) { 8 } else { 0 };
        let handler = info.handlers[usize::from(checked)][variant][value.kind()];
        // The value's field has its own place whatever the address is.
        let mut instr = Instr::new(info.name, handler, len)
            .operands(8, imm, false, &[operand])
            .operands(10, imm, info.wide, &[value])
            .showing([
                (variant != 2).then_some(operand),
                Some(Operand::Const(offset.into())),
                Some(value),
            ])
            .u32(12, offset);
        if checked {
            instr = instr.u32(16, self.memory_offset(memory)?);
        }
        self.emit.push(&instr);
        Ok(())
    }

    /// Where a context holds the pointer to a memory.
    fn memory_offset(&self, index: u32) -> Result<u32, Stop> {
        Ok(u32::try_from(self.code.cx_layout().memory(index as usize))?)
    }

    /// `select`.
    pub(super) fn select(&mut self) -> Result<(), Stop> {
        let (condition, condition_ty) = self.pop();
        let (second, _) = self.pop();
        let (first, ty) = self.pop();
        let condition = match condition {
            Operand::Const(_) => self.constant_to_acc(condition, condition_ty),
            other => self.fold(other),
        };
        let constant = |operand| usize::from(matches!(operand, Operand::Const(_)));
        let (x, y) = (constant(first), constant(second));
        let to = data::SELECT[ty.class()][x][y][condition.kind()];
        let operands = [first, second, condition];
        let mut instr = Instr::new("select", to[0], 16 + 8 * (x + y))
            .operands(10, 0, false, &slots(&operands))
            .showing(operands.map(Some));
        let mut imm = 16;
        for operand in [first, second] {
            if let Operand::Const(value) = operand {
                instr = instr.u64(imm, value);
                imm += 8;
            }
        }
        self.push_result(instr, to, ty);
        Ok(())
    }

    /// `local.set`, and `local.tee` if the value stays.
    pub(super) fn local_set(&mut self, local: u32, tee: bool) -> Result<(), Stop> {
        let (operand, ty) = self.pop();
        let slot = self.local_slot(local);
        if operand != Operand::Slot(slot) {
            self.preserve(local);
            let last = match operand {
                Operand::Slot(from) => self.emit.last_into(from),
                _ => None,
            };
            match last {
                Some(last) => self.emit.redirect_to_local(last, slot),
                None => {
                    self.copy_to(operand, ty, slot);
                    // A local is read more than once.
                    self.emit.bind();
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
        let ty = super::own_ty(&self.module.globals.get(global.index()).ok_or(Stop)?.content());
        let (kind, offset) = self.global_place(global)?;
        let to = data::GLOBAL_GET[ty.class()][kind];
        self.push_result(Instr::new("global.get", to[0], 16).u32(12, offset), to, ty);
        Ok(())
    }

    /// `global.set`.
    pub(super) fn global_set(&mut self, global: GlobalIdx) -> Result<(), Stop> {
        let (operand, ty) = self.pop();
        let operand = self.fold(operand);
        let (kind, offset) = self.global_place(global)?;
        let handler = data::GLOBAL_SET[ty.class()][kind][operand.kind()];
        let len = if matches!(operand, Operand::Const(_)) { 24 } else { 16 };
        self.emit.push(
            &Instr::new("global.set", handler, len)
                .operands(10, 16, true, &[operand])
                .u32(12, offset),
        );
        Ok(())
    }

    /// The kind of a global's place and its offset in contexts.
    fn global_place(&self, global: GlobalIdx) -> Result<(usize, u32), Stop> {
        Ok(match self.code.cx_layout().global(global) {
            GlobalPlace::Own(offset) => (0, u32::try_from(offset)?),
            GlobalPlace::Imported(offset) => (1, u32::try_from(offset)?),
        })
    }

    /// An operator on `operands` consecutive temporaries, with indices `x`
    /// and `y`.
    pub(super) fn bulk<O: Bulk>(&mut self, operands: usize, result: Option<Ty>, x: u32, y: u32) -> Result<(), Stop> {
        let first = self.stack.len() - operands;
        for at in (first..self.stack.len()).rev() {
            self.spill(at);
        }
        self.stack.truncate(first);
        let base = self.temp_slot(first);
        self.emit.push(
            &Instr::new(O::NAME, data::bulk_handler::<O>(), 24)
                .u16(8, base)
                .u32(12, x)
                .u32(16, y),
        );
        if let Some(ty) = result {
            self.stack.push(ty, Value::Temp);
        }
        Ok(())
    }

    /// `ref.func`.
    pub(super) fn ref_func(&mut self, func: FuncIdx) -> Result<(), Stop> {
        let dense = self.module.escaped_index(func).ok_or(Stop)?;
        let offset = u32::try_from(self.code.cx_layout().func_ref(dense))?;
        self.bulk::<data::RefFunc>(0, Some(Ty::Ref), offset, 0)
    }
}

/// Index of the memory that an access names.
fn memory_of(memarg: &MemArg) -> Result<u32, Stop> {
    match memarg.target {
        MemArgTarget::Memory(index) => Ok(index),
        MemArgTarget::Array(_) => Err(Stop),
    }
}

/// The operands with constants (which have other fields) taken for nothing.
fn slots<const N: usize>(operands: &[Operand; N]) -> [Operand; N] {
    operands.map(|operand| match operand {
        Operand::Const(_) => Operand::Acc,
        other => other,
    })
}
