//! Tail calls and calls of function references. A tail call's arguments are moved to
//! the start of the frame, which may be where other arguments are read.

use super::{Stop, Translator, own_ty};
use crate::exec::control as ctl;
use crate::exec::tail::{self, Fields};
use crate::ir::instr::{Instr, Operand, copied};
use crate::ir::moves::{Moves, in_sequence};
use crate::module::{FuncIdx, HEADER_SLOTS, TypeIdx};
use crate::types::FuncType;

/// Arguments that are moved one by one. More are first brought into their
/// temporaries, where those stay that have been brought there for an operator before,
/// and are moved together: few bytes of a module must not become much code.
const MANY: usize = 16;

/// What a tail call does besides finding its callee.
struct Plan {
    /// Moves from slot to slot: to, from.
    moves: Moves,
    /// Where they stand in the instruction, and where the header is and goes.
    fields: Fields,
}

impl Plan {
    /// The number of moves, if they are few and the header stays where it is.
    fn few(&self) -> Option<usize> {
        let Fields { from, to, block, .. } = self.fields;
        (from == to && block.0 == 0 && self.moves.len() < tail::RETURN_CALL.len()).then_some(self.moves.len())
    }

    /// Index in handler tables by moves.
    fn kind(&self) -> usize {
        self.few().unwrap_or(tail::RETURN_CALL.len())
    }
}

