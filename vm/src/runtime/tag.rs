//! Tags: what tells exceptions apart.

use super::context::{AsContext, AsContextMut};
use super::externs::check_store;
use super::store::{StoreId, StoreInner};
use crate::error::{Error, TypeError};
use crate::exec::tag::TagRef;
use crate::types::TagType;

/// A tag, which tells exceptions apart and says what they carry.
///
/// ```
/// use vm::{Engine, FuncType, Store, Tag, TagType, ValType};
///
/// # fn main() -> Result<(), vm::Error> {
/// let mut store = Store::new(&Engine::default(), ());
/// let ty = TagType::new(FuncType::new([ValType::I32], []));
/// let tag = Tag::new(&mut store, &ty)?;
/// assert_eq!(tag.ty(&store), ty);
/// assert_ne!(tag, Tag::new(&mut store, &ty)?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    store: StoreId,
    tag: TagRef,
}

impl Tag {
    /// A tag that is no other.
    ///
    /// # Errors
    /// If the type has results.
    pub fn new(mut store: impl AsContextMut, ty: &TagType) -> Result<Self, Error> {
        if ty.ty().results().len() > 0 {
            return Err(TypeError::InvalidTag { ty: ty.clone() }.into());
        }
        let inner = &mut store.as_context_mut().0.inner;
        let tag = inner.add_tag(ty.ty());
        Ok(Self { store: inner.id, tag })
    }

    pub(crate) fn handle(store: StoreId, tag: TagRef) -> Self {
        Self { store, tag }
    }

    /// The tag itself.
    pub(crate) fn tag_ref(self) -> TagRef {
        self.tag
    }

    pub(crate) fn store(self) -> StoreId {
        self.store
    }

    /// Its type.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> TagType {
        self.ty_in(&store.as_context().0.inner)
    }

    pub(crate) fn ty_in(self, store: &StoreInner) -> TagType {
        check_store(self.store, store, "tag");
        self.tag.ty()
    }
}
