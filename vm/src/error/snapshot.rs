//! Why an instance cannot be put into an earlier state.

/// Why an instance cannot have the state of a snapshot, or no snapshot can be taken of
/// it. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The snapshot is of an instance in another store.
    #[error("a snapshot of another store was passed")]
    OtherStore,
    /// The snapshot is of an instance of another module.
    #[error("a snapshot of an instance of another module was passed")]
    OtherModule,
    /// The snapshot is of an instance that was linked with other addresses, which the
    /// module keeps in globals.
    #[error("a snapshot of an instance with other addresses was passed")]
    OtherAddresses,
    /// The instance's globals or tables refer to structs, arrays or exceptions, whose
    /// contents a snapshot cannot keep.
    #[error("no snapshot can be taken of an instance that refers to garbage-collected objects")]
    Objects,
    /// The instance has a memory of its own that other threads may be writing.
    #[error("an instance with a shared memory of its own has no snapshots")]
    SharedMemory,
    /// A function of the store is running, which may use the instance.
    #[error("an instance cannot be restored while a function of its store runs")]
    Running,
}
