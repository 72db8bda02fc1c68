//! Functions, called from the host with values or with Rust types.

use std::marker::PhantomData;
use std::sync::Arc;

use super::context::{AsContext, AsContextMut, Caller};
use super::domain::Domain;
use super::externs::check_store;
use super::permissions::Capability;
use super::store::{StoreId, StoreInner};
use super::typed::{IntoFunc, WasmParams, WasmResults};
use super::val::{Val, read_slots, write_slots};
use crate::error::{Error, TypeError};
use crate::exec::context::FuncRef;
use crate::exec::entry;
use crate::exec::host::{self, HostDef, Need};
use crate::types::{FuncType, ValType};

/// A function of a guest or of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Func {
    store: StoreId,
    func: FuncRef,
}

impl Func {
    /// A host function of type `ty` whose closure gets its parameters as
    /// values, and puts its results into a list that is as long as they are
    /// and holds zeros and nulls at first.
    ///
    /// If the closure leaves values of wrong types there, or references of
    /// another store, the call ends with a [`TypeError`](crate::TypeError).
    ///
    /// ```
    /// use vm::{Engine, Func, FuncType, Store, Val, ValType};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let mut store = Store::new(&Engine::default(), ());
    /// let ty = FuncType::new([ValType::I32, ValType::I32], [ValType::I32]);
    /// let largest = Func::new(&mut store, ty, |_, args, results| {
    ///     let largest = args.iter().filter_map(Val::i32).max();
    ///     results[0] = Val::I32(largest.unwrap_or(0));
    ///     Ok(())
    /// });
    /// assert_eq!(largest.typed::<(i32, i32), i32>(&store)?.call(&mut store, (3, 7))?, 7);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new<T: 'static>(
        mut store: impl AsContextMut<Data = T>,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        Self::from_def(&mut store.as_context_mut().0.inner, untyped(ty, func))
    }

    /// A host function from a closure, whose Rust types say its type.
    ///
    /// The closure takes a [`Caller`] first, if it wants one, and then the
    /// parameters; it gives nothing, a value or a tuple of values, or a
    /// `Result` of those. Rust's `i32` and `u32` are wasm's `i32`, and so on;
    /// `Option<Func>` and `Option<Rooted<ExternRef>>` are references.
    ///
    /// ```
    /// use vm::{Caller, Engine, Func, Store};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let mut store = Store::new(&Engine::default(), Vec::new());
    /// let log = Func::wrap(&mut store, |mut caller: Caller<'_, Vec<u64>>, x: u64, y: f64| {
    ///     caller.data_mut().push(x);
    ///     y * 0.5
    /// });
    /// assert_eq!(log.ty(&store).to_string(), "(func (param i64 f64) (result f64))");
    /// assert_eq!(log.typed::<(u64, f64), f64>(&store)?.call(&mut store, (7, 3.0))?, 1.5);
    /// assert_eq!(store.data(), &[7]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn wrap<T: 'static, P, R>(mut store: impl AsContextMut<Data = T>, func: impl IntoFunc<T, P, R>) -> Self {
        Self::from_def(&mut store.as_context_mut().0.inner, func.into_def())
    }

    /// The domain that what it does belongs to; `None` for a host function, which
    /// belongs to none.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub fn domain(&self, store: impl AsContext) -> Option<Domain> {
        let inner = &store.as_context().0.inner;
        check_store(self.store, inner, "function");
        Some(inner.domain_of(self.func.instance()?).clone())
    }

    /// A function that calls this one as if nothing had called the caller: with
    /// what the function's own domain is allowed, whoever calls it.
    ///
    /// That is how one domain lends another a right it has not: as a function
    /// that does one thing with it. What the function does for its callers is
    /// its own to decide, so hand it only to those who are meant to have it. A host
    /// function belongs to no domain, so it lends nothing and is given back as it is.
    ///
    /// # Panics
    /// If it belongs to another store.
    #[must_use]
    pub fn gate(&self, mut store: impl AsContextMut) -> Self {
        let inner = &mut store.as_context_mut().0.inner;
        let ty = self.ty_in(inner);
        if self.func.is_host() {
            return *self;
        }
        Self::from_def(inner, host::gate(ty, self.func))
    }

    pub(crate) fn from_def(store: &mut StoreInner, def: HostDef) -> Self {
        let func = store.add_host_func(Arc::new(def));
        Self::new_handle(store.id, func)
    }

    pub(crate) fn new_handle(store: StoreId, func: FuncRef) -> Self {
        Self { store, func }
    }

    /// The function's record, if it is in this store.
    pub(crate) fn within(self, store: &StoreInner) -> Result<FuncRef, Error> {
        if self.store == store.id {
            Ok(self.func)
        } else {
            Err(TypeError::OtherStore { what: "function" }.into())
        }
    }

    pub(crate) fn store(self) -> StoreId {
        self.store
    }

    /// The function's record.
    pub(crate) fn func_ref(self) -> FuncRef {
        self.func
    }

    /// Its type.
    ///
    /// # Panics
    /// If it belongs to another store, as all methods.
    pub fn ty(&self, store: impl AsContext) -> FuncType {
        self.ty_in(&store.as_context().0.inner)
    }

    pub(crate) fn ty_in(self, store: &StoreInner) -> FuncType {
        check_store(self.store, store, "function");
        FuncType::of(store.engine.types().get(self.func.ty()))
    }

    /// Calls it with values; `results` must be as long as its results are.
    ///
    /// ```
    /// use vm::{Engine, Instance, Module, Store, Val};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let engine = Engine::default();
    /// let text = r#"(module (func (export "swap") (param i32 i64) (result i64 i32)
    ///     (local.get 1) (local.get 0)))"#;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &Module::new(&engine, text)?, &[])?;
    /// let swap = instance.get_func(&mut store, "swap").unwrap();
    /// let mut results = [Val::I32(0); 2];
    /// swap.call(&mut store, &[Val::I32(1), Val::I64(2)], &mut results)?;
    /// assert_eq!((results[0].i64(), results[1].i32()), (Some(2), Some(1)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Type`] if number or types of the arguments are wrong, or
    /// `results` has another length; else what ended the call. `results` are
    /// as they were then.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub fn call(&self, mut store: impl AsContextMut, args: &[Val], results: &mut [Val]) -> Result<(), Error> {
        let mut store = store.as_context_mut();
        let inner = &store.0.inner;
        let ty = self.ty_in(inner);
        let count = |what, expected, found| match expected == found {
            true => Ok(()),
            false => Err(TypeError::Count {
                ty: ty.clone(),
                what,
                expected,
                found,
            }),
        };
        count("arguments", ty.params().len(), args.len())?;
        count("results", ty.results().len(), results.len())?;
        let mut slots = smallvec::SmallVec::<[u64; 8]>::new();
        write_slots(args, ty.params(), inner, |slot| slots.push(slot))?;
        let read = |frame: &[u64], _: &StoreInner| smallvec::SmallVec::<[u64; 8]>::from_slice(frame);
        let write =
            |frame: &mut [u64], _: &StoreInner| frame.iter_mut().zip(&slots).for_each(|(slot, value)| *slot = *value);
        let values = entry::call(store.0, self.func, write, read)?;
        let inner = &store.as_context_mut().0.inner;
        for (result, value) in results.iter_mut().zip(read_slots(&values, ty.results(), inner)) {
            *result = value;
        }
        Ok(())
    }

    /// The function with Rust types for its parameters and results.
    ///
    /// # Errors
    /// If they do not fit its type.
    pub fn typed<P: WasmParams, R: WasmResults>(&self, store: impl AsContext) -> Result<TypedFunc<P, R>, Error> {
        let found = self.ty(store);
        let expected = FuncType::new(P::types(), R::types());
        if found != expected {
            return Err(TypeError::Func { expected, found }.into());
        }
        Ok(TypedFunc {
            func: *self,
            types: PhantomData,
        })
    }
}

