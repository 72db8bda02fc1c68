//! Operators on vectors. A vector takes two slots; it is neither folded as a
//! constant nor pinned, but passed in the accumulator of floats.

use wasmparser::{MemArg, Operator};

use super::{Stop, Translator};
use crate::exec::data;
use crate::exec::numeric::Unary;
use crate::exec::simd::memory::V128Store;
use crate::exec::simd::native;
use crate::exec::simd::ops::{
    self, ExtractLaneInfo, ReplaceLaneInfo, VectorBinaryInfo, VectorShiftInfo, VectorTernaryInfo,
};
use crate::ir::emit::What;
use crate::ir::instr::{Instr, Operand};
use crate::ir::simd::for_each_vector_op;
use crate::ir::stack::{Ty, Value};

macro_rules! translate_vector_operator {
    (
        unary { $($un:ident $un_text:literal ($un_in:ident) -> $un_out:ident = |$ua:pat_param| $un_body:expr $(, sse2 |$uxa:ident| $un_x86:expr)?;)* }
        binary { $($bin:ident $bin_text:literal ($bin_a:ident, $bin_b:ident) -> $bin_out:ident $($commutes:ident)? = |$ba:ident, $bb:ident| $bin_body:expr $(, sse2 |$bxa:ident, $bxb:ident| $bin_x86:expr)?;)* }
        ternary { $($ter:ident $ter_text:literal ($ter_a:ident, $ter_b:ident, $ter_c:ident) -> $ter_out:ident = |$ta:ident, $tb:ident, $tc:ident| $ter_body:expr $(, sse2 |$txa:ident, $txb:ident, $txc:ident| $ter_x86:expr)?;)* }
        shift { $($sh:ident $sh_text:literal ($sh_in:ident) -> $sh_out:ident = |$sa:ident, $sn:ident| $sh_body:expr, sse2 |$sxa:ident, $sxn:ident| $sh_x86:expr;)* }
        extract { $($ex:ident $ex_text:literal $ex_lane:ident -> $ex_out:ident;)* }
        replace { $($re:ident $re_text:literal $re_in:ident by $re_splat:ident $re_bytes:literal;)* }
        load { $($load:ident $load_text:literal $load_mem:ty;)* }
        load_lane { $($ll:ident $ll_load:ident $ll_replace:ident;)* }
        store_lane { $($sl:ident $sl_extract:ident $sl_store:ident;)* }
    ) => {
        impl Translator<'_> {
            /// Translates a reachable operator, if it is one on vectors.
            #[allow(clippy::too_many_lines)]
            pub(super) fn vector_operator(&mut self, op: &Operator<'_>) -> Result<(), Stop> {
                let relaxed = !self.code.options().deterministic;
                match op {
                    $(Operator::$un => self.unary(native::unary(ops::$un::info(), relaxed)),)*
                    $(Operator::$bin => self.vector_binary(native::binary(ops::$bin::info(), relaxed)),)*
                    $(Operator::$ter => self.vector_ternary(native::ternary(ops::$ter::info(), relaxed)),)*
                    $(Operator::$sh => self.vector_shift(ops::$sh::info()),)*
                    $(Operator::$ex { lane } => self.extract_lane(ops::$ex::info(), *lane),)*
                    $(Operator::$re { lane } => self.replace_lane(ops::$re::info(), *lane),)*
                    $(Operator::$load { memarg } => self.load(ops::$load::info(), memarg),)*
                    $(Operator::$ll { memarg, lane } => {
                        self.load_lane(data::$ll_load::info(), ops::$ll_replace::info(), memarg, *lane)
                    })*
                    $(Operator::$sl { memarg, lane } => {
                        self.extract_lane(ops::$sl_extract::info(), *lane)?;
                        self.store(data::$sl_store::info(), memarg)
                    })*
                    Operator::V128Store { memarg } => self.store(V128Store::info(), memarg),
                    Operator::V128Const { value } => self.vector_constant(value.i128().cast_unsigned()),
                    Operator::I8x16Shuffle { lanes } => self.shuffle(*lanes),
                    // The operators of proposals that validation refuses;
                    // wasmparser's enum is open.
                    _ => Err(Stop),
                }
            }
        }
    };
}

for_each_vector_op!(translate_vector_operator);

