//! Translation of one validated function body in one pass.
//!
//! A frame is `[parameters and results | header | other locals | temporaries]`
//! in slots, of which a `v128` takes two; the temporary of an operand is given
//! by the operands below it on the operand stack. So a call's arguments are
//! where the callee's frame begins, and its results where they are operands.
//!
//! An instruction whose result the next one uses passes it in the accumulator:
//! when an operand turns out to be the result of the last instruction, that
//! instruction is given the accumulator as its destination (its temporary
//! would be read by nobody else). In the same way `local.set` gives it the
//! local, and a branch takes back the comparison that decides it.

mod aggregate;
mod assigned;
mod atomics;
mod br_table;
mod calls;
mod control;
mod exceptions;
mod operators;
mod pins;
mod reference;
mod tail;
mod variables;
mod vectors;
mod wide_arithmetic;

use wasmparser::{BinaryReader, BlockType, FunctionBody, Operator, ValType as WasmType};

use self::assigned::Assigned;
use self::control::Frame;
use self::pins::Loops;
use super::catches::{Catches, ClauseIdx};
use super::code::{CodeSet, FuncCode};
use super::emit::{Emitter, What};
use super::instr::{Instr, Operand};
use super::stack::{OperandStack, Ty, Value};
use super::table::for_each_plain_op;
use crate::error::{Error, LimitError};
use crate::exec::operand::Destinations;
use crate::exec::{bulk, control as ctl, data, numeric, wide};
use crate::module::{FuncIdx, GlobalIdx, HEADER_SLOTS, MAX_FRAME_SLOTS, ModuleData, TagIdx, TypeIdx};

/// Buffers that translations use in turn.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    emitter: Emitter,
    stack: OperandStack,
    frames: Vec<Frame>,
    locals: Vec<Ty>,
    places: Vec<u32>,
    loops: Loops,
    catches: Catches,
    /// Whether the instructions are kept as text.
    listing: bool,
}

/// Translates function `func` of the module of `code`.
///
/// # Errors
/// If its frame is larger than instructions can address, or its code larger
/// than branches can span; validation keeps both from happening.
pub(crate) fn translate(code: &CodeSet, func: FuncIdx, scratch: &mut Scratch) -> Result<FuncCode, Error> {
    let module = code.module();
    let too_large = || Error::from(LimitError::FunctionTooLarge { func: func.as_u32() });
    let body = func
        .index()
        .checked_sub(module.num_imported_funcs)
        .and_then(|defined| module.bodies.get(defined))
        .ok_or_else(too_large)?;
    let bytes = module.bytes.get(body.range.clone()).ok_or_else(too_large)?;
    let body = FunctionBody::new(BinaryReader::new(bytes, body.range.start as u64));
    let mut translator = Translator::new(code, module, func, scratch);
    translator.function(&body).map_err(|_| too_large())?;
    let Translator { emit, catches, .. } = translator;
    Ok(emit.finish(catches))
}

/// The code of function `func` as text: an instruction a line, operands as
/// slots of the frame (`s0`), accumulator (`acc`) or constants.
///
/// # Errors
/// As [`translate`].
pub(crate) fn listing(code: &CodeSet, func: FuncIdx) -> Result<String, Error> {
    let mut scratch = Scratch {
        listing: true,
        ..Scratch::default()
    };
    translate(code, func, &mut scratch)?;
    Ok(scratch.emitter.listing())
}

/// The instructions of function `func`: their byte offsets in its code, and
/// their names with the kinds of their operands, as `i32.add s, k`.
///
/// # Errors
/// As [`translate`].
pub(crate) fn ops(code: &CodeSet, func: FuncIdx) -> Result<Vec<(usize, String)>, Error> {
    let mut scratch = Scratch {
        listing: true,
        ..Scratch::default()
    };
    translate(code, func, &mut scratch)?;
    Ok(scratch.emitter.ops())
}

/// Why a translation stops: a limit, or a body that was not validated.
#[derive(Debug)]
struct Stop;

impl From<wasmparser::BinaryReaderError> for Stop {
    fn from(_: wasmparser::BinaryReaderError) -> Self {
        Self
    }
}

impl From<std::num::TryFromIntError> for Stop {
    fn from(_: std::num::TryFromIntError) -> Self {
        Self
    }
}

