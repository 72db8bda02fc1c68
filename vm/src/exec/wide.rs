//! Arithmetic with 128 bits, in two slots each (wide-arithmetic): the low half
//! first. Operands are in slots; the results go to two that follow each other.

use super::dispatch::{Handler, handler, next};
use super::operand::SHORT;

/// A value of 128 bits.
#[inline(always)]
fn joined(low: u64, high: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

/// An operator of two 128-bit numbers.
trait Sum {
    /// Its meaning.
    fn eval(a: u128, b: u128) -> u128;
}

/// `i64.add128`
enum Add128 {}
/// `i64.sub128`
enum Sub128 {}

impl Sum for Add128 {
    #[inline(always)]
    fn eval(a: u128, b: u128) -> u128 {
        a.wrapping_add(b)
    }
}

impl Sum for Sub128 {
    #[inline(always)]
    fn eval(a: u128, b: u128) -> u128 {
        a.wrapping_sub(b)
    }
}

/// A multiplication of two 64-bit numbers.
trait Product {
    /// Its meaning.
    fn eval(a: u64, b: u64) -> u128;
}

/// `i64.mul_wide_s`
enum MulWideS {}
/// `i64.mul_wide_u`
enum MulWideU {}

impl Product for MulWideS {
    #[inline(always)]
    fn eval(a: u64, b: u64) -> u128 {
        (i128::from(a.cast_signed()) * i128::from(b.cast_signed())).cast_unsigned()
    }
}

impl Product for MulWideU {
    #[inline(always)]
    fn eval(a: u64, b: u64) -> u128 {
        u128::from(a) * u128::from(b)
    }
}

/// The high half of an operand.
trait High {
    /// Whether it is zero and not in a slot.
    const ZERO: bool;
}

/// In a slot.
enum Slot {}
/// Zero.
enum Zero {}

impl High for Slot {
    const ZERO: bool = false;
}

impl High for Zero {
    const ZERO: bool = true;
}

handler! {
    /// A sum or difference: the first result's slot is at byte 8, the operands'
    /// slots from byte 10 on; a high half may be zero instead.
    fn sum<O: Sum, X: High, Y: High>(s) {
        let a = joined(s.slot_at(10).read(), if X::ZERO { 0 } else { s.slot_at(12).read() });
        let b = joined(s.slot_at(14).read(), if Y::ZERO { 0 } else { s.slot_at(16).read() });
        let value = O::eval(a, b);
        let to = s.slot_at(8);
        to.write(value as u64);
        to.add(1).write((value >> 64) as u64);
        s.ip = s.ip.add(SUM_BYTES);
        next(s)
    }

    /// A product: the first result's slot is at byte 8, the operands' slots at
    /// bytes 10 and 12.
    fn product<O: Product>(s) {
        let value = O::eval(s.slot_at(10).read(), s.slot_at(12).read());
        let to = s.slot_at(8);
        to.write(value as u64);
        to.add(1).write((value >> 64) as u64);
        s.ip = s.ip.add(SHORT);
        next(s)
    }
}

/// Bytes of an instruction of four operands.
pub(crate) const SUM_BYTES: usize = 24;

/// Handlers of a sum by [first high half in slot, zero][second].
pub(crate) type Sums = [[Handler; 2]; 2];

const fn sums<O: Sum>() -> Sums {
    [
        [sum::<O, Slot, Slot>, sum::<O, Slot, Zero>],
        [sum::<O, Zero, Slot>, sum::<O, Zero, Zero>],
    ]
}

/// `i64.add128`
pub(crate) static ADD_128: Sums = sums::<Add128>();
/// `i64.sub128`
pub(crate) static SUB_128: Sums = sums::<Sub128>();
/// `i64.mul_wide_s`
pub(crate) const MUL_WIDE_S: Handler = product::<MulWideS>;
/// `i64.mul_wide_u`
pub(crate) const MUL_WIDE_U: Handler = product::<MulWideU>;
