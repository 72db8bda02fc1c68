//! Exceptions as the embedder sees them.

use super::any_ref::ExnRef;
use super::context::{AsContext, AsContextMut, Caller, StoreContextMut};
use super::roots::Rooted;
use super::store::{Store, StoreInner};
use super::tag::Tag;
use super::val::{Val, read_slots, write_slots};
use crate::error::{Error, ThrownException, ThrownId, TypeError};
use crate::exec::exception::Exception;
use crate::exec::tag::TagRef;
use crate::module::TagIdx;

impl ExnRef {
    /// An exception of a tag, which carries these values.
    ///
    /// ```
    /// use vm::{Engine, Error, ExnRef, FuncType, Linker, Module, Store, Tag, TagType, ThrownException, Val, ValType};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let engine = Engine::default();
    /// let module = Module::new(
    ///     &engine,
    ///     r#"(module
    ///         (import "host" "tag" (tag $tag (param i32)))
    ///         (import "host" "refuse" (func $refuse))
    ///         (func (export "run") (result i32)
    ///             (block $caught (result i32)
    ///                 (try_table (catch $tag $caught) (call $refuse))
    ///                 (i32.const 0))))"#,
    /// )?;
    /// let mut store = Store::new(&engine, ());
    /// let tag = Tag::new(&mut store, &TagType::new(FuncType::new([ValType::I32], [])))?;
    /// let mut linker = Linker::new(&engine);
    /// linker.define(&store, "host", "tag", tag)?;
    /// linker.func_wrap("host", "refuse", move |mut caller: vm::Caller<'_, ()>| -> Result<(), Error> {
    ///     let exception = ExnRef::new(&mut caller, tag, &[Val::I32(42)])?;
    ///     Ok(caller.throw(exception)?)
    /// })?;
    /// let instance = linker.instantiate(&mut store, &module)?;
    /// assert_eq!(instance.get_typed_func::<(), i32>(&mut store, "run")?.call(&mut store, ())?, 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the values are not of the tag's types, or something is of another store; if
    /// the store's heap has no room.
    pub fn new(mut store: impl AsContextMut, tag: Tag, fields: &[Val]) -> Result<Rooted<Self>, Error> {
        let mut store = store.as_context_mut();
        let whole = store.whole();
        let inner = &mut store.0.inner;
        let ty = tag.ty_in(inner);
        let expected = ty.ty().params().len();
        if fields.len() != expected {
            return Err(TypeError::Count {
                ty: ty.ty().clone(),
                what: "arguments",
                expected,
                found: fields.len(),
            }
            .into());
        }
        let mut slots = Vec::new();
        write_slots(fields, ty.ty().params(), inner, |slot| slots.push(slot))?;
        let exception = inner.new_exception(whole, tag.tag_ref(), &slots)?;
        Ok(Rooted::new(inner, exception.handle()))
    }
}

impl Rooted<ExnRef> {
    fn exception(&self, store: &StoreInner) -> Result<Exception, Error> {
        let handle = self.handle(store)?;
        Ok(Exception::from_slot(handle.into()).expect("a reference of the host is not null"))
    }

    /// Its tag.
    ///
    /// # Errors
    /// If its scope has ended, or it is of another store, as all methods.
    pub fn tag(&self, mut store: impl AsContextMut) -> Result<Tag, Error> {
        let inner = &store.as_context_mut().0.inner;
        Ok(Tag::handle(inner.id, self.exception(inner)?.tag(inner)))
    }

    /// What it carries.
    ///
    /// # Errors
    /// If its scope has ended, or it is of another store.
    pub fn fields(&self, mut store: impl AsContextMut) -> Result<std::vec::IntoIter<Val>, Error> {
        let inner = &store.as_context_mut().0.inner;
        let exception = self.exception(inner)?;
        let ty = exception.tag(inner).ty();
        let fields: Vec<Val> = read_slots(exception.payload(inner), ty.ty().params(), inner).collect();
        Ok(fields.into_iter())
    }
}

