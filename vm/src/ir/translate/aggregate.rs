//! Aggregate operators: structs and arrays.

use wasmparser::Operator;

use super::{Stop, Translator};
use crate::exec::aggregate::{self as handlers, GetInfo, NEW_FIELDS, NO_CLASS, SetInfo};
use crate::exec::array;
use crate::exec::heap::classes::class_of;
use crate::ir::instr::{Instr, Operand};
use crate::ir::stack::Ty;
use crate::module::TypeIdx;
use crate::trap::Trap;
use crate::types::raw::{Abstract, RawCompositeType, RawFieldType, RawStorageType, RawValType};

/// The type of the operand that a field is read as.
fn ty_of(storage: RawStorageType) -> Ty {
    match storage {
        RawStorageType::I8 | RawStorageType::I16 | RawStorageType::Val(RawValType::I32) => Ty::I32,
        RawStorageType::Val(RawValType::I64) => Ty::I64,
        RawStorageType::Val(RawValType::F32) => Ty::F32,
        RawStorageType::Val(RawValType::F64) => Ty::F64,
        RawStorageType::Val(RawValType::V128) => Ty::V128,
        RawStorageType::Val(RawValType::Ref(_)) => Ty::Ref,
    }
}

/// How a field is read, with its sign if it has one.
fn get_info(storage: RawStorageType, signed: bool) -> &'static GetInfo {
    match storage {
        RawStorageType::I8 if signed => &handlers::GET_I8_S,
        RawStorageType::I8 => &handlers::GET_I8_U,
        RawStorageType::I16 if signed => &handlers::GET_I16_S,
        RawStorageType::I16 => &handlers::GET_I16_U,
        RawStorageType::Val(RawValType::I32) => &handlers::GET_WORD,
        RawStorageType::Val(RawValType::I64) => &handlers::GET_LONG,
        RawStorageType::Val(RawValType::F32) => &handlers::GET_FLOAT,
        RawStorageType::Val(RawValType::F64) => &handlers::GET_DOUBLE,
        RawStorageType::Val(RawValType::V128) => &handlers::GET_VECTOR,
        RawStorageType::Val(RawValType::Ref(ty)) if ty.heap.top() == Abstract::Func => &handlers::GET_LONG,
        RawStorageType::Val(RawValType::Ref(_)) => &handlers::GET_WORD,
    }
}

/// How a field is written.
fn set_info(storage: RawStorageType) -> &'static SetInfo {
    match storage {
        RawStorageType::I8 => &handlers::SET_I8,
        RawStorageType::I16 => &handlers::SET_I16,
        RawStorageType::Val(RawValType::I32) => &handlers::SET_WORD,
        RawStorageType::Val(RawValType::I64) => &handlers::SET_LONG,
        RawStorageType::Val(RawValType::F32) => &handlers::SET_FLOAT,
        RawStorageType::Val(RawValType::F64) => &handlers::SET_DOUBLE,
        RawStorageType::Val(RawValType::V128) => &handlers::SET_VECTOR,
        RawStorageType::Val(RawValType::Ref(ty)) if ty.heap.top() == Abstract::Func => &handlers::SET_LONG,
        RawStorageType::Val(RawValType::Ref(_)) => &handlers::SET_WORD,
    }
}

