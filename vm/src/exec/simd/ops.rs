//! The operators of the table of `ir::simd`, and their handlers. Those with one
//! operand are handled as numbers are; see [`crate::exec::numeric`].

#[cfg(target_arch = "x86_64")]
use super::baseline::*;
use super::fused::{LoadedVector, loaded};
use super::lanes::*;
use super::memory::{Extend, Splat, Whole, Zero};
#[cfg(target_arch = "x86_64")]
use super::sse2::*;
use super::vector::{Vector, read};
use crate::exec::access::LoadAs;
use crate::exec::data::{Load, LoadId, LoadInfo, load_info};
use crate::exec::dispatch::{Handler, handler, next};
use crate::exec::numeric::{Unary, UnaryInfo, float_max, float_min, unary_handlers};
use crate::exec::operand::{A, At, DST, Destinations, Dst, IMM32, K, Prim, S, SHORT, SRC, Src, destinations};
use crate::ir::simd::for_each_vector_op;
use crate::trap::Trap;

/// An operator on two vectors.
pub(crate) trait VectorBinary {
    /// Its meaning.
    fn eval(a: Vector, b: Vector) -> Vector;
}

/// An operator on three vectors.
pub(crate) trait VectorTernary {
    /// Its meaning.
    fn eval(a: Vector, b: Vector, c: Vector) -> Vector;
}

/// A shift of all lanes.
pub(crate) trait VectorShift {
    /// Its meaning.
    fn eval(a: Vector, n: u32) -> Vector;
}

/// What takes a lane out of a vector.
pub(crate) trait ExtractLane {
    /// The lane, as its bytes.
    type Lane: Copy;
    /// Type of the result.
    type Out: Prim;
    /// The lane's value.
    fn value(lane: Self::Lane) -> Self::Out;
}

/// What the translator knows of an operator on two vectors.
#[derive(Debug)]
pub(crate) struct VectorBinaryInfo {
    /// Mnemonic.
    pub(crate) name: &'static str,
    /// Handlers by [left][right], which are in slots or the accumulator.
    pub(crate) handlers: [[Destinations; 2]; 2],
    /// Whether the operands may change places; where they may, the left one is in a
    /// slot.
    pub(crate) commutes: bool,
    /// Handlers that load the right operand, if there are any.
    pub(crate) loaded: Option<&'static LoadedVector>,
}

/// What the translator knows of an operator on three vectors.
#[derive(Debug)]
pub(crate) struct VectorTernaryInfo {
    /// Mnemonic.
    pub(crate) name: &'static str,
    /// Handlers by which operand is in the accumulator: none, the first and so on.
    pub(crate) handlers: [Destinations; 4],
}

/// What the translator knows of a shift.
#[derive(Debug)]
pub(crate) struct VectorShiftInfo {
    /// Mnemonic.
    pub(crate) name: &'static str,
    /// Handlers by [vector in slot, accumulator][count in slot, accumulator,
    /// constant]; not both in accumulators.
    pub(crate) handlers: [[Destinations; 3]; 2],
}

/// What the translator knows of an operator that takes a lane out of a vector.
#[derive(Debug)]
pub(crate) struct ExtractLaneInfo {
    /// Mnemonic.
    pub(crate) name: &'static str,
    /// Its handlers; the vector is in slots.
    pub(crate) handlers: Destinations,
    /// Bytes of a lane.
    pub(crate) bytes: usize,
    /// Type of the result.
    pub(crate) out: crate::ir::stack::Ty,
}

/// What the translator knows of an operator that puts a lane into a vector.
#[derive(Debug)]
pub(crate) struct ReplaceLaneInfo {
    /// Mnemonic.
    pub(crate) name: &'static str,
    /// Handlers by [vector][lane], which are in slots or the accumulator.
    pub(crate) handlers: [[Destinations; 2]; 2],
    /// Bytes of a lane.
    pub(crate) bytes: usize,
}

