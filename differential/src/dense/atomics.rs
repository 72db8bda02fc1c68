//! Atomic accesses, and arithmetic with 128 bits.

use wasm_encoder::Encode;

use super::body::Body;
use crate::machine::Type;

/// The sizes of atomic accesses in the order of opcodes: type, binary logarithm of
/// the bytes.
const SIZES: [(Type, u8); 7] = [
    (Type::I32, 2),
    (Type::I64, 3),
    (Type::I32, 0),
    (Type::I32, 1),
    (Type::I64, 0),
    (Type::I64, 1),
    (Type::I64, 2),
];

/// The first opcodes of groups of [`SIZES`].
const LOAD: u32 = 0x10;
const STORE: u32 = 0x17;
const EXCHANGES: [u32; 6] = [0x1e, 0x25, 0x2c, 0x33, 0x3a, 0x41];
const COMPARE: u32 = 0x48;

impl Body<'_> {
    /// An address that nearly always is aligned for all accesses.
    fn aligned(&mut self) {
        self.address(2);
        if self.random.below(40) > 0 {
            match self.features.memory64 {
                true => self.sink().i64_const(!7).i64_and(),
                false => self.sink().i32_const(!7).i32_and(),
            };
        }
    }

    fn atomic(&mut self, group: u32, size: usize) {
        self.code.push(0xfe);
        (group + u32::try_from(size).expect("few")).encode(&mut self.code);
        self.code.push(SIZES[size].1);
        let offset = *self.random.pick(&[0_u32, 8, 800]);
        offset.encode(&mut self.code);
    }

    /// Accesses memory atomically; keeps what comes in a local.
    pub(super) fn atomic_access(&mut self) {
        let size = self.random.below(SIZES.len());
        let ty = SIZES[size].0;
        self.aligned();
        match self.random.below(6) {
            0 => self.atomic(LOAD, size),
            1 => {
                self.expression(ty, 1);
                return self.atomic(STORE, size);
            }
            2 => {
                self.expression(ty, 1);
                self.expression(ty, 1);
                self.atomic(COMPARE, size);
            }
            _ => {
                self.expression(ty, 1);
                let group = *self.random.pick(&EXCHANGES);
                self.atomic(group, size);
            }
        }
        let local = self.some_local(ty);
        self.sink().local_set(local);
    }

    /// An operator with two results.
    pub(super) fn wide_arithmetic(&mut self) {
        let opcode = 0x13 + u32::try_from(self.random.below(4)).expect("small");
        for _ in 0..if opcode < 0x15 { 4 } else { 2 } {
            self.expression(Type::I64, 2);
        }
        self.code.push(0xfc);
        opcode.encode(&mut self.code);
        let (high, low) = (self.some_local(Type::I64), self.some_local(Type::I64));
        self.sink().local_set(high).local_set(low);
    }
}
