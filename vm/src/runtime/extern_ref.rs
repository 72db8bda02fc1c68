//! Values of the host that guests can keep and pass on.

use std::any::Any;

use super::any_ref::AnyRef;
use super::context::{AsContext, AsContextMut};
use super::roots::{Reference, Root, Rooted};
use crate::error::Error;

/// A reference to a value of the host, which guests can keep and pass on but not look
/// into; or to anything else that guests have passed as one (`extern.convert_any`).
///
/// The value is dropped when neither guests nor the host can reach it any more, at a
/// collection, or with the store.
///
/// ```
/// use vm::{Engine, ExternRef, Store};
///
/// # fn main() -> Result<(), vm::Error> {
/// let mut store = Store::new(&Engine::default(), ());
/// let name = ExternRef::new(&mut store, String::from("orca"))?;
/// let data = name.data(&store)?.expect("a value of the host");
/// assert_eq!(data.downcast_ref::<String>().unwrap(), "orca");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ExternRef(Root);

impl Reference for ExternRef {
    fn of(root: Root) -> Self {
        Self(root)
    }

    fn root(&self) -> Root {
        self.0
    }
}

impl ExternRef {
    /// Puts a value into a store.
    ///
    /// # Errors
    /// [`Trap::HeapExhausted`](crate::Trap::HeapExhausted) if the store's heap has no room,
    /// [`Error::Limit`] if there is no address space for one, or the limiter's error.
    pub fn new(mut store: impl AsContextMut, value: impl Any + Send + Sync) -> Result<Rooted<Self>, Error> {
        let mut store = store.as_context_mut();
        let whole = store.whole();
        let inner = &mut store.0.inner;
        let handle = inner.add_host_value(whole, Box::new(value))?;
        Ok(Rooted::new(inner, handle))
    }

    /// The reference that a guest would have after `extern.convert_any`.
    ///
    /// # Errors
    /// If the reference's scope has ended, or it is of another store.
    pub fn convert_any(store: impl AsContext, value: Rooted<AnyRef>) -> Result<Rooted<Self>, Error> {
        value.handle(&store.as_context().0.inner)?;
        Ok(value.cast())
    }

    /// The value; `None` if it is not one of the host.
    ///
    /// # Errors
    /// If the reference's scope has ended, or it is of another store.
    pub fn data<'a, T: 'static>(
        &self,
        store: &'a impl AsContext<Data = T>,
    ) -> Result<Option<&'a (dyn Any + Send + Sync)>, Error> {
        let inner = &store.as_context().0.inner;
        let handle = self.0.handle(inner)?;
        let heap = inner.heap.as_ref();
        Ok(heap.and_then(|heap| heap.host_value(handle)).map(|value| &**value))
    }

    /// The value; `None` if it is not one of the host.
    ///
    /// # Errors
    /// If the reference's scope has ended, or it is of another store.
    pub fn data_mut<'a, T: 'static>(
        &self,
        store: &'a mut impl AsContextMut<Data = T>,
    ) -> Result<Option<&'a mut (dyn Any + Send + Sync)>, Error> {
        let inner = &mut store.as_context_mut().0.inner;
        let handle = self.0.handle(inner)?;
        let heap = inner.heap.as_mut();
        Ok(heap
            .and_then(|heap| heap.host_value_mut(handle))
            .map(|value| &mut **value))
    }
}
