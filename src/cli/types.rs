//! Types of modules in the text format's words.

use std::fmt::{self, Display, Formatter};

use wasmparser::{GlobalType, MemoryType, SubType, TableType, TypeRef};

/// A memory's type: `(memory 1 2)`.
pub(crate) struct Memory<'t>(pub(crate) &'t MemoryType);

impl Display for Memory<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let MemoryType {
            memory64,
            shared,
            initial,
            maximum,
            page_size_log2,
        } = self.0;
        f.write_str("(memory ")?;
        limits(f, *memory64, *initial, *maximum)?;
        if *shared {
            f.write_str(" shared")?;
        }
        if let Some(log2) = page_size_log2 {
            let size = 1_u64.checked_shl(*log2).unwrap_or(0);
            write!(f, " (pagesize {size})")?;
        }
        f.write_str(")")
    }
}

/// A table's type: `(table 1 2 funcref)`.
pub(crate) struct Table<'t>(pub(crate) &'t TableType);

impl Display for Table<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let TableType {
            element_type,
            table64,
            initial,
            maximum,
            shared,
        } = self.0;
        f.write_str("(table ")?;
        if *shared {
            f.write_str("shared ")?;
        }
        limits(f, *table64, *initial, *maximum)?;
        write!(f, " {element_type})")
    }
}

/// A global's type: `(global (mut i32))`.
pub(crate) struct Global<'t>(pub(crate) &'t GlobalType);

impl Display for Global<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let GlobalType {
            content_type,
            mutable,
            shared,
        } = self.0;
        let shared = if *shared { "shared " } else { "" };
        match mutable {
            true => write!(f, "(global {shared}(mut {content_type}))"),
            false => write!(f, "(global {shared}{content_type})"),
        }
    }
}

/// The type with an index, of a kind that refers to function types.
pub(crate) struct Typed<'t> {
    /// `func` or `tag`.
    pub(crate) kind: &'static str,
    /// The module's types.
    pub(crate) types: &'t [SubType],
    /// The type's index; it need not exist.
    pub(crate) index: u32,
}

impl Display for Typed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ty = usize::try_from(self.index).ok().and_then(|index| self.types.get(index));
        match ty {
            // Written as a function's: `(func (param i32))`.
            Some(ty) => {
                let text = ty.composite_type.to_string();
                write!(f, "({}{}", self.kind, text.strip_prefix("(func").unwrap_or(&text))
            }
            None => write!(f, "({} (type {}))", self.kind, self.index),
        }
    }
}

/// The type of an import.
pub(crate) fn import(types: &[SubType], ty: &TypeRef) -> String {
    match ty {
        TypeRef::Func(index) | TypeRef::FuncExact(index) => Typed {
            kind: "func",
            types,
            index: *index,
        }
        .to_string(),
        TypeRef::Table(ty) => Table(ty).to_string(),
        TypeRef::Memory(ty) => Memory(ty).to_string(),
        TypeRef::Global(ty) => Global(ty).to_string(),
        TypeRef::Tag(ty) => Typed {
            kind: "tag",
            types,
            index: ty.func_type_idx,
        }
        .to_string(),
    }
}

fn limits(f: &mut Formatter<'_>, is_64: bool, minimum: u64, maximum: Option<u64>) -> fmt::Result {
    if is_64 {
        f.write_str("i64 ")?;
    }
    write!(f, "{minimum}")?;
    match maximum {
        Some(maximum) => write!(f, " {maximum}"),
        None => Ok(()),
    }
}
