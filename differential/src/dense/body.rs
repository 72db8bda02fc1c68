//! A function body being written: its locals, values and expressions.

use wasm_encoder::{BlockType, Function, InstructionSink, ValType};

use super::objects::Objects;
use super::{Features, Signature, encoded, some_types};
use crate::machine::{Type, Value};
use crate::random::Random;

/// Operators of one operand and one result: first and last opcode, operand, result.
const UNARY: [(u8, u8, Type, Type); 25] = {
    use Type::{F32, F64, I32, I64};
    [
        (0x45, 0x45, I32, I32), // eqz
        (0x50, 0x50, I64, I32),
        (0x67, 0x69, I32, I32), // bit counts
        (0x79, 0x7b, I64, I64),
        (0x8b, 0x91, F32, F32), // abs to sqrt
        (0x99, 0x9f, F64, F64),
        (0xa7, 0xa7, I64, I32), // wrap
        (0xa8, 0xa9, F32, I32), // trunc
        (0xaa, 0xab, F64, I32),
        (0xac, 0xad, I32, I64), // extend
        (0xae, 0xaf, F32, I64),
        (0xb0, 0xb1, F64, I64),
        (0xb2, 0xb3, I32, F32), // convert
        (0xb4, 0xb5, I64, F32),
        (0xb6, 0xb6, F64, F32), // demote
        (0xb7, 0xb8, I32, F64),
        (0xb9, 0xba, I64, F64),
        (0xbb, 0xbb, F32, F64), // promote
        (0xbc, 0xbc, F32, I32), // reinterpret
        (0xbd, 0xbd, F64, I64),
        (0xbe, 0xbe, I32, F32),
        (0xbf, 0xbf, I64, F64),
        (0xc0, 0xc1, I32, I32), // sign extensions
        (0xc2, 0xc3, I64, I64),
        (0xc4, 0xc4, I64, I64),
    ]
};

/// Operators of two operands of one type: first and last opcode, operands, result.
const BINARY: [(u8, u8, Type, Type); 8] = {
    use Type::{F32, F64, I32, I64};
    [
        (0x46, 0x4f, I32, I32), // comparisons
        (0x51, 0x5a, I64, I32),
        (0x5b, 0x60, F32, I32),
        (0x61, 0x66, F64, I32),
        (0x6a, 0x78, I32, I32), // arithmetic
        (0x7c, 0x8a, I64, I64),
        (0x92, 0x98, F32, F32),
        (0xa0, 0xa6, F64, F64),
    ]
};

/// Loads (first, last opcode) and stores of each type.
const LOADS: [(u8, u8, Type); 6] = [
    (0x28, 0x28, Type::I32),
    (0x29, 0x29, Type::I64),
    (0x2a, 0x2a, Type::F32),
    (0x2b, 0x2b, Type::F64),
    (0x2c, 0x2f, Type::I32),
    (0x30, 0x35, Type::I64),
];
pub(super) const STORES: [(u8, u8, Type); 6] = [
    (0x36, 0x36, Type::I32),
    (0x37, 0x37, Type::I64),
    (0x38, 0x38, Type::F32),
    (0x39, 0x39, Type::F64),
    (0x3a, 0x3b, Type::I32),
    (0x3c, 0x3e, Type::I64),
];

const INTEGER_DIVISIONS: [u8; 8] = [0x6d, 0x6e, 0x6f, 0x70, 0x7f, 0x80, 0x81, 0x82];
const COPYSIGN: [u8; 2] = [0x98, 0xa6];
const REINTERPRET_FLOAT: [u8; 2] = [0xbc, 0xbd];

/// A function body being written.
pub(super) struct Body<'a> {
    pub(super) random: &'a mut Random,
    pub(super) earlier: &'a [Signature],
    pub(super) features: &'a Features,
    pub(super) objects: &'a Objects,
    pub(super) signature: &'a Signature,
    pub(super) code: Vec<u8>,
    /// The types of all locals, parameters first.
    locals: Vec<ValType>,
    /// How many of them any statement may set; behind them, one for `canonical` of each
    /// type, one for each type of objects, and the loops' counters.
    settable: usize,
    pub(super) first_object_local: u32,
    pub(super) has_loops: bool,
    /// How many more operators may be written.
    pub(super) budget: usize,
}

