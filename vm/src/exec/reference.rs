//! Reference operators (Spec 3.0 §4.6.3): tests and casts of references, and branches
//! on them.
//!
//! A cast compares the record of an object's type with that of its target first, and
//! then looks the target up among the type's supertypes, where it stands at its depth.

use super::context::FuncRec;
use super::control::{Jump, Way, jump, trap};
use super::dispatch::{Handler, Regs, handler, next};
use super::heap::shape::Kind;
use super::operand::{A, At, B, DST, Destinations, Dst, PINNED_FLOATS, S, SHORT, SRC, Src};
use super::table::TableInst;
use crate::trap::Trap;
use crate::types::{TypeId, TypeInfo};

/// What a test asks of a reference that is not null. The record of its target, if it
/// has one, stands at byte [`TARGET`], the target's identity and depth behind.
pub(crate) trait Test {
    /// Bytes that its fields take.
    const BYTES: usize;
    /// Why a cast fails.
    const FAILURE: Trap;

    /// Whether the reference in a slot passes.
    ///
    /// # Safety
    /// `s` are the registers of such an instruction, and the slot holds a reference of
    /// the target's hierarchy that is not null.
    unsafe fn holds(s: &Regs, slot: u64) -> bool;
}

/// Byte of the record of a test's target.
pub(crate) const TARGET: usize = 16;
/// Bytes of a target.
pub(crate) const TARGET_BYTES: usize = 16;

/// Anything: the top of a hierarchy.
pub(crate) enum Anything {}
/// Nothing: the bottom of a hierarchy.
pub(crate) enum Nothing {}
/// An i31.
pub(crate) enum AnI31 {}
/// An i31, struct or array.
pub(crate) enum AnEq {}
/// A struct.
pub(crate) enum AStruct {}
/// An array.
pub(crate) enum AnArray {}
/// A struct or array of a type or its subtypes.
pub(crate) enum Data {}
/// A struct or array of a type alone.
pub(crate) enum ExactData {}
/// A function of a type or its subtypes.
pub(crate) enum AFunc {}
/// A function of a type alone.
pub(crate) enum ExactFunc {}

/// A struct with the descriptor in the slot at byte [`TARGET`].
pub(crate) enum Described {}

/// The record of an object's type; if the object is a value of the host or an
/// exception only the shape in it is there.
///
/// # Safety
/// `s` are the registers of a running handler, `handle` is that of an object.
#[inline(always)]
unsafe fn info_of(s: &Regs, handle: u64) -> *const TypeInfo {
    // SAFETY: the caller's promise: objects begin with the address of their shape.
    unsafe {
        (*s.cx)
            .heap
            .add(handle as u32 as usize)
            .cast::<*const TypeInfo>()
            .read()
    }
}

/// The kind of an object; none of an i31.
///
/// # Safety
/// `s` are the registers of a running handler, the slot holds a reference into the
/// heap that is not null.
#[inline(always)]
unsafe fn kind_of(s: &Regs, slot: u64) -> Option<Kind> {
    if slot & 1 != 0 {
        return None;
    }
    // SAFETY: the caller's promise.
    let info = unsafe { info_of(s, slot) };
    // SAFETY: an object's type stays as long as the store.
    Some(unsafe { (*info).shape.kind() })
}

/// Whether a type is the target of the running test, or a subtype of it.
///
/// # Safety
/// `s` are the registers of a test with a target, `info` is the record of a type.
#[inline(always)]
unsafe fn is_subtype(s: &Regs, info: *const TypeInfo) -> bool {
    // SAFETY: the caller's promise.
    let (id, depth) = unsafe { (s.field::<TypeId>(TARGET + 8), s.field::<u32>(TARGET + 12)) };
    // SAFETY: a type stays as long as there are objects and functions of it.
    unsafe { (*info).has(id, depth) }
}

