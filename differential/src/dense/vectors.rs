//! Expressions on vectors.
//!
//! A lane that an operator may fill with any NaN gets the canonical one at once, so
//! that the lanes' bits may be looked at anywhere.

use wasm_encoder::Encode;

use super::body::Body;
use crate::machine::Type;

/// Operators on one vector whose result is one: first and last opcode.
const UNARY: [(u32, u32); 19] = [
    (0x4d, 0x4d), // not
    (0x5e, 0x5f), // demote, promote
    (0x60, 0x62), // i8x16
    (0x67, 0x6a), // rounding of f32x4
    (0x74, 0x75), // rounding of f64x2
    (0x7a, 0x7a),
    (0x94, 0x94),
    (0x7c, 0x7f), // sums of pairs
    (0x80, 0x81), // i16x8
    (0x87, 0x8a),
    (0xa0, 0xa1), // i32x4
    (0xa7, 0xaa),
    (0xc0, 0xc1), // i64x2
    (0xc7, 0xca),
    (0xe0, 0xe1), // f32x4
    (0xe3, 0xe3),
    (0xec, 0xed), // f64x2
    (0xef, 0xef),
    (0xf8, 0xff), // conversions
];

/// Operators on two.
const BINARY: [(u32, u32); 24] = [
    (0x0e, 0x0e), // swizzle
    (0x23, 0x4c), // comparisons
    (0x4e, 0x51), // bits
    (0x65, 0x66), // narrow
    (0x6e, 0x73), // i8x16
    (0x76, 0x79),
    (0x7b, 0x7b),
    (0x82, 0x82), // i16x8
    (0x85, 0x86),
    (0x8e, 0x93),
    (0x95, 0x99),
    (0x9b, 0x9f),
    (0xae, 0xae), // i32x4
    (0xb1, 0xb1),
    (0xb5, 0xba),
    (0xbc, 0xbf),
    (0xce, 0xce), // i64x2
    (0xd1, 0xd1),
    (0xd5, 0xdf),
    (0xe4, 0xe7), // f32x4
    (0xe8, 0xeb),
    (0xf0, 0xf3), // f64x2
    (0xf4, 0xf7),
    (0x4f, 0x4f),
];

/// Operators on a vector and a number of bits.
const SHIFTS: [(u32, u32); 4] = [(0x6b, 0x6d), (0x8b, 0x8d), (0xab, 0xad), (0xcb, 0xcd)];

/// Operators on a vector that say something about all its lanes.
const TESTS: [u32; 9] = [0x53, 0x63, 0x64, 0x83, 0x84, 0xa3, 0xa4, 0xc3, 0xc4];

/// Lanes: the type of one, the opcodes that make a vector of it, take one out and
/// replace one, and how many there are.
const LANES: [(Type, u32, &[u32], u32, u8); 6] = [
    (Type::I32, 0x0f, &[0x15, 0x16], 0x17, 16),
    (Type::I32, 0x10, &[0x18, 0x19], 0x1a, 8),
    (Type::I32, 0x11, &[0x1b], 0x1c, 4),
    (Type::I64, 0x12, &[0x1d], 0x1e, 2),
    (Type::F32, 0x13, &[0x1f], 0x20, 4),
    (Type::F64, 0x14, &[0x21], 0x22, 2),
];

/// Whether an operator makes NaNs in lanes of f32, and in lanes of f64.
fn makes_nans(opcode: u32) -> (bool, bool) {
    match opcode {
        0x5e | 0x67..=0x6a | 0xe3 | 0xe4..=0xe9 => (true, false),
        0x5f | 0x74 | 0x75 | 0x7a | 0x94 | 0xef | 0xf0..=0xf5 => (false, true),
        _ => (false, false),
    }
}

