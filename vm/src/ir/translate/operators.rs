//! Plain operators: operands are folded in, results go to their temporaries.

use smallvec::SmallVec;
use wasmparser::{MemArg, MemArgTarget};

use super::{Stop, Translator};
use crate::exec::address::AddressKind;
use crate::exec::bulk::{self, Bulk};
use crate::exec::data::{self, LoadInfo, StoreInfo};
use crate::exec::dispatch::Handler;
use crate::exec::fused;
use crate::exec::native;
use crate::exec::numeric::{
    Binary, BinaryInfo, I32Add, I32Shl, I32Sub, I32WrapI64, I64Add, I64ExtendI32U, I64Shl, I64Sub, Unary, UnaryInfo,
};
use crate::exec::operand::Destinations;
use crate::exec::reach::Reach;
use crate::ir::emit::{Last, What};
use crate::ir::instr::{Address, Instr, Operand};
use crate::ir::stack::{Ty, Value};
use crate::module::FuncIdx;

impl Translator<'_> {
    /// A constant: no code.
    pub(super) fn constant(&mut self, ty: Ty, value: u64) -> Result<(), Stop> {
        self.stack.push(ty, Value::Const(value));
        Ok(())
    }

    /// Appends an instruction with a result, which becomes the top operand.
    pub(super) fn push_result(&mut self, instr: Instr, to: Destinations, ty: Ty) {
        let slot = self.temp_slot(self.stack.len());
        self.emit.push_result(instr, slot, to, ty);
        self.stack.push(ty, Value::Temp);
    }

    /// Makes a constant operand, already popped, the accumulator's value.
    pub(super) fn constant_to_acc(&mut self, operand: Operand, ty: Ty) -> Operand {
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
        let right = self.same(right);
        let left = self.same(left);
        let (mut info, mut left, mut right) = (info, left, right);
        if let (Operand::Const(a), Operand::Const(b)) = (left, right)
            && let Some(value) = (info.constant)(a, b)
        {
            return self.constant(info.out, value);
        }
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
        if self.fuse_binary(info, left, right) {
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

    /// If the last instruction loads or makes one of the operands and can do
    /// so in one instruction with the operator, appends that in its place.
    fn fuse_binary(&mut self, info: &'static BinaryInfo, left: Operand, right: Operand) -> bool {
        let temp = |operand| match operand {
            Operand::Slot(slot) => self.emit.last_into(slot),
            _ => None,
        };
        // The computed operand is the left one if they may change places.
        let (last, other, on_right) = match (temp(right), temp(left)) {
            (Some(last), None) => (last, left, !info.commutes),
            (None, Some(last)) => (last, right, false),
            _ => return false,
        };
        self.fuse_with(info, last, other, on_right).is_some()
    }

    /// [`Translator::fuse_binary`] with the instruction `last`, whose result is
    /// the operand on the right or left of `other`.
    fn fuse_with(&mut self, info: &'static BinaryInfo, last: Last, other: Operand, on_right: bool) -> Option<()> {
        let constant = match other {
            Operand::Slot(_) => false,
            Operand::Const(_) => true,
            Operand::Acc | Operand::Pinned(..) => return None,
        };
        if on_right && constant {
            return None;
        }
        // Pinned floats are worth more than sharing an instruction.
        let pinned = |operand| matches!(self.emit.pinned(operand), Operand::Pinned(..));
        if info.out.class() == 1 {
            let of_pinned = match last.what {
                What::Binary(_, x, y) => pinned(x) || pinned(y),
                _ => false,
            };
            if of_pinned || pinned(other) {
                return None;
            }
        }
        let word = if info.wide && constant { 24 } else { 16 };
        let imm = if info.wide { 16 } else { 12 };
        let (to, instr, inner, shown, what) = match last.what {
            What::Load(load, address) => {
                let table = fused::LOADED[info.id as usize].filter(|table| table.load == load.id)?;
                let (kind, first) = (address.kind as usize, self.emit.first_kind(address.first));
                let to = match on_right {
                    true => table.right.get(kind)?[first],
                    false => table.left.get(kind)?[first][usize::from(constant)],
                };
                let instr = Instr::new(info.name, to.slot, word + 8).address(word, &address);
                let shown: SmallVec<[Operand; 4]> = address.shown().collect();
                (to, instr, load.name, shown, What::Other)
            }
            What::Binary(made, x, y) => {
                let (x, y) = match (x, y) {
                    (Operand::Slot(_), Operand::Slot(_)) if made.commutes && pinned(y) => (y, x),
                    _ => made_of(made, x, y)?,
                };
                let table = if on_right { &fused::PAIRS_RIGHT } else { &fused::PAIRS };
                let inner = fused::inner(made.id, matches!(y, Operand::Const(_)))?;
                if made.wide != info.wide {
                    return None;
                }
                let handlers = table[info.id as usize]?[inner as usize].as_ref()?;
                let first = self.emit.first_kind(x);
                let to = handlers[first][usize::from(constant)];
                let instr = Instr::new(info.name, to.slot, word + 8).made(word, x, y);
                let what = match on_right {
                    true => What::Other,
                    false => What::Pair {
                        outer: info,
                        inner: made,
                        x,
                        y,
                        other,
                    },
                };
                (to, instr, made.name, SmallVec::from_slice(&[x, y]), what)
            }
            _ => return None,
        };
        let instr = instr.inner(inner).operands(10, imm, info.wide, &[other]);
        let instr = match on_right {
            true => instr.showing([other].into_iter().chain(shown)),
            false => instr.showing(shown.into_iter().chain([other])),
        };
        let slot = self.temp_slot(self.stack.len());
        self.emit
            .replace(last, |emit| emit.push_result(instr, slot, to, info.out));
        self.emit.note(what);
        self.stack.push(info.out, Value::Temp);
        Some(())
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
        let mut pinned = (self.emit.pinned(left), self.emit.pinned(right));
        if info.commutes && pinned.0.kind() < pinned.1.kind() {
            pinned = (pinned.1, pinned.0);
        }
        let (to, operands) = match info
            .pinned
            .and_then(|table| table.get(pinned.0.kind(), pinned.1.kind()))
        {
            Some(to) => (to, [pinned.0, pinned.1]),
            None => (info.handlers[left.kind()][right.kind()], [left, right]),
        };
        let instr = Instr::new(info.name, to.slot, len).operands(10, imm, info.wide, &operands);
        self.push_result(instr, to, info.out);
        self.emit.note(What::Binary(info, left, right));
    }

    /// `eqz`: the negation of the comparison that the operand is, or the
    /// comparison with zero.
    pub(super) fn eqz(&mut self, equal: &'static BinaryInfo) {
        let (operand, ty) = self.pop();
        let operand = self.same(operand);
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
        let info = native::of(info);
        let (operand, ty) = self.pop();
        let named = self.named(operand);
        let operand = self.constant_to_acc(named.unwrap_or(operand), ty);
        let to = info.handlers[operand.kind()];
        let instr = Instr::new(info.name, to.slot, 16).operands(10, 16, false, &[operand]);
        self.push_result(instr, to, info.out);
        // 32 bits of a slot that holds 64 are no slot of 32.
        let extends = std::ptr::eq(info, I64ExtendI32U::info()) && named.is_none();
        if let Operand::Slot(slot) = operand
            && (extends || std::ptr::eq(info, I32WrapI64::info()))
        {
            self.emit.note(What::Same(slot));
        }
        Ok(())
    }

    /// An operand of an instruction that reads it as what it is, a 32 or 64-bit
    /// integer: without the last instruction, if that only names the type.
    fn same(&mut self, operand: Operand) -> Operand {
        self.named(operand).unwrap_or(operand)
    }

    /// [`Translator::same`], if there is such an instruction.
    fn named(&mut self, operand: Operand) -> Option<Operand> {
        let Operand::Slot(slot) = operand else { return None };
        let last = self.emit.last_into(slot)?;
        let What::Same(from) = last.what else { return None };
        self.emit.take_back(last);
        Some(Operand::Slot(from))
    }

    /// How an access reaches its memory.
    pub(super) fn reach(&self, memory: u32, offset: u64) -> Result<Reach, Stop> {
        let is_64 = self.module.memories.get(memory as usize).ok_or(Stop)?.is_64();
        Ok(match (is_64, self.is_checked(memory)) {
            (false, false) => Reach::Guarded,
            (false, true) => Reach::Checked,
            (true, false) if u32::try_from(offset).is_ok() => Reach::Guarded64,
            (true, _) => Reach::Checked64,
        })
    }

    /// The variant of an address operand, already popped, and its offset.
    fn address(&mut self, operand: Operand, offset: u64, reach: Reach) -> (usize, Operand, u64) {
        if let Operand::Const(base) = operand
            && let Some(whole) = base.checked_add(offset)
            && (reach == Reach::Checked64 || u32::try_from(whole).is_ok())
        {
            return (2, Operand::Acc, whole);
        }
        (operand.kind(), operand, offset)
    }

    /// Sets the fields of an access of `bytes` bytes that say where: the static
    /// offset, and which memory if it is checked.
    fn place(&self, instr: Instr, reach: Reach, memory: u32, offset: u64, bytes: usize) -> Result<Instr, Stop> {
        Ok(match reach {
            Reach::Guarded | Reach::Guarded64 => instr.u32(12, u32::try_from(offset)?),
            Reach::Checked => instr
                .u32(12, u32::try_from(offset)?)
                .u32(16, self.memory_offset(memory)?),
            Reach::Checked64 => instr
                .u32(12, self.memory_offset(memory)?)
                .u64(16, offset.saturating_add(bytes as u64)),
        })
    }

    /// The address of an access of memory 0 with guard pages by the operand,
    /// already popped, if it is one that the last instruction computes for it
    /// alone; takes that back.
    fn computed_address(&mut self, operand: Operand, memarg: &MemArg, bytes: usize, reach: Reach) -> Option<Address> {
        if reach.is_checked() {
            return None;
        }
        let Operand::Slot(slot) = operand else { return None };
        let last = self.emit.last_into(slot)?;
        let offset = u32::try_from(memarg.offset).ok()?;
        let address = |kind, first, second, number| Address {
            kind,
            first,
            second,
            number,
        };
        let shift = Operand::Const(u64::from(bytes.trailing_zeros()));
        let (add, shl) = match reach.is_64() {
            false => (I32Add::info().id, I32Shl::info().id),
            true => (I64Add::info().id, I64Shl::info().id),
        };
        let fits = |number| fits_32_bits(number, reach.is_64());
        let address = match last.what {
            What::Binary(info, first @ (Operand::Slot(_) | Operand::Acc), Operand::Slot(second))
            | What::Binary(info, Operand::Slot(second), first @ Operand::Acc)
                if info.id == add =>
            {
                address(AddressKind::Sum, first, second, offset)
            }
            What::Binary(info, first @ (Operand::Slot(_) | Operand::Acc), Operand::Const(number))
                if info.id == add && fits(number) =>
            {
                address(AddressKind::Wrap, first, u16::try_from(offset).ok()?, number as u32)
            }
            What::Binary(info, first @ (Operand::Slot(_) | Operand::Acc), number)
                if info.id == shl && number == shift && bytes > 1 =>
            {
                address(AddressKind::Index, first, 0, offset)
            }
            What::Pair {
                outer,
                inner,
                x,
                y,
                other: Operand::Slot(second),
            } if outer.id == add && inner.id == shl && y == shift && bytes > 1 => {
                address(AddressKind::Scaled, x, second, offset)
            }
            What::Pair {
                outer,
                inner,
                x,
                y,
                other: Operand::Const(number),
            } if outer.id == add && inner.id == shl && y == shift && bytes > 1 && fits(number) => {
                address(AddressKind::IndexWrap, x, u16::try_from(offset).ok()?, number as u32)
            }
            _ => return None,
        };
        if reach.is_64() && address.kind.index_64().is_none() {
            return None;
        }
        self.emit.take_back(last);
        Some(address)
    }

    /// A load.
    pub(super) fn load(&mut self, info: &'static LoadInfo, memarg: &MemArg) -> Result<(), Stop> {
        let (operand, ty) = self.pop();
        let operand = self.same(operand);
        let memory = memory_of(memarg)?;
        let reach = self.reach(memory, memarg.offset)?;
        let checked = reach.is_checked();
        if info.computed
            && let Some(address) = self.computed_address(operand, memarg, info.bytes, reach)
        {
            let to = match address.kind.index_64().filter(|_| reach.is_64()) {
                Some(kind) => info.at_64[kind][address.first.kind()],
                None => info.at[address.kind as usize][self.emit.first_kind(address.first)],
            };
            let instr = Instr::new(info.name, to.slot, 24)
                .address(16, &address)
                .showing(address.shown());
            self.push_result(instr, to, info.out);
            if reach == Reach::Guarded {
                self.emit.note(What::Load(info, address));
            }
            return Ok(());
        }
        let (mut variant, mut operand, offset) = self.address(operand, memarg.offset, reach);
        if variant != 2 || matches!(operand, Operand::Const(_)) {
            operand = self.constant_to_acc(operand, ty);
            variant = operand.kind();
        }
        let place = self.emit.pinned(operand);
        let to = info.handlers[reach as usize][if variant == 2 { 2 } else { place.kind() }];
        let instr = Instr::new(info.name, to.slot, if checked { 24 } else { 16 })
            .operands(10, 16, false, &[place])
            .showing(
                (variant != 2)
                    .then_some(operand)
                    .into_iter()
                    .chain([Operand::Const(offset)]),
            );
        let instr = self.place(instr, reach, memory, offset, info.bytes)?;
        self.push_result(instr, to, info.out);
        if reach == Reach::Guarded && variant != 2 {
            let address = Address {
                kind: AddressKind::Base,
                first: operand,
                second: 0,
                number: u32::try_from(offset)?,
            };
            self.emit.note(What::Load(info, address));
        }
        Ok(())
    }

    /// A store.
    pub(super) fn store(&mut self, info: &'static StoreInfo, memarg: &MemArg) -> Result<(), Stop> {
        let (value, _) = self.pop();
        let (operand, ty) = self.pop();
        let value = self.same(value);
        let operand = self.same(operand);
        let memory = memory_of(memarg)?;
        let reach = self.reach(memory, memarg.offset)?;
        if let Some(address) = self.computed_address(operand, memarg, info.bytes, reach) {
            let constant = matches!(value, Operand::Const(_));
            let handlers = match address.kind.index_64().filter(|_| reach.is_64()) {
                Some(kind) => info.at_64[kind][address.first.kind()],
                None => info.at[address.kind as usize][self.emit.first_kind(address.first)],
            };
            let handler = handlers[usize::from(constant)];
            let instr = Instr::new(info.name, handler, if constant { 32 } else { 24 })
                .operands(10, 24, info.wide, &[value])
                .address(16, &address)
                .showing(address.shown().chain([value]));
            self.emit.push(&instr);
            return Ok(());
        }
        if reach == Reach::Guarded && self.store_made(info, operand, value, memarg.offset) {
            return Ok(());
        }
        let (mut variant, mut operand, offset) = self.address(operand, memarg.offset, reach);
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
                self.copy_to(Operand::Acc, info.value, slot);
                value = Operand::Slot(slot);
            }
            operand = self.constant_to_acc(operand, ty);
            variant = operand.kind();
        }
        let imm = if reach.is_checked() { 24 } else { 16 };
        let len = imm + if matches!(value, Operand::Const(_)) { 8 } else { 0 };
        let operand = if variant == 2 {
            operand
        } else {
            self.emit.pinned(operand)
        };
        let variant = if variant == 2 { 2 } else { operand.kind() };
        let handler = info.handlers[reach as usize][variant][value.kind()];
        // The value's field has its own place whatever the address is.
        let instr = Instr::new(info.name, handler, len)
            .operands(8, imm, false, &[operand])
            .operands(10, imm, info.wide, &[value])
            .showing(
                (variant != 2)
                    .then_some(operand)
                    .into_iter()
                    .chain([Operand::Const(offset), value]),
            );
        let instr = self.place(instr, reach, memory, offset, info.bytes)?;
        self.emit.push(&instr);
        Ok(())
    }

    /// If the value of a store, at an address in a slot, is what the last
    /// instruction makes for it alone, appends one instruction for both.
    fn store_made(&mut self, info: &'static StoreInfo, operand: Operand, value: Operand, offset: u64) -> bool {
        let (Operand::Slot(address), Operand::Slot(value), Ok(offset)) = (operand, value, u32::try_from(offset)) else {
            return false;
        };
        let Some(last) = self.emit.last_into(value) else {
            return false;
        };
        let What::Binary(made, x, y) = last.what else {
            return false;
        };
        let Some((x, y)) = made_of(made, x, y) else {
            return false;
        };
        let pinned = |operand| matches!(self.emit.pinned(operand), Operand::Pinned(..));
        if made.out.class() == 1 && (pinned(x) || pinned(y)) {
            return false;
        }
        let Some(inner) = fused::inner(made.id, matches!(y, Operand::Const(_))) else {
            return false;
        };
        let Some(Some(table)) = fused::MADE_STORES.get(info.id as usize) else {
            return false;
        };
        let Some(handlers) = table[inner as usize].filter(|_| made.out == info.value) else {
            return false;
        };
        let instr = Instr::new(info.name, handlers[self.emit.first_kind(x)], 24)
            .inner(made.name)
            .u16(8, address)
            .u32(12, offset)
            .made(16, x, y)
            .showing([operand, Operand::Const(offset.into()), x, y]);
        self.emit.take_back(last);
        self.emit.push(&instr);
        true
    }

    /// Where a context holds the pointer to a memory.
    pub(super) fn memory_offset(&self, index: u32) -> Result<u32, Stop> {
        Ok(u32::try_from(self.code.cx_layout().memory(index as usize))?)
    }

    /// `select`.
    pub(super) fn select(&mut self) -> Result<(), Stop> {
        let (condition, condition_ty) = self.pop();
        let (second, _) = self.pop();
        let (first, ty) = self.pop();
        if self.select_by(condition, first, second, ty) {
            return Ok(());
        }
        let condition = self.constant_to_acc(condition, condition_ty);
        let constant = |operand| usize::from(matches!(operand, Operand::Const(_)));
        let (x, y) = (constant(first), constant(second));
        let to = data::SELECT[ty.class()][x][y][condition.kind()];
        let operands = [first, second, condition];
        let mut instr = Instr::new("select", to.slot, 16 + 8 * (x + y))
            .operands(10, 0, false, &slots(&operands))
            .showing(operands);
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

    /// If the condition is a comparison of integers made by the last
    /// instruction for it alone, and integers are selected, appends one
    /// instruction for both.
    fn select_by(&mut self, condition: Operand, first: Operand, second: Operand, ty: Ty) -> bool {
        let Operand::Slot(slot) = condition else { return false };
        let Some(last) = self.emit.last_into(slot) else {
            return false;
        };
        let Some((info, left, right)) = last.compare() else {
            return false;
        };
        let (mut info, mut x, mut y) = (info, first, second);
        if fused::SELECT_BY[info.id as usize].is_none() {
            let Some(negated) = info.compare.as_ref().and_then(|compare| compare.negated) else {
                return false;
            };
            (info, x, y) = (negated(), second, first);
        }
        let Some(table) = fused::SELECT_BY[info.id as usize] else {
            return false;
        };
        let Some((left, right)) = made_of(info, left, right) else {
            return false;
        };
        if ty.class() != 0 {
            return false;
        }
        let constant = |operand| usize::from(matches!(operand, Operand::Const(_)));
        let to = table[constant(x)][constant(y)][left.kind()][constant(right)];
        let len = 24 + 8 * (constant(x) + constant(y));
        let mut instr = Instr::new("select", to.slot, len)
            .inner(info.name)
            .operands(10, 0, false, &slots(&[x, y]))
            .made(16, left, right)
            .showing([left, right, x, y]);
        let mut imm = 24;
        for operand in [x, y] {
            if let Operand::Const(value) = operand {
                instr = instr.u64(imm, value);
                imm += 8;
            }
        }
        self.emit.take_back(last);
        self.push_result(instr, to, ty);
        true
    }

    /// An operator on `operands` consecutive temporaries, with indices `x`
    /// and `y`.
    pub(super) fn bulk<O: Bulk>(&mut self, operands: usize, result: Option<Ty>, x: u32, y: u32) -> Result<(), Stop> {
        self.bulk_by(bulk::bulk_handler::<O>(), O::NAME, operands, result, x, y)
    }

    /// `memory.copy`.
    pub(super) fn memory_copy(&mut self, to: u32, from: u32) -> Result<(), Stop> {
        // Without checks, both are memory 0.
        let handler = match (self.reach(to, 0)?, self.reach(from, 0)?) {
            (Reach::Guarded, Reach::Guarded) => bulk::copy_within_handler::<u32>(),
            (Reach::Guarded64, Reach::Guarded64) => bulk::copy_within_handler::<u64>(),
            _ => bulk::bulk_handler::<bulk::MemoryCopy>(),
        };
        self.bulk_by(handler, bulk::MemoryCopy::NAME, 3, None, to, from)
    }

    /// `memory.fill`.
    pub(super) fn memory_fill(&mut self, memory: u32) -> Result<(), Stop> {
        let handler = match self.reach(memory, 0)? {
            Reach::Guarded => bulk::fill_within_handler::<u32>(),
            Reach::Guarded64 => bulk::fill_within_handler::<u64>(),
            Reach::Checked | Reach::Checked64 => bulk::bulk_handler::<bulk::MemoryFill>(),
        };
        self.bulk_by(handler, bulk::MemoryFill::NAME, 3, None, memory, 0)
    }

    /// [`Translator::bulk`] by a handler.
    fn bulk_by(
        &mut self,
        handler: Handler,
        name: &'static str,
        operands: usize,
        result: Option<Ty>,
        x: u32,
        y: u32,
    ) -> Result<(), Stop> {
        let first = self.stack.len() - operands;
        for at in (first..self.stack.len()).rev() {
            self.spill(at);
        }
        self.stack.truncate(first);
        let base = self.temp_slot(first);
        self.emit
            .push(&Instr::new(name, handler, 24).u16(8, base).u32(12, x).u32(16, y));
        if let Some(ty) = result {
            self.stack.push(ty, Value::Temp);
        }
        Ok(())
    }

    /// The type of a memory's addresses and sizes.
    pub(super) fn memory_index(&self, memory: u32) -> Result<Ty, Stop> {
        let ty = self.module.memories.get(memory as usize).ok_or(Stop)?;
        Ok(if ty.is_64() { Ty::I64 } else { Ty::I32 })
    }

    /// The type of a table's indices and sizes.
    pub(super) fn table_index(&self, table: u32) -> Result<Ty, Stop> {
        let ty = self.module.tables.get(table as usize).ok_or(Stop)?;
        Ok(if ty.is_64() { Ty::I64 } else { Ty::I32 })
    }

    /// `ref.func`.
    pub(super) fn ref_func(&mut self, func: FuncIdx) -> Result<(), Stop> {
        let dense = self.module.escaped_index(func).ok_or(Stop)?;
        let offset = u32::try_from(self.code.cx_layout().func_ref(dense))?;
        self.bulk::<bulk::RefFunc>(0, Some(Ty::Ref), offset, 0)
    }
}

/// Whether a constant of 32 or (`wide`) 64 bits is one of 32 sign-extended.
pub(super) fn fits_32_bits(value: u64, wide: bool) -> bool {
    !wide || i32::try_from(value.cast_signed()).is_ok()
}

/// The operands of an operator as the word of a computed operand has them, if
/// it can: a slot or the accumulator, and a slot or constant of 32 bits.
pub(super) fn made_of(info: &BinaryInfo, left: Operand, right: Operand) -> Option<(Operand, Operand)> {
    match (left, right) {
        (Operand::Slot(_), Operand::Acc) if info.commutes => Some((right, left)),
        (Operand::Slot(_) | Operand::Acc, Operand::Slot(_)) => Some((left, right)),
        (Operand::Slot(_) | Operand::Acc, Operand::Const(number)) if fits_32_bits(number, info.wide) => {
            Some((left, right))
        }
        _ => None,
    }
}

/// Index of the memory that an access names.
pub(super) fn memory_of(memarg: &MemArg) -> Result<u32, Stop> {
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
