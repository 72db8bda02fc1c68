//! Domains: whose permissions an instance has, and what it and its children
//! use of their quotas.

use std::fmt;
use std::num::NonZero;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::context::AsContextMut;
use super::permissions::{Capabilities, Permissions, Quotas};
use super::store::StoreId;
use crate::error::{Error, PermissionError, QuotaError, TypeError};

/// Permissions that instances share, and what has been used of their quotas.
///
/// Every instance belongs to one domain: to the one it was made in, or the
/// store's first, which allows everything unless [`Store::set_domain`] says
/// otherwise. A child's domain has no permission that its parent's has not,
/// and what it uses of a quota counts as used by the parent too.
///
/// [`Store::set_domain`]: crate::Store::set_domain
///
/// ```
/// use vm::{Capability, Domain, Engine, Error, Linker, Module, Permissions, Requirement, Store};
///
/// # fn main() -> Result<(), Error> {
/// let engine = Engine::default();
/// let mut linker = Linker::new(&engine);
/// linker.func_wrap_requiring("host", "now", Requirement::new(Capability::Clock), || 1_234_u64)?;
/// let module = Module::new(
///     &engine,
///     r#"(module
///         (import "host" "now" (func $now (result i64)))
///         (func (export "run") (result i64) (call $now)))"#,
/// )?;
///
/// let app = Domain::new("app", Permissions::all());
/// let plugin = app.child("plugin", Permissions::all().drop(Capability::Clock));
/// let mut store = Store::new(&engine, ());
/// for (domain, allowed) in [(app, true), (plugin, false)] {
///     let instance = linker.instantiate_in(&mut store, &module, &domain)?;
///     let run = instance.get_typed_func::<(), u64>(&mut store, "run")?;
///     match run.call(&mut store, ()) {
///         Ok(now) => assert!(allowed && now == 1_234),
///         Err(error) => assert_eq!(
///             error.to_string(),
///             "`plugin` may not call `host` `now`: that needs the permission `clock`",
///         ),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Domain(Arc<Data>);

/// How often a domain has given something up: what a store knows its domains to
/// have holds as long as this stays the same. Guests can give up nothing again and
/// again, but not 2^64 times.
static DROPS: AtomicU64 = AtomicU64::new(0);

/// [`DROPS`] now.
#[inline]
pub(crate) fn drops() -> u64 {
    DROPS.load(Ordering::Acquire)
}

/// Which domain something belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DomainId(NonZero<u64>);

impl DomainId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NonZero::new(NEXT.fetch_add(1, Ordering::Relaxed)).expect("fewer domains than 2^64 are made"))
    }
}

struct Data {
    id: DomainId,
    name: Box<str>,
    permissions: Permissions,
    parent: Option<Domain>,
    /// The store whose instances belong to it.
    store: OnceLock<StoreId>,
    /// Bits of capabilities that were given up for good.
    dropped: AtomicU32,
    used: [AtomicU64; 4],
}

/// What there are quotas of that domains keep account of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    Memory,
    TableElements,
    Instances,
    Threads,
}

impl Resource {
    fn of(self, quotas: Quotas) -> Option<u64> {
        match self {
            Self::Memory => quotas.memory,
            Self::TableElements => quotas.table_elements,
            Self::Instances => quotas.instances,
            Self::Threads => quotas.threads,
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Memory => "bytes of memory",
            Self::TableElements => "table elements",
            Self::Instances => "instances",
            Self::Threads => "threads",
        }
    }
}

impl Domain {
    /// A domain with these permissions, and a name for messages.
    pub fn new(name: &str, permissions: Permissions) -> Self {
        Self::of(name, permissions, None)
    }

    fn of(name: &str, permissions: Permissions, parent: Option<Self>) -> Self {
        Self(Arc::new(Data {
            id: DomainId::next(),
            name: name.into(),
            permissions,
            parent,
            store: OnceLock::new(),
            dropped: AtomicU32::new(0),
            used: Default::default(),
        }))
    }

    /// A domain with as many of `permissions` as this one has.
    #[must_use]
    pub fn child(&self, name: &str, permissions: Permissions) -> Self {
        let own = self.0.permissions.clone().keep(self.capabilities().iter());
        Self::of(name, own.intersection(&permissions), Some(self.clone()))
    }

    /// A domain with all that this one has, whose use of quotas is counted apart.
    #[must_use]
    pub fn inherit(&self, name: &str) -> Self {
        self.child(name, Permissions::all())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What tells it from all others.
    pub fn id(&self) -> DomainId {
        self.0.id
    }

    /// The domain it is a child of.
    pub fn parent(&self) -> Option<&Self> {
        self.0.parent.as_ref()
    }

    /// What its instances may do by themselves; fewer things where their callers
    /// may not ([`Caller::permissions`](crate::Caller::permissions)).
    pub fn permissions(&self) -> Permissions {
        self.0.permissions.clone().keep(self.capabilities().iter())
    }

    /// The capabilities of its instances by themselves.
    pub fn capabilities(&self) -> Capabilities {
        let mut left = self.0.permissions.capabilities();
        for domain in self.lineage() {
            left = left.difference(Capabilities::from_bits(domain.0.dropped.load(Ordering::Relaxed)));
        }
        left
    }

    /// Gives capabilities up for good: for all instances of the domain in
    /// `store`, and for its children.
    ///
    /// # Errors
    /// If its instances are in another store.
    pub fn drop_capabilities(
        &self,
        mut store: impl AsContextMut,
        capabilities: impl Into<Capabilities>,
    ) -> Result<(), Error> {
        let inner = &mut store.as_context_mut().0.inner;
        self.bind(inner.id)?;
        self.0
            .dropped
            .fetch_or(capabilities.into().to_bits(), Ordering::Relaxed);
        // Who sees the new number sees what was given up.
        DROPS.fetch_add(1, Ordering::Release);
        inner.find_granted();
        Ok(())
    }

    /// Whether both are the same domain.
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }

