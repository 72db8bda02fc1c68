//! Loads, stores, copies, globals and `select`.

use super::access::{LoadAs, StoreAs};
use super::address::{Address, AddressKind, Base, Index, IndexWrap, Scaled, Sum, Wrap};
use super::control::raise;
use super::dispatch::{Handler, Regs, goto, handler, next};
use super::fused::FIRST;
use super::operand::{
    A, At, Destinations, Dst, IMM64, K, P, PINNED_FLOATS, Prim, S, SHORT, SRC, Src, Z, constant, destinations,
};
use super::reach::{ByLength, CHECKED_EXTRA, Checked, Checked64, FIRST_ADDRESS, Guarded, Mode, Reach, found, mapped};
use super::simd::vector::Vector;
use crate::ir::stack::Ty;
use crate::ir::table::for_each_plain_op;

/// A load operator.
pub(crate) trait Load {
    /// Type of its result.
    type Out: Prim;
    /// Memory representation.
    type Mem: LoadAs<Self::Out>;
    /// Whether there are handlers that compute the address.
    const COMPUTED: bool = true;
}

/// A store operator.
pub(crate) trait Store {
    /// Type of its operand.
    type In: Prim;
    /// Memory representation.
    type Mem: StoreAs<Self::In>;
}

/// What the translator knows of a load.
#[derive(Debug)]
pub(crate) struct LoadInfo {
    /// Which one it is.
    pub(crate) id: LoadId,
    /// Mnemonic.
    pub(crate) name: &'static str,
    /// Handlers by [`Reach`], [address in slot, accumulator, offset alone,
    /// pinned].
    pub(crate) handlers: [[Destinations; 4]; Reach::COUNT],
    /// Handlers for memory 0 guarded by [`AddressKind`], [its first term in
    /// slot, accumulator, pinned].
    ///
    /// [`AddressKind`]: super::fused::AddressKind
    pub(crate) at: [[Destinations; FIRST]; AddressKind::COUNT],
    /// The same for 64-bit addresses, by [`AddressKind::index_64`], [its first
    /// term in slot, accumulator].
    pub(crate) at_64: [[Destinations; 2]; AddressKind::COUNT_64],
    /// Whether those of `at` and `at_64` are there.
    pub(crate) computed: bool,
    /// Bytes accessed.
    pub(crate) bytes: usize,
    /// Type of the result.
    pub(crate) out: Ty,
}

/// What the translator knows of a store.
#[derive(Debug)]
pub(crate) struct StoreInfo {
    /// Which one it is.
    pub(crate) id: StoreId,
    /// Mnemonic.
    pub(crate) name: &'static str,
    /// Handlers by [`Reach`], [address in slot, accumulator, offset alone,
    /// pinned][value in slot, accumulator, constant].
    pub(crate) handlers: [[[Handler; 3]; 4]; Reach::COUNT],
    /// Handlers for memory 0 guarded by [`AddressKind`], [its first term in
    /// slot, accumulator, pinned][value in slot, constant].
    ///
    /// [`AddressKind`]: super::fused::AddressKind
    pub(crate) at: [[[Handler; 2]; FIRST]; AddressKind::COUNT],
    /// The same for 64-bit addresses, by [`AddressKind::index_64`], [its first
    /// term in slot, accumulator][value in slot, constant].
    pub(crate) at_64: [[[Handler; 2]; 2]; AddressKind::COUNT_64],
    /// Bytes accessed.
    pub(crate) bytes: usize,
    /// Whether a constant value takes all 8 bytes of its word.
    pub(crate) wide: bool,
    /// Type of the value.
    pub(crate) value: Ty,
}

/// Byte of the static offset of loads and stores.
pub(super) const MEM_OFFSET: usize = 12;