handler! {
    /// `v128.const`: the vector stands at byte 16, as 16 bytes (`M` says nothing).
    fn constant<M: LoadAs<Vector>, D: Dst>(s) {
        let vector = read(s.ip.add(SHORT));
        D::put(&mut s, vector);
        s.ip = s.ip.add(SHORT + 16);
        next(s)
    }

    /// An operator on two vectors.
    pub(super) fn vector_binary<O: VectorBinary, L: Src, R: Src, D: Dst>(s) {
        let a = L::get::<Vector>(&s, At::slot(SRC));
        let b = R::get::<Vector>(&s, At::slot(SRC + 2 * L::SLOTS));
        D::put(&mut s, O::eval(a, b));
        s.ip = s.ip.add(SHORT);
        next(s)
    }

    /// An operator on three vectors.
    pub(super) fn vector_ternary<O: VectorTernary, X: Src, Y: Src, Z: Src, D: Dst>(s) {
        let a = X::get::<Vector>(&s, At::slot(SRC));
        let b = Y::get::<Vector>(&s, At::slot(SRC + 2 * X::SLOTS));
        let c = Z::get::<Vector>(&s, At::slot(SRC + 2 * X::SLOTS + 2 * Y::SLOTS));
        D::put(&mut s, O::eval(a, b, c));
        s.ip = s.ip.add(SHORT);
        next(s)
    }

    /// A shift of all lanes.
    fn vector_shift<O: VectorShift, L: Src, R: Src, D: Dst>(s) {
        let a = L::get::<Vector>(&s, At::slot(SRC));
        let n = R::get::<u32>(&s, At::plain(SRC + 2 * L::SLOTS, IMM32));
        D::put(&mut s, O::eval(a, n));
        s.ip = s.ip.add(SHORT);
        next(s)
    }

    /// Takes a lane out of a vector: the number at byte 12 is its distance in bytes
    /// from the frame.
    fn extract_lane<O: ExtractLane, D: Dst>(s) {
        let lane = s.fp.byte_add(s.field::<u32>(IMM32) as usize).cast::<O::Lane>().read_unaligned();
        D::put(&mut s, O::value(lane));
        s.ip = s.ip.add(SHORT);
        next(s)
    }

    /// Puts a lane into a vector: of the vector at byte 16 its bits are ones.
    fn replace_lane<O: Unary<Out = Vector>, L: Src, R: Src, D: Dst>(s) {
        let a = L::get::<Vector>(&s, At::slot(SRC));
        let lane = R::get::<O::In>(&s, At::slot(SRC + 2 * L::SLOTS));
        let mask = read(s.ip.add(SHORT));
        // Splats do not trap.
        let lanes = O::eval(lane).unwrap_or(a);
        D::put(&mut s, V128Bitselect::eval(lanes, a, mask));
        s.ip = s.ip.add(SHORT + 16);
        next(s)
    }

    /// `i8x16.shuffle` by the lane numbers at byte 16, of vectors in slots into slots.
    fn shuffle(s) {
        let (a, b) = (s.slot_at(SRC), s.slot_at(SRC + 2));
        shuffle_lanes(a, b, s.ip.add(SHORT), s.slot_at(DST));
        s.ip = s.ip.add(SHORT + 16);
        next(s)
    }
}

/// Writes to `to` the lanes of `a` and `b` that the bytes at `lanes` name.
///
/// # Safety
/// `a`, `b` and `to` are slots of vectors, and `lanes` is the address of 16 numbers
/// below 32.
#[inline(never)]
unsafe fn shuffle_lanes(a: *const u64, b: *const u64, lanes: *const u8, to: *mut u64) {
    // SAFETY: the caller's promise.
    let (a, b, lanes) = unsafe { (Vector::read(a), Vector::read(b), read(lanes)) };
    let (a, b) = (u8x16::of(a), u8x16::of(b));
    let lane = |i: u8| *a.iter().chain(&b).nth(usize::from(i)).unwrap_or(&0);
    // SAFETY: the caller's promise.
    unsafe { u8x16::of(lanes).map(lane).value().write(to) };
}

/// `v128.const`
pub(crate) static CONST: Destinations = destinations!(Vector: constant, Whole);

/// `i8x16.shuffle` where the processor has no instruction for it.
pub(crate) static SHUFFLE: Handler = shuffle;

/// The tables of an operator on two vectors. Of those that commute the translator
/// never has the left one in the accumulator, and two there are never.
pub(super) const fn binary_handlers<O: VectorBinary>(commutes: bool) -> [[Destinations; 2]; 2] {
    let (slots, right) = (
        destinations!(Vector: vector_binary, O, S, S),
        destinations!(Vector: vector_binary, O, S, A),
    );
    match commutes {
        true => [[slots, right], [right, right]],
        false => [[slots, right], [destinations!(Vector: vector_binary, O, A, S), right]],
    }
}

/// The tables of an operator on three vectors.
pub(super) const fn ternary_handlers<O: VectorTernary>() -> [Destinations; 4] {
    [
        destinations!(Vector: vector_ternary, O, S, S, S),
        destinations!(Vector: vector_ternary, O, A, S, S),
        destinations!(Vector: vector_ternary, O, S, A, S),
        destinations!(Vector: vector_ternary, O, S, S, A),
    ]
}