/// The state of one translation.
struct Translator<'a> {
    code: &'a CodeSet,
    module: &'a ModuleData,
    emit: &'a mut Emitter,
    stack: &'a mut OperandStack,
    frames: &'a mut Vec<Frame>,
    locals: &'a mut Vec<Ty>,
    /// The slots of the locals.
    places: &'a mut Vec<u32>,
    /// The loops that pin locals, once the first loop has been seen.
    loops: &'a mut Loops,
    loops_found: bool,
    /// The ranges of code whose exceptions are caught.
    catches: &'a mut Catches,
    /// Clauses that return what they catch.
    returning: Vec<ClauseIdx>,
    /// Where the innermost loop starts, as long as its code is straight.
    straight_from: Option<usize>,
    /// Where the innermost loop begins, if its address is in its register.
    head: Option<usize>,
    /// The beginning of an open loop that is worth repeating.
    header: Option<br_table::Header>,
    /// Words of repeated headers so far.
    repeated: usize,
    /// Which locals have been assigned.
    assigned: Assigned,
    /// The instruction that sets locals to zero.
    enter: Option<usize>,
    /// Number of parameters.
    params: usize,
    /// Types of the results.
    results: Vec<Ty>,
    /// Slots before the header.
    slots: usize,
    /// Slot of the first temporary.
    temps: usize,
    /// Slots the frame takes beyond its operands, for outgoing calls.
    frame_end: usize,
    /// Blocks opened in code that cannot be reached.
    unreachable_blocks: usize,
    /// Whether the current operator can be reached.
    reachable: bool,
    /// The instruction that takes the current segment's fuel, and how much.
    fuel: Option<(usize, u32)>,
}

/// The type of an operand as wasmparser has it.
fn ty(ty: WasmType) -> Ty {
    match ty {
        WasmType::I32 => Ty::I32,
        WasmType::I64 => Ty::I64,
        WasmType::F32 => Ty::F32,
        WasmType::F64 => Ty::F64,
        WasmType::V128 => Ty::V128,
        WasmType::Ref(_) => Ty::Ref,
    }
}

/// The type of an operand as this crate has it.
fn own_ty(ty: &crate::types::ValType) -> Ty {
    use crate::types::ValType;
    match ty {
        ValType::I32 => Ty::I32,
        ValType::I64 => Ty::I64,
        ValType::F32 => Ty::F32,
        ValType::F64 => Ty::F64,
        ValType::V128 => Ty::V128,
        ValType::Ref(_) => Ty::Ref,
    }
}

/// Appends the slots of locals of these types, from slot `next` on; the slot after
/// them.
fn place(places: &mut Vec<u32>, mut next: usize, locals: &[Ty]) -> usize {
    for ty in locals {
        places.push(next as u32);
        next += ty.slots() as usize;
    }
    next
}

