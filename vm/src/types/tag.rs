//! Types of tags (Spec 3.0 §2.3.14): what exceptions carry.

use std::fmt;

use super::FuncType;

/// The type of a tag: the parameters of a function type without results are what
/// its exceptions carry.
///
/// ```
/// use vm::{FuncType, TagType, ValType};
///
/// let ty = TagType::new(FuncType::new([ValType::I32, ValType::F64], []));
/// assert_eq!(ty.to_string(), "(tag (param i32 f64))");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TagType(FuncType);

impl TagType {
    /// The type of tags whose exceptions carry the parameters of `ty`.
    pub fn new(ty: FuncType) -> Self {
        Self(ty)
    }

    /// The function type: its parameters are what exceptions carry.
    pub fn ty(&self) -> &FuncType {
        &self.0
    }
}

impl fmt::Display for TagType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(tag")?;
        self.0.fmt_lists(f)?;
        f.write_str(")")
    }
}
