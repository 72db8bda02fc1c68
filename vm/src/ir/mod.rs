//! Translation: function bodies to the interpreter's code.
//!
//! [`table`], [`table_atomic`] and [`simd`] declare the plain operators, [`translate`]
//! turns one validated body into [`code::FuncCode`], and [`code::CodeSet`] does that for each
//! function of a module on its first call. Nothing here touches a store.

pub(crate) mod bump;
pub(crate) mod catches;
pub(crate) mod code;
pub(crate) mod emit;
pub(crate) mod instr;
mod moves;
pub(crate) mod simd;
pub(crate) mod stack;
pub(crate) mod table;
pub(crate) mod table_atomic;
pub(crate) mod translate;
