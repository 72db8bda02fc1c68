//! Reference operators. A check leaves its reference where it is.

use wasmparser::{HeapType, Operator};

use super::control::Fixup;
use super::{Stop, Translator};
use crate::exec::dispatch::Handler;
use crate::exec::exit;
use crate::exec::numeric::{Binary, I64Eq, I64Ne};
use crate::exec::reference::{self as handlers, TARGET, TARGET_BYTES, TestInfo};
use crate::ir::instr::{Instr, Operand};
use crate::ir::stack::{Ty, Value};
use crate::module::TypeIdx;
use crate::trap::Trap;
use crate::types::TypeInfo;
use crate::types::raw::Kind;

/// A test of a reference's type.
#[derive(Clone, Copy)]
pub(super) struct Test<'a> {
    info: &'static TestInfo,
    /// Whether null passes.
    nullable: bool,
    /// The type, where it is a defined one.
    target: Option<&'a TypeInfo>,
    /// The slot of the descriptor, where that is asked for.
    descriptor: Option<u16>,
}

impl Test<'_> {
    /// Sets the fields of an instruction with the test, which says at a byte whether
    /// null passes.
    fn set(&self, instr: Instr, nullable: usize) -> Instr {
        let instr = instr.u16(nullable, u16::from(self.nullable));
        match self.descriptor {
            Some(slot) => instr.u16(TARGET, slot),
            None => set_target(instr, self.target),
        }
    }
}

/// Sets the fields of a target.
fn set_target(instr: Instr, target: Option<&TypeInfo>) -> Instr {
    let Some(target) = target else { return instr };
    instr
        .u64(TARGET, std::ptr::from_ref(target).addr() as u64)
        .u32(TARGET + 8, target.id.as_u32())
        .u32(TARGET + 12, target.depth)
}

impl<'a> Translator<'a> {
    /// A reference operator, or another that is not plain.
    pub(super) fn reference_operator(&mut self, op: &Operator<'_>) -> Result<(), Stop> {
        match op {
            Operator::RefAsNonNull => self.as_non_null(),
            Operator::BrOnNull { relative_depth } => self.br_on_null(*relative_depth),
            Operator::BrOnNonNull { relative_depth } => self.br_on_non_null(*relative_depth),
            Operator::RefEq => self.binary(I64Eq::info()),
            Operator::RefTestNonNull { hty } => self.ref_test(false, *hty),
            Operator::RefTestNullable { hty } => self.ref_test(true, *hty),
            Operator::RefCastNonNull { hty } => self.ref_cast(false, *hty),
            Operator::RefCastNullable { hty } => self.ref_cast(true, *hty),
            Operator::BrOnCast {
                relative_depth,
                to_ref_type,
                ..
            } => self.br_on_cast(*relative_depth, *to_ref_type, true),
            Operator::BrOnCastFail {
                relative_depth,
                to_ref_type,
                ..
            } => self.br_on_cast(*relative_depth, *to_ref_type, false),
            Operator::RefCastDescEqNonNull { .. } => self.ref_cast_descriptor(false),
            Operator::RefCastDescEqNullable { .. } => self.ref_cast_descriptor(true),
            Operator::BrOnCastDescEq {
                relative_depth,
                to_ref_type,
                ..
            } => self.br_on_descriptor(*relative_depth, *to_ref_type, true),
            Operator::BrOnCastDescEqFail {
                relative_depth,
                to_ref_type,
                ..
            } => self.br_on_descriptor(*relative_depth, *to_ref_type, false),
            other => self.aggregate_operator(other),
        }
    }