impl Translator<'_> {
    /// Brings the arguments of a tail call to where its moves take them from;
    /// `operand` is read by the call itself, before those.
    fn tail_arguments(&mut self, ty: &FuncType, operand: Option<Operand>) -> Result<Plan, Stop> {
        let n = ty.params().len();
        let first = self.stack.len() - n;
        let slots = ty.slots();
        let base = self.temps + self.stack.slot(first);
        self.frame_end = self.frame_end.max(base + slots as usize + HEADER_SLOTS);
        let delta = u64::try_from(base * 8)?;
        let mut fields = Fields {
            from: u16::try_from(self.slots)?,
            to: u16::try_from(slots)?,
            results: u16::try_from(self.results.iter().map(|ty| ty.slots()).sum::<u32>())?,
            operand: match operand {
                Some(Operand::Slot(slot)) => slot,
                _ => 0,
            },
            last: delta | u64::from((slots * 8) | ctl::LEAVES) << 32,
            ..Fields::default()
        };
        let mut moves = Moves::new();
        if n > MANY {
            self.settle_many(n);
            let count = self.stack.slot(self.stack.len()) - self.stack.slot(first);
            fields.block = (u16::try_from(count)?, u16::try_from(base)?);
        } else {
            moves = self.tail_moves(ty, first, operand)?;
            fields.moves = u16::try_from(moves.len())?;
        }
        Ok(Plan { moves, fields })
    }

    /// The moves of arguments, the operands from `first` on, to the frame's start.
    fn tail_moves(&mut self, ty: &FuncType, first: usize, operand: Option<Operand>) -> Result<Moves, Stop> {
        // Where each argument goes, and what it is.
        let mut moves = Moves::new();
        let mut constants = Vec::new();
        let mut to = 0;
        for (at, param) in (first..).zip(ty.params()) {
            let ty = own_ty(&param);
            match self.operand_at(at) {
                Operand::Slot(from) => moves.extend((0..ty.slots() as u16).map(|i| (to + i, from + i))),
                constant => constants.push((to, constant, ty, self.temp_slot(at))),
            }
            to += ty.slots() as u16;
        }
        // What can be put where it goes at once: below the temporaries, and where
        // neither the header is nor an argument.
        let header = u16::try_from(self.slots)?;
        let (temps, kept) = (u16::try_from(self.temps)?, operand);
        let is_free = |slot: u16, moves: &[(u16, u16)]| {
            slot < temps
                && !(header..header + HEADER_SLOTS as u16).contains(&slot)
                && kept != Some(Operand::Slot(slot))
                && moves.iter().all(|(to, from)| *from != slot || to == from)
        };
        if let Some(top) = self.stack.len().checked_sub(1).filter(|top| *top >= first) {
            self.redirect_argument(top, first, &mut moves, is_free);
        }
        let mut waiting = Moves::new();
        for (to, constant, ty, temp) in constants {
            if is_free(to, &moves) {
                self.copy_for_control(constant, ty, to);
            } else {
                self.copy_for_control(constant, ty, temp);
                waiting.push((to, temp));
            }
        }
        moves.extend(waiting);
        // Above the operands, and so above the callee's header, too.
        let scratch = self.temps + self.stack.slot(self.stack.len());
        self.frame_end = self.frame_end.max(scratch + 1);
        Ok(in_sequence(&moves, u16::try_from(scratch)?))
    }

    /// If the last instruction makes an argument, lets it put that where it goes, if
    /// that place `is_free`.
    fn redirect_argument(
        &mut self,
        top: usize,
        first: usize,
        moves: &mut Moves,
        is_free: impl Fn(u16, &[(u16, u16)]) -> bool,
    ) {
        // Of the operands above, none was made by an instruction.
        let made = (first..=top).rev().find_map(|at| {
            let Operand::Slot(from) = self.operand_at(at) else {
                return None;
            };
            Some((self.emit.last_into(from)?, self.stack.get(at).ty))
        });
        let Some((last, ty)) = made else { return };
        let Some(at) = moves.iter().position(|(_, from)| *from == last.slot) else {
            return;
        };
        let slots = ty.slots() as usize;
        let own = at..at + slots;
        let others: Moves = moves
            .iter()
            .copied()
            .enumerate()
            .filter(|(i, _)| !own.contains(i))
            .map(|(_, m)| m)
            .collect();
        if own.clone().all(|i| is_free(moves[i].0, &others)) {
            self.emit.redirect_to_slot(last, moves[at].0);
            moves.drain(own);
        }
    }

    /// Appends the instruction of a tail call.
    fn push_tail_call(&mut self, instr: Instr, plan: &Plan, operand: Option<Operand>) {
        let mut instr = instr;
        instr.words[1..Fields::WORDS].copy_from_slice(&plan.fields.words());
        self.emit.push(&instr.showing(copied(&plan.moves).chain(operand)));
        let half = |(to, from): (u16, u16)| u64::from(to) | u64::from(from) << 16;
        let words: Vec<u64> = plan
            .moves
            .chunks(2)
            .map(|pair| half(pair[0]) | pair.get(1).map_or(0, |second| half(*second) << 32))
            .collect();
        self.emit.push_words(words);
    }

    /// The frame is the callee's from here on.
    fn begin_tail_call(&mut self) {
        if self.code.options().depth {
            self.emit.push(&Instr::new("count_leave", ctl::count_leave, 8));
        }
    }

    /// `return_call`.
    pub(super) fn return_call(&mut self, func: FuncIdx) -> Result<(), Stop> {
        self.begin_tail_call();
        let ty = self.module.func_type(func).clone();
        let mut plan = self.tail_arguments(&ty, None)?;
        let len = Fields::WORDS * 8;
        if func.index() < self.module.num_imported_funcs {
            plan.fields.what = u64::try_from(self.code.cx_layout().import(func.index()))?;
            let instr = Instr::new("return_call_import", tail::RETURN_CALL_IMPORT, len);
            self.push_tail_call(instr, &plan, None);
        } else {
            let entry = self.code.entry_if_translated(func).ok_or(Stop)? as usize as u64;
            if let Some(n) = plan.few() {
                let at = 8 + ctl::copy_bytes(n);
                let instr = Instr::new("return_call", tail::RETURN_CALL[n], at + 16)
                    .u64(at, entry)
                    .u32(at + 8, func.as_u32());
                self.emit.push(&instr.copies(8, &plan.moves));
            } else {
                plan.fields.what = entry;
                plan.fields.last = u64::from(func.as_u32());
                let instr = Instr::new("return_call", tail::RETURN_CALL_LISTED, len);
                self.push_tail_call(instr, &plan, None);
            }
        }
        self.stop();
        Ok(())
    }

    /// `return_call_indirect`.
    pub(super) fn return_call_indirect(&mut self, type_idx: TypeIdx, table: u32) -> Result<(), Stop> {
        if !self.type_info(type_idx)?.is_final {
            self.callee(type_idx, table)?;
            return self.return_call_ref(type_idx);
        }
        self.begin_tail_call();
        let (index, index_ty) = self.pop();
        let index = self.constant_to_acc(index, index_ty);
        let ty = self.module.func_type_at(type_idx).ok_or(Stop)?.clone();
        let id = self.module.types.get(type_idx.index()).ok_or(Stop)?.def().id().as_u32();
        let mut plan = self.tail_arguments(&ty, Some(index))?;
        let table = u32::try_from(self.code.cx_layout().table(table as usize))?;
        plan.fields.what = u64::from(table) | u64::from(id) << 32;
        let handler = tail::RETURN_CALL_INDIRECT[index.kind()][plan.kind()];
        let instr = Instr::new("return_call_indirect", handler, Fields::WORDS * 8);
        self.push_tail_call(instr, &plan, Some(index));
        self.stop();
        Ok(())
    }

    /// `return_call_ref`.
    pub(super) fn return_call_ref(&mut self, type_idx: TypeIdx) -> Result<(), Stop> {
        self.begin_tail_call();
        let (reference, reference_ty) = self.pop();
        let reference = self.constant_to_acc(reference, reference_ty);
        let ty = self.module.func_type_at(type_idx).ok_or(Stop)?.clone();
        let plan = self.tail_arguments(&ty, Some(reference))?;
        let handler = tail::RETURN_CALL_REF[reference.kind()][plan.kind()];
        let instr = Instr::new("return_call_ref", handler, Fields::WORDS * 8);
        self.push_tail_call(instr, &plan, Some(reference));
        self.stop();
        Ok(())
    }

    /// `call_ref`.
    pub(super) fn call_ref(&mut self, type_idx: TypeIdx) -> Result<(), Stop> {
        let (reference, reference_ty) = self.pop();
        let reference = self.constant_to_acc(reference, reference_ty);
        let ty = self.module.func_type_at(type_idx).ok_or(Stop)?.clone();
        // As in `call_indirect`: the arguments keep off the reference's slot.
        let arguments = self.arguments(&ty, ctl::CALL_REF[0].len() - 1)?;
        let n = arguments.copies.len();
        let end = 16 + ctl::copy_bytes(n);
        let call = Instr::new("call_ref", ctl::CALL_REF[reference.kind()][n], end + 8)
            .u32(end, arguments.delta)
            .u32(end + 4, arguments.header | ctl::LEAVES)
            .copies(16, &arguments.copies)
            .operands(8, 0, false, &[reference])
            .showing(copied(&arguments.copies).chain([reference]));
        self.emit.push(&call);
        self.push_skip(&arguments);
        Ok(())
    }
}
