//! Operands of instructions: where a handler finds its inputs and puts its
//! result. A handler is generic over these and compiled once per variant.
//!
//! An instruction is `[handler: 8 bytes][fields…]`, 8-byte aligned. Plain
//! operators have their destination slot at byte 8 and the slots of their
//! operands from byte 10 on, two bytes each, in order, with no gap where an
//! operand is not a slot. A 32-bit constant stands at byte 12, a 64-bit one at
//! byte 16.

use super::dispatch::{Handler, Regs};
use super::float::Float;
use crate::ir::stack::Ty;

/// Byte of the destination slot.
pub(crate) const DST: usize = 8;
/// Byte of the first operand slot.
pub(crate) const SRC: usize = 10;
/// Byte of a 32-bit constant.
pub(crate) const IMM32: usize = 12;
/// Byte of a 64-bit constant.
pub(crate) const IMM64: usize = 16;
/// Bytes of an instruction without a 64-bit constant.
pub(crate) const SHORT: usize = 16;

impl Regs {
    /// Reads a field of the running instruction.
    ///
    /// # Safety
    /// A field of this type stands `at` bytes into the instruction.
    #[inline(always)]
    pub(crate) unsafe fn field<F: Copy>(&self, at: usize) -> F {
        // SAFETY: the caller's promise; fields are aligned to their size.
        unsafe { self.ip.add(at).cast::<F>().read() }
    }

    /// Address of slot `i` of the frame.
    #[inline(always)]
    pub(crate) fn slot(&self, i: u16) -> *mut u64 {
        self.fp.wrapping_add(usize::from(i))
    }

    /// Address of the slot named by the field `at` bytes into the instruction.
    ///
    /// # Safety
    /// As for [`Regs::field`].
    #[inline(always)]
    pub(crate) unsafe fn slot_at(&self, at: usize) -> *mut u64 {
        // SAFETY: the caller's promise.
        self.slot(unsafe { self.field::<u16>(at) })
    }
}

/// A Rust type that holds a wasm value.
pub(crate) trait Prim: Copy {
    /// Whether constants of the type take 8 bytes of an instruction.
    const WIDE: bool;
    /// The wasm type.
    const TY: Ty;
    /// The value in a slot.
    fn from_slot(slot: u64) -> Self;
    /// The whole slot for a value; 32-bit values are zero-extended.
    fn to_slot(self) -> u64;
    /// The value in its slots.
    ///
    /// # Safety
    /// They are slots of the frame, or a global's cell.
    #[inline(always)]
    unsafe fn read(slot: *const u64) -> Self {
        // SAFETY: the caller's promise.
        Self::from_slot(unsafe { slot.read() })
    }
    /// Writes the value to its slots.
    ///
    /// # Safety
    /// They are slots of the frame, or a global's cell.
    #[inline(always)]
    unsafe fn write(self, slot: *mut u64) {
        // SAFETY: the caller's promise.
        unsafe { slot.write(self.to_slot()) }
    }
    /// The value, which an operator has made. In a register that may hold vectors LLVM
    /// would make a float by an operator on vectors, which computes with whatever is in the
    /// other lanes, too: divisions are slower so, and there may be denormal numbers.
    #[inline(always)]
    fn alone(self) -> Self {
        self
    }
    /// The value in the accumulator of its class.
    fn from_acc(s: &Regs) -> Self;
    /// Puts the value into the accumulator of its class.
    fn to_acc(self, s: &mut Regs);
    /// Whether it is of the float class.
    const FLOAT: bool;
    /// The value of the `N`th pinned local of its class.
    fn from_pin<const N: usize>(s: &Regs) -> Self;
    /// Makes it the value of the `N`th pinned local of its class.
    fn to_pin<const N: usize>(self, s: &mut Regs);
}

/// Pinned float locals; of integers there is one.
pub(crate) const PINNED_FLOATS: usize = 4;

/// The register of a pinned float local.
#[inline(always)]
fn float_pin<const N: usize>(s: &mut Regs) -> &mut Float {
    match N {
        0 => &mut s.f1,
        1 => &mut s.f2,
        2 => &mut s.f3,
        _ => &mut s.f4,
    }
}

macro_rules! int_prim {
    ($($ty:ident $wide:literal $wasm:ident |$slot:ident| $from:expr, |$value:ident| $to:expr;)*) => {$(
        impl Prim for $ty {
            const WIDE: bool = $wide;
            const TY: Ty = Ty::$wasm;
            #[inline(always)]
            fn from_slot($slot: u64) -> Self {
                $from
            }
            #[inline(always)]
            fn to_slot(self) -> u64 {
                let $value = self;
                $to
            }
            #[inline(always)]
            fn from_acc(s: &Regs) -> Self {
                Self::from_slot(s.a0)
            }
            #[inline(always)]
            fn to_acc(self, s: &mut Regs) {
                s.a0 = self.to_slot();
            }
            const FLOAT: bool = false;
            #[inline(always)]
            fn from_pin<const N: usize>(s: &Regs) -> Self {
                Self::from_slot(s.a1)
            }
            #[inline(always)]
            fn to_pin<const N: usize>(self, s: &mut Regs) {
                s.a1 = self.to_slot();
            }
        }
    )*};
}