impl<'a> Translator<'a> {
    /// An aggregate operator, or another that is not plain.
    pub(super) fn aggregate_operator(&mut self, op: &Operator<'_>) -> Result<(), Stop> {
        match op {
            // A reference is the same in both hierarchies.
            Operator::AnyConvertExtern | Operator::ExternConvertAny => Ok(()),
            Operator::StructNew { struct_type_index } => self.struct_new(TypeIdx::new(*struct_type_index), true, false),
            Operator::StructNewDefault { struct_type_index } => {
                self.struct_new(TypeIdx::new(*struct_type_index), false, false)
            }
            Operator::StructNewDesc { struct_type_index } => {
                self.struct_new(TypeIdx::new(*struct_type_index), true, true)
            }
            Operator::StructNewDefaultDesc { struct_type_index } => {
                self.struct_new(TypeIdx::new(*struct_type_index), false, true)
            }
            Operator::RefGetDesc { type_index } => self.get_descriptor(TypeIdx::new(*type_index)),
            Operator::StructGet {
                struct_type_index,
                field_index,
            }
            | Operator::StructGetU {
                struct_type_index,
                field_index,
            } => self.struct_get(TypeIdx::new(*struct_type_index), *field_index, false),
            Operator::StructGetS {
                struct_type_index,
                field_index,
            } => self.struct_get(TypeIdx::new(*struct_type_index), *field_index, true),
            Operator::StructSet {
                struct_type_index,
                field_index,
            } => self.struct_set(TypeIdx::new(*struct_type_index), *field_index),
            Operator::ArrayNew { array_type_index } => {
                self.bulk::<array::ArrayNew>(2, Some(Ty::Ref), *array_type_index, 0)
            }
            Operator::ArrayNewDefault { array_type_index } => {
                self.bulk::<array::ArrayNewDefault>(1, Some(Ty::Ref), *array_type_index, 0)
            }
            Operator::ArrayNewFixed {
                array_type_index,
                array_size,
            } => self.bulk::<array::ArrayNewFixed>(*array_size as usize, Some(Ty::Ref), *array_type_index, *array_size),
            Operator::ArrayNewData {
                array_type_index,
                array_data_index,
            } => self.bulk::<array::ArrayNewData>(2, Some(Ty::Ref), *array_type_index, *array_data_index),
            Operator::ArrayNewElem {
                array_type_index,
                array_elem_index,
            } => self.bulk::<array::ArrayNewElem>(2, Some(Ty::Ref), *array_type_index, *array_elem_index),
            Operator::ArrayGet { array_type_index } | Operator::ArrayGetU { array_type_index } => {
                self.array_get(TypeIdx::new(*array_type_index), false)
            }
            Operator::ArrayGetS { array_type_index } => self.array_get(TypeIdx::new(*array_type_index), true),
            Operator::ArraySet { array_type_index } => self.array_set(TypeIdx::new(*array_type_index)),
            Operator::ArrayLen => self.array_len(),
            Operator::ArrayFill { array_type_index } => self.bulk::<array::ArrayFill>(4, None, *array_type_index, 0),
            Operator::ArrayCopy {
                array_type_index_dst, ..
            } => self.bulk::<array::ArrayCopy>(5, None, *array_type_index_dst, 0),
            Operator::ArrayInitData {
                array_type_index,
                array_data_index,
            } => self.bulk::<array::ArrayInitData>(4, None, *array_type_index, *array_data_index),
            Operator::ArrayInitElem {
                array_type_index,
                array_elem_index,
            } => self.bulk::<array::ArrayInitElem>(4, None, *array_type_index, *array_elem_index),
            other => self.atomic_operator(other),
        }
    }