macro_rules! tests {
    ($($name:ident $bytes:expr, $failure:ident, |$s:ident, $slot:ident| $body:expr;)*) => {$(
        impl Test for $name {
            const BYTES: usize = $bytes;
            const FAILURE: Trap = Trap::$failure;
            #[inline(always)]
            #[allow(unused_variables, unused_unsafe, clippy::multiple_unsafe_ops_per_block)]
            unsafe fn holds($s: &Regs, $slot: u64) -> bool {
                // SAFETY: the caller's promise, which is that of what is called here.
                unsafe { $body }
            }
        }
    )*};
}

tests! {
    Anything 0, CastFailure, |s, slot| true;
    Nothing 0, CastFailure, |s, slot| false;
    AnI31 0, CastFailure, |s, slot| slot & 1 != 0;
    AnEq 0, CastFailure, |s, slot| match kind_of(s, slot) {
        Some(kind) => !matches!(kind, Kind::Extern | Kind::Exn),
        None => true,
    };
    AStruct 0, CastFailure, |s, slot| kind_of(s, slot) == Some(Kind::Struct);
    AnArray 0, CastFailure, |s, slot| matches!(kind_of(s, slot), Some(Kind::Array | Kind::HandleArray));
    Data TARGET_BYTES, CastFailure, |s, slot| {
        slot & 1 == 0 && {
            let info = info_of(s, slot);
            info == s.field::<*const TypeInfo>(TARGET)
                || !matches!((*info).shape.kind(), Kind::Extern | Kind::Exn) && is_subtype(s, info)
        }
    };
    ExactData TARGET_BYTES, CastFailure, |s, slot| slot & 1 == 0 && info_of(s, slot) == s.field::<*const TypeInfo>(TARGET);
    AFunc TARGET_BYTES, CastFailure, |s, slot| {
        let info = (*(slot as *const FuncRec)).info;
        info == s.field::<*const TypeInfo>(TARGET) || is_subtype(s, info)
    };
    ExactFunc TARGET_BYTES, CastFailure, |s, slot| {
        (*(slot as *const FuncRec)).info == s.field::<*const TypeInfo>(TARGET)
    };
    Described 8, DescriptorCastFailure, |s, slot| {
        kind_of(s, slot) == Some(Kind::Struct) && {
            let at = (*info_of(s, slot)).layout.descriptor;
            let object = (*s.cx).heap.add(slot as u32 as usize);
            at != 0 && object.add(at as usize).cast::<u32>().read() == s.slot_at(TARGET).read() as u32
        }
    };
}

/// Whether a reference passes a test that null passes if `nullable`.
///
/// # Safety
/// As for [`Test::holds`], but that it may be null.
#[inline(always)]
unsafe fn passes<T: Test>(s: &Regs, slot: u64, nullable: u16) -> bool {
    if slot == 0 {
        nullable != 0
    } else {
        // SAFETY: the caller's promise.
        unsafe { T::holds(s, slot) }
    }
}

/// The outcome of a test for which a branch is taken.
pub(crate) trait Outcome {
    /// That.
    const IS: bool;
}

/// It passes.
pub(crate) enum Passes {}
/// It fails.
pub(crate) enum Fails {}

impl Outcome for Passes {
    const IS: bool = true;
}

impl Outcome for Fails {
    const IS: bool = false;
}

/// Byte that says whether null passes.
const NULLABLE: usize = 12;
/// The same of a branch.
const BRANCH_NULLABLE: usize = 14;

