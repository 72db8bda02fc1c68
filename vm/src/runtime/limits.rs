//! Limits of what a store may hold.

use crate::error::{Error, LimitError};

/// Decides how far a store's memories and tables grow, and how many of what it
/// may hold.
///
/// A store asks its limiter at each instantiation and growth. Sizes are in
/// bytes for memories and in elements for tables. The store's heap of
/// garbage-collected objects is asked for as a memory is; where it may not grow, and
/// nothing can be freed, the guest ends.
pub trait ResourceLimiter {
    /// Whether a memory may grow from `current` to `desired` bytes; `maximum`
    /// is its type's. `false` makes `memory.grow` give -1.
    ///
    /// # Errors
    /// An error ends the guest instead.
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool, Error>;

    /// Told when the system refused a growth that was allowed.
    ///
    /// # Errors
    /// An error ends the guest instead of giving it -1.
    fn memory_grow_failed(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Whether a table may grow from `current` to `desired` elements; `maximum`
    /// is its type's. `false` makes `table.grow` give -1.
    ///
    /// # Errors
    /// An error ends the guest instead.
    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool, Error>;

    /// Told when the system refused a growth that was allowed.
    ///
    /// # Errors
    /// An error ends the guest instead of giving it -1.
    fn table_grow_failed(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Instances the store may hold.
    fn instances(&self) -> usize {
        DEFAULT_COUNT
    }

    /// Tables the store may hold.
    fn tables(&self) -> usize {
        DEFAULT_COUNT
    }

    /// Memories the store may hold.
    fn memories(&self) -> usize {
        DEFAULT_COUNT
    }
}

/// Instances, tables and memories a store may hold unless a limiter says
/// otherwise.
pub(crate) const DEFAULT_COUNT: usize = 10_000;

/// A [`ResourceLimiter`] of fixed limits.
///
/// ```
/// use vm::{Engine, Module, Instance, Store, StoreLimits, StoreLimitsBuilder};
///
/// # fn main() -> Result<(), vm::Error> {
/// let engine = Engine::default();
/// let limits = StoreLimitsBuilder::new().memory_size(1 << 20).instances(1).build();
/// let mut store = Store::new(&engine, limits);
/// store.limiter(|limits| limits);
///
/// let module = Module::new(&engine, r#"(module (memory (export "m") 1))"#)?;
/// let instance = Instance::new(&mut store, &module, &[])?;
/// let memory = instance.get_memory(&mut store, "m").unwrap();
/// assert!(memory.grow(&mut store, 15).is_ok());
/// assert!(memory.grow(&mut store, 1).is_err());
/// assert!(Instance::new(&mut store, &module, &[]).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct StoreLimits {
    memory_size: usize,
    table_elements: usize,
    instances: usize,
    tables: usize,
    memories: usize,
    trap_on_grow_failure: bool,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            memory_size: usize::MAX,
            table_elements: usize::MAX,
            instances: DEFAULT_COUNT,
            tables: DEFAULT_COUNT,
            memories: DEFAULT_COUNT,
            trap_on_grow_failure: false,
        }
    }
}

impl StoreLimits {
    fn decide(&self, what: &'static str, current: usize, desired: usize, limit: usize) -> Result<bool, Error> {
        match desired <= limit {
            false if self.trap_on_grow_failure => Err(LimitError::GrowthRefused { what, current, desired }.into()),
            allowed => Ok(allowed),
        }
    }
}

impl ResourceLimiter for StoreLimits {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool, Error> {
        self.decide("memory", current, desired, self.memory_size)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool, Error> {
        self.decide("table", current, desired, self.table_elements)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.tables
    }

    fn memories(&self) -> usize {
        self.memories
    }
}

/// Makes [`StoreLimits`].
#[derive(Clone, Debug, Default)]
pub struct StoreLimitsBuilder(StoreLimits);

impl StoreLimitsBuilder {
    /// No limits but those of counts, which are 10,000 each.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes that each memory may have, and the heap of garbage-collected objects.
    #[must_use]
    pub fn memory_size(mut self, bytes: usize) -> Self {
        self.0.memory_size = bytes;
        self
    }

    /// Elements that each table may have.
    #[must_use]
    pub fn table_elements(mut self, elements: usize) -> Self {
        self.0.table_elements = elements;
        self
    }

    /// Instances that the store may hold.
    #[must_use]
    pub fn instances(mut self, count: usize) -> Self {
        self.0.instances = count;
        self
    }

    /// Tables that the store may hold.
    #[must_use]
    pub fn tables(mut self, count: usize) -> Self {
        self.0.tables = count;
        self
    }

    /// Memories that the store may hold.
    #[must_use]
    pub fn memories(mut self, count: usize) -> Self {
        self.0.memories = count;
        self
    }

    /// Whether a growth beyond a limit ends the guest instead of giving -1.
    #[must_use]
    pub fn trap_on_grow_failure(mut self, trap: bool) -> Self {
        self.0.trap_on_grow_failure = trap;
        self
    }

    /// The limits.
    pub fn build(self) -> StoreLimits {
        self.0
    }
}
