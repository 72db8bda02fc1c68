//! Constant expressions (Spec 3.0 §3.4.11): the first values of globals and
//! table elements, and the offsets of segments.
//!
//! Values are slots, as everywhere in this crate: 32-bit ones zero-extended,
//! floats as their bits, null as 0. A `v128` takes two, the low half first.

use std::ops::Deref;

use super::index::{FuncIdx, GlobalIdx, TypeIdx};

/// A constant expression: operators in order, at least one.
///
/// A module can have millions of them, nearly all of one operator, so that
/// case takes no memory of its own.
#[derive(Debug)]
pub(crate) struct ConstExpr(pub(crate) ConstOps);

/// An operator of a constant expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConstOp {
    /// `i32.const`, `i64.const`, `f32.const`, `f64.const` or `ref.null`, as a
    /// slot; or a half of a `v128.const`, the low one first.
    Const(u64),
    /// `global.get`
    GlobalGet(GlobalIdx),
    /// `ref.func`
    RefFunc(FuncIdx),
    /// `i32.add`
    I32Add,
    /// `i32.sub`
    I32Sub,
    /// `i32.mul`
    I32Mul,
    /// `i64.add`
    I64Add,
    /// `i64.sub`
    I64Sub,
    /// `i64.mul`
    I64Mul,
    /// `ref.i31`
    RefI31,
    /// `struct.new`
    StructNew(TypeIdx),
    /// `struct.new_default`
    StructNewDefault(TypeIdx),
    /// `struct.new_desc`
    StructNewDesc(TypeIdx),
    /// `struct.new_default_desc`
    StructNewDefaultDesc(TypeIdx),
    /// `array.new`
    ArrayNew(TypeIdx),
    /// `array.new_default`
    ArrayNewDefault(TypeIdx),
    /// `array.new_fixed` of so many elements.
    ArrayNewFixed(TypeIdx, u32),
}

/// The operators of a constant expression, as a slice of [`ConstOp`].
#[derive(Debug)]
pub(crate) enum ConstOps {
    /// The only one.
    One(ConstOp),
    /// Several. Boxed twice so that an expression takes 16 bytes.
    Many(Box<Box<[ConstOp]>>),
}

impl Deref for ConstOps {
    type Target = [ConstOp];

    fn deref(&self) -> &[ConstOp] {
        match self {
            Self::One(op) => std::slice::from_ref(op),
            Self::Many(ops) => ops,
        }
    }
}

impl<'a> IntoIterator for &'a ConstOps {
    type Item = &'a ConstOp;
    type IntoIter = std::slice::Iter<'a, ConstOp>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl ConstExpr {
    /// The expression of these operators, which are valid together.
    pub(super) fn new(ops: &[ConstOp]) -> Self {
        match ops {
            [op] => Self(ConstOps::One(*op)),
            ops => Self(ConstOps::Many(Box::new(ops.into()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ConstExpr, ConstOp, FuncIdx};

    #[test]
    fn an_expression_of_one_operator_takes_16_bytes() {
        assert_eq!(size_of::<ConstExpr>(), 16);
    }

    #[test]
    fn operators_are_kept_in_order() {
        let ops = [ConstOp::Const(1), ConstOp::RefFunc(FuncIdx::new(2)), ConstOp::I64Sub];
        for len in 0..=ops.len() {
            let expr = ConstExpr::new(&ops[..len]);
            assert_eq!(expr.0.iter().copied().collect::<Vec<_>>(), ops[..len]);
        }
    }
}