macro_rules! translate_operator {
    (
        binary { $($bin:ident $bin_text:literal ($($bin_sig:tt)*) -> $bin_out:ident $($commutes:ident)? = |$ba:ident, $bb:ident| $bin_body:expr;)* }
        binary_trapping { $($tb:ident $tb_text:literal ($($tb_sig:tt)*) -> $tb_out:ident = |$ta:ident, $tbb:ident| $tb_body:expr;)* }
        compare { $($cmp:ident $cmp_text:literal ($($cmp_sig:tt)*) $(not $neg:ident)? swap $swap:ident = |$ca:ident, $cb:ident| $cmp_body:expr;)* }
        unary { $($un:ident $un_text:literal ($un_in:ident) -> $un_out:ident = |$ua:ident| $un_body:expr;)* }
        unary_trapping { $($tu:ident $tu_text:literal ($tu_in:ident) -> $tu_out:ident = |$tua:ident| $tu_body:expr;)* }
        load { $($load:ident $load_text:literal $load_mem:ident -> $out:ident;)* }
        store { $($store:ident $store_text:literal $in:ident -> $store_mem:ident;)* }
    ) => {
        impl Translator<'_> {
            /// Translates a reachable operator.
            #[allow(clippy::too_many_lines)]
            fn operator(&mut self, op: &Operator<'_>) -> Result<(), Stop> {
                use numeric::{Binary, Unary};
                match op {
                    $(Operator::$bin => self.binary(numeric::$bin::info()),)*
                    $(Operator::$tb => self.binary(numeric::$tb::info()),)*
                    $(Operator::$cmp => self.binary(numeric::$cmp::info()),)*
                    $(Operator::$un => self.unary(numeric::$un::info()),)*
                    $(Operator::$tu => self.unary(numeric::$tu::info()),)*
                    $(Operator::$load { memarg } => self.load(data::$load::info(), memarg),)*
                    $(Operator::$store { memarg } => self.store(data::$store::info(), memarg),)*
                    Operator::I32Eqz => {
                        self.eqz(numeric::I32Eq::info());
                        Ok(())
                    }
                    Operator::I64Eqz | Operator::RefIsNull => {
                        self.eqz(numeric::I64Eq::info());
                        Ok(())
                    }
                    Operator::I64Add128 => self.sum_128("i64.add128", &wide::ADD_128),
                    Operator::I64Sub128 => self.sum_128("i64.sub128", &wide::SUB_128),
                    Operator::I64MulWideS => self.mul_wide("i64.mul_wide_s", wide::MUL_WIDE_S),
                    Operator::I64MulWideU => self.mul_wide("i64.mul_wide_u", wide::MUL_WIDE_U),
                    Operator::I32Const { value } => self.constant(Ty::I32, u64::from(*value as u32)),
                    Operator::I64Const { value } => self.constant(Ty::I64, *value as u64),
                    Operator::F32Const { value } => self.constant(Ty::F32, u64::from(value.bits())),
                    Operator::F64Const { value } => self.constant(Ty::F64, value.bits()),
                    Operator::RefNull { .. } => self.constant(Ty::Ref, 0),
                    Operator::Nop => Ok(()),
                    Operator::Drop => {
                        self.stack.pop();
                        Ok(())
                    }
                    Operator::Unreachable => {
                        self.emit.push(&Instr::new("unreachable", ctl::unreachable, 8));
                        self.stop();
                        Ok(())
                    }
                    Operator::Select | Operator::TypedSelect { .. } => self.select(),
                    Operator::LocalGet { local_index } => {
                        let ty = *self.locals.get(*local_index as usize).ok_or(Stop)?;
                        if let Some(local) = (*local_index as usize).checked_sub(self.params) {
                            self.assigned.get(local);
                        }
                        self.stack.push_local(ty, *local_index);
                        Ok(())
                    }
                    Operator::LocalSet { local_index } => self.local_set(*local_index, false),
                    Operator::LocalTee { local_index } => self.local_set(*local_index, true),
                    Operator::GlobalGet { global_index } => self.global_get(GlobalIdx::new(*global_index)),
                    Operator::GlobalSet { global_index } => self.global_set(GlobalIdx::new(*global_index)),
                    Operator::Block { blockty } => self.block(*blockty),
                    Operator::Loop { blockty } => self.loop_(*blockty),
                    Operator::If { blockty } => self.if_(*blockty),
                    Operator::Else => self.else_(),
                    Operator::End => self.end(),
                    Operator::Throw { tag_index } => self.throw(TagIdx::new(*tag_index)),
                    Operator::ThrowRef => self.throw_ref(),
                    Operator::TryTable { try_table } => self.try_table(try_table),
                    Operator::Try { blockty } => self.legacy_try(*blockty),
                    Operator::Catch { tag_index } => self.legacy_catch(Some(TagIdx::new(*tag_index))),
                    Operator::CatchAll => self.legacy_catch(None),
                    Operator::Rethrow { relative_depth } => self.legacy_rethrow(*relative_depth),
                    Operator::Delegate { relative_depth } => self.legacy_delegate(*relative_depth),
                    Operator::Br { relative_depth } => self.br(*relative_depth),
                    Operator::BrIf { relative_depth } => self.br_if(*relative_depth),
                    Operator::BrTable { targets } => self.br_table(targets),
                    Operator::Return => {
                        self.return_()?;
                        self.stop();
                        Ok(())
                    }
                    Operator::Call { function_index } => self.call(FuncIdx::new(*function_index)),
                    Operator::CallIndirect { type_index, table_index } => {
                        self.call_indirect(TypeIdx::new(*type_index), *table_index)
                    }
                    Operator::CallRef { type_index } => self.call_ref(TypeIdx::new(*type_index)),
                    Operator::ReturnCall { function_index } => self.return_call(FuncIdx::new(*function_index)),
                    Operator::ReturnCallIndirect { type_index, table_index } => {
                        self.return_call_indirect(TypeIdx::new(*type_index), *table_index)
                    }
                    Operator::ReturnCallRef { type_index } => self.return_call_ref(TypeIdx::new(*type_index)),
                    Operator::RefFunc { function_index } => self.ref_func(FuncIdx::new(*function_index)),
                    Operator::MemorySize { mem } => {
                        self.bulk::<bulk::MemorySize>(0, Some(self.memory_index(*mem)?), *mem, 0)
                    }
                    Operator::MemoryGrow { mem } => {
                        self.bulk::<bulk::MemoryGrow>(1, Some(self.memory_index(*mem)?), *mem, 0)
                    }
                    Operator::MemoryFill { mem } => self.memory_fill(*mem),
                    Operator::MemoryCopy { dst_mem, src_mem } => {
                        self.memory_copy(*dst_mem, *src_mem)
                    }
                    Operator::MemoryInit { data_index, mem } => {
                        self.bulk::<bulk::MemoryInit>(3, None, *mem, *data_index)
                    }
                    Operator::DataDrop { data_index } => self.bulk::<bulk::DataDrop>(0, None, *data_index, 0),
                    Operator::TableGet { table } => self.bulk::<bulk::TableGet>(1, Some(Ty::Ref), *table, 0),
                    Operator::TableSet { table } => self.bulk::<bulk::TableSet>(2, None, *table, 0),
                    Operator::TableSize { table } => {
                        self.bulk::<bulk::TableSize>(0, Some(self.table_index(*table)?), *table, 0)
                    }
                    Operator::TableGrow { table } => {
                        self.bulk::<bulk::TableGrow>(2, Some(self.table_index(*table)?), *table, 0)
                    }
                    Operator::TableFill { table } => self.bulk::<bulk::TableFill>(3, None, *table, 0),
                    Operator::TableCopy { dst_table, src_table } => {
                        self.bulk::<bulk::TableCopy>(3, None, *dst_table, *src_table)
                    }
                    Operator::TableInit { elem_index, table } => {
                        self.bulk::<bulk::TableInit>(3, None, *table, *elem_index)
                    }
                    Operator::ElemDrop { elem_index } => self.bulk::<bulk::ElemDrop>(0, None, *elem_index, 0),
                    other => self.reference_operator(other),
                }
            }
        }
    };
}

