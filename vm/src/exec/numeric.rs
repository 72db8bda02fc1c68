//! Numeric operators: types and handlers derived from the opcode table, one
//! handler per operand variant.

use super::access::touch_frame;
use super::control::{Jump, Way, jump, raise};
use super::dispatch::{goto, handler, next};
use super::exit;
use super::fused::{Bump, BumpBy, K32, NoBump, Target};
use super::operand::{
    A, At, DST, Destinations, Dst, IMM32, IMM64, K, P, PINNED_FLOATS, Prim, S, SHORT, SRC, Src, destinations,
};
use crate::ir::stack::Ty;
use crate::ir::table::for_each_plain_op;
use crate::trap::Trap;

/// Handlers of a binary operator by [left][right][destination]: operands are
/// slot, accumulator, constant.
type BinaryHandlers = [[Destinations; 3]; 3];

/// What the translator knows of a binary operator.
#[derive(Debug)]
pub(crate) struct BinaryInfo {
    /// Which one it is.
    pub(crate) id: BinaryId,
    /// Mnemonic.
    pub(crate) name: &'static str,
    /// Handlers by [left][right][destination].
    pub(crate) handlers: BinaryHandlers,
    /// The result for two constants, unless it is a trap.
    pub(crate) constant: fn(u64, u64) -> Option<u64>,
    /// Handlers with a pinned operand; where the operands may change places, with that of
    /// the greater kind on the left.
    pub(crate) pinned: Option<Pinned<Destinations>>,
    /// Whether the operands may change places.
    pub(crate) commutes: bool,
    /// Whether constants take 8 bytes.
    pub(crate) wide: bool,
    /// Type of the result.
    pub(crate) out: Ty,
    /// Set for comparisons.
    pub(crate) compare: Option<CompareInfo>,
}

