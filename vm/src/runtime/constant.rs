//! The values of constant expressions (Spec 3.0 §4.7.1): what globals, tables and
//! segments begin with.

use smallvec::SmallVec;

use super::any_ref::AnyRef;
use super::roots::Rooted;
use super::store::{InstanceEntity, StoreInner};
use crate::error::Error;
use crate::module::{ConstExpr, ConstOp, ElemItems, FuncIdx, GlobalIdx};
use crate::trap::Trap;
use crate::types::ValType;
use crate::types::raw::{RawCompositeType, RawFieldType, RawStorageType, RawValType};

/// The operands of an expression, as slots; a `v128` takes two.
type Stack = SmallVec<[u64; 4]>;

/// What an expression refers to.
trait Scope {
    /// The slots of a global's value: two of a `v128`.
    fn global(&self, global: GlobalIdx) -> Option<(u64, Option<u64>)>;
    /// The slot of a reference to a function.
    fn func(&self, func: FuncIdx) -> Option<u64>;
    /// Makes an object of the operands that it takes off the stack.
    ///
    /// # Errors
    /// If there is no room for it.
    fn object(&mut self, op: ConstOp, stack: &mut Stack) -> Result<Option<u64>, Error>;
}

/// The values of globals alone.
struct Known<G>(G);

impl<G: Fn(GlobalIdx) -> Option<u64>> Scope for Known<G> {
    fn global(&self, global: GlobalIdx) -> Option<(u64, Option<u64>)> {
        Some(((self.0)(global)?, None))
    }

    fn func(&self, _: FuncIdx) -> Option<u64> {
        None
    }

    fn object(&mut self, _: ConstOp, _: &mut Stack) -> Result<Option<u64>, Error> {
        Ok(None)
    }
}

/// An instance as it is.
struct Settled<'a>(&'a InstanceEntity);

impl Scope for Settled<'_> {
    fn global(&self, global: GlobalIdx) -> Option<(u64, Option<u64>)> {
        let ty = self.0.module.data().globals.get(global.index())?;
        let [low, high] = self.0.cx.global(global).slots();
        Some((low, (*ty.content() == ValType::V128).then_some(high)))
    }

    fn func(&self, func: FuncIdx) -> Option<u64> {
        Some(self.0.cx.func_ref(func).to_slot())
    }

    fn object(&mut self, _: ConstOp, _: &mut Stack) -> Result<Option<u64>, Error> {
        Ok(None)
    }
}

/// An instance of a store, whose whole is `whole`. Objects that are made belong to the
/// store's innermost scope of roots.
struct Instance<'a> {
    store: &'a mut StoreInner,
    whole: *mut (),
    at: usize,
}

impl Instance<'_> {
    fn entity(&self) -> &InstanceEntity {
        &self.store.instances[self.at]
    }
}

impl Scope for Instance<'_> {
    fn global(&self, global: GlobalIdx) -> Option<(u64, Option<u64>)> {
        Settled(self.entity()).global(global)
    }

    fn func(&self, func: FuncIdx) -> Option<u64> {
        Settled(self.entity()).func(func)
    }

    fn object(&mut self, op: ConstOp, stack: &mut Stack) -> Result<Option<u64>, Error> {
        let (ConstOp::StructNew(ty)
        | ConstOp::StructNewDefault(ty)
        | ConstOp::StructNewDesc(ty)
        | ConstOp::StructNewDefaultDesc(ty)
        | ConstOp::ArrayNew(ty)
        | ConstOp::ArrayNewDefault(ty)
        | ConstOp::ArrayNewFixed(ty, _)) = op
        else {
            return Ok(None);
        };
        let module = self.entity().module.clone();
        let Some(def) = module.data().types.get(ty.index()).map(|ty| ty.def()) else {
            return Ok(None);
        };
        let element = match &def.def().composite {
            RawCompositeType::Array(element) => element.storage,
            RawCompositeType::Struct(_) | RawCompositeType::Func { .. } => RawStorageType::I8,
        };
        let with_descriptor = matches!(op, ConstOp::StructNewDesc(_) | ConstOp::StructNewDefaultDesc(_));
        let descriptor = if with_descriptor { stack.pop() } else { None };
        if with_descriptor && descriptor.unwrap_or(0) == 0 {
            return Err(Trap::NullDescriptorReference.into());
        }
        let mut length = || stack.pop().and_then(|len| u32::try_from(len).ok()).unwrap_or(0);
        let len = match op {
            ConstOp::ArrayNew(_) | ConstOp::ArrayNewDefault(_) => length(),
            ConstOp::ArrayNewFixed(_, len) => len,
            _ => 0,
        };
        let handle = self.store.new_object(self.whole, def, len)?;
        let _root: Rooted<AnyRef> = Rooted::new(self.store, handle);
        let mut write = |offset: usize, storage, slots| self.store.write_field(handle, offset, storage, slots);
        if let Some(descriptor) = descriptor {
            let at = def.info().layout.descriptor as usize;
            write(at, RawStorageType::Val(RawValType::I32), [descriptor, 0]);
        }
        match (&def.def().composite, op) {
            (RawCompositeType::Struct(fields), ConstOp::StructNew(_) | ConstOp::StructNewDesc(_)) => {
                let places = fields.iter().zip(&def.info().layout.fields);
                for (RawFieldType { storage, .. }, at) in places.rev() {
                    write(*at as usize, *storage, pop(stack, *storage));
                }
            }
            (RawCompositeType::Array(_), ConstOp::ArrayNew(_)) => {
                let slots = pop(stack, element);
                for i in 0..len {
                    write(StoreInner::element_place(element, i), element, slots);
                }
            }
            (RawCompositeType::Array(_), ConstOp::ArrayNewFixed(..)) => {
                for i in (0..len).rev() {
                    write(StoreInner::element_place(element, i), element, pop(stack, element));
                }
            }
            _ => {}
        }
        Ok(Some(handle.into()))
    }
}