for_each_plain_op!(translate_operator);

impl<'a> Translator<'a> {
    fn new(code: &'a CodeSet, module: &'a ModuleData, func: FuncIdx, scratch: &'a mut Scratch) -> Self {
        let Scratch {
            emitter,
            stack,
            frames,
            locals,
            places,
            loops,
            catches,
            listing,
        } = scratch;
        emitter.reset();
        if *listing {
            emitter.keep_listing();
        }
        frames.clear();
        locals.clear();
        places.clear();
        loops.clear();
        catches.clear();
        let ty = module.func_type(func);
        locals.extend(ty.params().map(|ty| own_ty(&ty)));
        let params = locals.len();
        let results: Vec<Ty> = ty.results().map(|ty| own_ty(&ty)).collect();
        let slots = ty.slots() as usize;
        Self {
            code,
            module,
            emit: emitter,
            stack,
            frames,
            locals,
            places,
            loops,
            catches,
            returning: Vec::new(),
            loops_found: false,
            straight_from: None,
            head: None,
            header: None,
            repeated: 0,
            assigned: Assigned::default(),
            enter: None,
            params,
            results,
            slots,
            temps: 0,
            frame_end: 0,
            unreachable_blocks: 0,
            reachable: true,
            fuel: None,
        }
    }

    /// Translates the whole body.
    fn function(&mut self, body: &FunctionBody<'_>) -> Result<(), Stop> {
        for group in body.get_locals_reader()? {
            let (count, wasm_type) = group?;
            let len = self.locals.len() + count as usize;
            if len > MAX_FRAME_SLOTS {
                return Err(Stop);
            }
            self.locals.resize(len, ty(wasm_type));
        }
        let (params, others) = self.locals.split_at(self.params);
        place(self.places, 0, params);
        self.temps = place(self.places, self.slots + HEADER_SLOTS, others);
        self.stack.reset(self.locals.len());
        let mut operators = body.get_operators_reader()?;
        self.emit.set_origin(u32::try_from(operators.original_position())?);
        self.prologue()?;
        while !operators.eof() {
            let (op, offset) = operators.read_with_offset()?;
            if !self.loops_found && matches!(op, Operator::Loop { .. }) {
                self.loops_found = true;
                self.loops
                    .find(operators.clone(), usize::try_from(offset)?, self.locals)?;
            }
            if self.reachable {
                self.emit.set_origin(u32::try_from(offset)?);
                self.count_fuel(&op);
                self.operator(&op)?;
            } else {
                self.unreachable_operator(&op)?;
            }
        }
        self.end_fuel();
        self.returning_clauses()?;
        self.finish_enter()?;
        let end = (self.temps + self.stack.most() + 1).max(self.frame_end);
        if end > MAX_FRAME_SLOTS || self.emit.position() > (i32::MAX as usize) / 8 {
            return Err(Stop);
        }
        Ok(())
    }

