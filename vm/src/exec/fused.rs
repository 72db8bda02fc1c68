//! Instructions that do the work of several operators: operands that are
//! computed where they are used.
//!
//! An operand that is loaded from memory 0 ([`Ld`]) or made by a binary
//! operator ([`Pre`]) has a word of its own in the instruction: two slot fields
//! and a 32-bit constant or offset. The handlers are those of the plain
//! instructions, generic over their operands; the tables here say which
//! combinations exist. They are combinations that compilers make often, for
//! any program, and none of a particular one.

use std::marker::PhantomData;

use super::address::{Address, Base, Sum, Wrap};
use super::control::{Jump, Return, Way, jump, opaque, ret_one, returns};
use super::data::{self, Load, Store, store};
use super::dispatch::{Handler, Regs, handler, next};
use super::numeric::{self, Binary, BinaryId, Compare, binary};
use super::operand::{A, At, Destinations, Dst, K, P, Prim, S, SHORT, SRC, Src, destinations};
use super::reach::Guarded;
use crate::exec::access::LoadAs;

/// An operand that the load `L` reads at the address `M`.
pub(crate) struct Ld<L, M>(PhantomData<(L, M)>);

impl<L: Load, M: Address> Src for Ld<L, M> {
    const SLOTS: usize = 0;
    const CONST: bool = false;
    const WORDS: usize = 1;
    #[inline(always)]
    unsafe fn get<T: Prim>(s: &Regs, at: At) -> T {
        // SAFETY: the caller's promise.
        let address = unsafe { M::at(s, at.word) };
        // SAFETY: any such address lies in memory 0's reservation.
        let value = unsafe { <L::Mem as LoadAs<L::Out>>::load(s, address) };
        T::from_slot(value.to_slot())
    }
}

/// A constant of 32 bits, sign-extended.
pub(crate) enum K32 {}

impl Src for K32 {
    const SLOTS: usize = 0;
    const CONST: bool = false;
    #[inline(always)]
    unsafe fn get<T: Prim>(s: &Regs, at: At) -> T {
        // SAFETY: the caller's promise.
        T::from_slot(i64::from(unsafe { s.field::<i32>(at.imm) }).cast_unsigned())
    }
}

/// An operand that the operator `O`, which cannot trap, makes of `X` and `Y`.
pub(crate) struct Pre<O, X, Y>(PhantomData<(O, X, Y)>);

impl<O: Binary, X: Src, Y: Src> Src for Pre<O, X, Y> {
    const SLOTS: usize = 0;
    const CONST: bool = false;
    const WORDS: usize = 1;
    #[inline(always)]
    unsafe fn get<T: Prim>(s: &Regs, at: At) -> T {
        // SAFETY: the caller's promise.
        let x = unsafe { X::get::<O::In>(s, At::slot(at.word)) };
        // SAFETY: the caller's promise.
        let y = unsafe { Y::get::<O::In>(s, At::plain(at.word + 2, at.word + 4)) };
        match O::eval(x, y) {
            Ok(value) => T::from_slot(value.to_slot()),
            Err(_) => T::from_slot(0),
        }
    }
}

/// What an addition adds to: a slot, or a pinned local (slot and register).
pub(crate) trait Target {
    /// Adds, and gives the sum as a slot; the slot's field is `at` bytes into
    /// the instruction.
    ///
    /// # Safety
    /// The running instruction has this field, and if a local is pinned, it is
    /// that.
    unsafe fn add<T: Prim>(s: &mut Regs, at: usize, number: u64) -> u64;
}

/// A sum of two slots of a type.
#[inline(always)]
fn sum<T: Prim>(a: u64, b: u64) -> u64 {
    let sum = a.wrapping_add(b);
    if T::WIDE { sum } else { sum & 0xffff_ffff }
}

impl Target for S {
    #[inline(always)]
    unsafe fn add<T: Prim>(s: &mut Regs, at: usize, number: u64) -> u64 {
        // SAFETY: the caller's promise.
        let slot = unsafe { s.slot_at(at) };
        // SAFETY: slots named by instructions are in the frame.
        let sum = sum::<T>(unsafe { slot.read() }, number);
        // SAFETY: as above.
        unsafe { slot.write(sum) };
        sum
    }
}