/// The value itself, made and `cx` in its register again before there is an
/// address: only three registers are free, and shifts take that of `cx`.
#[inline(always)]
fn made(s: &mut Regs, value: u64) -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        let mut value = value;
        // SAFETY: no instruction at all.
        unsafe {
            std::arch::asm!(
                "/* {0} */", inout(reg) value, inout("rcx") s.cx,
                options(readonly, nostack, preserves_flags)
            );
        }
        value
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = s;
        value
    }
}

handler! {
    /// A load: the address operand's slot is at byte 10, the offset at 12.
    pub(super) fn load<L: Load, M: Mode, I: Src, D: Dst>(s) {
        let index = I::get::<M::Index>(&s, At::slot(SRC));
        match M::address(&s, index, <L::Mem as LoadAs<L::Out>>::BYTES) {
            Some(at) => {
                let value = <L::Mem as LoadAs<L::Out>>::load(&s, at);
                D::put(&mut s, value);
                s.ip = s.ip.add(const { SHORT + M::EXTRA });
                next(s)
            }
            None => M::load_beyond::<L, D>(s, index),
        }
    }

    /// Goes on with a [`load`] of bytes that are not the memory's own, when
    /// [`find_mapped`] has found them.
    #[cold]
    #[inline(never)]
    pub(super) fn load_found<L: Load, D: Dst>(s) {
        let value = <L::Mem as LoadAs<L::Out>>::load(&s, found(&s));
        D::put(&mut s, value);
        s.ip = s.ip.add(const { SHORT + CHECKED_EXTRA });
        next(s)
    }

    /// Goes on with a [`store`] as [`load_found`] does with a load.
    #[cold]
    #[inline(never)]
    pub(super) fn store_found<O: Store, V: Src>(s) {
        let last = const { SHORT + CHECKED_EXTRA };
        let value = V::get::<O::In>(&s, At { slot: 10, imm: last, word: last });
        <O::Mem as StoreAs<O::In>>::store(&s, found(&s), value);
        s.ip = s.ip.add(const { SHORT + CHECKED_EXTRA + 8 * V::WORDS + if V::CONST { 8 } else { 0 } });
        next(s)
    }

    /// Looks where the bytes are that the access noted in [`Beyond`] is to reach, and goes
    /// on with it.
    #[cold]
    #[inline(never)]
    pub(super) fn find_mapped<M: ByLength>(s) {
        let beyond = &raw mut (*(*s.cx).rt).beyond;
        let at = mapped(M::memory(&s), beyond);
        if at < FIRST_ADDRESS {
            s.a0 = at;
            return goto(s, raise);
        }
        goto(s, (*beyond).then)
    }

    /// A store: the operands' slots are at bytes 8 (address) and 10, the
    /// offset at 12, a constant or the word of a value that is made last.
    pub(crate) fn store<O: Store, M: Mode, I: Src, V: Src>(s) {
        let last = const { SHORT + M::EXTRA };
        let mut value = V::get::<O::In>(&s, At { slot: 10, imm: last, word: last });
        if V::WORDS > 0 && !O::In::FLOAT {
            value = O::In::from_slot(made(&mut s, value.to_slot()));
        }
        let index = I::get::<M::Index>(&s, At::slot(8));
        match M::address(&s, index, <O::Mem as StoreAs<O::In>>::BYTES) {
            Some(at) => {
                <O::Mem as StoreAs<O::In>>::store(&s, at, value);
                s.ip = s.ip.add(const { SHORT + M::EXTRA + 8 * V::WORDS + if V::CONST { 8 } else { 0 } });
                next(s)
            }
            None => M::store_beyond::<O, V>(s, index),
        }
    }

    /// A load from memory 0 with guard pages at the address of the word at byte
    /// 16.
    fn load_at<L: Load, M: Address, D: Dst>(s) {
        let value = <L::Mem as LoadAs<L::Out>>::load(&s, M::at(&s, SHORT));
        D::put(&mut s, value);
        s.ip = s.ip.add(SHORT + 8);
        next(s)
    }

    /// A store to memory 0 with guard pages at the address of the word at byte
    /// 16; the value's slot is at byte 10, a constant last.
    fn store_at<O: Store, M: Address, V: Src>(s) {
        let at = M::at(&s, SHORT);
        let value = V::get::<O::In>(&s, At::plain(10, SHORT + 8));
        <O::Mem as StoreAs<O::In>>::store(&s, at, value);
        s.ip = s.ip.add(const { SHORT + 8 + if V::CONST { 8 } else { 0 } });
        next(s)
    }

    /// Copies a slot, an accumulator or a constant.
    fn copy<T: Prim, I: Src, D: Dst>(s) {
        let value = I::get::<T>(&s, At::plain(SRC, IMM64));
        D::put(&mut s, value);
        s.ip = s.ip.add(const { if I::CONST { SHORT + 8 } else { SHORT } });
        next(s)
    }

    /// Copies as many slots as byte 12 says, from the slot at byte 10 on to the
    /// one at byte 8 on, which is below it.
    pub(crate) fn copy_many(s) {
        std::ptr::copy(s.slot_at(SRC), s.slot_at(8), s.field::<u32>(12) as usize);
        s.ip = s.ip.add(SHORT);
        next(s)
    }

    /// `select`: slots from byte 10 on, constants from byte 16 on, the
    /// condition last.
    fn select<T: Prim, X: Src, Y: Src, C: Src, D: Dst>(s) {
        let x = X::get::<T>(&s, At::plain(SRC, IMM64));
        let y = Y::get::<T>(&s, At::plain(SRC + 2 * X::SLOTS, const { IMM64 + if X::CONST { 8 } else { 0 } }));
        let condition = C::get::<u32>(&s, At::slot(SRC + 2 * X::SLOTS + 2 * Y::SLOTS));
        let value = if condition != 0 { x } else { y };
        D::put(&mut s, value);
        s.ip = s.ip.add(const { SHORT + if X::CONST { 8 } else { 0 } + if Y::CONST { 8 } else { 0 } });
        next(s)
    }

    /// `global.get`: the place relative to `cx` stands at byte 12.
    fn global_get<T: Prim, G: GlobalPlace, D: Dst>(s) {
        let value = T::read(G::cell(&s));
        D::put(&mut s, value);
        s.ip = s.ip.add(SHORT);
        next(s)
    }

    /// `global.set`: the place relative to `cx` stands at byte 12.
    fn global_set<T: Prim, G: GlobalPlace, I: Src>(s) {
        let value = I::get::<T>(&s, At::plain(SRC, IMM64));
        value.write(G::cell(&s));
        s.ip = s.ip.add(const { if I::CONST { SHORT + 8 } else { SHORT } });
        next(s)
    }
}