    /// What a function does before its first operator.
    fn prologue(&mut self) -> Result<(), Stop> {
        if self.code.options().depth {
            self.emit.push(&Instr::new("count_enter", ctl::count_enter, 8));
        }
        if self.locals.len() > self.params {
            self.enter = Some(self.emit.push(&Instr::new("enter", ctl::enter_handler(0), 16)));
        }
        self.frames.push(Frame::function(self.results.len()));
        self.begin_fuel();
        Ok(())
    }

    /// Makes the instruction that sets locals to zero one for those that need
    /// it, or none.
    fn finish_enter(&mut self) -> Result<(), Stop> {
        let Some(at) = self.enter else { return Ok(()) };
        let zeroed = self.assigned.to_zero(self.locals.len() - self.params);
        if zeroed.is_empty() && at == 0 {
            self.emit.skip_first(2);
            return Ok(());
        }
        let slot_of = |local| {
            self.places
                .get(self.params + local)
                .map_or(self.temps, |slot| *slot as usize)
        };
        let (first, end) = (slot_of(zeroed.start), slot_of(zeroed.end));
        let slots = u32::from(u16::try_from(end - first)?);
        self.emit.set_handler(at, ctl::enter_handler(end - first));
        self.emit.set_u32(at, 8, u32::from(u16::try_from(first)?) | slots << 16);
        Ok(())
    }

    /// Follows the nesting of code that cannot be reached.
    fn unreachable_operator(&mut self, op: &Operator<'_>) -> Result<(), Stop> {
        match op {
            Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::TryTable { .. }
            | Operator::Try { .. } => self.unreachable_blocks += 1,
            Operator::Else if self.unreachable_blocks == 0 => self.else_()?,
            Operator::End if self.unreachable_blocks == 0 => self.end()?,
            Operator::Catch { tag_index } if self.unreachable_blocks == 0 => {
                self.legacy_catch(Some(TagIdx::new(*tag_index)))?;
            }
            Operator::CatchAll if self.unreachable_blocks == 0 => self.legacy_catch(None)?,
            Operator::Delegate { relative_depth } if self.unreachable_blocks == 0 => {
                self.legacy_delegate(*relative_depth)?;
            }
            Operator::End | Operator::Delegate { .. } => self.unreachable_blocks -= 1,
            _ => {}
        }
        Ok(())
    }

    /// Says that what follows cannot be reached.
    fn stop(&mut self) {
        self.straight_from = None;
        self.end_fuel();
        self.reachable = false;
        self.assigned.now = assigned::ALL;
        let height = self.frames.last().map_or(0, Frame::floor);
        self.stack.truncate(height);
    }

    /// Starts a stretch of code whose fuel is taken at its start.
    fn begin_fuel(&mut self) {
        if self.code.options().fuel {
            self.end_fuel();
            self.fuel = Some((self.emit.push(&Instr::new("fuel", ctl::fuel, 16)), 0));
        }
    }

    /// Ends the current stretch, writing down its fuel.
    fn end_fuel(&mut self) {
        if let Some((at, cost)) = self.fuel.take() {
            self.emit.set_u32(at, 8, cost);
        }
    }