impl Target for P<0> {
    #[inline(always)]
    unsafe fn add<T: Prim>(s: &mut Regs, at: usize, number: u64) -> u64 {
        s.a1 = sum::<T>(s.a1, number);
        // SAFETY: the caller's promise.
        let slot = unsafe { s.slot_at(at) };
        // SAFETY: slots named by instructions are in the frame.
        unsafe { slot.write(s.a1) };
        s.a1
    }
}

/// An addition to a local; its word holds the slot at byte 0, the number's slot
/// at byte 2 or the number, sign-extended, at byte 4.
pub(crate) trait Bump {
    /// Words it takes.
    const WORDS: usize = 1;
    /// Does it; its word is `word` bytes into the instruction.
    ///
    /// # Safety
    /// The running instruction has such a word there.
    unsafe fn run(s: &mut Regs, word: usize);
}

/// No addition.
pub(crate) enum NoBump {}
/// An addition of a `T` to the target `X`, the number being `N`.
pub(crate) struct BumpBy<T, X, N>(PhantomData<(T, X, N)>);

impl Bump for NoBump {
    const WORDS: usize = 0;
    #[inline(always)]
    unsafe fn run(_: &mut Regs, _: usize) {}
}

impl<T: Prim, X: Target, N: Src> Bump for BumpBy<T, X, N> {
    #[inline(always)]
    unsafe fn run(s: &mut Regs, word: usize) {
        // SAFETY: the caller's promise.
        let number = unsafe { N::get::<T>(s, At::plain(word + 2, word + 4)) };
        // SAFETY: the caller's promise.
        unsafe { X::add::<T>(s, word, number.to_slot()) };
    }
}

/// A 32-bit constant, zero-extended.
pub(crate) enum U32 {}

impl Src for U32 {
    const SLOTS: usize = 0;
    const CONST: bool = true;
    #[inline(always)]
    unsafe fn get<T: Prim>(s: &Regs, at: At) -> T {
        // SAFETY: the caller's promise.
        T::from_slot(u64::from(unsafe { s.field::<u32>(at.imm) }))
    }
}

/// Two copies by [first from slot, constant][second].
pub(crate) static COPY_TWO: [[Handler; 2]; 2] = [
    [copy_two::<S, S>, copy_two::<S, U32>],
    [copy_two::<U32, S>, copy_two::<U32, U32>],
];

/// Two additions by [first: kind][second: kind]; see
/// [`crate::ir::emit::FirstBump::kind`].
pub(crate) static BUMP_TWO: [[Handler; 8]; 8] = {
    macro_rules! row {
        ($t:ident, $x:ty, $n:ident) => {
            [
                bump_two::<BumpBy<$t, $x, $n>, BumpBy<u32, S, S>>,
                bump_two::<BumpBy<$t, $x, $n>, BumpBy<u32, S, K32>>,
                bump_two::<BumpBy<$t, $x, $n>, BumpBy<u64, S, S>>,
                bump_two::<BumpBy<$t, $x, $n>, BumpBy<u64, S, K32>>,
                bump_two::<BumpBy<$t, $x, $n>, BumpBy<u32, P<0>, S>>,
                bump_two::<BumpBy<$t, $x, $n>, BumpBy<u32, P<0>, K32>>,
                bump_two::<BumpBy<$t, $x, $n>, BumpBy<u64, P<0>, S>>,
                bump_two::<BumpBy<$t, $x, $n>, BumpBy<u64, P<0>, K32>>,
            ]
        };
    }
    [
        row!(u32, S, S),
        row!(u32, S, K32),
        row!(u64, S, S),
        row!(u64, S, K32),
        row!(u32, P<0>, S),
        row!(u32, P<0>, K32),
        row!(u64, P<0>, S),
        row!(u64, P<0>, K32),
    ]
};

/// Whether a slot that is written is the pinned integer local's.
trait Tee {
    /// That.
    const PINNED: bool;
}

impl Tee for S {
    const PINNED: bool = false;
}

impl Tee for P<0> {
    const PINNED: bool = true;
}