impl<T> StoreContextMut<'_, T> {
    /// Makes an exception the one that the store keeps. A host function that returns
    /// the error throws it in its caller.
    ///
    /// # Errors
    /// Always: it tells of the exception.
    ///
    /// # Panics
    /// If the reference's scope has ended, or it is of another store.
    pub fn throw<R>(&mut self, exception: Rooted<ExnRef>) -> Result<R, ThrownException> {
        let inner = &mut self.0.inner;
        let exception = exception.exception(inner).expect("the reference is one of this store");
        Err(inner.keep_thrown(exception, None))
    }

    /// The exception that was thrown last of those that no guest has caught. It is not
    /// kept any more: the error that tells of it is one as others then.
    pub fn take_pending_exception(&mut self) -> Option<Rooted<ExnRef>> {
        let inner = &mut self.0.inner;
        let exception = inner.take_thrown()?;
        Some(Rooted::new(inner, exception.handle()))
    }

    /// Whether there is an exception to be taken.
    pub fn has_pending_exception(&self) -> bool {
        self.0.inner.thrown.is_some()
    }
}

macro_rules! delegate {
    ($($of:ty),*) => {$(
        impl<T> $of {
            /// See [`StoreContextMut::throw`].
            ///
            /// # Errors
            /// Always: it tells of the exception.
            ///
            /// # Panics
            /// If the reference's scope has ended, or it is of another store.
            pub fn throw<R>(&mut self, exception: Rooted<ExnRef>) -> Result<R, ThrownException> {
                self.as_context_mut().throw(exception)
            }

            /// See [`StoreContextMut::take_pending_exception`].
            pub fn take_pending_exception(&mut self) -> Option<Rooted<ExnRef>> {
                self.as_context_mut().take_pending_exception()
            }

            /// See [`StoreContextMut::has_pending_exception`].
            pub fn has_pending_exception(&self) -> bool {
                self.as_context().0.inner.thrown.is_some()
            }
        }
    )*};
}

delegate!(Store<T>, Caller<'_, T>);

impl StoreInner {
    /// Keeps an exception for the host, whose tag has a name; what tells of it.
    pub(crate) fn keep_thrown(&mut self, exception: Exception, name: Option<Box<str>>) -> ThrownException {
        let id = ThrownId {
            store: self.id,
            serial: self.exceptions_kept,
        };
        self.exceptions_kept += 1;
        self.thrown = Some(id);
        self.roots.pending_exception = exception.handle();
        let tag = exception.tag(self);
        ThrownException::new(id, name.as_deref(), tag.ty(), exception.payload(self))
    }

    /// Keeps an exception again that the host has gone on throwing with this error.
    pub(crate) fn keep_thrown_again(
        &mut self,
        error: &mut Error,
        exception: Exception,
        name: impl FnOnce(&Self) -> Option<Box<str>>,
    ) {
        if let Error::Exception(error) = error {
            self.thrown = Some(error.thrown().id());
            self.roots.pending_exception = exception.handle();
            error.thrown_mut().name(|| name(self));
        }
    }

    /// Whether an error tells of the exception that is kept.
    pub(crate) fn has_thrown(&self, error: &Error) -> bool {
        let told = match error {
            Error::Exception(error) => error.thrown().id(),
            _ => return false,
        };
        self.thrown == Some(told)
    }

    /// The exception that is kept, which is not kept any more.
    pub(crate) fn take_thrown(&mut self) -> Option<Exception> {
        self.thrown.take()?;
        let handle = std::mem::take(&mut self.roots.pending_exception);
        Exception::from_slot(handle.into())
    }

    /// What an instance calls a tag.
    pub(crate) fn tag_name(&self, instance: u32, tag: TagRef) -> Option<Box<str>> {
        let instance = self.instances.get(instance as usize)?;
        let module = instance.module.data();
        let mut tags = (0..module.tags.len()).filter_map(|i| Some(TagIdx::new(u32::try_from(i).ok()?)));
        let tag = tags.find(|i| instance.cx.tag(*i) == tag)?;
        module.tag_name(tag).map(Into::into)
    }
}