/// Where a global stands.
trait GlobalPlace {
    /// The address of its cell.
    ///
    /// # Safety
    /// `s` are the registers of a global's instruction of this kind.
    unsafe fn cell(s: &Regs) -> *mut u64;
}

/// In the context.
enum Own {}
/// Behind a pointer in the context.
enum Imported {}

impl GlobalPlace for Own {
    #[inline(always)]
    unsafe fn cell(s: &Regs) -> *mut u64 {
        // SAFETY: the caller's promise.
        s.cx.wrapping_byte_add(unsafe { s.field::<u32>(12) } as usize).cast()
    }
}

impl GlobalPlace for Imported {
    #[inline(always)]
    unsafe fn cell(s: &Regs) -> *mut u64 {
        // SAFETY: the caller's promise; the context holds the cell's address.
        unsafe { Own::cell(s).cast::<*mut u64>().read() }
    }
}

/// Copies by [integer, float or vector][slot, accumulator, constant][destination].
pub(crate) static COPY: [[Destinations; 3]; 3] = [
    [
        destinations!(u64: copy, u64, S),
        destinations!(u64: copy, u64, A),
        destinations!(u64: copy, u64, K),
    ],
    [
        destinations!(f64: copy, f64, S),
        destinations!(f64: copy, f64, A),
        destinations!(f64: copy, f64, K),
    ],
    [
        destinations!(Vector: copy, Vector, S),
        destinations!(Vector: copy, Vector, A),
        destinations!(Vector: copy, Vector, S),
    ],
];