handler! {
    /// Two additions to slots, whose words are at bytes 8 and 16.
    fn bump_two<X: Bump, Y: Bump>(s) {
        X::run(&mut s, 8);
        Y::run(&mut s, 16);
        s.ip = s.ip.add(24);
        next(s)
    }

    /// Two copies to slots: the destination's and the source's slot from byte 8
    /// on, then those of the other; constants at bytes 16 and 20.
    fn copy_two<X: Src, Y: Src>(s) {
        let x = X::get::<u64>(&s, At::plain(10, 16));
        s.slot_at(8).write(x);
        let y = Y::get::<u64>(&s, At::plain(14, 20));
        s.slot_at(12).write(y);
        s.ip = s.ip.add(const { if X::CONST || Y::CONST { 24 } else { 16 } });
        next(s)
    }

    /// Adds the constant at byte 16 to the i32 global of the instance whose
    /// place stands at byte 12, and puts the sum into the slot at byte 8 too.
    pub(crate) fn global_add(s) {
        let cell = s.cx.byte_add(s.field::<u32>(12) as usize).cast::<u64>();
        let sum = u64::from((cell.read() as u32).wrapping_add(s.field::<u32>(16)));
        cell.write(sum);
        s.slot_at(8).write(sum);
        s.ip = s.ip.add(24);
        next(s)
    }

    /// Sets the i32 global of the instance whose place stands at byte 12 to the
    /// sum of the slot at byte 16 and the constant at byte 20.
    pub(crate) fn global_set_sum(s) {
        let sum = Pre::<numeric::I32Add, S, K32>::get::<u32>(&s, At { slot: 0, imm: 0, word: SHORT });
        s.cx.byte_add(s.field::<u32>(12) as usize).cast::<u64>().write(u64::from(sum));
        s.ip = s.ip.add(24);
        next(s)
    }

    /// Begins a loop, whose code follows.
    pub(crate) fn begin_loop(s) {
        s.begin_loop(8);
        next(s)
    }

    /// [`begin_loop`], and loads the pinned integer local from the slot at byte
    /// 8.
    pub(crate) fn pin_int(s) {
        s.a1 = s.slot_at(8).read();
        s.begin_loop(16);
        next(s)
    }

    /// [`begin_loop`], and loads all pinned locals from the slots at byte 8
    /// (the integer one) and from byte 16 on.
    pub(crate) fn pin_all(s) {
        s.a1 = s.slot_at(8).read();
        s.f1 = f64::from_bits(s.slot_at(16).read()).into();
        s.f2 = f64::from_bits(s.slot_at(18).read()).into();
        s.f3 = f64::from_bits(s.slot_at(20).read()).into();
        s.f4 = f64::from_bits(s.slot_at(22).read()).into();
        s.begin_loop(24);
        next(s)
    }

    /// A comparison of a computed operand and the branch taken if it holds:
    /// the offset stands at byte 8, the right operand's slot at byte 12, a
    /// constant one last; the computed operand goes to the slot at byte 14,
    /// and to the pinned register if that is the pinned local's.
    fn tee_branch<O: Compare, T: Tee, L: Src, R: Src, W: Way>(s) {
        let a = L::get::<O::In>(&s, At { slot: 0, imm: 0, word: SHORT });
        s.slot_at(14).write(a.to_slot());
        if T::PINNED {
            a.to_pin::<0>(&mut s);
        }
        let b = R::get::<O::In>(&s, At::plain(12, SHORT + 8));
        if O::holds(a, b) {
            W::take(s, 8)
        } else {
            s.ip = s.ip.add(const { SHORT + 8 + if R::CONST { 8 } else { 0 } });
            next(s)
        }
    }

    /// `select` by a comparison: its operands' slots are at bytes 16 and 18,
    /// a constant one at 20; the values' slots are from byte 10 on, constants
    /// from byte 24 on.
    fn select_by<T: Prim, O: Compare, X: Src, Y: Src, L: Src, R: Src, D: Dst>(s) {
        let a = L::get::<O::In>(&s, At::slot(16));
        let b = R::get::<O::In>(&s, At::plain(18, 20));
        // Decided before the values are read: only three registers are free.
        let holds = opaque(u64::from(O::holds(a, b))) != 0;
        let x = X::get::<T>(&s, At::plain(SRC, 24));
        let y = Y::get::<T>(&s, At::plain(SRC + 2 * X::SLOTS, const { 24 + if X::CONST { 8 } else { 0 } }));
        let value = if holds { x } else { y };
        D::put(&mut s, value);
        s.ip = s.ip.add(const { 24 + if X::CONST { 8 } else { 0 } + if Y::CONST { 8 } else { 0 } });
        next(s)
    }
}