    /// The fields of a struct type.
    fn fields(&self, ty: TypeIdx) -> Result<&'a [RawFieldType], Stop> {
        match &self.module.types.get(ty.index()).ok_or(Stop)?.def().def().composite {
            RawCompositeType::Struct(fields) => Ok(fields),
            RawCompositeType::Func { .. } | RawCompositeType::Array(_) => Err(Stop),
        }
    }

    /// The elements of an array type.
    fn element(&self, ty: TypeIdx) -> Result<RawStorageType, Stop> {
        match &self.module.types.get(ty.index()).ok_or(Stop)?.def().def().composite {
            RawCompositeType::Array(element) => Ok(element.storage),
            RawCompositeType::Func { .. } | RawCompositeType::Struct(_) => Err(Stop),
        }
    }

    /// A field of a struct type: what it holds, and where it is.
    fn field(&self, ty: TypeIdx, field: u32) -> Result<(RawStorageType, u32), Stop> {
        let storage = self.fields(ty)?.get(field as usize).ok_or(Stop)?.storage;
        let layout = &self.type_info(ty)?.layout;
        Ok((storage, *layout.fields.get(field as usize).ok_or(Stop)?))
    }

    /// `struct.get`, `struct.get_u` or `struct.get_s`.
    pub(super) fn struct_get(&mut self, ty: TypeIdx, field: u32, signed: bool) -> Result<(), Stop> {
        let (storage, offset) = self.field(ty, field)?;
        let object = self.top_operand();
        let to = get_info(storage, signed).field[object.kind()];
        let instr = Instr::new("struct.get", to.slot, 16).operands(10, 0, false, &[object]);
        self.push_result(instr.u32(12, offset), to, ty_of(storage));
        Ok(())
    }

    /// `ref.get_desc`.
    fn get_descriptor(&mut self, ty: TypeIdx) -> Result<(), Stop> {
        let offset = self.type_info(ty)?.layout.descriptor;
        self.check_null(self.stack.len() - 1, Trap::NullReference)?;
        let object = self.top_operand();
        let to = handlers::GET_WORD.field[object.kind()];
        let instr = Instr::new("ref.get_desc", to.slot, 16).operands(10, 0, false, &[object]);
        self.push_result(instr.u32(12, offset), to, Ty::Ref);
        Ok(())
    }

    /// The top operand, which is removed, in a slot or the accumulator.
    fn top_operand(&mut self) -> Operand {
        let (operand, ty) = self.pop();
        self.constant_to_acc(operand, ty)
    }

    /// `struct.set`.
    pub(super) fn struct_set(&mut self, ty: TypeIdx, field: u32) -> Result<(), Stop> {
        let (storage, offset) = self.field(ty, field)?;
        let object = self.slot_of(self.stack.len() - 2)?;
        let value = self.top_operand();
        self.stack.pop();
        let handler = set_info(storage).field[value.kind()];
        let instr = Instr::new("struct.set", handler, 16).operands(8, 0, false, &[Operand::Slot(object), value]);
        self.emit.push(&instr.u32(12, offset));
        Ok(())
    }

    /// `struct.new`, or `struct.new_default` if it is without values. If it is with a
    /// descriptor, that is the top operand.
    pub(super) fn struct_new(&mut self, ty: TypeIdx, with_values: bool, with_descriptor: bool) -> Result<(), Stop> {
        let fields = if with_values { self.fields(ty)? } else { &[] };
        let info = self.type_info(ty)?;
        let end = self.temp_slot(self.stack.len());
        if with_descriptor {
            self.check_null(self.stack.len() - 1, Trap::NullDescriptorReference)?;
        }
        let operands = fields.len() + usize::from(with_descriptor);
        let first = self.stack.len() - operands;
        let places = fields.iter().zip(&info.layout.fields);
        let places = places.map(|(field, at)| (field.storage.bytes(), *at));
        let descriptor = with_descriptor.then_some((4, info.layout.descriptor));
        let mut words = Vec::with_capacity(operands);
        for (at, (bytes, offset)) in (first..).zip(places.chain(descriptor)) {
            let slot = self.slot_of(at)?;
            words.push(u64::from(slot) | u64::from(bytes.trailing_zeros()) << 16 | u64::from(offset) << 32);
        }
        self.stack.truncate(first);
        let class = class_of(info.shape.size().into());
        let to = match class {
            Some(_) => handlers::STRUCT_NEW,
            None => handlers::STRUCT_NEW_LARGE,
        };
        let class = class.map_or(Ok(NO_CLASS), u16::try_from)?;
        let instr = Instr::new("struct.new", to.slot, NEW_FIELDS)
            .u16(10, u16::try_from(operands)?)
            .u16(12, class)
            .u16(14, end)
            .u64(16, std::ptr::from_ref(info).addr() as u64)
            .showing([Operand::Const(info.id.as_u32().into())]);
        self.push_result(instr, to, Ty::Ref);
        self.emit.extend_last(&words);
        Ok(())
    }

    /// `array.get`, `array.get_u` or `array.get_s`.
    pub(super) fn array_get(&mut self, ty: TypeIdx, signed: bool) -> Result<(), Stop> {
        let storage = self.element(ty)?;
        let array = self.slot_of(self.stack.len() - 2)?;
        let index = self.top_operand();
        self.stack.pop();
        let to = get_info(storage, signed).element[index.kind()];
        let operands = [Operand::Slot(array), index];
        let instr = Instr::new("array.get", to.slot, 16).operands(10, 0, false, &operands);
        self.push_result(instr, to, ty_of(storage));
        Ok(())
    }

    /// `array.set`.
    pub(super) fn array_set(&mut self, ty: TypeIdx) -> Result<(), Stop> {
        let storage = self.element(ty)?;
        let array = self.slot_of(self.stack.len() - 3)?;
        let index = self.slot_of(self.stack.len() - 2)?;
        let value = self.top_operand();
        self.stack.truncate(self.stack.len() - 2);
        let handler = set_info(storage).element[value.kind()];
        let operands = [Operand::Slot(array), Operand::Slot(index), value];
        self.emit
            .push(&Instr::new("array.set", handler, 16).operands(8, 0, false, &operands));
        Ok(())
    }

    /// `array.len`.
    pub(super) fn array_len(&mut self) -> Result<(), Stop> {
        let array = self.top_operand();
        let to = handlers::ARRAY_LENGTH[array.kind()];
        let instr = Instr::new("array.len", to.slot, 16).operands(10, 0, false, &[array]);
        self.push_result(instr, to, Ty::I32);
        Ok(())
    }
}