/// Copies from pinned locals by [integer or float][its place].
pub(crate) static COPY_PINNED: [[Destinations; PINNED_FLOATS]; 2] = [
    [destinations!(u64: copy, u64, P<0>); PINNED_FLOATS],
    [
        destinations!(f64: copy, f64, P<0>),
        destinations!(f64: copy, f64, P<1>),
        destinations!(f64: copy, f64, P<2>),
        destinations!(f64: copy, f64, P<3>),
    ],
];

/// `global.get` by [integer, float or vector][own or imported][destination].
pub(crate) static GLOBAL_GET: [[Destinations; 2]; 3] = [
    [
        destinations!(u64: global_get, u64, Own),
        destinations!(u64: global_get, u64, Imported),
    ],
    [
        destinations!(f64: global_get, f64, Own),
        destinations!(f64: global_get, f64, Imported),
    ],
    [
        destinations!(Vector: global_get, Vector, Own),
        destinations!(Vector: global_get, Vector, Imported),
    ],
];

/// `global.set` by [integer, float or vector][own or imported][slot, accumulator,
/// constant].
pub(crate) static GLOBAL_SET: [[[Handler; 3]; 2]; 3] = [
    [
        [
            global_set::<u64, Own, S>,
            global_set::<u64, Own, A>,
            global_set::<u64, Own, K>,
        ],
        [
            global_set::<u64, Imported, S>,
            global_set::<u64, Imported, A>,
            global_set::<u64, Imported, K>,
        ],
    ],
    [
        [
            global_set::<f64, Own, S>,
            global_set::<f64, Own, A>,
            global_set::<f64, Own, K>,
        ],
        [
            global_set::<f64, Imported, S>,
            global_set::<f64, Imported, A>,
            global_set::<f64, Imported, K>,
        ],
    ],
    [
        [
            global_set::<Vector, Own, S>,
            global_set::<Vector, Own, A>,
            global_set::<Vector, Own, S>,
        ],
        [
            global_set::<Vector, Imported, S>,
            global_set::<Vector, Imported, A>,
            global_set::<Vector, Imported, S>,
        ],
    ],
];

/// `select` by [integer, float or vector][first in slot or constant][second in slot
/// or constant][condition in slot or accumulator][destination].
pub(crate) static SELECT: [[[[Destinations; 2]; 2]; 2]; 3] = [
    select_handlers::<u64>(),
    select_handlers::<f64>(),
    [[[
        destinations!(Vector: select, Vector, S, S, S),
        destinations!(Vector: select, Vector, S, S, A),
    ]; 2]; 2],
];

const fn select_handlers<T: Prim>() -> [[[Destinations; 2]; 2]; 2] {
    [
        [
            [
                destinations!(T: select, T, S, S, S),
                destinations!(T: select, T, S, S, A),
            ],
            [
                destinations!(T: select, T, S, K, S),
                destinations!(T: select, T, S, K, A),
            ],
        ],
        [
            [
                destinations!(T: select, T, K, S, S),
                destinations!(T: select, T, K, S, A),
            ],
            [
                destinations!(T: select, T, K, K, S),
                destinations!(T: select, T, K, K, A),
            ],
        ],
    ]
}

const fn load_handlers<L: Load, M: Mode>() -> [Destinations; 4] {
    [
        destinations!(L::Out: load, L, M, S),
        destinations!(L::Out: load, L, M, A),
        destinations!(L::Out: load, L, M, Z),
        destinations!(L::Out: load, L, M, P<0>),
    ]
}

/// The shift that makes an index of elements of a width one of bytes.
const fn element_shift(bytes: usize) -> usize {
    bytes.trailing_zeros() as usize
}