/// Handlers of a binary operator with a loaded operand.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The load.
    pub(crate) load: data::LoadId,
    /// Left operand loaded: by [address][its first term][right in slot,
    /// constant]; see [`LOADED_ADDRESSES`].
    pub(crate) left: [[[Destinations; 2]; FIRST]; LOADED_ADDRESSES],
    /// Right operand loaded, left in a slot: by [address][its first term].
    pub(crate) right: [[Destinations; FIRST]; LOADED_ADDRESSES],
}

/// How many of the addresses, in the order of [`AddressKind`], operands may be
/// loaded from.
pub(crate) const LOADED_ADDRESSES: usize = 3;

/// Kinds of an address's first term: slot, accumulator, pinned local.
pub(crate) const FIRST: usize = 3;

const fn loaded<O: Binary, L: Load>(load: data::LoadId) -> Loaded {
    macro_rules! left {
        ($address:ident) => {
            [
                [
                    destinations!(O::Out: binary, O, Ld<L, $address<S>>, S),
                    destinations!(O::Out: binary, O, Ld<L, $address<S>>, K),
                ],
                [
                    destinations!(O::Out: binary, O, Ld<L, $address<A>>, S),
                    destinations!(O::Out: binary, O, Ld<L, $address<A>>, K),
                ],
                [
                    destinations!(O::Out: binary, O, Ld<L, $address<P<0>>>, S),
                    destinations!(O::Out: binary, O, Ld<L, $address<P<0>>>, K),
                ],
            ]
        };
    }
    macro_rules! right {
        ($address:ident) => {
            [
                destinations!(O::Out: binary, O, S, Ld<L, $address<S>>),
                destinations!(O::Out: binary, O, S, Ld<L, $address<A>>),
                destinations!(O::Out: binary, O, S, Ld<L, $address<P<0>>>),
            ]
        };
    }
    Loaded {
        load,
        left: [left!(Base), left!(Sum), left!(Wrap)],
        right: [right!(Base), right!(Sum), right!(Wrap)],
    }
}

