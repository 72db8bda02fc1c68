//! Globals that the start function assigns before all else, once for all: what they
//! have then can be told before it runs.
//!
//! Linkers make them of addresses that they know only once the module is placed.
//! `__wasm_apply_global_relocs` adds `__memory_base` to each such global, which are
//! the GOT of position-independent programs.

use std::collections::{BTreeMap, BTreeSet};

use smallvec::SmallVec;
use wasmparser::{BinaryReader, FunctionBody, Operator};

use super::{ConstExpr, ConstOp, ExportKind, FuncIdx, GlobalIdx, ModuleData};

/// The globals that the module defines and does not export, that are assigned in one
/// place only, and that place is reached before the start function can do anything
/// but compute and assign constants. Each with its value.
///
/// `assignments` says how often each global stands in a `global.set`.
pub(super) fn settled(module: &ModuleData, assignments: &BTreeMap<u32, u32>) -> Box<[(GlobalIdx, ConstExpr)]> {
    let Some(start) = module.start else {
        return Box::default();
    };
    let exported = module.exports.iter().filter_map(|export| match export.kind {
        ExportKind::Global(global) => Some(global),
        _ => None,
    });
    let exported: BTreeSet<GlobalIdx> = exported.collect();
    let mut first = Vec::new();
    assigned_first(module, start, true, &mut first);
    first.retain(|(global, _)| {
        global.index() >= module.num_imported_globals
            && assignments.get(&global.as_u32()) == Some(&1)
            && !exported.contains(global)
    });
    first.into()
}

/// Adds what a function assigns before it does anything else; whether that is all it
/// does. If it `may_call`, the first thing that it does can be a call of such a
/// function.
fn assigned_first(
    module: &ModuleData,
    func: FuncIdx,
    may_call: bool,
    first: &mut Vec<(GlobalIdx, ConstExpr)>,
) -> Option<()> {
    let body = module
        .bodies
        .get(func.index().checked_sub(module.num_imported_funcs)?)?;
    let bytes = module.bytes.get(body.range.clone())?;
    let body = FunctionBody::new(BinaryReader::new(bytes, 0));
    let mut value: SmallVec<[ConstOp; 4]> = SmallVec::new();
    let mut operands: usize = 0;
    for operator in body.get_operators_reader().ok()? {
        let op = match operator.ok()? {
            Operator::I32Const { value } => ConstOp::Const(u64::from(value.cast_unsigned())),
            Operator::I64Const { value } => ConstOp::Const(value.cast_unsigned()),
            // The others may be assigned here.
            Operator::GlobalGet { global_index } if (global_index as usize) < module.num_imported_globals => {
                ConstOp::GlobalGet(GlobalIdx::new(global_index))
            }
            Operator::I32Add => ConstOp::I32Add,
            Operator::I32Sub => ConstOp::I32Sub,
            Operator::I32Mul => ConstOp::I32Mul,
            Operator::I64Add => ConstOp::I64Add,
            Operator::I64Sub => ConstOp::I64Sub,
            Operator::I64Mul => ConstOp::I64Mul,
            Operator::GlobalSet { global_index } if operands == 1 => {
                first.push((GlobalIdx::new(global_index), ConstExpr::new(&value)));
                value.clear();
                operands = 0;
                continue;
            }
            Operator::Call { function_index } if may_call && first.is_empty() && operands == 0 => {
                let ty = module.func_type(FuncIdx::new(function_index));
                if ty.params().len() + ty.results().len() > 0 {
                    return None;
                }
                assigned_first(module, FuncIdx::new(function_index), false, first)?;
                continue;
            }
            Operator::End => return Some(()),
            _ => return None,
        };
        match op {
            ConstOp::Const(_) | ConstOp::GlobalGet(_) | ConstOp::RefFunc(_) => operands += 1,
            ConstOp::I32Add
            | ConstOp::I32Sub
            | ConstOp::I32Mul
            | ConstOp::I64Add
            | ConstOp::I64Sub
            | ConstOp::I64Mul => {
                // One of them may be of a call before.
                operands = operands.checked_sub(2)? + 1;
            }
            // None of them is made above.
            ConstOp::RefI31
            | ConstOp::StructNew(_)
            | ConstOp::StructNewDefault(_)
            | ConstOp::StructNewDesc(_)
            | ConstOp::StructNewDefaultDesc(_)
            | ConstOp::ArrayNew(_)
            | ConstOp::ArrayNewDefault(_)
            | ConstOp::ArrayNewFixed(..) => return None,
        }
        value.push(op);
    }
    None
}