/// Takes the value of a field off the stack.
fn pop(stack: &mut Stack, storage: RawStorageType) -> [u64; 2] {
    let mut next = || stack.pop().unwrap_or(0);
    match storage {
        RawStorageType::Val(RawValType::V128) => {
            let high = next();
            [next(), high]
        }
        _ => [next(), 0],
    }
}

/// The slot of an expression's value, if it can be told from those of the globals that
/// are known.
pub(super) fn known_value(expr: &ConstExpr, global: impl Fn(GlobalIdx) -> Option<u64>) -> Option<u64> {
    let slots = value_of(expr, &mut Known(global)).ok()?;
    slots.map(|[slot, _]| slot)
}

/// The slots of the value of an expression of the instance at `at`: the second is 0 but
/// for `v128`. If it makes objects, the store's innermost scope keeps them.
///
/// # Errors
/// If there is no room for an object.
pub(super) fn evaluate(store: &mut StoreInner, whole: *mut (), at: usize, expr: &ConstExpr) -> Result<[u64; 2], Error> {
    let value = value_of(expr, &mut Instance { store, whole, at })?;
    Ok(value.expect("validation requires one value"))
}

/// The elements of a segment, as slots, which have no objects of their own.
pub(super) fn settled_elements(instance: &InstanceEntity, items: &ElemItems) -> Box<[u64]> {
    let reference = |func: &FuncIdx| instance.cx.func_ref(*func).to_slot();
    match items {
        ElemItems::Funcs(funcs) => funcs.iter().map(reference).collect(),
        ElemItems::Exprs(exprs) => {
            let value = |expr| value_of(expr, &mut Settled(instance)).ok().flatten();
            exprs
                .iter()
                .map(|expr| value(expr).map_or(0, |[slot, _]| slot))
                .collect()
        }
    }
}

/// The elements of a segment of the instance at `at`, as slots: always the same for an
/// instance, but for objects.
///
/// # Errors
/// If there is no room for an object.
pub(super) fn elements(
    store: &mut StoreInner,
    whole: *mut (),
    at: usize,
    items: &ElemItems,
) -> Result<Box<[u64]>, Error> {
    match items {
        ElemItems::Funcs(_) => Ok(settled_elements(&store.instances[at], items)),
        ElemItems::Exprs(exprs) => {
            let values = exprs.iter().map(|expr| Ok(evaluate(store, whole, at, expr)?[0]));
            values.collect()
        }
    }
}

/// The slots of an expression's value, if what is in it is known.
fn value_of(expr: &ConstExpr, scope: &mut impl Scope) -> Result<Option<[u64; 2]>, Error> {
    let mut stack = Stack::new();
    for op in &expr.0 {
        let value = match op {
            ConstOp::Const(slot) => *slot,
            ConstOp::GlobalGet(index) => {
                let Some((low, high)) = scope.global(*index) else {
                    return Ok(None);
                };
                stack.push(low);
                stack.extend(high);
                continue;
            }
            ConstOp::RefFunc(index) => match scope.func(*index) {
                Some(slot) => slot,
                None => return Ok(None),
            },
            ConstOp::I32Add => wide(&mut stack, |a, b| low(a.wrapping_add(b))),
            ConstOp::I32Sub => wide(&mut stack, |a, b| low(a.wrapping_sub(b))),
            ConstOp::I32Mul => wide(&mut stack, |a, b| low(a.wrapping_mul(b))),
            ConstOp::I64Add => wide(&mut stack, u64::wrapping_add),
            ConstOp::I64Sub => wide(&mut stack, u64::wrapping_sub),
            ConstOp::I64Mul => wide(&mut stack, u64::wrapping_mul),
            ConstOp::RefI31 => low(stack.pop().unwrap_or(0) << 1 | 1),
            ConstOp::StructNew(_)
            | ConstOp::StructNewDefault(_)
            | ConstOp::StructNewDesc(_)
            | ConstOp::StructNewDefaultDesc(_)
            | ConstOp::ArrayNew(_)
            | ConstOp::ArrayNewDefault(_)
            | ConstOp::ArrayNewFixed(..) => match scope.object(*op, &mut stack)? {
                Some(slot) => slot,
                None => return Ok(None),
            },
        };
        stack.push(value);
    }
    Ok(stack.first().map(|low| [*low, stack.get(1).copied().unwrap_or(0)]))
}

/// Applies a binary operator to the top of the stack.
fn wide(stack: &mut Stack, op: impl Fn(u64, u64) -> u64) -> u64 {
    let (b, a) = (stack.pop(), stack.pop());
    a.zip(b).map(|(a, b)| op(a, b)).expect("validation requires two values")
}

/// An `i32`'s slot: arithmetic modulo 2^64 agrees with that modulo 2^32 there.
fn low(value: u64) -> u64 {
    value & 0xffff_ffff
}