/// The tables of a shift; two operands in accumulators stand for none.
const fn shift_handlers<O: VectorShift>() -> [[Destinations; 3]; 2] {
    [
        [
            destinations!(Vector: vector_shift, O, S, S),
            destinations!(Vector: vector_shift, O, S, A),
            destinations!(Vector: vector_shift, O, S, K),
        ],
        [
            destinations!(Vector: vector_shift, O, A, S),
            destinations!(Vector: vector_shift, O, S, A),
            destinations!(Vector: vector_shift, O, A, K),
        ],
    ]
}

/// The tables of an operator that puts a lane into a vector; see [`shift_handlers`].
const fn replace_handlers<O: Unary<Out = Vector>>() -> [[Destinations; 2]; 2] {
    [
        [
            destinations!(Vector: replace_lane, O, S, S),
            destinations!(Vector: replace_lane, O, S, A),
        ],
        [
            destinations!(Vector: replace_lane, O, A, S),
            destinations!(Vector: replace_lane, O, S, A),
        ],
    ]
}

macro_rules! define_vector_ops {
    (
        unary { $($un:ident $un_text:literal ($un_in:ident) -> $un_out:ident = |$ua:pat_param| $un_body:expr $(, sse2 |$uxa:ident| $un_x86:expr)?;)* }
        binary { $($bin:ident $bin_text:literal ($bin_a:ident, $bin_b:ident) -> $bin_out:ident $($commutes:ident)? = |$ba:ident, $bb:ident| $bin_body:expr $(, sse2 |$bxa:ident, $bxb:ident| $bin_x86:expr)?;)* }
        ternary { $($ter:ident $ter_text:literal ($ter_a:ident, $ter_b:ident, $ter_c:ident) -> $ter_out:ident = |$ta:ident, $tb:ident, $tc:ident| $ter_body:expr $(, sse2 |$txa:ident, $txb:ident, $txc:ident| $ter_x86:expr)?;)* }
        shift { $($sh:ident $sh_text:literal ($sh_in:ident) -> $sh_out:ident = |$sa:ident, $sn:ident| $sh_body:expr, sse2 |$sxa:ident, $sxn:ident| $sh_x86:expr;)* }
        extract { $($ex:ident $ex_text:literal $ex_lane:ident -> $ex_out:ident;)* }
        replace { $($re:ident $re_text:literal $re_in:ident by $re_splat:ident $re_bytes:literal;)* }
        load { $($load:ident $load_text:literal $load_mem:ty;)* }
        load_lane { $($ll:tt)* }
        store_lane { $($sl:tt)* }
    ) => {
        $(
            #[doc = $un_text]
            pub(crate) enum $un {}
            impl $un {
                /// Its meaning by lanes.
                #[cfg_attr(target_arch = "x86_64", allow(dead_code))]
                #[inline(always)]
                pub(super) fn by_lanes(a: <$un_in as View>::Value) -> <$un_out as View>::Value {
                    let $ua = <$un_in as View>::of(a);
                    let value: $un_out = $un_body;
                    value.value()
                }
            }
            impl Unary for $un {
                type In = <$un_in as View>::Value;
                type Out = <$un_out as View>::Value;
                #[inline(always)]
                #[allow(unreachable_code)]
                fn eval(a: Self::In) -> Result<Self::Out, Trap> {
                    $(
                        #[cfg(target_arch = "x86_64")]
                        {
                            let $uxa = a;
                            return Ok($un_x86);
                        }
                    )?
                    Ok(Self::by_lanes(a))
                }
                fn info() -> &'static UnaryInfo {
                    static INFO: UnaryInfo = UnaryInfo {
                        name: $un_text,
                        handlers: unary_handlers::<$un>(),
                        out: <<$un_out as View>::Value as Prim>::TY,
                    };
                    &INFO
                }
            }
        )*
        $(
            #[doc = $bin_text]
            pub(crate) enum $bin {}
            impl $bin {
                /// Its meaning by lanes.
                #[cfg_attr(target_arch = "x86_64", allow(dead_code))]
                #[inline(always)]
                pub(super) fn by_lanes(a: Vector, b: Vector) -> Vector {
                    let ($ba, $bb) = (<$bin_a as View>::of(a), <$bin_b as View>::of(b));
                    let value: $bin_out = $bin_body;
                    value.value()
                }
                /// What the translator knows of it.
                pub(crate) fn info() -> &'static VectorBinaryInfo {
                    const COMMUTES: bool = define_vector_ops!(@flag $($commutes)?);
                    static INFO: VectorBinaryInfo = VectorBinaryInfo {
                        name: $bin_text,
                        handlers: binary_handlers::<$bin>(COMMUTES),
                        commutes: COMMUTES,
                        loaded: loaded!($bin),
                    };
                    &INFO
                }
            }
            impl VectorBinary for $bin {
                #[inline(always)]
                #[allow(unreachable_code)]
                fn eval(a: Vector, b: Vector) -> Vector {
                    $(
                        #[cfg(target_arch = "x86_64")]
                        {
                            let ($bxa, $bxb) = (a, b);
                            return $bin_x86;
                        }
                    )?
                    Self::by_lanes(a, b)
                }
            }
        )*
        $(
            #[doc = $ter_text]
            pub(crate) enum $ter {}
            impl $ter {
                /// Its meaning by lanes.
                #[cfg_attr(target_arch = "x86_64", allow(dead_code))]
                #[inline(always)]
                pub(super) fn by_lanes(a: Vector, b: Vector, c: Vector) -> Vector {
                    let ($ta, $tb, $tc) = (<$ter_a as View>::of(a), <$ter_b as View>::of(b), <$ter_c as View>::of(c));
                    let value: $ter_out = $ter_body;
                    value.value()
                }
                /// What the translator knows of it.
                pub(crate) fn info() -> &'static VectorTernaryInfo {
                    static INFO: VectorTernaryInfo = VectorTernaryInfo {
                        name: $ter_text,
                        handlers: ternary_handlers::<$ter>(),
                    };
                    &INFO
                }
            }
            impl VectorTernary for $ter {
                #[inline(always)]
                #[allow(unreachable_code)]
                fn eval(a: Vector, b: Vector, c: Vector) -> Vector {
                    $(
                        #[cfg(target_arch = "x86_64")]
                        {
                            let ($txa, $txb, $txc) = (a, b, c);
                            return $ter_x86;
                        }
                    )?
                    Self::by_lanes(a, b, c)
                }
            }
        )*
        $(
            #[doc = $sh_text]
            pub(crate) enum $sh {}
            impl $sh {
                /// Its meaning by lanes.
                #[cfg_attr(target_arch = "x86_64", allow(dead_code))]
                #[inline(always)]
                pub(super) fn by_lanes(a: Vector, $sn: u32) -> Vector {
                    let $sa = <$sh_in as View>::of(a);
                    let value: $sh_out = $sh_body;
                    value.value()
                }
                /// What the translator knows of it.
                pub(crate) fn info() -> &'static VectorShiftInfo {
                    static INFO: VectorShiftInfo = VectorShiftInfo {
                        name: $sh_text,
                        handlers: shift_handlers::<$sh>(),
                    };
                    &INFO
                }
            }
            impl VectorShift for $sh {
                #[inline(always)]
                fn eval(a: Vector, n: u32) -> Vector {
                    #[cfg(target_arch = "x86_64")]
                    {
                        let ($sxa, $sxn) = (a, n);
                        $sh_x86
                    }
                    #[cfg(not(target_arch = "x86_64"))]
                    Self::by_lanes(a, n)
                }
            }
        )*
        $(
            #[doc = $ex_text]
            pub(crate) enum $ex {}
            impl $ex {
                /// What the translator knows of it.
                pub(crate) fn info() -> &'static ExtractLaneInfo {
                    static INFO: ExtractLaneInfo = ExtractLaneInfo {
                        name: $ex_text,
                        handlers: destinations!($ex_out: extract_lane, $ex),
                        bytes: size_of::<$ex_lane>(),
                        out: <$ex_out as Prim>::TY,
                    };
                    &INFO
                }
            }
            impl ExtractLane for $ex {
                type Lane = $ex_lane;
                type Out = $ex_out;
                #[inline(always)]
                fn value(lane: $ex_lane) -> $ex_out {
                    lane.into()
                }
            }
        )*
        $(
            #[doc = $re_text]
            pub(crate) enum $re {}
            impl $re {
                /// What the translator knows of it.
                pub(crate) fn info() -> &'static ReplaceLaneInfo {
                    static INFO: ReplaceLaneInfo = ReplaceLaneInfo {
                        name: $re_text,
                        handlers: replace_handlers::<$re_splat>(),
                        bytes: $re_bytes,
                    };
                    &INFO
                }
            }
        )*
        $(
            #[doc = $load_text]
            pub(crate) enum $load {}
            impl Load for $load {
                type Out = Vector;
                type Mem = $load_mem;
                // Loads that do more than load are too rare to have them all.
                const COMPUTED: bool = <$load_mem as LoadAs<Vector>>::BYTES == 16;
            }
            impl $load {
                /// What the translator knows of it.
                pub(crate) fn info() -> &'static LoadInfo {
                    static INFO: LoadInfo = load_info::<$load>(LoadId::Vector, $load_text);
                    &INFO
                }
            }
        )*
    };
    (@flag) => { false };
    (@flag commutes) => { true };
}

for_each_vector_op!(define_vector_ops);