    /// Counts an operator's fuel: 1, but 0 for those that do nothing.
    fn count_fuel(&mut self, op: &Operator<'_>) {
        if let Some((_, cost)) = &mut self.fuel {
            *cost += u32::from(!matches!(
                op,
                Operator::Nop
                    | Operator::Drop
                    | Operator::Block { .. }
                    | Operator::Loop { .. }
                    | Operator::Else
                    | Operator::End
                    | Operator::Catch { .. }
                    | Operator::CatchAll
                    | Operator::Delegate { .. }
            ));
        }
    }

    /// The slot of a local.
    fn local_slot(&self, local: u32) -> u16 {
        self.places[local as usize] as u16
    }

    /// The temporary of the operand at a position. Positions beyond what slots
    /// can name wrap here and make the translation fail at its end.
    fn temp_slot(&self, at: usize) -> u16 {
        (self.temps + self.stack.slot(at)) as u16
    }

    /// Where the operand at a position is.
    fn operand_at(&self, at: usize) -> Operand {
        match self.stack.get(at).value {
            Value::Temp => Operand::Slot(self.temp_slot(at)),
            Value::Local(local, _) => Operand::Slot(self.local_slot(local)),
            Value::Const(value) => Operand::Const(value),
        }
    }

    /// Removes the top operand.
    fn pop(&mut self) -> (Operand, Ty) {
        let at = self.stack.len() - 1;
        let operand = self.operand_at(at);
        (operand, self.stack.pop().ty)
    }

    /// If the operand is the result of the last instruction, makes that pass
    /// it in the accumulator. The operand must have been popped.
    fn fold(&mut self, operand: Operand) -> Operand {
        match operand {
            Operand::Slot(slot) if self.emit.pass_in_acc(slot) => Operand::Acc,
            other => other,
        }
    }

    /// The numbers of a block's parameters and results.
    fn block_arity(&self, ty: BlockType) -> Result<(usize, usize), Stop> {
        Ok(match ty {
            BlockType::Empty => (0, 0),
            BlockType::Type(_) => (0, 1),
            BlockType::FuncType(index) => {
                let ty = self.module.func_type_at(TypeIdx::new(index)).ok_or(Stop)?;
                (ty.params().len(), ty.results().len())
            }
        })
    }

    /// The types of a block's parameters and results.
    fn block_types(&self, ty: BlockType) -> Result<(Vec<Ty>, Vec<Ty>), Stop> {
        Ok(match ty {
            BlockType::Empty => (Vec::new(), Vec::new()),
            BlockType::Type(result) => (Vec::new(), vec![self::ty(result)]),
            BlockType::FuncType(index) => {
                let ty = self.module.func_type_at(TypeIdx::new(index)).ok_or(Stop)?;
                (
                    ty.params().map(|ty| own_ty(&ty)).collect(),
                    ty.results().map(|ty| own_ty(&ty)).collect(),
                )
            }
        })
    }

    /// Whether accesses of memory `index` use the checked handlers.
    fn is_checked(&self, index: u32) -> bool {
        index != 0 || self.code.options().checked.first().copied().unwrap_or(true)
    }

    /// Appends the instruction that copies an operand to a slot.
    fn copy_to(&mut self, operand: Operand, ty: Ty, slot: u16) {
        let (instr, to) = self.copy(operand, ty);
        self.emit.push_result(instr, slot, to, ty);
        // Copies of two slots are not among those that others make.
        if operand != Operand::Acc && ty != Ty::V128 {
            self.emit.note(What::Copy(operand));
        }
    }

    /// [`Translator::copy_to`] where nothing but control follows: copies may
    /// share an instruction.
    fn copy_for_control(&mut self, operand: Operand, ty: Ty, slot: u16) {
        let (instr, to) = self.copy(operand, ty);
        self.emit.push_copy(instr, operand, slot, to, ty);
    }

    /// The instruction that copies an operand.
    fn copy(&self, operand: Operand, ty: Ty) -> (Instr, Destinations) {
        let operand = self.emit.pinned(operand);
        let to = match operand {
            Operand::Pinned(place, _) => data::COPY_PINNED[ty.class()][usize::from(place)],
            other => data::COPY[ty.class()][other.kind()],
        };
        let len = if matches!(operand, Operand::Const(_)) { 24 } else { 16 };
        (Instr::new("copy", to.slot, len).operands(10, 16, true, &[operand]), to)
    }
}