/// A table with a place for each binary operator. What few of them have takes
/// kilobytes, so that it is elsewhere.
pub(crate) type ByOperator<T> = [Option<&'static T>; BinaryId::COUNT];

macro_rules! by_operator {
    ($($op:ident => $value:expr;)*) => {{
        let mut table = [const { None }; BinaryId::COUNT];
        $(table[BinaryId::$op as usize] = Some(const { &$value });)*
        table
    }};
}

macro_rules! loaded_table {
    ($($op:ident $load:ident;)*) => {
        /// Binary operators with a loaded operand.
        pub(crate) static LOADED: ByOperator<Loaded> = by_operator! {
            $($op => loaded::<numeric::$op, data::$load>(data::LoadId::$load);)*
        };
    };
}

loaded_table! {
    I32Add I32Load;
    I32Sub I32Load;
    I32Mul I32Load;
    I32And I32Load;
    I32Or I32Load;
    I32Xor I32Load;
    I64Add I64Load;
    I64Sub I64Load;
    I64Mul I64Load;
    I64And I64Load;
    I64Or I64Load;
    I64Xor I64Load;
    F32Add F32Load;
    F32Sub F32Load;
    F32Mul F32Load;
    F32Div F32Load;
    F64Add F64Load;
    F64Sub F64Load;
    F64Mul F64Load;
    F64Div F64Load;
}

/// Comparison of a loaded value and branch: by [load][address][its first
/// term][value's slot a pinned local's][right in slot, constant].
pub(crate) type LoadedBranch = [Option<[[[[Jump; 2]; 2]; FIRST]; LOADED_ADDRESSES]>; 4];

const fn loaded_branch<O: Compare, L: Load>() -> [[[[Jump; 2]; 2]; FIRST]; LOADED_ADDRESSES] {
    macro_rules! at {
        ($address:ident) => {
            [at!($address, S), at!($address, A), at!($address, P<0>)]
        };
        ($address:ident, $first:ty) => {
            [
                [
                    jump!(tee_branch, O, S, Ld<L, $address<$first>>, S),
                    jump!(tee_branch, O, S, Ld<L, $address<$first>>, K),
                ],
                [
                    jump!(tee_branch, O, P<0>, Ld<L, $address<$first>>, S),
                    jump!(tee_branch, O, P<0>, Ld<L, $address<$first>>, K),
                ],
            ]
        };
    }
    [at!(Base), at!(Sum), at!(Wrap)]
}

const fn loaded_branch_32<O: Compare>() -> LoadedBranch {
    [
        Some(loaded_branch::<O, data::I32Load>()),
        Some(loaded_branch::<O, data::I32Load8U>()),
        Some(loaded_branch::<O, data::I32Load8S>()),
        Some(loaded_branch::<O, data::I32Load16U>()),
    ]
}

const fn loaded_branch_64<O: Compare>() -> LoadedBranch {
    [Some(loaded_branch::<O, data::I64Load>()), None, None, None]
}

/// Index of a load in [`LoadedBranch`].
pub(crate) fn loaded_branch_index(load: data::LoadId) -> Option<usize> {
    match load {
        data::LoadId::I32Load | data::LoadId::I64Load => Some(0),
        data::LoadId::I32Load8U => Some(1),
        data::LoadId::I32Load8S => Some(2),
        data::LoadId::I32Load16U => Some(3),
        _ => None,
    }
}

/// Comparison of an operator's result and branch: by [`and` or `add` of a
/// constant][first operand in slot, accumulator, pinned][result's slot a pinned
/// local's][right in slot, constant].
pub(crate) type MadeBranch = [[[[Jump; 2]; 2]; FIRST]; 2];

const fn made_branch<C: Compare, And: Binary, Add: Binary>() -> MadeBranch {
    macro_rules! of {
        ($inner:ident) => {
            [of!($inner, S), of!($inner, A), of!($inner, P<0>)]
        };
        ($inner:ident, $first:ty) => {
            [
                [
                    jump!(tee_branch, C, S, Pre<$inner, $first, K32>, S),
                    jump!(tee_branch, C, S, Pre<$inner, $first, K32>, K),
                ],
                [
                    jump!(tee_branch, C, P<0>, Pre<$inner, $first, K32>, S),
                    jump!(tee_branch, C, P<0>, Pre<$inner, $first, K32>, K),
                ],
            ]
        };
    }
    [of!(And), of!(Add)]
}

/// `select` of integers by a comparison: by [first in slot or
/// constant][second][left in slot, accumulator][right in slot,
/// constant][destination].
pub(crate) type SelectBy = [[[[Destinations; 2]; 2]; 2]; 2];

const fn select_by_handlers<O: Compare>() -> SelectBy {
    macro_rules! of {
        ($x:ident, $y:ident) => {
            [
                [
                    destinations!(u64: select_by, u64, O, $x, $y, S, S),
                    destinations!(u64: select_by, u64, O, $x, $y, S, K32),
                ],
                [
                    destinations!(u64: select_by, u64, O, $x, $y, A, S),
                    destinations!(u64: select_by, u64, O, $x, $y, A, K32),
                ],
            ]
        };
    }
    [[of!(S, S), of!(S, K)], [of!(K, S), of!(K, K)]]
}

macro_rules! compare_tables {
    (32: $($op:ident)* ; 64: $($wide:ident)* ; select: $($by:ident)*) => {
        /// Branches on a loaded value.
        pub(crate) static LOADED_BRANCH: ByOperator<LoadedBranch> = by_operator! {
            $($op => loaded_branch_32::<numeric::$op>();)*
            $($wide => loaded_branch_64::<numeric::$wide>();)*
        };
        /// Branches on an operator's result.
        pub(crate) static MADE_BRANCH: ByOperator<MadeBranch> = by_operator! {
            $($op => made_branch::<numeric::$op, numeric::I32And, numeric::I32Add>();)*
            $($wide => made_branch::<numeric::$wide, numeric::I64And, numeric::I64Add>();)*
        };
        /// `select` by a comparison; its negation exchanges the values.
        pub(crate) static SELECT_BY: ByOperator<SelectBy> = by_operator! {
            $($by => select_by_handlers::<numeric::$by>();)*
        };
    };
}

compare_tables! {
    32: I32Eq I32Ne I32LtS I32GtS I32LeS I32GeS I32LtU I32GtU I32LeU I32GeU;
    64: I64Eq I64Ne I64LtS I64GtS I64LeS I64GeS I64LtU I64GtU I64LeU I64GeU;
    select: I32Eq I32LtS I32GtS I32LtU I32GtU I64Eq I64LtS I64GtS I64LtU I64GtU
}

/// What an operator may be made of first: the inner operator of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inner {
    /// `shl` by a constant.
    ShlK,
    /// `shr_u` by a constant.
    ShrUK,
    /// `shr_s` by a constant.
    ShrSK,
    /// `rotl` by a constant.
    RotlK,
    /// `and` with a constant.
    AndK,
    /// `and` with a slot.
    AndS,
    /// `mul` with a constant.
    MulK,
    /// `mul` with a slot.
    MulS,
    /// `add` of a constant.
    AddK,
    /// `add` of a slot.
    AddS,
    /// `xor` with a slot.
    XorS,
    /// `sub` of a slot.
    SubS,
}