impl Body<'_> {
    fn simd(&mut self, opcode: u32) {
        self.code.push(0xfd);
        opcode.encode(&mut self.code);
        let (f32x4, f64x2) = makes_nans(opcode);
        if !f32x4 && !f64x2 {
            return;
        }
        let vector = self.canonical_local(Type::V128);
        let (nans, equal) = match f32x4 {
            true => (u128::from(f32::NAN.to_bits()) * 0x1_0000_0001_0000_0001_0000_0001, 0x41),
            false => (u128::from(f64::NAN.to_bits()) * 0x1_0000_0000_0000_0001, 0x47),
        };
        let mut sink = self.sink();
        sink.local_tee(vector).v128_const(nans.cast_signed());
        sink.local_get(vector).local_get(vector);
        self.code.push(0xfd);
        u32::encode(&equal, &mut self.code);
        self.sink().v128_bitselect();
    }

    fn some_opcode(&mut self, ranges: &[(u32, u32)]) -> u32 {
        let (first, last) = *self.random.pick(ranges);
        first + u32::try_from(self.random.below(usize::try_from(last - first + 1).expect("small"))).expect("small")
    }

    fn lane(&mut self, lanes: u8) {
        let lane = u8::try_from(self.random.below(usize::from(lanes))).expect("small");
        self.code.push(lane);
    }

    /// Code that leaves a vector.
    pub(super) fn vector(&mut self, depth: u32) {
        let v128 = Type::V128;
        match self.random.below(16) {
            0..4 => {
                self.expression(v128, depth + 1);
                let opcode = self.some_opcode(&UNARY);
                self.simd(opcode);
            }
            4..9 => {
                self.expression(v128, depth + 1);
                self.expression(v128, depth + 1);
                let opcode = self.some_opcode(&BINARY);
                self.simd(opcode);
            }
            9 => {
                self.expression(v128, depth + 1);
                self.expression(Type::I32, depth + 1);
                let opcode = self.some_opcode(&SHIFTS);
                self.simd(opcode);
            }
            10 => {
                for _ in 0..3 {
                    self.expression(v128, depth + 1);
                }
                self.simd(0x52);
            }
            11 => {
                let (ty, splat, _, replace, lanes) = *self.random.pick(&LANES);
                let replaces = self.random.below(2) == 0;
                if replaces {
                    self.expression(v128, depth + 1);
                }
                self.expression(ty, depth + 1);
                self.canonical(ty);
                if replaces {
                    self.simd(replace);
                    self.lane(lanes);
                } else {
                    self.simd(splat);
                }
            }
            12 => {
                self.expression(v128, depth + 1);
                self.expression(v128, depth + 1);
                self.simd(0x0d);
                for _ in 0..16 {
                    self.lane(32);
                }
            }
            13..15 => {
                self.address(depth);
                let opcode = self.some_opcode(&[(0x00, 0x0a), (0x5c, 0x5d)]);
                self.simd(opcode);
                self.offset();
            }
            _ => {
                self.address(depth);
                self.expression(v128, depth + 1);
                let size = self.random.below(4);
                self.simd(0x54 + u32::try_from(size).expect("small"));
                self.offset();
                self.lane(16 >> size);
            }
        }
    }

    /// Code that leaves a number made from a vector.
    pub(super) fn taken_from_vector(&mut self, ty: Type, depth: u32) {
        self.expression(Type::V128, depth + 1);
        if ty == Type::I32 && self.random.below(3) == 0 {
            let opcode = *self.random.pick(&TESTS);
            return self.simd(opcode);
        }
        let fitting: Vec<_> = LANES.into_iter().filter(|lane| lane.0 == ty).collect();
        let (_, _, extract, _, lanes) = *self.random.pick(&fitting);
        let opcode = *self.random.pick(extract);
        self.simd(opcode);
        self.lane(lanes);
    }

    /// Stores a vector or a lane of one.
    pub(super) fn store_vector(&mut self) {
        self.address(0);
        self.expression(Type::V128, 1);
        if self.random.below(2) == 0 {
            self.simd(0x0b);
            return self.offset();
        }
        let size = self.random.below(4);
        self.simd(0x58 + u32::try_from(size).expect("small"));
        self.offset();
        self.lane(16 >> size);
    }
}