handler! {
    /// Traps if the reference in the slot at byte 8 is null, with the exit code at
    /// byte 12.
    pub(crate) fn as_non_null(s) {
        if s.slot_at(8).read() == 0 {
            s.a0 = u64::from(s.field::<u32>(12));
            return super::dispatch::goto(s, super::control::raise);
        }
        s.ip = s.ip.add(SHORT);
        next(s)
    }

    /// `ref.test`
    fn ref_test<T: Test, D: Dst>(s) {
        let slot = S::get::<u64>(&s, At::slot(SRC));
        let nullable = s.field::<u16>(NULLABLE);
        let value = passes::<T>(&s, slot, nullable);
        D::put(&mut s, u32::from(value));
        s.ip = s.ip.add(const { SHORT + T::BYTES });
        next(s)
    }

    /// `ref.cast`: the reference stays in its slot.
    fn ref_cast<T: Test>(s) {
        let slot = S::get::<u64>(&s, At::slot(SRC));
        let nullable = s.field::<u16>(NULLABLE);
        if !passes::<T>(&s, slot, nullable) {
            return trap(s, T::FAILURE);
        }
        s.ip = s.ip.add(const { SHORT + T::BYTES });
        next(s)
    }

    /// `br_on_cast` and `br_on_cast_fail`: the offset is at byte 8, the reference's
    /// slot at byte 12.
    fn br_on_cast<T: Test, O: Outcome, W: Way>(s) {
        let slot = S::get::<u64>(&s, At::slot(12));
        let nullable = s.field::<u16>(BRANCH_NULLABLE);
        if passes::<T>(&s, slot, nullable) == O::IS {
            W::take(s, 8)
        } else {
            s.ip = s.ip.add(const { SHORT + T::BYTES });
            next(s)
        }
    }

    /// The function of a `call_indirect` of a type that has subtypes: the index is in
    /// the slot at byte 10, the pointer to the table stands at `cx` plus the number at
    /// byte 12, the type is the target.
    pub(crate) fn callee(s) {
        let index = S::get::<u64>(&s, At::slot(SRC));
        let table = s.cx.byte_add(s.field::<u32>(12) as usize).cast::<*const TableInst>().read();
        if index >= (*table).len {
            return trap(s, Trap::UndefinedElement);
        }
        let rec = (*table).base.add(index as usize).read();
        if rec == 0 {
            return trap(s, Trap::IndirectCallToNull);
        }
        if !AFunc::holds(&s, rec) {
            return trap(s, Trap::BadSignature);
        }
        s.slot_at(DST).write(rec);
        s.ip = s.ip.add(const { SHORT + TARGET_BYTES });
        next(s)
    }
}

/// What the translator knows of a test.
#[derive(Debug)]
pub(crate) struct TestInfo {
    /// Bytes of its fields.
    pub(crate) bytes: usize,
    /// `ref.test`
    pub(crate) test: Destinations,
    /// `ref.cast`
    pub(crate) cast: Handler,
    /// Branches, taken if it passes or fails.
    pub(crate) branch: [Jump; 2],
}

impl TestInfo {
    const fn of<T: Test>() -> Self {
        Self {
            bytes: T::BYTES,
            test: Destinations {
                slot: ref_test::<T, S>,
                acc: ref_test::<T, A>,
                both: ref_test::<T, B>,
                pinned: [None; PINNED_FLOATS],
            },
            cast: ref_cast::<T>,
            branch: [jump!(br_on_cast, T, Passes), jump!(br_on_cast, T, Fails)],
        }
    }
}

/// [`Anything`]
pub(crate) static ANYTHING: TestInfo = TestInfo::of::<Anything>();
/// [`Nothing`]
pub(crate) static NOTHING: TestInfo = TestInfo::of::<Nothing>();
/// [`AnI31`]
pub(crate) static I31: TestInfo = TestInfo::of::<AnI31>();
/// [`AnEq`]
pub(crate) static EQ: TestInfo = TestInfo::of::<AnEq>();
/// [`AStruct`]
pub(crate) static STRUCT: TestInfo = TestInfo::of::<AStruct>();
/// [`AnArray`]
pub(crate) static ARRAY: TestInfo = TestInfo::of::<AnArray>();
/// [`Data`]
pub(crate) static DATA: TestInfo = TestInfo::of::<Data>();
/// [`ExactData`]
pub(crate) static EXACT_DATA: TestInfo = TestInfo::of::<ExactData>();
/// [`AFunc`]
pub(crate) static FUNC: TestInfo = TestInfo::of::<AFunc>();
/// [`Described`]
pub(crate) static DESCRIBED: TestInfo = TestInfo::of::<Described>();
/// [`ExactFunc`]
pub(crate) static EXACT_FUNC: TestInfo = TestInfo::of::<ExactFunc>();