impl Inner {
    const COUNT: usize = Self::SubS as usize + 1;
}

/// Handlers of pairs by [inner operator][its left operand in slot,
/// accumulator, pinned][other operand of the outer one in slot, constant].
pub(crate) type Pairs = [Option<[[Destinations; 2]; FIRST]>; Inner::COUNT];

const fn pair<O: Binary, I: Binary, Y: Src>() -> [[Destinations; 2]; FIRST] {
    [
        [
            destinations!(O::Out: binary, O, Pre<I, S, Y>, S),
            destinations!(O::Out: binary, O, Pre<I, S, Y>, K),
        ],
        [
            destinations!(O::Out: binary, O, Pre<I, A, Y>, S),
            destinations!(O::Out: binary, O, Pre<I, A, Y>, K),
        ],
        [
            destinations!(O::Out: binary, O, Pre<I, P<0>, Y>, S),
            destinations!(O::Out: binary, O, Pre<I, P<0>, Y>, K),
        ],
    ]
}

/// [`pair`] with the inner operator's result on the right.
const fn pair_right<O: Binary, I: Binary, Y: Src>() -> [[Destinations; 2]; FIRST] {
    let (in_slot, in_acc, pinned) = (
        destinations!(O::Out: binary, O, S, Pre<I, S, Y>),
        destinations!(O::Out: binary, O, S, Pre<I, A, Y>),
        destinations!(O::Out: binary, O, S, Pre<I, P<0>, Y>),
    );
    [[in_slot, in_slot], [in_acc, in_acc], [pinned, pinned]]
}

macro_rules! pairs_of {
    ($pair:ident, $outer:ident, $shl:ident $shr_u:ident $shr_s:ident $rotl:ident $and:ident $mul:ident $add:ident $xor:ident $sub:ident) => {
        [
            Some($pair::<numeric::$outer, numeric::$shl, K32>()),
            Some($pair::<numeric::$outer, numeric::$shr_u, K32>()),
            Some($pair::<numeric::$outer, numeric::$shr_s, K32>()),
            Some($pair::<numeric::$outer, numeric::$rotl, K32>()),
            Some($pair::<numeric::$outer, numeric::$and, K32>()),
            Some($pair::<numeric::$outer, numeric::$and, S>()),
            Some($pair::<numeric::$outer, numeric::$mul, K32>()),
            Some($pair::<numeric::$outer, numeric::$mul, S>()),
            Some($pair::<numeric::$outer, numeric::$add, K32>()),
            Some($pair::<numeric::$outer, numeric::$add, S>()),
            Some($pair::<numeric::$outer, numeric::$xor, S>()),
            Some($pair::<numeric::$outer, numeric::$sub, S>()),
        ]
    };
}

macro_rules! pairs_32 {
    ($pair:ident, $outer:ident) => {
        pairs_of!($pair, $outer, I32Shl I32ShrU I32ShrS I32Rotl I32And I32Mul I32Add I32Xor I32Sub)
    };
}

macro_rules! pairs_64 {
    ($pair:ident, $outer:ident) => {
        pairs_of!($pair, $outer, I64Shl I64ShrU I64ShrS I64Rotl I64And I64Mul I64Add I64Xor I64Sub)
    };
}