    /// The record of a module's type.
    pub(super) fn type_info(&self, ty: TypeIdx) -> Result<&'a TypeInfo, Stop> {
        Ok(self.module.types.get(ty.index()).ok_or(Stop)?.def().info())
    }

    /// The slot of the operand at a position, which is brought to its temporary if it is
    /// a constant.
    pub(super) fn slot_of(&mut self, at: usize) -> Result<u16, Stop> {
        if let Operand::Const(_) = self.operand_at(at) {
            self.spill(at);
        }
        match self.operand_at(at) {
            Operand::Slot(slot) => Ok(slot),
            _ => Err(Stop),
        }
    }

    /// Traps if the operand at a position is null.
    pub(super) fn check_null(&mut self, at: usize, trap: Trap) -> Result<(), Stop> {
        let slot = self.slot_of(at)?;
        let code = u32::try_from(exit::trap(trap))?;
        let instr = Instr::new("ref.as_non_null", handlers::as_non_null, 16)
            .u16(8, slot)
            .u32(12, code);
        self.emit.push(&instr.showing([Operand::Slot(slot)]));
        Ok(())
    }

    /// `ref.as_non_null`.
    pub(super) fn as_non_null(&mut self) -> Result<(), Stop> {
        self.check_null(self.stack.len() - 1, Trap::NullReference)
    }

    /// Appends a branch that is taken if the reference in a slot is null, or if not.
    fn null_branch(&mut self, slot: u16, if_null: bool) -> Result<Fixup, Stop> {
        self.end_straight();
        let info = if if_null { I64Eq::info() } else { I64Ne::info() };
        let compare = info.compare.as_ref().ok_or(Stop)?;
        let operands = [Operand::Slot(slot), Operand::Const(0)];
        let jump = compare.branch[1][operands[0].kind()][operands[1].kind()];
        let instr = Instr::new(info.name, jump.far, 24)
            .prefix("br_if")
            .operands(12, 16, info.wide, &operands);
        Ok(self.push_branch(&instr, jump))
    }

    /// `br_on_null`.
    pub(super) fn br_on_null(&mut self, depth: u32) -> Result<(), Stop> {
        let index = self.target(depth)?;
        let slot = self.slot_of(self.stack.len() - 1)?;
        let operand = self.stack.pop();
        if self.in_place(index) {
            let fixup = self.null_branch(slot, true)?;
            self.link(index, fixup)?;
        } else {
            self.prepare_branch(index);
            let fixup = self.null_branch(slot, false)?;
            self.go_aside(index, &fixup)?;
        }
        match operand.value {
            Value::Local(local, _) => self.stack.push_local(operand.ty, local),
            Value::Temp | Value::Const(_) => self.stack.push(operand.ty, Value::Temp),
        }
        self.begin_fuel();
        Ok(())
    }

    /// `br_on_non_null`.
    pub(super) fn br_on_non_null(&mut self, depth: u32) -> Result<(), Stop> {
        self.branch_by(depth, |this, slot, taken| this.null_branch(slot, !taken))?;
        self.stack.pop();
        Ok(())
    }

    /// A branch that takes the top operand along, which `branch` decides: whether it is
    /// taken where the operator's is, or where that is not. The operand stays.
    fn branch_by(
        &mut self,
        depth: u32,
        branch: impl Fn(&mut Self, u16, bool) -> Result<Fixup, Stop>,
    ) -> Result<(), Stop> {
        let index = self.target(depth)?;
        let top = self.stack.len() - 1;
        if self.in_place(index) {
            let slot = self.slot_of(top)?;
            let fixup = branch(self, slot, true)?;
            self.link(index, fixup)?;
        } else {
            self.prepare_branch(index);
            let slot = self.slot_of(top)?;
            let fixup = branch(self, slot, false)?;
            self.go_aside(index, &fixup)?;
        }
        self.begin_fuel();
        Ok(())
    }

    /// The test for a type.
    fn test(&self, nullable: bool, heap: HeapType) -> Result<Test<'a>, Stop> {
        use wasmparser::AbstractHeapType as Abstract;
        let plain = |info| Test {
            info,
            nullable,
            target: None,
            descriptor: None,
        };
        let (index, exact) = match heap {
            HeapType::Abstract { ty, .. } => {
                return Ok(plain(match ty {
                    Abstract::Any | Abstract::Extern | Abstract::Func | Abstract::Exn => &handlers::ANYTHING,
                    Abstract::None | Abstract::NoExtern | Abstract::NoFunc | Abstract::NoExn => &handlers::NOTHING,
                    Abstract::Eq => &handlers::EQ,
                    Abstract::I31 => &handlers::I31,
                    Abstract::Struct => &handlers::STRUCT,
                    Abstract::Array => &handlers::ARRAY,
                    Abstract::Cont | Abstract::NoCont => return Err(Stop),
                }));
            }
            HeapType::Concrete(ty) => (ty, false),
            HeapType::Exact(ty) => (ty, true),
        };
        let target = self.type_info(TypeIdx::new(index.as_module_index().ok_or(Stop)?))?;
        let info = match (target.kind, exact || target.is_final) {
            (Kind::Func, false) => &handlers::FUNC,
            (Kind::Func, true) => &handlers::EXACT_FUNC,
            (Kind::Array | Kind::Struct, false) => &handlers::DATA,
            (Kind::Array | Kind::Struct, true) => &handlers::EXACT_DATA,
        };
        Ok(Test {
            info,
            nullable,
            target: Some(target),
            descriptor: None,
        })
    }

    /// `ref.test`.
    pub(super) fn ref_test(&mut self, nullable: bool, heap: HeapType) -> Result<(), Stop> {
        let test = self.test(nullable, heap)?;
        let slot = self.slot_of(self.stack.len() - 1)?;
        self.stack.pop();
        let instr = Instr::new("ref.test", test.info.test.slot, 16 + test.info.bytes);
        let instr = test.set(instr.operands(10, 0, false, &[Operand::Slot(slot)]), 12);
        self.push_result(instr, test.info.test, Ty::I32);
        Ok(())
    }

    /// `ref.cast`.
    pub(super) fn ref_cast(&mut self, nullable: bool, heap: HeapType) -> Result<(), Stop> {
        let test = self.test(nullable, heap)?;
        self.cast(test)
    }

    /// The test for the descriptor that is the top operand, which is removed.
    fn descriptor_test(&mut self, nullable: bool) -> Result<Test<'a>, Stop> {
        let top = self.stack.len() - 1;
        self.check_null(top, Trap::NullDescriptorReference)?;
        let slot = self.slot_of(top)?;
        self.stack.pop();
        Ok(Test {
            info: &handlers::DESCRIBED,
            nullable,
            target: None,
            descriptor: Some(slot),
        })
    }

    /// `ref.cast_desc_eq`.
    fn ref_cast_descriptor(&mut self, nullable: bool) -> Result<(), Stop> {
        let test = self.descriptor_test(nullable)?;
        self.cast(test)
    }

    /// `br_on_cast_desc_eq`, or `br_on_cast_desc_eq_fail`.
    fn br_on_descriptor(&mut self, depth: u32, to: wasmparser::RefType, if_passes: bool) -> Result<(), Stop> {
        let test = self.descriptor_test(to.is_nullable())?;
        self.branch_on(depth, test, if_passes)
    }

    /// Checks that the top operand passes a test.
    fn cast(&mut self, test: Test<'_>) -> Result<(), Stop> {
        let slot = self.slot_of(self.stack.len() - 1)?;
        let instr = Instr::new("ref.cast", test.info.cast, 16 + test.info.bytes);
        self.emit
            .push(&test.set(instr.operands(10, 0, false, &[Operand::Slot(slot)]), 12));
        Ok(())
    }

    /// `br_on_cast`, or `br_on_cast_fail` if it is not for those that pass.
    pub(super) fn br_on_cast(&mut self, depth: u32, to: wasmparser::RefType, if_passes: bool) -> Result<(), Stop> {
        let test = self.test(to.is_nullable(), to.heap_type())?;
        self.branch_on(depth, test, if_passes)
    }

    /// A branch for those that pass a test, or for the others.
    fn branch_on(&mut self, depth: u32, test: Test<'_>, if_passes: bool) -> Result<(), Stop> {
        self.branch_by(depth, |this, slot, taken| {
            this.end_straight();
            let jump = test.info.branch[usize::from(if_passes != taken)];
            let name = if if_passes == taken {
                "br_on_cast"
            } else {
                "br_on_cast_fail"
            };
            let instr = Instr::new(name, jump.far, 16 + test.info.bytes);
            let instr = test.set(instr.operands(12, 0, false, &[Operand::Slot(slot)]), 14);
            Ok(this.push_branch(&instr, jump))
        })
    }

    /// The function of an indirect call of a type that has subtypes; the index is the top
    /// operand, the function takes its place.
    pub(super) fn callee(&mut self, ty: TypeIdx, table: u32) -> Result<(), Stop> {
        let handler: Handler = handlers::callee;
        let at = self.stack.len() - 1;
        let index = self.slot_of(at)?;
        self.stack.pop();
        let table = u32::try_from(self.code.cx_layout().table(table as usize))?;
        let instr = Instr::new("callee", handler, 16 + TARGET_BYTES)
            .u16(8, self.temp_slot(at))
            .operands(10, 0, false, &[Operand::Slot(index)])
            .u32(12, table);
        self.emit.push(&set_target(instr, Some(self.type_info(ty)?)));
        self.stack.push(Ty::Ref, Value::Temp);
        Ok(())
    }
}