/// What the callers of a host function must be allowed, and what a call gives
/// that is refused.
///
/// ```
/// use vm::{Capability, Engine, Linker, Requirement, Val};
///
/// # fn main() -> Result<(), vm::Error> {
/// const EPERM: i32 = -1;
/// let mut linker = Linker::<()>::new(&Engine::default());
/// let requirement = Requirement::new(Capability::Random).or_return(Val::I32(EPERM));
/// linker.func_wrap_requiring("host", "dice", requirement, || 4)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Requirement {
    capability: Capability,
    refusal: Option<Val>,
}

impl Requirement {
    /// A call that is refused ends with [`PermissionError::Refused`], and with it
    /// the guest's run.
    ///
    /// [`PermissionError::Refused`]: crate::PermissionError::Refused
    pub fn new(capability: Capability) -> Self {
        Self {
            capability,
            refusal: None,
        }
    }

    /// A call that is refused gives this number to the guest, which goes on.
    #[must_use]
    pub fn or_return(mut self, result: Val) -> Self {
        self.refusal = Some(result);
        self
    }

    /// Makes it the requirement of a definition.
    ///
    /// # Errors
    /// If the function has no such result.
    pub(crate) fn declare(self, def: &mut HostDef, function: String) -> Result<(), Error> {
        let refusal = match &self.refusal {
            None => None,
            Some(value) => {
                let bits = value.to_bits();
                let expected = FuncType::new(def.ty.params(), bits.map(|_| value.ty()));
                if bits.is_none() || expected != def.ty {
                    let found = def.ty.clone();
                    return Err(TypeError::Func { expected, found }.into());
                }
                bits
            }
        };
        def.need = Some(Need {
            capability: self.capability,
            refusal,
            function: function.into(),
        });
        Ok(())
    }
}