macro_rules! pairs_float {
    ($pair:ident, $outer:ident, $mul:ident $add:ident $sub:ident) => {{
        let mut table: Pairs = [const { None }; Inner::COUNT];
        table[Inner::MulS as usize] = Some($pair::<numeric::$outer, numeric::$mul, S>());
        table[Inner::AddS as usize] = Some($pair::<numeric::$outer, numeric::$add, S>());
        table[Inner::SubS as usize] = Some($pair::<numeric::$outer, numeric::$sub, S>());
        table
    }};
}

/// Operators whose left operand is made by another.
pub(crate) static PAIRS: ByOperator<Pairs> = by_operator! {
    I32Add => pairs_32!(pair, I32Add);
    I32Sub => pairs_32!(pair, I32Sub);
    I32And => pairs_32!(pair, I32And);
    I32Or => pairs_32!(pair, I32Or);
    I32Xor => pairs_32!(pair, I32Xor);
    I32Shl => pairs_32!(pair, I32Shl);
    I32ShrU => pairs_32!(pair, I32ShrU);
    I32Mul => pairs_32!(pair, I32Mul);
    I64Add => pairs_64!(pair, I64Add);
    I64Sub => pairs_64!(pair, I64Sub);
    I64And => pairs_64!(pair, I64And);
    I64Or => pairs_64!(pair, I64Or);
    I64Xor => pairs_64!(pair, I64Xor);
    I64Shl => pairs_64!(pair, I64Shl);
    I64ShrU => pairs_64!(pair, I64ShrU);
    I64Mul => pairs_64!(pair, I64Mul);
    F32Add => pairs_float!(pair, F32Add, F32Mul F32Add F32Sub);
    F32Sub => pairs_float!(pair, F32Sub, F32Mul F32Add F32Sub);
    F32Mul => pairs_float!(pair, F32Mul, F32Mul F32Add F32Sub);
    F64Add => pairs_float!(pair, F64Add, F64Mul F64Add F64Sub);
    F64Sub => pairs_float!(pair, F64Sub, F64Mul F64Add F64Sub);
    F64Mul => pairs_float!(pair, F64Mul, F64Mul F64Add F64Sub);
};

/// Operators whose right operand is made by another, their left one in a slot.
pub(crate) static PAIRS_RIGHT: ByOperator<Pairs> = by_operator! {
    I32Sub => pairs_32!(pair_right, I32Sub);
    I64Sub => pairs_64!(pair_right, I64Sub);
    F32Sub => pairs_float!(pair_right, F32Sub, F32Mul F32Add F32Sub);
    F64Sub => pairs_float!(pair_right, F64Sub, F64Mul F64Add F64Sub);
};

/// Handlers of a store of an operator's result, at an address in a slot, by
/// [operator][its left operand in slot, accumulator, pinned].
pub(crate) type MadeStore = [Option<[Handler; FIRST]>; Inner::COUNT];

const fn made_store<O: Store, I: Binary, Y: Src>() -> [Handler; FIRST] {
    [
        store::<O, Guarded, S, Pre<I, S, Y>>,
        store::<O, Guarded, S, Pre<I, A, Y>>,
        store::<O, Guarded, S, Pre<I, P<0>, Y>>,
    ]
}

macro_rules! made_stores {
    ($store:ident; $($inner:ident $op:ident $y:ident;)*) => {{
        let mut table: MadeStore = [const { None }; Inner::COUNT];
        $(table[Inner::$inner as usize] = Some(made_store::<data::$store, numeric::$op, $y>());)*
        table
    }};
}

macro_rules! made_stores_32 {
    ($store:ident) => {
        made_stores! {
            $store;
            ShlK I32Shl K32; ShrUK I32ShrU K32; AndK I32And K32; AndS I32And S; MulS I32Mul S;
            AddK I32Add K32; AddS I32Add S; XorS I32Xor S; SubS I32Sub S;
        }
    };
}

