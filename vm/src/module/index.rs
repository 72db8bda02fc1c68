//! Indices of a module's index spaces (Spec 3.0 §2.5.1).

macro_rules! indices {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(u32);

        #[allow(dead_code, reason = "one set of methods for all indices")]
        impl $name {
            /// The index `i`.
            pub(crate) fn new(i: u32) -> Self {
                Self(i)
            }

            /// The index, for lists.
            pub(crate) fn index(self) -> usize {
                self.0 as usize
            }

            /// The index as the binary format has it.
            pub(crate) fn as_u32(self) -> u32 {
                self.0
            }
        }
    )*};
}

indices! {
    /// Index of a type.
    TypeIdx;
    /// Index of a function.
    FuncIdx;
    /// Index of a table.
    TableIdx;
    /// Index of a memory.
    MemoryIdx;
    /// Index of a global.
    GlobalIdx;
    /// Index of a tag.
    TagIdx;
}