/// The definition of a host function that works with values.
pub(crate) fn untyped<T: 'static>(
    ty: FuncType,
    func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<(), Error> + Send + Sync + 'static,
) -> HostDef {
    let own = ty.clone();
    let call = move |call: crate::exec::host::HostCall<'_>| {
        let (mut caller, slots) = call.parts::<T>();
        let inner = &caller.as_context_mut().0.inner;
        let args: smallvec::SmallVec<[Val; 8]> = read_slots(slots, own.params(), inner).collect();
        let zero = |ty: ValType| Val::default_for_ty(&ty).unwrap_or(Val::I32(0));
        let mut results: smallvec::SmallVec<[Val; 4]> = own.results().map(zero).collect();
        func(caller.reborrow(), &args, &mut results)?;
        let inner = &caller.as_context_mut().0.inner;
        let mut slots = slots.iter_mut();
        write_slots(&results, own.results(), inner, |value| {
            if let Some(slot) = slots.next() {
                *slot = value;
            }
        })
    };
    HostDef {
        ty,
        call: Box::new(call),
        need: None,
    }
}

/// A function whose parameters and results have Rust types, checked once.
///
/// Parameters are one value or a tuple of them, results nothing, one or a
/// tuple; the types are those of [`Func::wrap`]. A call allocates nothing.
///
/// ```
/// use vm::{Engine, Instance, Module, Store, TypedFunc};
///
/// # fn main() -> Result<(), vm::Error> {
/// let engine = Engine::default();
/// let text = r#"(module (func (export "div") (param i32 i32) (result i32 i32)
///     (i32.div_u (local.get 0) (local.get 1)) (i32.rem_u (local.get 0) (local.get 1))))"#;
/// let mut store = Store::new(&engine, ());
/// let instance = Instance::new(&mut store, &Module::new(&engine, text)?, &[])?;
/// let div: TypedFunc<(u32, u32), (u32, u32)> = instance.get_typed_func(&mut store, "div")?;
/// assert_eq!(div.call(&mut store, (17, 5))?, (3, 2));
/// assert!(instance.get_typed_func::<(u32, u32), u32>(&mut store, "div").is_err());
/// # Ok(())
/// # }
/// ```
pub struct TypedFunc<P, R> {
    func: Func,
    types: PhantomData<fn(P) -> R>,
}

impl<P, R> Clone for TypedFunc<P, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, R> Copy for TypedFunc<P, R> {}

impl<P, R> std::fmt::Debug for TypedFunc<P, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TypedFunc").field(&self.func).finish()
    }
}

impl<P: WasmParams, R: WasmResults> TypedFunc<P, R> {
    /// The function without its types.
    pub fn func(&self) -> &Func {
        &self.func
    }

    /// Calls it.
    ///
    /// # Errors
    /// What ended the call, or [`Error::Type`] if an argument is a reference
    /// of another store.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub fn call(&self, mut store: impl AsContextMut, params: P) -> Result<R, Error> {
        let store = store.as_context_mut();
        check_store(self.func.store, &store.0.inner, "function");
        params.check(&store.0.inner)?;
        entry::call(
            store.0,
            self.func.func,
            |slots, store| params.write(slots, store),
            R::read,
        )
    }
}