impl Translator<'_> {
    /// `v128.const`.
    fn vector_constant(&mut self, value: u128) -> Result<(), Stop> {
        let instr = vector_at(Instr::new("v128.const", ops::CONST.slot, 32), 16, value.to_le_bytes());
        let [low, high] = halves(value.to_le_bytes());
        self.push_result(
            instr.showing([Operand::Const(low), Operand::Const(high)]),
            ops::CONST,
            Ty::V128,
        );
        Ok(())
    }

    /// An operator on two vectors.
    fn vector_binary(&mut self, info: &'static VectorBinaryInfo) -> Result<(), Stop> {
        let (right, _) = self.pop();
        let (left, _) = self.pop();
        if self.binary_loaded(info, left, right) || info.commutes && self.binary_loaded(info, right, left) {
            return Ok(());
        }
        let (mut left, mut right) = self.fold_either(left, right);
        if info.commutes && left == Operand::Acc {
            std::mem::swap(&mut left, &mut right);
        }
        let to = info.handlers[left.kind()][right.kind()];
        let instr = Instr::new(info.name, to.slot, 16).operands(10, 0, true, &[left, right]);
        self.push_result(instr, to, Ty::V128);
        Ok(())
    }

    /// If the last instruction loads one of the operands for this use alone, and there
    /// is an instruction that does both, appends that in its place.
    fn binary_loaded(&mut self, info: &'static VectorBinaryInfo, other: Operand, loaded: Operand) -> bool {
        let (Some(handlers), Operand::Slot(slot)) = (info.loaded, loaded) else {
            return false;
        };
        let Some(last) = self.emit.last_into(slot).filter(|_| other != loaded) else {
            return false;
        };
        let What::Load(load, address) = last.what else {
            return false;
        };
        let Some(firsts) = handlers.get(address.kind as usize).filter(|_| load.computed) else {
            return false;
        };
        let to = firsts[self.emit.first_kind(address.first)];
        let instr = Instr::new(info.name, to.slot, 24)
            .inner(load.name)
            .operands(10, 0, true, &[other])
            .address(16, &address)
            .showing([other].into_iter().chain(address.shown()));
        let slot = self.temp_slot(self.stack.len());
        self.emit
            .replace(last, |emit| emit.push_result(instr, slot, to, Ty::V128));
        self.stack.push(Ty::V128, Value::Temp);
        true
    }

    /// Makes the last instruction pass one of two operands, already popped, in the
    /// accumulator, if it is that one's.
    fn fold_either(&mut self, left: Operand, right: Operand) -> (Operand, Operand) {
        // A vector that is both operands is read twice.
        if left == right {
            return (left, right);
        }
        match self.fold(right) {
            Operand::Acc => (left, Operand::Acc),
            right => (self.fold(left), right),
        }
    }

    /// An operator on three vectors.
    fn vector_ternary(&mut self, info: &'static VectorTernaryInfo) -> Result<(), Stop> {
        let (third, _) = self.pop();
        let (second, _) = self.pop();
        let (first, _) = self.pop();
        let mut operands = [first, second, third];
        let mut in_acc = 0;
        for i in (0..operands.len()).rev() {
            let operand = operands[i];
            let reads = operands.iter().filter(|other| **other == operand).count();
            if reads == 1 && in_acc == 0 && self.fold(operand) == Operand::Acc {
                operands[i] = Operand::Acc;
                in_acc = i + 1;
            }
        }
        let to = info.handlers[in_acc];
        let instr = Instr::new(info.name, to.slot, 16).operands(10, 0, true, &operands);
        self.push_result(instr, to, Ty::V128);
        Ok(())
    }

    /// A shift.
    fn vector_shift(&mut self, info: &'static VectorShiftInfo) -> Result<(), Stop> {
        let (count, _) = self.pop();
        let (vector, _) = self.pop();
        let (vector, count) = match count {
            Operand::Const(_) => (self.fold(vector), count),
            _ => self.fold_either(vector, count),
        };
        let to = info.handlers[vector.kind()][count.kind()];
        let instr = Instr::new(info.name, to.slot, 16).operands(10, 12, false, &[vector, count]);
        self.push_result(instr, to, Ty::V128);
        Ok(())
    }

    /// Takes a lane out of a vector, which stays in its slots: the instruction reads
    /// the lane alone.
    fn extract_lane(&mut self, info: &'static ExtractLaneInfo, lane: u8) -> Result<(), Stop> {
        let (vector, _) = self.pop();
        let Operand::Slot(slot) = vector else { return Err(Stop) };
        let at = u32::from(slot) * 8 + u32::from(lane) * u32::try_from(info.bytes)?;
        let to = info.handlers;
        let instr = Instr::new(info.name, to.slot, 16)
            .u32(12, at)
            .showing([vector, Operand::Const(lane.into())]);
        self.push_result(instr, to, info.out);
        Ok(())
    }

    /// Puts a lane into a vector.
    fn replace_lane(&mut self, info: &'static ReplaceLaneInfo, lane: u8) -> Result<(), Stop> {
        let (value, ty) = self.pop();
        let (vector, _) = self.pop();
        let (vector, value) = match value {
            Operand::Const(_) => (vector, self.constant_to_acc(value, ty)),
            _ => self.fold_either(vector, value),
        };
        self.replace(info, lane, vector, value);
        Ok(())
    }

    /// [`Translator::replace_lane`] with operands already popped.
    fn replace(&mut self, info: &'static ReplaceLaneInfo, lane: u8, vector: Operand, value: Operand) {
        let mut mask = [0; 16];
        let first = usize::from(lane) * info.bytes;
        mask[first..first + info.bytes].fill(0xff);
        let to = info.handlers[vector.kind()][value.kind()];
        let instr = vector_at(Instr::new(info.name, to.slot, 32), 16, mask)
            .operands(10, 0, true, &[vector, value])
            .showing([vector, Operand::Const(lane.into()), value]);
        self.push_result(instr, to, Ty::V128);
    }

    /// Loads a lane of a vector: as a number, which replaces the lane.
    fn load_lane(
        &mut self,
        load: &'static data::LoadInfo,
        replace: &'static ReplaceLaneInfo,
        memarg: &MemArg,
        lane: u8,
    ) -> Result<(), Stop> {
        // Its temporary, if it is there, lies above what the load writes.
        let (vector, _) = self.pop();
        self.load(load, memarg)?;
        let (value, _) = self.pop();
        let value = self.fold(value);
        self.replace(replace, lane, vector, value);
        Ok(())
    }

    /// `i8x16.shuffle`.
    fn shuffle(&mut self, lanes: [u8; 16]) -> Result<(), Stop> {
        let (right, _) = self.pop();
        let (left, _) = self.pop();
        let Some(shuffles) = native::shuffles() else {
            let instr = vector_at(Instr::new("i8x16.shuffle", ops::SHUFFLE, 32), 16, lanes);
            self.emit.push(
                &instr
                    .u16(8, self.temp_slot(self.stack.len()))
                    .operands(10, 0, true, &[left, right]),
            );
            self.stack.push(Ty::V128, Value::Temp);
            return Ok(());
        };
        // Of one vector: `pshufb` gives 0 for the lanes of the other one.
        let of = |first: u8| lanes.map(|lane| lane.checked_sub(first).filter(|lane| *lane < 16).unwrap_or(0x80));
        let (from_left, from_right) = (of(0), of(16));
        let one = match (left == right, from_left == [0x80; 16], from_right == [0x80; 16]) {
            (true, ..) => Some((left, lanes.map(|lane| lane % 16))),
            (_, _, true) => Some((left, from_left)),
            (_, true, _) => Some((right, from_right)),
            _ => None,
        };
        if let Some((vector, lanes)) = one {
            let vector = self.fold(vector);
            let to = shuffles.one[vector.kind()];
            let instr = vector_at(Instr::new("i8x16.shuffle", to.slot, 32), 16, lanes);
            self.push_result(instr.operands(10, 0, true, &[vector]), to, Ty::V128);
            return Ok(());
        }
        let (left, right) = self.fold_either(left, right);
        let to = shuffles.two[left.kind()][right.kind()];
        let instr = vector_at(Instr::new("i8x16.shuffle", to.slot, 48), 16, from_left);
        let instr = vector_at(instr, 32, from_right).operands(10, 0, true, &[left, right]);
        self.push_result(instr, to, Ty::V128);
        Ok(())
    }
}

/// The two words of 16 bytes.
fn halves(bytes: [u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(bytes);
    [both as u64, (both >> 64) as u64]
}

/// Sets 16 bytes of an instruction from byte `at` on.
fn vector_at(instr: Instr, at: usize, bytes: [u8; 16]) -> Instr {
    let [low, high] = [0, 8].map(|i| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[i..i + 8]);
        u64::from_ne_bytes(word)
    });
    instr.u64(at, low).u64(at + 8, high)
}