int_prim! {
    u32 false I32 |slot| slot as u32, |value| u64::from(value);
    i32 false I32 |slot| slot as i32, |value| u64::from(value as u32);
    u64 true I64 |slot| slot, |value| value;
    i64 true I64 |slot| slot as i64, |value| value as u64;
}

/// [`Prim::alone`] of a float.
macro_rules! alone {
    () => {
        #[cfg(target_arch = "x86_64")]
        #[inline(always)]
        fn alone(mut self) -> Self {
            // SAFETY: no instruction at all.
            unsafe { std::arch::asm!("/* {0} */", inout(xmm_reg) self, options(pure, nomem, nostack, preserves_flags)) };
            self
        }
    };
}

impl Prim for f64 {
    const WIDE: bool = true;
    const TY: Ty = Ty::F64;
    #[inline(always)]
    fn from_slot(slot: u64) -> Self {
        Self::from_bits(slot)
    }
    #[inline(always)]
    fn to_slot(self) -> u64 {
        self.to_bits()
    }
    alone!();
    #[inline(always)]
    fn from_acc(s: &Regs) -> Self {
        s.f0.get()
    }
    #[inline(always)]
    fn to_acc(self, s: &mut Regs) {
        s.f0 = self.into();
    }
    const FLOAT: bool = true;
    #[inline(always)]
    fn from_pin<const N: usize>(s: &Regs) -> Self {
        float_pin::<N>(&mut s.clone()).get()
    }
    #[inline(always)]
    fn to_pin<const N: usize>(self, s: &mut Regs) {
        *float_pin::<N>(s) = self.into();
    }
}

/// The accumulator holds an `f32` as the low half of its bits.
impl Prim for f32 {
    const WIDE: bool = false;
    const TY: Ty = Ty::F32;
    #[inline(always)]
    fn from_slot(slot: u64) -> Self {
        Self::from_bits(slot as u32)
    }
    #[inline(always)]
    fn to_slot(self) -> u64 {
        u64::from(self.to_bits())
    }
    alone!();
    #[inline(always)]
    fn from_acc(s: &Regs) -> Self {
        Self::from_slot(s.f0.get().to_bits())
    }
    #[inline(always)]
    fn to_acc(self, s: &mut Regs) {
        s.f0 = f64::from_bits(self.to_slot()).into();
    }
    const FLOAT: bool = true;
    #[inline(always)]
    fn from_pin<const N: usize>(s: &Regs) -> Self {
        Self::from_slot(float_pin::<N>(&mut s.clone()).get().to_bits())
    }
    #[inline(always)]
    fn to_pin<const N: usize>(self, s: &mut Regs) {
        *float_pin::<N>(s) = f64::from_bits(self.to_slot()).into();
    }
}

/// Where an operand comes from.
pub(crate) trait Src {
    /// Slot fields it takes, 0 or 1.
    const SLOTS: usize;
    /// Whether it is a constant in the instruction.
    const CONST: bool;
    /// Words of its own that it takes: one if it is computed from other
    /// operands (see `fused`).
    const WORDS: usize = 0;
    /// Reads the operand; its slot field is `at.slot`, its constant `at.imm`,
    /// its own word `at.word` bytes into the instruction.
    ///
    /// # Safety
    /// The running instruction has this variant's fields there.
    unsafe fn get<T: Prim>(s: &Regs, at: At) -> T;
}

/// Where an operand's fields are, in bytes from the start of the instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    /// The slot field, if it has one.
    pub(crate) slot: usize,
    /// The constant, if it is one.
    pub(crate) imm: usize,
    /// Its own word, if it has one.
    pub(crate) word: usize,
}

impl At {
    /// Fields of an operand that is no constant and has no word of its own.
    pub(crate) const fn slot(slot: usize) -> Self {
        Self { slot, imm: 0, word: 0 }
    }

    /// Fields of an operand without a word of its own.
    pub(crate) const fn plain(slot: usize, imm: usize) -> Self {
        Self { slot, imm, word: 0 }
    }
}

/// A frame slot.
pub(crate) enum S {}
/// The accumulator.
pub(crate) enum A {}
/// A constant.
pub(crate) enum K {}
/// The constant zero (of addresses whose constant is in the offset).
pub(crate) enum Z {}

impl Src for S {
    const SLOTS: usize = 1;
    const CONST: bool = false;
    #[inline(always)]
    unsafe fn get<T: Prim>(s: &Regs, at: At) -> T {
        // SAFETY: the caller's promise; slots named by instructions are in the
        // frame.
        unsafe { T::read(s.slot_at(at.slot)) }
    }
}

impl Src for A {
    const SLOTS: usize = 0;
    const CONST: bool = false;
    #[inline(always)]
    unsafe fn get<T: Prim>(s: &Regs, _: At) -> T {
        T::from_acc(s)
    }
}