impl<'a> Body<'a> {
    pub(super) fn new(
        random: &'a mut Random,
        features: &'a Features,
        objects: &'a Objects,
        earlier: &'a [Signature],
        signature: &'a Signature,
        sizes: &[usize],
    ) -> Self {
        let numbers = features.numbers();
        let mut locals: Vec<ValType> = signature.params.iter().map(encoded).collect();
        locals.extend(numbers.iter().map(encoded));
        locals.extend(some_types(random, numbers, 8).iter().map(encoded));
        let settable = locals.len();
        locals.extend([ValType::F32, ValType::F64]);
        if features.simd {
            locals.push(ValType::V128);
        }
        if features.exceptions {
            locals.push(ValType::EXNREF);
        }
        let first_object_local = u32::try_from(locals.len()).expect("few");
        if features.gc {
            locals.extend((0..objects.count()).map(|number| objects.local_type(number)));
            locals.push(ValType::Ref(wasm_encoder::RefType::ANYREF));
        }
        let budget = *random.pick(sizes);
        // The first two functions have no loops, and so may be called from loops.
        let has_loops = earlier.len() >= 2;
        Self {
            random,
            earlier,
            features,
            objects,
            signature,
            code: Vec::new(),
            locals,
            settable,
            first_object_local,
            has_loops,
            budget,
        }
    }

