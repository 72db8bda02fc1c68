//! Types in the text format's form.

use std::fmt;

use super::aggregate::{ArrayType, FieldType, StorageType, StructType};
use super::registry::DefType;
use super::{ExternType, Finality, FuncType, GlobalType, HeapType, Mutability, RefType, TableType, ValType};

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::I32 => f.write_str("i32"),
            Self::I64 => f.write_str("i64"),
            Self::F32 => f.write_str("f32"),
            Self::F64 => f.write_str("f64"),
            Self::V128 => f.write_str("v128"),
            Self::Ref(ty) => ty.fmt(f),
        }
    }
}

/// The name of a type that has none: types that print alike may differ.
struct Name<'a>(Option<&'a DefType>);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(ty) => write!(f, "${}", ty.id().as_u32()),
            None => f.write_str("$func"),
        }
    }
}

impl fmt::Display for HeapType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Extern => "extern",
            Self::NoExtern => "noextern",
            Self::Func => "func",
            Self::NoFunc => "nofunc",
            Self::Any => "any",
            Self::Eq => "eq",
            Self::I31 => "i31",
            Self::Array => "array",
            Self::Struct => "struct",
            Self::None => "none",
            Self::Exn => "exn",
            Self::NoExn => "noexn",
            Self::ConcreteFunc(ty) => return Name(ty.def()).fmt(f),
            Self::ConcreteArray(ty) => return Name(Some(ty.def())).fmt(f),
            Self::ConcreteStruct(ty) => return Name(Some(ty.def())).fmt(f),
            Self::ExactFunc(ty) => return write!(f, "(exact {})", Name(ty.def())),
            Self::ExactArray(ty) => return write!(f, "(exact {})", Name(Some(ty.def()))),
            Self::ExactStruct(ty) => return write!(f, "(exact {})", Name(Some(ty.def()))),
        })
    }
}

impl fmt::Display for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.is_nullable(), self.heap_type()) {
            (true, HeapType::None) => "nullref",
            (true, HeapType::NoFunc) => "nullfuncref",
            (true, HeapType::NoExtern) => "nullexternref",
            (true, HeapType::NoExn) => "nullexnref",
            (true, heap) if !heap.is_concrete() => return write!(f, "{heap}ref"),
            (true, heap) => return write!(f, "(ref null {heap})"),
            (false, heap) => return write!(f, "(ref {heap})"),
        })
    }
}

/// Prints what comes before a definition that is more than its structure, and says
/// how many brackets it has opened.
fn open(f: &mut fmt::Formatter<'_>, ty: Option<&DefType>) -> Result<usize, fmt::Error> {
    let Some(ty) = ty.filter(|ty| !ty.is_plain()) else {
        return Ok(0);
    };
    write!(f, "(type {} ", Name(Some(ty)))?;
    let def = ty.def();
    if def.is_final && def.supertype.is_none() {
        return Ok(1);
    }
    f.write_str(if def.is_final { "(sub final " } else { "(sub " })?;
    if let Some(supertype) = def.supertype {
        write!(f, "{} ", Name(Some(&ty.named(supertype))))?;
    }
    Ok(2)
}

/// Prints so many closing brackets.
fn close(f: &mut fmt::Formatter<'_>, brackets: usize) -> fmt::Result {
    (0..brackets).try_for_each(|_| f.write_str(")"))
}

impl FuncType {
    /// Prints ` (param …) (result …)`, as far as there are any.
    pub(super) fn fmt_lists(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list(f: &mut fmt::Formatter<'_>, word: &str, types: impl ExactSizeIterator<Item = ValType>) -> fmt::Result {
            if types.len() == 0 {
                return Ok(());
            }
            write!(f, " ({word}")?;
            for ty in types {
                write!(f, " {ty}")?;
            }
            f.write_str(")")
        }
        list(f, "param", self.params())?;
        list(f, "result", self.results())
    }
}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let brackets = open(f, self.def())?;
        f.write_str("(func")?;
        self.fmt_lists(f)?;
        close(f, brackets + 1)
    }
}

impl fmt::Display for StorageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::I8 => f.write_str("i8"),
            Self::I16 => f.write_str("i16"),
            Self::ValType(ty) => ty.fmt(f),
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mutability() {
            Mutability::Const => self.element_type().fmt(f),
            Mutability::Var => write!(f, "(mut {})", self.element_type()),
        }
    }
}

impl fmt::Display for StructType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let brackets = open(f, Some(self.def()))?;
        f.write_str("(struct")?;
        for field in self.fields() {
            write!(f, " (field {field})")?;
        }
        close(f, brackets + 1)
    }
}

impl fmt::Display for ArrayType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let brackets = open(f, Some(self.def()))?;
        write!(f, "(array {}", self.field_type())?;
        close(f, brackets + 1)
    }
}

impl fmt::Display for Finality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Final => "final",
            Self::NonFinal => "non-final",
        })
    }
}

impl fmt::Display for GlobalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mutability() {
            Mutability::Const => write!(f, "(global {})", self.content()),
            Mutability::Var => write!(f, "(global (mut {}))", self.content()),
        }
    }
}

/// Prints `minimum maximum`, the latter if there is one.
pub(super) fn limits(f: &mut fmt::Formatter<'_>, minimum: u64, maximum: Option<u64>) -> fmt::Result {
    write!(f, " {minimum}")?;
    maximum.map_or(Ok(()), |maximum| write!(f, " {maximum}"))
}

impl fmt::Display for TableType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_64 { "(table i64" } else { "(table" })?;
        limits(f, self.minimum, self.maximum)?;
        write!(f, " {})", self.element)
    }
}

impl fmt::Display for ExternType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Func(ty) => ty.fmt(f),
            Self::Global(ty) => ty.fmt(f),
            Self::Table(ty) => ty.fmt(f),
            Self::Memory(ty) => ty.fmt(f),
            Self::Tag(ty) => ty.fmt(f),
        }
    }
}