/// Handlers of a load for one width of elements by [`AddressKind`].
///
/// [`AddressKind`]: super::fused::AddressKind
const fn load_at_handlers<L: Load, const SHIFT: u32>() -> [[Destinations; FIRST]; AddressKind::COUNT] {
    macro_rules! firsts {
        ($address:ident $(, $shift:ident)?) => {
            [
                destinations!(L::Out: load_at, L, $address<S $(, $shift)?>),
                destinations!(L::Out: load_at, L, $address<A $(, $shift)?>),
                destinations!(L::Out: load_at, L, $address<P<0> $(, $shift)?>),
            ]
        };
    }
    [
        firsts!(Base),
        firsts!(Sum),
        firsts!(Wrap),
        firsts!(Scaled, SHIFT),
        firsts!(Index, SHIFT),
        firsts!(IndexWrap, SHIFT),
    ]
}

/// Handlers of a store for one width of elements; see [`load_at_handlers`].
const fn store_at_handlers<O: Store, const SHIFT: u32>() -> [[[Handler; 2]; FIRST]; AddressKind::COUNT] {
    macro_rules! firsts {
        ($address:ident $(, $shift:ident)?) => {
            [
                firsts!(@values $address<S $(, $shift)?>),
                firsts!(@values $address<A $(, $shift)?>),
                firsts!(@values $address<P<0> $(, $shift)?>),
            ]
        };
        (@values $address:ty) => {
            [
                store_at::<O, $address, S>,
                constant::<O::In>(store_at::<O, $address, S>, store_at::<O, $address, K>),
            ]
        };
    }
    [
        firsts!(Base),
        firsts!(Sum),
        firsts!(Wrap),
        firsts!(Scaled, SHIFT),
        firsts!(Index, SHIFT),
        firsts!(IndexWrap, SHIFT),
    ]
}

/// [`load_at_handlers`] with 64-bit addresses.
const fn load_at_64_handlers<L: Load, const SHIFT: u32>() -> [[Destinations; 2]; AddressKind::COUNT_64] {
    macro_rules! firsts {
        ($address:ident $(, $shift:ident)?) => {
            [
                destinations!(L::Out: load_at, L, $address<S $(, $shift)?, u64>),
                destinations!(L::Out: load_at, L, $address<A $(, $shift)?, u64>),
            ]
        };
    }
    [
        firsts!(Sum),
        firsts!(Wrap),
        firsts!(Scaled, SHIFT),
        firsts!(Index, SHIFT),
    ]
}

/// [`store_at_handlers`] with 64-bit addresses.
const fn store_at_64_handlers<O: Store, const SHIFT: u32>() -> [[[Handler; 2]; 2]; AddressKind::COUNT_64] {
    macro_rules! firsts {
        ($address:ident $(, $shift:ident)?) => {
            [
                firsts!(@values $address<S $(, $shift)?, u64>),
                firsts!(@values $address<A $(, $shift)?, u64>),
            ]
        };
        (@values $address:ty) => {
            [
                store_at::<O, $address, S>,
                constant::<O::In>(store_at::<O, $address, S>, store_at::<O, $address, K>),
            ]
        };
    }
    [
        firsts!(Sum),
        firsts!(Wrap),
        firsts!(Scaled, SHIFT),
        firsts!(Index, SHIFT),
    ]
}

/// Picks the function for the width of a type's elements.
macro_rules! for_width {
    ($handlers:ident, $op:ident, $bytes:expr) => {
        match element_shift($bytes) {
            0 => $handlers::<$op, 0>(),
            1 => $handlers::<$op, 1>(),
            2 => $handlers::<$op, 2>(),
            3 => $handlers::<$op, 3>(),
            _ => $handlers::<$op, 4>(),
        }
    };
}