/// Handlers of instructions with two operands, at least one of them pinned:
/// by [left][right], which are slot, accumulator, constant, pinned locals.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pinned<T: 'static> {
    /// Of integers.
    Int(&'static [[Option<T>; INT_KINDS]; INT_KINDS]),
    /// Of floats.
    Float(&'static [[Option<T>; FLOAT_KINDS]; FLOAT_KINDS]),
}

/// Kinds of integer operands.
const INT_KINDS: usize = 4;
/// Kinds of float operands.
const FLOAT_KINDS: usize = 3 + PINNED_FLOATS;

impl<T: Copy> Pinned<T> {
    /// The handlers for operands of these kinds.
    pub(crate) fn get(&self, left: usize, right: usize) -> Option<T> {
        match self {
            Self::Int(table) => *table.get(left)?.get(right)?,
            Self::Float(table) => *table.get(left)?.get(right)?,
        }
    }
}

/// Leaves out what is not an instruction with a pinned operand.
const fn only_pinned<T: Copy, const N: usize>(mut table: [[Option<T>; N]; N]) -> [[Option<T>; N]; N] {
    let mut left = 0;
    while left < 3 {
        let mut right = 0;
        while right < 3 {
            table[left][right] = None;
            right += 1;
        }
        left += 1;
    }
    table
}

/// A table of instructions with two operands, by their kinds.
macro_rules! by_kinds {
    ($with:ident; $($left:ty),+) => {
        only_pinned([$(by_kinds!(@row $with, $left)),+])
    };
    (@row $with:ident, $left:ty) => {
        $with!(row $left)
    };
}

/// [`Pinned`] forms of a binary operator.
const fn pinned_binary<O: Binary>() -> Pinned<Destinations> {
    macro_rules! of {
        (row $left:ty) => { of!(@row $left; S, A, K, P<0>) };
        (@row $left:ty; $($right:ty),+) => { [$(Some(destinations!(O::Out: binary, O, $left, $right))),+] };
    }
    macro_rules! of_floats {
        (row $left:ty) => { of!(@row $left; S, A, K, P<0>, P<1>, P<2>, P<3>) };
    }
    match O::In::FLOAT {
        false => Pinned::Int(const { &of_one_order(by_kinds!(of; S, A, K, P<0>), O::COMMUTES) }),
        true => {
            Pinned::Float(const { &of_one_order(by_kinds!(of_floats; S, A, K, P<0>, P<1>, P<2>, P<3>), O::COMMUTES) })
        }
    }
}

/// Leaves out the instructions whose operands have the lesser kind on the left, of
/// operators that commute: their handlers would do the same as others, and have no copies
/// ([`super::replica`]).
const fn of_one_order<T: Copy, const N: usize>(mut table: [[Option<T>; N]; N], commutes: bool) -> [[Option<T>; N]; N] {
    let mut left = 0;
    while commutes && left < N {
        let mut right = left + 1;
        while right < N {
            table[left][right] = None;
            right += 1;
        }
        left += 1;
    }
    table
}

/// [`Pinned`] forms of a comparison and branch.
const fn pinned_branch<O: Compare, T: Polarity>() -> Pinned<Jump> {
    macro_rules! of {
        (row $left:ty) => { of!(@row $left; S, A, K, P<0>) };
        (@row $left:ty; $($right:ty),+) => { [$(Some(jump!(compare_branch, O, T, $left, $right))),+] };
    }
    macro_rules! of_floats {
        (row $left:ty) => { of!(@row $left; S, A, K, P<0>, P<1>, P<2>, P<3>) };
    }
    match O::In::FLOAT {
        false => Pinned::Int(const { &of_two(by_kinds!(of; S, A, K, P<0>)) }),
        true => Pinned::Float(const { &of_two(by_kinds!(of_floats; S, A, K, P<0>, P<1>, P<2>, P<3>)) }),
    }
}

/// Leaves out the instructions that have one pinned local twice: of what is
/// compared with itself LLVM knows too much to keep two jumps.
const fn of_two<T: Copy, const N: usize>(mut table: [[Option<T>; N]; N]) -> [[Option<T>; N]; N] {
    let mut i = 3;
    while i < N {
        table[i][i] = None;
        i += 1;
    }
    table
}

/// What the translator knows of a comparison besides.
#[derive(Debug)]
pub(crate) struct CompareInfo {
    /// Compare and branch: handlers by [branch if][left][right].
    pub(crate) branch: [[[Jump; 3]; 3]; 2],
    /// Compare and branch with a pinned operand, by [branch if].
    pub(crate) pinned_branch: [Pinned<Jump>; 2],
    /// Add to a slot, compare it and branch if that holds; for integers.
    pub(crate) bump: Option<BumpHandlers>,
    /// The comparison that holds exactly if this one does not.
    pub(crate) negated: Option<fn() -> &'static BinaryInfo>,
    /// The comparison with its operands exchanged.
    pub(crate) swapped: fn() -> &'static BinaryInfo,
}

/// What the translator knows of a unary operator.
#[derive(Debug)]
pub(crate) struct UnaryInfo {
    /// Mnemonic.
    pub(crate) name: &'static str,
    /// Handlers by operand: slot, accumulator.
    pub(crate) handlers: [Destinations; 2],
    /// Type of the result.
    pub(crate) out: Ty,
}

/// A binary operator.
pub(crate) trait Binary {
    /// Type of its operands.
    type In: Prim;
    /// Type of its result.
    type Out: Prim;
    /// Whether its operands may change places.
    const COMMUTES: bool = false;
    /// Its meaning.
    fn eval(a: Self::In, b: Self::In) -> Result<Self::Out, Trap>;
    /// What the translator knows of it.
    fn info() -> &'static BinaryInfo;
}

/// A comparison: a binary operator with a truth value.
pub(crate) trait Compare: Binary {
    /// Its meaning.
    fn holds(a: Self::In, b: Self::In) -> bool;
}

/// A unary operator.
pub(crate) trait Unary {
    /// Type of its operand.
    type In: Prim;
    /// Type of its result.
    type Out: Prim;
    /// Its meaning.
    fn eval(a: Self::In) -> Result<Self::Out, Trap>;
    /// What the translator knows of it.
    fn info() -> &'static UnaryInfo;
}

/// Bytes of a plain instruction with these operands.
const fn plain_len(wide: bool, constant: bool) -> usize {
    if wide && constant { SHORT + 8 } else { SHORT }
}

/// Byte of a plain instruction's constant.
const fn imm_at(wide: bool) -> usize {
    if wide { IMM64 } else { IMM32 }
}

handler! {
    /// A binary operator.
    pub(crate) fn binary<O: Binary, L: Src, R: Src, D: Dst>(s) {
        let imm = const { imm_at(O::In::WIDE) };
        let word = const { plain_len(O::In::WIDE, L::CONST || R::CONST) };
        let a = L::get::<O::In>(&s, At { slot: SRC, imm, word });
        let b = R::get::<O::In>(&s, At { slot: SRC + 2 * L::SLOTS, imm, word });
        match O::eval(a, b) {
            Ok(value) => {
                D::put(&mut s, value.alone());
                s.ip = s.ip.add(const { plain_len(O::In::WIDE, L::CONST || R::CONST) + 8 * (L::WORDS + R::WORDS) });
                next(s)
            }
            Err(trap) => {
                s.a0 = exit::trap(trap);
                goto(s, raise)
            }
        }
    }

    /// A unary operator.
    fn unary<O: Unary, I: Src, D: Dst>(s) {
        let a = I::get::<O::In>(&s, At::slot(SRC));
        match O::eval(a) {
            Ok(value) => {
                D::put(&mut s, value.alone());
                s.ip = s.ip.add(SHORT);
                next(s)
            }
            Err(trap) => {
                s.a0 = exit::trap(trap);
                goto(s, raise)
            }
        }
    }

    /// A comparison and the branch it decides: the offset stands at byte 8,
    /// operand slots from byte 12 on, a constant at byte 16.
    fn compare_branch<O: Compare, T: Polarity, L: Src, R: Src, W: Way>(s) {
        let a = L::get::<O::In>(&s, At::plain(BRANCH_SRC, IMM64));
        let b = R::get::<O::In>(&s, At::plain(BRANCH_SRC + 2 * L::SLOTS, IMM64));
        if O::holds(a, b) == T::TAKEN_IF {
            if L::SLOTS + R::SLOTS == 0 {
                touch_frame(&s);
            }
            W::take(s, DST)
        } else {
            s.ip = s.ip.add(const { if L::CONST || R::CONST { SHORT + 8 } else { SHORT } });
            next(s)
        }
    }
}

handler! {
    /// The end of a loop: adds to the slot at byte 12, compares the sum with
    /// the slot at byte 14 or the constant at byte 20, and takes the branch at
    /// byte 8 if the comparison holds. The number added is in the slot named at
    /// byte 16 or a constant there; constants are 32 bits, sign-extended.
    /// Another addition may go before, whose word is at byte 24.
    fn bump_branch<O: Compare, T: Target, N: Src, R: Src, F: Bump, W: Way>(s) {
        F::run(&mut s, 24);
        let number = if N::CONST { i64::from(s.field::<i32>(16)).cast_unsigned() } else { s.slot_at(16).read() };
        let sum = T::add::<O::In>(&mut s, 12, number);
        let right = if R::CONST { i64::from(s.field::<i32>(20)).cast_unsigned() } else { s.slot_at(14).read() };
        if O::holds(O::In::from_slot(sum), O::In::from_slot(right)) {
            W::take(s, DST)
        } else {
            s.ip = s.ip.add(const { 24 + 8 * F::WORDS });
            next(s)
        }
    }
}

/// Byte of the first operand slot of a compare-and-branch instruction.
pub(crate) const BRANCH_SRC: usize = 12;

/// Which outcome of a comparison takes the branch.
trait Polarity {
    /// The outcome.
    const TAKEN_IF: bool;
}
enum IfTrue {}
enum IfFalse {}
impl Polarity for IfTrue {
    const TAKEN_IF: bool = true;
}
impl Polarity for IfFalse {
    const TAKEN_IF: bool = false;
}

/// [`BinaryInfo::constant`] of an operator.
fn constant<O: Binary>(a: u64, b: u64) -> Option<u64> {
    let value = O::eval(O::In::from_slot(a), O::In::from_slot(b));
    value.ok().map(Prim::to_slot)
}

/// The table of a binary operator. The translator folds two constants away
/// and has one accumulator, so those two variants stand for none.
const fn binary_handlers<O: Binary>() -> BinaryHandlers {
    [
        [
            destinations!(O::Out: binary, O, S, S),
            destinations!(O::Out: binary, O, S, A),
            destinations!(O::Out: binary, O, S, K),
        ],
        [
            destinations!(O::Out: binary, O, A, S),
            destinations!(O::Out: binary, O, A, S),
            destinations!(O::Out: binary, O, A, K),
        ],
        [
            destinations!(O::Out: binary, O, K, S),
            destinations!(O::Out: binary, O, K, A),
            destinations!(O::Out: binary, O, K, S),
        ],
    ]
}

/// The compare-and-branch table of a comparison; see [`binary_handlers`].
const fn branch_handlers<O: Compare, T: Polarity>() -> [[Jump; 3]; 3] {
    [
        [
            jump!(compare_branch, O, T, S, S),
            jump!(compare_branch, O, T, S, A),
            jump!(compare_branch, O, T, S, K),
        ],
        [
            jump!(compare_branch, O, T, A, S),
            jump!(compare_branch, O, T, A, S),
            jump!(compare_branch, O, T, A, K),
        ],
        [
            jump!(compare_branch, O, T, K, S),
            jump!(compare_branch, O, T, K, A),
            jump!(compare_branch, O, T, K, S),
        ],
    ]
}

/// Handlers of the end of a loop by [addition before: none, or kind][sum in
/// slot, pinned][number added in slot, constant][right in slot, constant].
type BumpHandlers = [[[[Jump; 2]; 2]; 2]; 9];

/// The add-compare-and-branch table of a comparison.
const fn bump_handlers<O: Compare>() -> BumpHandlers {
    macro_rules! after {
        ($first:ty) => {
            [after!(S, $first), after!(P<0>, $first)]
        };
        ($target:ty, $first:ty) => {
            [
                [
                    jump!(bump_branch, O, $target, S, S, $first),
                    jump!(bump_branch, O, $target, S, K, $first),
                ],
                [
                    jump!(bump_branch, O, $target, K, S, $first),
                    jump!(bump_branch, O, $target, K, K, $first),
                ],
            ]
        };
    }
    [
        after!(NoBump),
        after!(BumpBy<u32, S, S>),
        after!(BumpBy<u32, S, K32>),
        after!(BumpBy<u64, S, S>),
        after!(BumpBy<u64, S, K32>),
        after!(BumpBy<u32, P<0>, S>),
        after!(BumpBy<u32, P<0>, K32>),
        after!(BumpBy<u64, P<0>, S>),
        after!(BumpBy<u64, P<0>, K32>),
    ]
}

/// The table of a unary operator.
pub(super) const fn unary_handlers<O: Unary>() -> [Destinations; 2] {
    [destinations!(O::Out: unary, O, S), destinations!(O::Out: unary, O, A)]
}

/// `div_s` of either width.
macro_rules! div_s {
    ($a:expr, $b:expr) => {
        match ($a, $b) {
            (_, 0) => Err(Trap::IntegerDivisionByZero),
            (a, b) => a.checked_div(b).ok_or(Trap::IntegerOverflow),
        }
    };
}

/// `min` (Spec 3.0 §4.3.3): a NaN wins, and -0 is below +0.
macro_rules! float_min {
    ($a:expr, $b:expr) => {
        if $a < $b {
            $a
        } else if $b < $a {
            $b
        } else if $a == $b {
            Prim::from_slot($a.to_slot() | $b.to_slot())
        } else {
            $a + $b
        }
    };
}

/// `max` (Spec 3.0 §4.3.3): a NaN wins, and +0 is above -0.
macro_rules! float_max {
    ($a:expr, $b:expr) => {
        if $a > $b {
            $a
        } else if $b > $a {
            $b
        } else if $a == $b {
            Prim::from_slot($a.to_slot() & $b.to_slot())
        } else {
            $a + $b
        }
    };
}

/// A rounding that gives a NaN back as a quiet one (Spec 3.0 §4.3.3): what
/// implements the rounding need not.
macro_rules! quiet {
    ($a:expr, $rounded:expr) => {
        if $a.is_nan() { $a + $a } else { $rounded }
    };
}

/// `trunc` to an integer type: the operand must lie between two bounds, both
/// exclusive.
macro_rules! trunc {
    ($a:expr, $low:literal, $high:literal, $int:ident) => {
        if $a > $low && $a < $high {
            Ok($a as $int)
        } else if $a.is_nan() {
            Err(Trap::BadConversionToInteger)
        } else {
            Err(Trap::IntegerOverflow)
        }
    };
}

pub(super) use {float_max, float_min};

macro_rules! define_numeric_ops {
    (
        binary { $($bin:ident $bin_text:literal ($bin_in:ident, $bin_in2:ident) -> $bin_out:ident $($commutes:ident)? = |$ba:ident, $bb:ident| $bin_body:expr;)* }
        binary_trapping { $($tb:ident $tb_text:literal ($tb_in:ident, $tb_in2:ident) -> $tb_out:ident = |$ta:ident, $tbb:ident| $tb_body:expr;)* }
        compare { $($cmp:ident $cmp_text:literal ($cmp_in:ident, $cmp_in2:ident) $(not $neg:ident)? swap $swap:ident = |$ca:ident, $cb:ident| $cmp_body:expr;)* }
        unary { $($un:ident $un_text:literal ($un_in:ident) -> $un_out:ident = |$ua:ident| $un_body:expr;)* }
        unary_trapping { $($tu:ident $tu_text:literal ($tu_in:ident) -> $tu_out:ident = |$tua:ident| $tu_body:expr;)* }
        load { $($load:tt)* }
        store { $($store:tt)* }
    ) => {
        /// The binary operators; an index in tables.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub(crate) enum BinaryId {
            $($bin,)*
            $($tb,)*
            $($cmp,)*
        }
        impl BinaryId {
            /// How many there are.
            pub(crate) const COUNT: usize = [$($bin_text,)* $($tb_text,)* $($cmp_text,)*].len();
        }
        $(
            #[doc = $bin_text]
            pub(crate) enum $bin {}
            impl Binary for $bin {
                type In = $bin_in;
                type Out = $bin_out;
                const COMMUTES: bool = define_numeric_ops!(@flag $($commutes)?);
                #[inline(always)]
                fn eval($ba: $bin_in, $bb: $bin_in2) -> Result<$bin_out, Trap> {
                    Ok($bin_body)
                }
                fn info() -> &'static BinaryInfo {
                    static INFO: BinaryInfo = BinaryInfo {
                        id: BinaryId::$bin,
                        name: $bin_text,
                        handlers: binary_handlers::<$bin>(),
                        constant: constant::<$bin>,
                        pinned: define_numeric_ops!(@pinned $bin),
                        commutes: $bin::COMMUTES,
                        wide: <$bin_in as Prim>::WIDE,
                        out: <$bin_out as Prim>::TY,
                        compare: None,
                    };
                    &INFO
                }
            }
        )*
        $(
            #[doc = $tb_text]
            pub(crate) enum $tb {}
            impl Binary for $tb {
                type In = $tb_in;
                type Out = $tb_out;
                #[inline(always)]
                fn eval($ta: $tb_in, $tbb: $tb_in2) -> Result<$tb_out, Trap> {
                    $tb_body
                }
                fn info() -> &'static BinaryInfo {
                    static INFO: BinaryInfo = BinaryInfo {
                        id: BinaryId::$tb,
                        name: $tb_text,
                        handlers: binary_handlers::<$tb>(),
                        constant: constant::<$tb>,
                        pinned: None,
                        commutes: false,
                        wide: <$tb_in as Prim>::WIDE,
                        out: <$tb_out as Prim>::TY,
                        compare: None,
                    };
                    &INFO
                }
            }
        )*
        $(
            #[doc = $cmp_text]
            pub(crate) enum $cmp {}
            impl Binary for $cmp {
                type In = $cmp_in;
                type Out = u32;
                #[inline(always)]
                fn eval(a: $cmp_in, b: $cmp_in2) -> Result<u32, Trap> {
                    Ok(u32::from(Self::holds(a, b)))
                }
                fn info() -> &'static BinaryInfo {
                    static INFO: BinaryInfo = BinaryInfo {
                        id: BinaryId::$cmp,
                        name: $cmp_text,
                        handlers: binary_handlers::<$cmp>(),
                        constant: constant::<$cmp>,
                        pinned: None,
                        commutes: false,
                        wide: <$cmp_in as Prim>::WIDE,
                        out: <u32 as Prim>::TY,
                        compare: Some(CompareInfo {
                            branch: [branch_handlers::<$cmp, IfFalse>(), branch_handlers::<$cmp, IfTrue>()],
                            pinned_branch: [pinned_branch::<$cmp, IfFalse>(), pinned_branch::<$cmp, IfTrue>()],
                            bump: define_numeric_ops!(@bump $cmp $cmp_in),
                            negated: define_numeric_ops!(@negated $($neg)?),
                            swapped: $swap::info,
                        }),
                    };
                    &INFO
                }
            }
            impl Compare for $cmp {
                #[inline(always)]
                fn holds($ca: $cmp_in, $cb: $cmp_in2) -> bool {
                    $cmp_body
                }
            }
        )*
        $(
            #[doc = $un_text]
            pub(crate) enum $un {}
            impl Unary for $un {
                type In = $un_in;
                type Out = $un_out;
                #[inline(always)]
                fn eval($ua: $un_in) -> Result<$un_out, Trap> {
                    Ok($un_body)
                }
                fn info() -> &'static UnaryInfo {
                    static INFO: UnaryInfo = UnaryInfo { name: $un_text, handlers: unary_handlers::<$un>(), out: <$un_out as Prim>::TY };
                    &INFO
                }
            }
        )*
        $(
            #[doc = $tu_text]
            pub(crate) enum $tu {}
            impl Unary for $tu {
                type In = $tu_in;
                type Out = $tu_out;
                #[inline(always)]
                fn eval($tua: $tu_in) -> Result<$tu_out, Trap> {
                    $tu_body
                }
                fn info() -> &'static UnaryInfo {
                    static INFO: UnaryInfo = UnaryInfo { name: $tu_text, handlers: unary_handlers::<$tu>(), out: <$tu_out as Prim>::TY };
                    &INFO
                }
            }
        )*
    };
    (@flag) => { false };
    (@flag commutes) => { true };
    // Rare operators of floats have no pinned operands.
    (@pinned F32Min) => { None };
    (@pinned F32Max) => { None };
    (@pinned F32Div) => { None };
    (@pinned F32Copysign) => { None };
    (@pinned F64Min) => { None };
    (@pinned F64Max) => { None };
    (@pinned F64Copysign) => { None };
    (@pinned $bin:ident) => { Some(pinned_binary::<$bin>()) };
    (@bump $cmp:ident f32) => { None };
    (@bump $cmp:ident f64) => { None };
    (@bump $cmp:ident $int:ident) => { Some(bump_handlers::<$cmp>()) };
    (@negated) => { None };
    (@negated $neg:ident) => { Some($neg::info) };
}

for_each_plain_op!(define_numeric_ops);