/// Stores of what an operator makes.
pub(crate) static MADE_STORES: [Option<MadeStore>; data::StoreId::COUNT] = {
    let mut table = [const { None }; data::StoreId::COUNT];
    table[data::StoreId::I32Store as usize] = Some(made_stores_32!(I32Store));
    table[data::StoreId::I32Store8 as usize] = Some(made_stores_32!(I32Store8));
    table[data::StoreId::I32Store16 as usize] = Some(made_stores_32!(I32Store16));
    table[data::StoreId::I64Store as usize] = Some(made_stores! {
        I64Store;
        ShlK I64Shl K32; ShrUK I64ShrU K32; AndK I64And K32; AndS I64And S; MulS I64Mul S;
        AddK I64Add K32; AddS I64Add S; XorS I64Xor S; SubS I64Sub S;
    });
    table[data::StoreId::F32Store as usize] = Some(made_stores! {
        F32Store; MulS F32Mul S; AddS F32Add S; SubS F32Sub S;
    });
    table[data::StoreId::F64Store as usize] = Some(made_stores! {
        F64Store; MulS F64Mul S; AddS F64Add S; SubS F64Sub S;
    });
    table
};

/// Returns of a loaded value by [load][address][its first term in slot,
/// accumulator]; see [`ret_load_index`].
pub(crate) static RET_LOADED: [[[Return; 2]; LOADED_ADDRESSES]; 4] = {
    macro_rules! of {
        ($load:ident) => {
            [of!($load, Base), of!($load, Sum), of!($load, Wrap)]
        };
        ($load:ident, $address:ident) => {
            [
                returns!(ret_one, u64, Ld<data::$load, $address<S>>),
                returns!(ret_one, u64, Ld<data::$load, $address<A>>),
            ]
        };
    }
    [of!(I32Load), of!(I32Load8U), of!(I64Load), of!(F64Load)]
};

/// Index of a load in [`RET_LOADED`].
pub(crate) fn ret_load_index(load: data::LoadId) -> Option<usize> {
    use data::LoadId as Id;
    [Id::I32Load, Id::I32Load8U, Id::I64Load, Id::F64Load]
        .iter()
        .position(|id| *id == load)
}

/// Returns of what an operator makes, by [its left operand in slot,
/// accumulator][right in slot, constant].
pub(crate) type MadeReturn = [[Return; 2]; 2];

macro_rules! made_returns {
    ($($op:ident)*) => {
        /// Returns of an operator's result.
        pub(crate) static RET_MADE: ByOperator<MadeReturn> = by_operator! {
            $($op => [
                [
                    returns!(ret_one, u64, Pre<numeric::$op, S, S>),
                    returns!(ret_one, u64, Pre<numeric::$op, S, K32>),
                ],
                [
                    returns!(ret_one, u64, Pre<numeric::$op, A, S>),
                    returns!(ret_one, u64, Pre<numeric::$op, A, K32>),
                ],
            ];)*
        };
    };
}

made_returns! {
    I32Add I32Sub I32Mul I32And I32Or I32Xor I32Shl I32ShrU I32ShrS
    I32Eq I32Ne I32LtS I32GtS I32LeS I32GeS I32LtU I32GtU I32LeU I32GeU
    I64Add I64Sub I64Mul I64And I64Or I64Xor I64Shl I64ShrU I64ShrS
    I64Eq I64Ne I64LtS I64GtS I64LeS I64GeS I64LtU I64GtU I64LeU I64GeU
}

/// The inner operator of a pair that `op` with a right operand in a slot or
/// constant can be.
pub(crate) fn inner(op: BinaryId, constant: bool) -> Option<Inner> {
    use BinaryId as Id;
    Some(match (op, constant) {
        (Id::I32Shl | Id::I64Shl, true) => Inner::ShlK,
        (Id::I32ShrU | Id::I64ShrU, true) => Inner::ShrUK,
        (Id::I32ShrS | Id::I64ShrS, true) => Inner::ShrSK,
        (Id::I32Rotl | Id::I64Rotl, true) => Inner::RotlK,
        (Id::I32And | Id::I64And, true) => Inner::AndK,
        (Id::I32And | Id::I64And, false) => Inner::AndS,
        (Id::I32Mul | Id::I64Mul, true) => Inner::MulK,
        (Id::I32Mul | Id::I64Mul | Id::F32Mul | Id::F64Mul, false) => Inner::MulS,
        (Id::I32Add | Id::I64Add, true) => Inner::AddK,
        (Id::I32Add | Id::I64Add | Id::F32Add | Id::F64Add, false) => Inner::AddS,
        (Id::I32Xor | Id::I64Xor, false) => Inner::XorS,
        (Id::I32Sub | Id::I64Sub | Id::F32Sub | Id::F64Sub, false) => Inner::SubS,
        _ => return None,
    })
}