    /// Whether it is that domain, or comes from it.
    pub fn comes_from(&self, id: DomainId) -> bool {
        self.lineage().any(|domain| domain.id() == id)
    }

    /// Takes the domain for the instances of a store.
    pub(crate) fn bind(&self, store: StoreId) -> Result<(), Error> {
        if *self.0.store.get_or_init(|| store) == store {
            Ok(())
        } else {
            Err(TypeError::OtherStore { what: "domain" }.into())
        }
    }

    /// It, its parent, and so on.
    fn lineage(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |domain| domain.parent())
    }

    /// Bytes of memories and regions that it and its children have.
    pub fn memory_used(&self) -> u64 {
        self.used(Resource::Memory).load(Ordering::Relaxed)
    }

    fn used(&self, resource: Resource) -> &AtomicU64 {
        &self.0.used[resource as usize]
    }

    /// Counts bytes as used by the domain, until the charge is dropped.
    ///
    /// # Errors
    /// [`Error::Permission`] if a quota, its own or that of a domain it comes
    /// from, does not allow them; nothing is counted then.
    pub fn charge_memory(&self, bytes: u64) -> Result<Charge, Error> {
        Ok(self.charge(Resource::Memory, bytes)?)
    }

    /// Counts one thread besides its first as used by the domain, until the charge is
    /// dropped.
    ///
    /// # Errors
    /// As [`Domain::charge_memory`].
    pub fn charge_thread(&self) -> Result<Charge, Error> {
        Ok(self.charge(Resource::Threads, 1)?)
    }

    /// Counts an amount as used, until the charge is dropped.
    pub(crate) fn charge(&self, resource: Resource, amount: u64) -> Result<Charge, PermissionError> {
        let mut charge = Charge {
            domain: self.clone(),
            resource,
            amount: 0,
        };
        charge.resize(amount)?;
        Ok(charge)
    }

    fn take(&self, resource: Resource, amount: u64) -> Result<(), PermissionError> {
        for domain in self.lineage() {
            let quota = resource.of(domain.0.permissions.quotas()).unwrap_or(u64::MAX);
            let add = |used: u64| used.checked_add(amount).filter(|sum| *sum <= quota);
            let used = domain.used(resource);
            if let Err(used) = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
                for taken in self.lineage().take_while(|taken| !taken.is_same(domain)) {
                    taken.used(resource).fetch_sub(amount, Ordering::Relaxed);
                }
                return Err(PermissionError::Quota(QuotaError {
                    domain: domain.name().into(),
                    unit: resource.unit(),
                    quota,
                    used,
                    wanted: amount,
                }));
            }
        }
        Ok(())
    }

    fn give_back(&self, resource: Resource, amount: u64) {
        for domain in self.lineage() {
            domain.used(resource).fetch_sub(amount, Ordering::Relaxed);
        }
    }
}

impl Default for Domain {
    /// Everything is allowed.
    fn default() -> Self {
        Self::new("main", Permissions::all())
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Domain")
            .field("name", &self.0.name)
            .field("permissions", &self.0.permissions)
            .finish_non_exhaustive()
    }
}

/// What a domain uses of a quota, given back when this is dropped.
#[derive(Debug)]
pub struct Charge {
    domain: Domain,
    resource: Resource,
    amount: u64,
}

impl Charge {
    /// Whose use it is.
    pub(crate) fn domain(&self) -> &Domain {
        &self.domain
    }

    /// How much it uses.
    pub(crate) fn amount(&self) -> u64 {
        self.amount
    }

    /// Uses this much from now on.
    pub(crate) fn resize(&mut self, amount: u64) -> Result<(), PermissionError> {
        match amount.checked_sub(self.amount) {
            Some(more) => self.domain.take(self.resource, more)?,
            None => self.domain.give_back(self.resource, self.amount - amount),
        }
        self.amount = amount;
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.domain.give_back(self.resource, self.amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_use_what_is_their_parents() {
        let parent = Domain::new("parent", Permissions::all().limit_memory(100));
        let children = ["a", "b"].map(|name| parent.child(name, Permissions::all().limit_memory(80)));
        let first = children[0].charge_memory(60).expect("80 and 100 are more");
        let error = children[1].charge_memory(50).expect_err("40 are left");
        assert_eq!(
            error.to_string(),
            "`parent` may have 100 bytes of memory: it has 60, and 50 more were asked for"
        );
        assert_eq!((children[1].memory_used(), parent.memory_used()), (0, 60));
        assert!(children[0].charge_memory(21).is_err(), "its own quota is 80");
        drop(first);
        assert_eq!((children[0].memory_used(), parent.memory_used()), (0, 0));
        let grandchild = children[1].child("c", Permissions::all());
        let mut charge = grandchild.charge(Resource::Memory, 10).expect("80 and 100 are more");
        assert!(charge.resize(90).is_err());
        assert_eq!(parent.memory_used(), 10);
        charge.resize(80).expect("as many as there are");
        charge.resize(5).expect("fewer");
        assert_eq!([&grandchild, &children[1], &parent].map(Domain::memory_used), [5, 5, 5]);
        assert!(parent.charge_memory(u64::MAX).is_err());
    }
}
