//! Calls and returns: arguments are brought to where the callee's frame begins,
//! results to where the caller's operand stack has them.

use std::ptr;

use smallvec::SmallVec;

use super::control::FEW;
use super::operators::made_of;
use super::{Stop, Translator, own_ty};
use crate::exec::control as ctl;
use crate::exec::data::LoadId;
use crate::exec::fused;
use crate::ir::emit::What;
use crate::ir::instr::{Instr, Operand, copied};
use crate::ir::stack::{Ty, Value};
use crate::module::{FuncIdx, HEADER_SLOTS, TypeIdx};
use crate::types::FuncType;

/// What a call's instruction holds besides whom it calls.
pub(super) struct Call {
    /// Copies to arguments' slots that it makes: to, from.
    pub(super) copies: SmallVec<[(u16, u16); 4]>,
    /// Bytes from the caller's frame to the callee's.
    pub(super) delta: u32,
    /// Bytes from the callee's frame to its header.
    pub(super) header: u32,
}

impl Translator<'_> {
    /// Brings operands out of the slots that a return of several results
    /// writes, if the frame is the function's.
    pub(super) fn prepare_return(&mut self, index: usize) {
        let n = self.results.len();
        if !(2..=FEW).contains(&n) || !self.frames[index].is_function() {
            return;
        }
        let slots: usize = self.results.iter().map(|ty| ty.slots() as usize).sum();
        for at in (self.stack.len() - n..self.stack.len()).rev() {
            if let Operand::Slot(slot) = self.operand_at(at)
                && usize::from(slot) < slots
            {
                self.spill(at);
            }
        }
    }

    /// Returns the top operands.
    pub(super) fn return_(&mut self) -> Result<(), Stop> {
        let n = self.results.len();
        let header = u16::try_from(self.slots)?;
        let first = self.stack.len() - n;
        let mut one = None;
        if n == 1 {
            let operand = self.operand_at(first);
            if self.return_made(operand, header) {
                return Ok(());
            }
            one = Some((self.fold(operand), self.stack.get(first).ty));
        } else if n > FEW {
            self.settle_many(n);
            self.move_many(n, 0)?;
        } else {
            self.prepare_return(0);
            let mut slot = 0;
            for i in 0..n {
                let operand = self.operand_at(first + i);
                let ty = self.stack.get(first + i).ty;
                self.copy_to(operand, ty, slot);
                slot += ty.slots() as u16;
            }
        }
        if self.code.options().depth {
            self.emit.push(&Instr::new("count_leave", ctl::count_leave, 8));
        }
        let instr = match one {
            Some((operand, ty)) => {
                let len = if matches!(operand, Operand::Const(_)) { 24 } else { 16 };
                let handler = ctl::RET_ONE[ty.class()][operand.kind()].of(header);
                Instr::new("ret_one", handler, len).operands(10, 16, true, &[operand])
            }
            None => Instr::new("ret", ctl::RET.of(header), 16),
        };
        self.emit.push(&instr.u16(8, header));
        Ok(())
    }

    /// If the last instruction makes the operand, appends one that returns it
    /// in its place.
    fn return_made(&mut self, operand: Operand, header: u16) -> bool {
        let Operand::Slot(slot) = operand else { return false };
        let Some(last) = self.emit.last_into(slot).filter(|_| !self.code.options().depth) else {
            return false;
        };
        let Some(instr) = Self::returning(&last.what, header) else {
            return false;
        };
        self.emit.replace(last, |emit| emit.push(&instr.u16(8, header)));
        true
    }

    /// The instruction that computes something and returns it.
    fn returning(what: &What, header: u16) -> Option<Instr> {
        match *what {
            What::Load(load, address) => {
                let handlers = fused::RET_LOADED[fused::ret_load_index(load.id)?].get(address.kind as usize)?;
                let handler = handlers.get(address.first.kind())?;
                let instr = Instr::new("ret_one", handler.of(header), 24).inner(load.name);
                Some(instr.address(16, &address).showing(address.shown()))
            }
            What::Binary(info, left, right) => {
                let (x, y) = made_of(info, left, right)?;
                let handlers = fused::RET_MADE[info.id as usize]?;
                let handler = &handlers[x.kind()][usize::from(matches!(y, Operand::Const(_)))];
                let instr = Instr::new("ret_one", handler.of(header), 24).inner(info.name);
                Some(instr.made(16, x, y).showing([x, y]))
            }
            _ => None,
        }
    }

    /// Brings the arguments of a call into their temporaries, where the
    /// callee's frame begins; a few copies from slot to slot are left to the
    /// call itself.
    pub(super) fn arguments(&mut self, ty: &FuncType, most: usize) -> Result<Call, Stop> {
        let first = self.stack.len() - ty.params().len();
        let mut copies = SmallVec::<[(u16, u16); 4]>::new();
        for at in (first..self.stack.len()).rev() {
            let (operand, slot) = (self.operand_at(at), self.temp_slot(at));
            match operand {
                Operand::Slot(from) if from == slot => {}
                Operand::Slot(from) if copies.len() < most && self.stack.get(at).ty != Ty::V128 => {
                    copies.push((slot, from));
                }
                other => {
                    let ty = self.stack.get(at).ty;
                    self.copy_for_control(other, ty, slot);
                }
            }
        }
        self.stack.truncate(first);
        let slots = ty.slots() as usize;
        let base = self.temps + self.stack.slot(first);
        self.frame_end = self.frame_end.max(base + slots + HEADER_SLOTS);
        for ty in ty.results() {
            self.stack.push(own_ty(&ty), Value::Temp);
        }
        Ok(Call {
            copies,
            delta: u32::try_from(base * 8)?,
            header: u32::try_from(slots * 8)?,
        })
    }

    /// `call`.
    pub(super) fn call(&mut self, func: FuncIdx) -> Result<(), Stop> {
        let ty = self.module.func_type(func).clone();
        let call = self.arguments(&ty, ctl::CALL.len() - 1)?;
        let n = call.copies.len();
        let words = ctl::copy_bytes(n);
        let instr = |name, handler, at: usize, entry: *const u8, leaves| {
            Instr::new(name, handler, at + 16)
                .copies(8, &call.copies)
                .u64(at, entry as usize as u64)
                .u32(at + 8, call.delta)
                .u32(at + 12, call.header | leaves)
        };
        if func.index() < self.module.num_imported_funcs {
            let record = u32::try_from(self.code.cx_layout().import(func.index()))?;
            let instr = instr("call_import", ctl::CALL_IMPORT[n], 16 + words, ptr::null(), ctl::LEAVES);
            self.emit.push(&instr.u32(8 + words, record));
        } else {
            let entry = self.code.call_target(func).ok_or(Stop)?;
            self.emit.push(&instr("call", ctl::CALL[n], 8 + words, entry, 0));
        }
        Ok(())
    }

    /// `call_indirect`.
    pub(super) fn call_indirect(&mut self, type_idx: TypeIdx, table: u32) -> Result<(), Stop> {
        if !self.type_info(type_idx)?.is_final {
            self.callee(type_idx, table)?;
            return self.call_ref(type_idx);
        }
        let (index, index_ty) = self.pop();
        let loaded = self
            .loaded_index(index)
            .filter(|(_, load, _)| load.id == LoadId::I32Load);
        let index = match loaded {
            Some(_) => index,
            None => self.constant_to_acc(index, index_ty),
        };
        let ty = self.module.func_type_at(type_idx).ok_or(Stop)?.clone();
        let id = self.module.types.get(type_idx.index()).ok_or(Stop)?.def().id().as_u32();
        // The index's slot lies above the arguments, which keep off it, and
        // copies to slots leave the accumulator alone.
        let arguments = self.arguments(&ty, ctl::CALL_INDIRECT[0].len() - 1)?;
        let table = u32::try_from(self.code.cx_layout().table(table as usize))?;
        let n = arguments.copies.len();
        // Copies may have come between.
        let loaded = loaded.filter(|(last, ..)| self.emit.last_into(last.slot).is_some());
        let (kind, copies) = match loaded {
            Some((.., address)) => (2 + address.first.kind(), 32),
            None => (index.kind(), 24),
        };
        let end = copies + ctl::copy_bytes(n);
        let slots = copied(&arguments.copies);
        let call = Instr::new("call_indirect", ctl::CALL_INDIRECT[kind][n], end + 8)
            .u32(12, table)
            .u32(16, id)
            .u32(end, arguments.delta)
            .u32(end + 4, arguments.header | ctl::LEAVES)
            .copies(copies, &arguments.copies);
        match loaded {
            Some((last, _, address)) => {
                let call = call
                    .inner("i32.load")
                    .address(24, &address)
                    .showing(slots.chain(address.shown()));
                self.emit.replace(last, |emit| emit.push(&call));
            }
            None => {
                let call = call.operands(8, 0, false, &[index]).showing(slots.chain([index]));
                self.emit.push(&call);
            }
        }
        self.push_skip(&arguments);
        Ok(())
    }

    /// Appends what follows a call through a reference.
    pub(super) fn push_skip(&mut self, call: &Call) {
        let skip = Instr::new("skip", ctl::skip, ctl::SKIP_BYTES);
        self.emit.push(&skip.u32(8, call.delta).u32(12, call.header));
    }
}