const fn store_handlers<O: Store, M: Mode>() -> [[Handler; 3]; 4] {
    macro_rules! of {
        ($address:ty, $acc:ty) => {
            [
                store::<O, M, $address, S>,
                store::<O, M, $address, $acc>,
                constant::<O::In>(store::<O, M, $address, S>, store::<O, M, $address, K>),
            ]
        };
    }
    [of!(S, A), of!(A, S), of!(Z, A), of!(P<0>, A)]
}

/// What the translator knows of a load.
pub(super) const fn load_info<L: Load>(id: LoadId, name: &'static str) -> LoadInfo {
    LoadInfo {
        id,
        name,
        handlers: [
            load_handlers::<L, Guarded>(),
            load_handlers::<L, Checked>(),
            load_handlers::<L, Guarded<u64>>(),
            load_handlers::<L, Checked64>(),
        ],
        at: match L::COMPUTED {
            true => for_width!(load_at_handlers, L, <L::Mem as LoadAs<L::Out>>::BYTES),
            false => [[destinations!(L::Out: load, L, Guarded, S); FIRST]; AddressKind::COUNT],
        },
        at_64: match L::COMPUTED {
            true => for_width!(load_at_64_handlers, L, <L::Mem as LoadAs<L::Out>>::BYTES),
            false => [[destinations!(L::Out: load, L, Guarded<u64>, S); 2]; AddressKind::COUNT_64],
        },
        computed: L::COMPUTED,
        bytes: <L::Mem as LoadAs<L::Out>>::BYTES,
        out: <L::Out as Prim>::TY,
    }
}

/// What the translator knows of a store.
pub(super) const fn store_info<O: Store>(id: StoreId, name: &'static str) -> StoreInfo {
    StoreInfo {
        id,
        name,
        handlers: [
            store_handlers::<O, Guarded>(),
            store_handlers::<O, Checked>(),
            store_handlers::<O, Guarded<u64>>(),
            store_handlers::<O, Checked64>(),
        ],
        at: for_width!(store_at_handlers, O, <O::Mem as StoreAs<O::In>>::BYTES),
        at_64: for_width!(store_at_64_handlers, O, <O::Mem as StoreAs<O::In>>::BYTES),
        bytes: <O::Mem as StoreAs<O::In>>::BYTES,
        wide: <O::In as Prim>::WIDE,
        value: <O::In as Prim>::TY,
    }
}

macro_rules! define_memory_ops {
    (
        binary { $($a:tt)* } binary_trapping { $($b:tt)* } compare { $($c:tt)* } unary { $($d:tt)* } unary_trapping { $($e:tt)* }
        load { $($load:ident $load_text:literal $load_mem:ident -> $out:ident;)* }
        store { $($store:ident $store_text:literal $in:ident -> $store_mem:ident;)* }
    ) => {
        /// The loads.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub(crate) enum LoadId {
            $($load,)*
            /// Any of a vector.
            Vector,
        }
        /// The stores; an index in tables.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub(crate) enum StoreId {
            $($store,)*
            /// Of a vector.
            Vector,
        }
        impl StoreId {
            /// How many there are of numbers, which are first.
            pub(crate) const COUNT: usize = [$($store_text,)*].len();
        }
        $(
            #[doc = $load_text]
            pub(crate) enum $load {}
            impl Load for $load {
                type Out = $out;
                type Mem = $load_mem;
            }
            impl $load {
                /// What the translator knows of it.
                pub(crate) fn info() -> &'static LoadInfo {
                    static INFO: LoadInfo = load_info::<$load>(LoadId::$load, $load_text);
                    &INFO
                }
            }
        )*
        $(
            #[doc = $store_text]
            pub(crate) enum $store {}
            impl Store for $store {
                type In = $in;
                type Mem = $store_mem;
            }
            impl $store {
                /// What the translator knows of it.
                pub(crate) fn info() -> &'static StoreInfo {
                    static INFO: StoreInfo = store_info::<$store>(StoreId::$store, $store_text);
                    &INFO
                }
            }
        )*
    };
}

for_each_plain_op!(define_memory_ops);