    pub(super) fn sink(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.code)
    }

    pub(super) fn finish(mut self) -> Function {
        for index in self.signature.params.len()..self.settable {
            let (ty, local) = (number_of(self.locals[index]), u32::try_from(index).expect("few"));
            let value = self.ordinary(ty);
            self.push(value);
            self.sink().local_set(local);
        }
        self.first_objects();
        while self.budget > 0 {
            self.statement(0);
        }
        if self.features.tail_call && self.random.below(2) == 0 {
            self.tail_call();
        }
        self.results();
        self.sink().end();
        let params = self.signature.params.len();
        let mut function = Function::new_with_locals_types(self.locals[params..].iter().copied());
        function.raw(self.code);
        function
    }

    /// The values of the results, into which all locals go.
    fn results(&mut self) {
        let signature = self.signature;
        for (position, ty) in signature.results.iter().enumerate() {
            self.local_of(*ty);
            self.canonical(*ty);
            if position > 0 {
                continue;
            }
            for index in 0..self.locals.len() {
                let local = self.locals[index];
                // The helper of `simd` has vectors with any NaNs.
                let helper = local == ValType::V128 && index == self.settable + 2;
                if helper || matches!(local, ValType::Ref(_)) {
                    continue;
                }
                self.sink().local_get(u32::try_from(index).expect("few"));
                self.mix(number_of(local), *ty);
            }
            self.mix_objects(*ty);
        }
    }

    /// Takes a value of type `ty` and one of type `from`; leaves one of type `ty`.
    pub(super) fn mix(&mut self, from: Type, ty: Type) {
        use Type::{F32, I32, I64, V128};
        if from == V128 && ty == V128 {
            // Another lane comes first each time.
            self.sink()
                .i8x16_add()
                .v128_const(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
            self.sink().i8x16_add();
            return;
        }
        self.convert(from, I64);
        let mut sink = self.sink();
        match ty {
            V128 => {
                sink.i64x2_splat().i64x2_add();
            }
            I64 => {
                sink.i64_xor().i64_const(11).i64_rotl();
            }
            I32 => {
                sink.i32_wrap_i64().i32_xor().i32_const(7).i32_rotl();
            }
            F32 => {
                sink.i32_wrap_i64()
                    .i32_const(0xffff)
                    .i32_and()
                    .f32_convert_i32_s()
                    .f32_add();
            }
            _ => {
                sink.i64_const(0xffff_ffff).i64_and().f64_convert_i64_s().f64_add();
            }
        }
        self.canonical(ty);
    }

    /// Takes a number of one type; leaves one of another, made from its bits.
    pub(super) fn convert(&mut self, from: Type, ty: Type) {
        use Type::{F32, F64, I32, V128};
        if from == ty {
            return;
        }
        self.canonical(from);
        match from {
            F32 => {
                self.sink().i32_reinterpret_f32().i64_extend_i32_u();
            }
            F64 => {
                self.sink().i64_reinterpret_f64();
            }
            I32 => {
                self.sink().i64_extend_i32_s();
            }
            V128 => {
                let local = self.canonical_local(V128);
                let mut sink = self.sink();
                sink.local_tee(local).i64x2_extract_lane(0);
                sink.local_get(local)
                    .i64x2_extract_lane(1)
                    .i64_const(5)
                    .i64_rotl()
                    .i64_xor();
            }
            _ => {}
        }
        let mut sink = self.sink();
        match ty {
            I32 => {
                sink.i32_wrap_i64();
            }
            F32 => {
                sink.f32_convert_i64_s();
            }
            F64 => {
                sink.f64_convert_i64_s();
            }
            V128 => {
                sink.i64x2_splat();
            }
            _ => {}
        }
    }

    pub(super) fn zero(&mut self, ty: Type) {
        let value = Value::of_bits(ty, 0).expect("a number");
        self.push(value);
    }

    /// The local in which `canonical` and its like keep a number.
    pub(super) fn canonical_local(&self, ty: Type) -> u32 {
        let helper = match ty {
            Type::F32 => self.settable,
            Type::F64 => self.settable + 1,
            _ => self.settable + 2,
        };
        u32::try_from(helper).expect("few")
    }

    /// The local for a caught exception.
    pub(super) fn exception_local(&self) -> u32 {
        self.first_object_local - 1
    }

    /// Replaces a NaN on the stack by the canonical one.
    pub(super) fn canonical(&mut self, ty: Type) {
        if !matches!(ty, Type::F32 | Type::F64) {
            return;
        }
        let local = self.canonical_local(ty);
        let mut sink = self.sink();
        sink.local_tee(local);
        match ty {
            Type::F32 => sink
                .f32_const(f32::NAN.into())
                .local_get(local)
                .local_get(local)
                .f32_eq(),
            _ => sink
                .f64_const(f64::NAN.into())
                .local_get(local)
                .local_get(local)
                .f64_eq(),
        };
        sink.select();
    }

    pub(super) fn new_local(&mut self, ty: Type) -> u32 {
        self.locals.push(encoded(&ty));
        u32::try_from(self.locals.len() - 1).expect("few")
    }

    /// A local of this type that may be set.
    pub(super) fn some_local(&mut self, ty: Type) -> u32 {
        let matching: Vec<usize> = (0..self.settable)
            .filter(|&index| self.locals[index] == encoded(&ty))
            .collect();
        u32::try_from(*self.random.pick(&matching)).expect("few")
    }

    fn local_of(&mut self, ty: Type) {
        let local = self.some_local(ty);
        self.sink().local_get(local);
    }

    pub(super) fn global_of(&self, ty: Type) -> u32 {
        let position = self.features.numbers().iter().position(|number| *number == ty);
        u32::try_from(position.unwrap_or(0)).expect("few")
    }

    pub(super) fn raw(&mut self, first: u8, last: u8) -> u8 {
        let opcode = first + u8::try_from(self.random.below(usize::from(last - first) + 1)).expect("a byte");
        self.code.push(opcode);
        opcode
    }

    fn constant(&mut self, ty: Type) {
        let value = match self.random.below(4) {
            0 => self.random.number(ty),
            1 => Value::of_bits(ty, self.random.next() % 40).expect("a number"),
            _ => self.ordinary(ty),
        };
        self.push(value);
    }

    fn push(&mut self, value: Value) {
        let mut sink = self.sink();
        match value {
            Value::I32(value) => sink.i32_const(value),
            Value::I64(value) => sink.i64_const(value),
            Value::F32(bits) => sink.f32_const(f32::from_bits(bits).into()),
            Value::F64(bits) => sink.f64_const(f64::from_bits(bits).into()),
            Value::V128(bits) => sink.v128_const(bits.cast_signed()),
            _ => unreachable!("numbers only"),
        };
    }

    /// A number without any particular property; floating-point numbers of a middling
    /// size.
    fn ordinary(&mut self, ty: Type) -> Value {
        let random = self.random.next();
        match ty {
            Type::F32 => Value::F32((((random % 0x40_0000) as f32 - 2e6) / 1024.0).to_bits()),
            Type::F64 => Value::F64((((random % (1 << 40)) as f64 - 5e11) / 4096.0).to_bits()),
            Type::V128 => self.random.number(ty),
            _ => Value::of_bits(ty, random).expect("a number"),
        }
    }

    /// Code that leaves one value of type `ty`.
    pub(super) fn expression(&mut self, ty: Type, depth: u32) {
        self.budget = self.budget.saturating_sub(1);
        if depth >= 5 || self.budget == 0 || self.random.below(4) == 0 {
            return match self.random.below(8) {
                0 => {
                    let global = self.global_of(ty);
                    self.sink().global_get(global);
                }
                1..4 => self.constant(ty),
                _ => self.local_of(ty),
            };
        }
        if ty != Type::V128 && self.random.below(6) == 0 {
            if self.features.simd && self.random.below(2) == 0 {
                return self.taken_from_vector(ty, depth);
            }
            if self.features.gc {
                return self.taken_from_objects(ty, depth);
            }
        }
        match self.random.below(20) {
            0..15 if ty == Type::V128 => self.vector(depth),
            19 if ty == Type::V128 => self.vector(depth),
            0..5 => self.unary(ty, depth),
            5..13 => self.binary(ty, depth),
            13..15 => self.load(ty, depth),
            15 => {
                self.expression(ty, depth + 1);
                let local = self.some_local(ty);
                self.sink().local_tee(local);
            }
            16 => {
                self.expression(ty, depth + 1);
                self.expression(ty, depth + 1);
                self.expression(Type::I32, depth + 1);
                self.sink().select();
            }
            17 => {
                self.expression(Type::I32, depth + 1);
                self.sink().if_(BlockType::Result(encoded(&ty)));
                self.expression(ty, depth + 1);
                self.sink().else_();
                self.expression(ty, depth + 1);
                self.sink().end();
            }
            18 => {
                // A value that may leave the block early, above another one.
                self.sink().block(BlockType::Result(encoded(&ty)));
                self.expression(Type::I64, depth + 1);
                self.expression(ty, depth + 1);
                self.expression(Type::I32, depth + 1);
                self.sink().br_if(0);
                self.mix(ty, Type::I64);
                self.sink().drop();
                self.expression(ty, depth + 1);
                self.sink().end();
            }
            _ => self.saturating(ty, depth),
        }
    }

    fn unary(&mut self, ty: Type, depth: u32) {
        let fitting: Vec<_> = UNARY.into_iter().filter(|(.., result)| *result == ty).collect();
        let (first, last, operand, _) = *self.random.pick(&fitting);
        // Most values are too large for the conversions that trap.
        if (0xa8..=0xb1).contains(&first) && !matches!(operand, Type::I32) && self.random.below(20) > 0 {
            return self.saturating(ty, depth);
        }
        self.expression(operand, depth + 1);
        if REINTERPRET_FLOAT.contains(&first) {
            self.canonical(operand);
        }
        self.raw(first, last);
    }

    /// A saturating conversion, where one gives this type.
    fn saturating(&mut self, ty: Type, depth: u32) {
        let first = match ty {
            Type::I32 => 0,
            Type::I64 => 4,
            _ => return self.binary(ty, depth),
        };
        let operand = *self.random.pick(&[Type::F32, Type::F64]);
        self.expression(operand, depth + 1);
        self.code.push(0xfc);
        let first = if operand == Type::F32 { first } else { first + 2 };
        self.raw(first, first + 1);
    }

    fn binary(&mut self, ty: Type, depth: u32) {
        let fitting: Vec<_> = BINARY.into_iter().filter(|(.., result)| *result == ty).collect();
        let (first, last, operand, _) = *self.random.pick(&fitting);
        self.expression(operand, depth + 1);
        self.expression(operand, depth + 1);
        let opcode = self.raw(first, last);
        self.code.pop();
        if INTEGER_DIVISIONS.contains(&opcode) && self.random.below(20) > 0 {
            // Odd divisors do not trap (but for the smallest number by -1); those of a
            // byte or so leave something to divide.
            let mask = *self.random.pick(&[-1, 0xff, 0xffff]);
            match operand {
                Type::I32 => self.sink().i32_const(mask).i32_and().i32_const(3).i32_or(),
                _ => self.sink().i64_const(mask.into()).i64_and().i64_const(3).i64_or(),
            };
        }
        if COPYSIGN.contains(&opcode) {
            self.canonical(operand);
        }
        self.code.push(opcode);
    }

    /// An address, inside the memory nearly always; aligned or not.
    pub(super) fn address(&mut self, depth: u32) {
        let wide = self.features.memory64;
        self.expression(if wide { Type::I64 } else { Type::I32 }, depth + 1);
        if self.random.below(50) > 0 {
            let mask = *self.random.pick(&[0x7fff, 0x7ff8, 0xff, 0xf8]);
            match wide {
                true => self.sink().i64_const(mask.into()).i64_and(),
                false => self.sink().i32_const(mask).i32_and(),
            };
        }
    }

    /// The immediates of an access: no alignment, and an offset.
    pub(super) fn offset(&mut self) {
        let offset = *self.random.pick(&[0, 0, 1, 8, 100, 5000]);
        self.code.push(0);
        wasm_encoder::Encode::encode(&offset, &mut self.code);
    }

    fn load(&mut self, ty: Type, depth: u32) {
        let fitting: Vec<_> = LOADS.into_iter().filter(|(.., result)| *result == ty).collect();
        let (first, last, _) = *self.random.pick(&fitting);
        self.address(depth);
        self.raw(first, last);
        self.offset();
    }
}

fn number_of(ty: ValType) -> Type {
    match ty {
        ValType::I32 => Type::I32,
        ValType::I64 => Type::I64,
        ValType::F32 => Type::F32,
        ValType::F64 => Type::F64,
        ValType::V128 => Type::V128,
        ValType::Ref(_) => unreachable!("numbers only"),
    }
}