impl Src for K {
    const SLOTS: usize = 0;
    const CONST: bool = true;
    #[inline(always)]
    unsafe fn get<T: Prim>(s: &Regs, at: At) -> T {
        if T::WIDE {
            // SAFETY: the caller's promise.
            T::from_slot(unsafe { s.field::<u64>(at.imm) })
        } else {
            // SAFETY: the caller's promise.
            T::from_slot(u64::from(unsafe { s.field::<u32>(at.imm) }))
        }
    }
}

impl Src for Z {
    const SLOTS: usize = 0;
    const CONST: bool = false;
    #[inline(always)]
    unsafe fn get<T: Prim>(_: &Regs, _: At) -> T {
        T::from_slot(0)
    }
}

/// The `N`th pinned local of the operand's class. Its slot holds the value too.
pub(crate) enum P<const N: usize> {}

impl<const N: usize> Src for P<N> {
    const SLOTS: usize = 0;
    const CONST: bool = false;
    #[inline(always)]
    unsafe fn get<T: Prim>(s: &Regs, _: At) -> T {
        T::from_pin::<N>(s)
    }
}

/// Where a result goes.
pub(crate) trait Dst {
    /// Writes the result.
    ///
    /// # Safety
    /// The running instruction has a destination slot at [`DST`], if the
    /// variant uses one.
    unsafe fn put<T: Prim>(s: &mut Regs, value: T);
}

impl Dst for S {
    #[inline(always)]
    unsafe fn put<T: Prim>(s: &mut Regs, value: T) {
        // SAFETY: the caller's promise; slots named by instructions are in the
        // frame.
        unsafe { value.write(s.slot_at(DST)) }
    }
}

/// A frame slot and the accumulator.
pub(crate) enum B {}

impl Dst for B {
    #[inline(always)]
    unsafe fn put<T: Prim>(s: &mut Regs, value: T) {
        // SAFETY: the caller's promise.
        unsafe { S::put(s, value) };
        value.to_acc(s);
    }
}

/// The `N`th pinned local of the result's class: slot and register.
pub(crate) enum W<const N: usize> {}

impl<const N: usize> Dst for W<N> {
    #[inline(always)]
    unsafe fn put<T: Prim>(s: &mut Regs, value: T) {
        // SAFETY: the caller's promise.
        unsafe { S::put(s, value) };
        value.to_pin::<N>(s);
    }
}

/// The handlers of an instruction by its destination.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destinations {
    /// A slot.
    pub(crate) slot: Handler,
    /// The accumulator.
    pub(crate) acc: Handler,
    /// A slot and the accumulator.
    pub(crate) both: Handler,
    /// A pinned local, where there is such a handler.
    pub(crate) pinned: [Option<Handler>; PINNED_FLOATS],
}

/// The handlers for pinned locals of type `T`.
pub(crate) const fn pins<T: Prim>(handlers: [Handler; PINNED_FLOATS]) -> [Option<Handler>; PINNED_FLOATS] {
    let [first, second, third, fourth] = handlers;
    match (T::TY, T::FLOAT) {
        (Ty::V128, _) => [None; PINNED_FLOATS],
        (_, true) => [Some(first), Some(second), Some(third), Some(fourth)],
        (_, false) => [Some(first), None, None, None],
    }
}

/// The handler for a slot and the accumulator. Of vectors there is none: who wants
/// one that is in slots too reads it there.
pub(crate) const fn both<T: Prim>(slot: Handler, both: Handler) -> Handler {
    match T::TY {
        Ty::V128 => slot,
        _ => both,
    }
}

/// The handler of an instruction with an operand of type `T`: of vectors there are
/// no constant ones.
pub(crate) const fn constant<T: Prim>(slot: Handler, constant: Handler) -> Handler {
    match T::TY {
        Ty::V128 => slot,
        _ => constant,
    }
}

/// The [`Destinations`] of a handler whose last parameter is the destination,
/// and whose result is of a type.
macro_rules! destinations {
    ($out:ty: $handler:ident, $($params:ty),+) => {
        $crate::exec::operand::Destinations {
            slot: $handler::<$($params),+, $crate::exec::operand::S>,
            acc: $handler::<$($params),+, $crate::exec::operand::A>,
            both: $crate::exec::operand::both::<$out>(
                $handler::<$($params),+, $crate::exec::operand::S>,
                $handler::<$($params),+, $crate::exec::operand::B>,
            ),
            pinned: $crate::exec::operand::pins::<$out>([
                $handler::<$($params),+, $crate::exec::operand::W<0>>,
                $handler::<$($params),+, $crate::exec::operand::W<1>>,
                $handler::<$($params),+, $crate::exec::operand::W<2>>,
                $handler::<$($params),+, $crate::exec::operand::W<3>>,
            ]),
        }
    };
}
pub(crate) use destinations;

impl Dst for A {
    #[inline(always)]
    unsafe fn put<T: Prim>(s: &mut Regs, value: T) {
        value.to_acc(s);
    }
}
