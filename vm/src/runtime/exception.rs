//! Exceptions as the embedder sees them.

use super::store::StoreInner;
use crate::error::{Error, ThrownException, ThrownId};
use crate::exec::exception::Exception;
use crate::exec::tag::TagRef;
use crate::module::TagIdx;

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
