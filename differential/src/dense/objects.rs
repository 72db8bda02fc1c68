//! Structs, arrays and small integers behind references.
//!
//! Each type has a local that may be null but seldom is. What objects hold comes back
//! as numbers, and one global holds a reference, behind which everything reachable is
//! compared.

use wasm_encoder::{
    AbstractHeapType, ArrayType, BlockType, CompositeInnerType, CompositeType, FieldType, HeapType, RefType,
    StorageType, StructType, SubType, TypeSection, ValType,
};

use super::body::Body;
use super::{Features, encoded};
use crate::machine::Type;
use crate::random::Random;

/// What a field or an element holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    I8,
    I16,
    Number(Type),
    /// A reference to a struct or array of this number that may be null.
    Object(usize),
    Any,
}

/// A struct or array type of the module.
struct ObjectType {
    supertype: Option<usize>,
    is_array: bool,
    fields: Vec<Content>,
}

/// The module's types of objects; their indexes follow those of its functions.
pub(super) struct Objects {
    first: u32,
    types: Vec<ObjectType>,
}

const ANY: HeapType = HeapType::Abstract {
    shared: false,
    ty: AbstractHeapType::Any,
};
const EQ: HeapType = HeapType::Abstract {
    shared: false,
    ty: AbstractHeapType::Eq,
};
const I31: HeapType = HeapType::Abstract {
    shared: false,
    ty: AbstractHeapType::I31,
};

impl Objects {
    /// Types behind the first `first` ones.
    pub(super) fn new(random: &mut Random, features: &Features, first: u32) -> Self {
        let mut types: Vec<ObjectType> = Vec::new();
        let count = if features.gc { 2 + random.below(4) } else { 0 };
        for number in 0..count {
            let is_array = number > 0 && random.below(3) == 0;
            let supertype = (!is_array && number > 0 && random.below(2) == 0)
                .then(|| random.below(number))
                .filter(|&supertype| !types[supertype].is_array);
            let mut fields = supertype.map_or(Vec::new(), |supertype| types[supertype].fields.clone());
            for _ in 0..if is_array { 1 } else { 1 + random.below(4) } {
                fields.push(match random.below(8) {
                    0 => Content::I8,
                    1 => Content::I16,
                    2 => Content::Any,
                    3 | 4 => Content::Object(random.below(number + 1)),
                    _ => Content::Number(*random.pick(features.numbers())),
                });
            }
            types.push(ObjectType {
                supertype,
                is_array,
                fields,
            });
        }
        Self { first, types }
    }

    pub(super) fn count(&self) -> usize {
        self.types.len()
    }

    fn index(&self, number: usize) -> u32 {
        self.first + u32::try_from(number).expect("few")
    }

    fn heap_type(&self, number: usize) -> HeapType {
        HeapType::Concrete(self.index(number))
    }

    /// The type of locals for objects of this number.
    pub(super) fn local_type(&self, number: usize) -> ValType {
        ValType::Ref(RefType {
            nullable: true,
            heap_type: self.heap_type(number),
        })
    }

    pub(super) fn encode(&self, section: &mut TypeSection) {
        for ty in &self.types {
            let field = |content: &Content| FieldType {
                element_type: match *content {
                    Content::I8 => StorageType::I8,
                    Content::I16 => StorageType::I16,
                    Content::Number(ty) => StorageType::Val(encoded(&ty)),
                    Content::Object(number) => StorageType::Val(self.local_type(number)),
                    Content::Any => StorageType::Val(ValType::Ref(RefType::ANYREF)),
                },
                mutable: true,
            };
            let inner = match ty.is_array {
                true => CompositeInnerType::Array(ArrayType(field(&ty.fields[0]))),
                false => CompositeInnerType::Struct(StructType {
                    fields: ty.fields.iter().map(field).collect(),
                }),
            };
            section.ty().subtype(&SubType {
                is_final: false,
                supertype_idxs: ty.supertype.map(|number| self.index(number)).into_iter().collect(),
                composite_type: CompositeType {
                    inner,
                    shared: false,
                    descriptor: None,
                    describes: None,
                },
            });
        }
    }
}

impl Body<'_> {
    /// The local of objects of this number.
    fn object_local(&self, number: usize) -> u32 {
        self.first_object_local + u32::try_from(number).expect("few")
    }

    fn any_local(&self) -> u32 {
        self.object_local(self.objects.count())
    }

    fn some_object(&mut self) -> usize {
        self.random.below(self.objects.count())
    }

    fn some_struct(&mut self) -> usize {
        let structs: Vec<usize> = (0..self.objects.count())
            .filter(|&number| !self.objects.types[number].is_array)
            .collect();
        *self.random.pick(&structs)
    }

    fn some_array(&mut self) -> Option<usize> {
        let arrays: Vec<usize> = (0..self.objects.count())
            .filter(|&number| self.objects.types[number].is_array)
            .collect();
        (!arrays.is_empty()).then(|| *self.random.pick(&arrays))
    }

    /// Fills the locals of objects.
    pub(super) fn first_objects(&mut self) {
        for number in 0..self.objects.count() {
            self.new_object(number, 3);
            let local = self.object_local(number);
            self.sink().local_set(local);
        }
        if self.objects.count() > 0 {
            self.any(4);
            let local = self.any_local();
            self.sink().local_set(local);
        }
    }

    /// A value for a field or element.
    fn content(&mut self, content: Content, depth: u32) {
        match content {
            Content::I8 | Content::I16 => self.expression(Type::I32, depth + 1),
            Content::Number(ty) => {
                self.expression(ty, depth + 1);
                self.canonical(ty);
            }
            Content::Object(number) => self.object(number, depth + 1),
            Content::Any => self.any(depth + 1),
        }
    }

    /// A new object of exactly this type.
    fn new_object(&mut self, number: usize, depth: u32) {
        let index = self.objects.index(number);
        let fields = self.objects.types[number].fields.clone();
        if !self.objects.types[number].is_array {
            if self.random.below(6) == 0 {
                self.sink().struct_new_default(index);
                return;
            }
            for field in fields {
                self.content(field, depth);
            }
            self.sink().struct_new(index);
            return;
        }
        let element = fields[0];
        let length = 1 + i32::try_from(self.random.below(20)).expect("small");
        match self.random.below(4) {
            0 => {
                self.sink().i32_const(length).array_new_default(index);
            }
            1 => {
                let count = 1 + self.random.below(4);
                for _ in 0..count {
                    self.content(element, depth + 1);
                }
                self.sink().array_new_fixed(index, u32::try_from(count).expect("small"));
            }
            2 if matches!(
                element,
                Content::I8 | Content::I16 | Content::Number(Type::I32 | Type::I64 | Type::V128)
            ) =>
            {
                let start = i32::try_from(self.random.below(400)).expect("small");
                self.sink()
                    .i32_const(start)
                    .i32_const(length)
                    .array_new_data(index, super::PASSIVE_DATA);
            }
            _ => {
                self.content(element, depth);
                self.sink().i32_const(length).array_new(index);
            }
        }
    }

    /// A reference to an object of this type, seldom null.
    fn object(&mut self, number: usize, depth: u32) {
        self.budget = self.budget.saturating_sub(1);
        let local = self.object_local(number);
        if depth >= 5 || self.budget == 0 {
            self.sink().local_get(local);
            return;
        }
        match self.random.below(20) {
            0..8 => {
                self.sink().local_get(local);
            }
            8..12 => self.new_object(number, depth + 1),
            12..15 => {
                let subtypes: Vec<usize> = (0..self.objects.count())
                    .filter(|&other| self.objects.types[other].supertype == Some(number))
                    .collect();
                match subtypes.is_empty() {
                    true => self.new_object(number, depth + 1),
                    false => {
                        let subtype = *self.random.pick(&subtypes);
                        self.object(subtype, depth + 1);
                    }
                }
            }
            15..18 => {
                // What is in the local for any value, where it is one of these.
                let (heap_type, result) = (self.objects.heap_type(number), self.objects.local_type(number));
                let to = RefType {
                    nullable: self.random.below(2) == 0,
                    heap_type,
                };
                let any = self.any_local();
                let fails = self.random.below(2) == 0;
                if fails {
                    // The value comes back as any reference where it is not.
                    self.sink().block(BlockType::Result(result));
                    self.sink().block(BlockType::Result(ValType::Ref(RefType::ANYREF)));
                    self.sink().local_get(any).br_on_cast_fail(0, RefType::ANYREF, to);
                    self.sink().br(1).end().drop();
                } else {
                    self.sink().block(BlockType::Result(result));
                    self.sink().local_get(any).br_on_cast(0, RefType::ANYREF, to).drop();
                }
                self.sink().local_get(local).end();
            }
            18 if self.random.below(6) == 0 => {
                self.any(depth + 1);
                let heap_type = self.objects.heap_type(number);
                self.sink().ref_cast_nullable(heap_type);
            }
            19 if self.random.below(6) == 0 => {
                let heap_type = self.objects.heap_type(number);
                self.sink().ref_null(heap_type);
            }
            _ => {
                self.object_or(number, depth);
            }
        }
    }

    /// An object from a field of another, and from the local where it is null.
    fn object_or(&mut self, number: usize, depth: u32) {
        let holders: Vec<(usize, usize)> = (0..self.objects.count())
            .filter(|&holder| !self.objects.types[holder].is_array)
            .flat_map(|holder| {
                let fields = self.objects.types[holder].fields.iter().enumerate();
                let fitting = fields.filter(|(_, content)| **content == Content::Object(number));
                fitting.map(move |(field, _)| (holder, field)).collect::<Vec<_>>()
            })
            .collect();
        let local = self.object_local(number);
        if holders.is_empty() {
            self.sink().local_get(local);
            return;
        }
        let (holder, field) = *self.random.pick(&holders);
        let result = self.objects.local_type(number);
        self.sink().block(BlockType::Result(result));
        self.object(holder, depth + 1);
        let index = self.objects.index(holder);
        self.sink().struct_get(index, u32::try_from(field).expect("few"));
        // Null goes on; all else leaves the block.
        self.sink().br_on_non_null(0).local_get(local).end();
    }

    /// A reference to anything.
    fn any(&mut self, depth: u32) {
        match self.random.below(10) {
            0..3 => {
                self.expression(Type::I32, depth + 1);
                self.sink().ref_i31();
            }
            3..5 => {
                let local = self.any_local();
                self.sink().local_get(local);
            }
            5 => {
                self.any(depth + 1);
                self.sink().extern_convert_any().any_convert_extern();
            }
            6 if self.random.below(4) == 0 => {
                self.sink().ref_null(ANY);
            }
            _ => {
                let number = self.some_object();
                self.object(number, depth + 1);
            }
        }
    }

    /// An index into the array that is in the local, nearly always inside.
    fn element_index(&mut self, local: u32, depth: u32) {
        self.expression(Type::I32, depth + 1);
        if self.random.below(40) > 0 {
            // One more than the length, so that an empty array traps at the access.
            self.sink().local_get(local).array_len().i32_rem_u();
        }
    }

    /// Takes a value of a field or element; leaves a number of this type.
    fn as_number(&mut self, content: Content, ty: Type) {
        match content {
            Content::I8 | Content::I16 => self.convert(Type::I32, ty),
            Content::Number(from) => self.convert(from, ty),
            Content::Object(_) | Content::Any => {
                self.sink().ref_is_null();
                self.convert(Type::I32, ty);
            }
        }
    }

    fn get_field(&mut self, number: usize, field: usize) -> Content {
        let (index, content) = (self.objects.index(number), self.objects.types[number].fields[field]);
        let field = u32::try_from(field).expect("few");
        let signed = self.random.below(2) == 0;
        let mut sink = self.sink();
        match content {
            Content::I8 | Content::I16 if signed => sink.struct_get_s(index, field),
            Content::I8 | Content::I16 => sink.struct_get_u(index, field),
            _ => sink.struct_get(index, field),
        };
        content
    }

    fn get_element(&mut self, number: usize) -> Content {
        let (index, content) = (self.objects.index(number), self.objects.types[number].fields[0]);
        let signed = self.random.below(2) == 0;
        let mut sink = self.sink();
        match content {
            Content::I8 | Content::I16 if signed => sink.array_get_s(index),
            Content::I8 | Content::I16 => sink.array_get_u(index),
            _ => sink.array_get(index),
        };
        content
    }

    /// Code that leaves a number that comes from objects.
    pub(super) fn taken_from_objects(&mut self, ty: Type, depth: u32) {
        match self.random.below(10) {
            0..4 => {
                let number = self.some_struct();
                self.object(number, depth + 1);
                let field = self.random.below(self.objects.types[number].fields.len());
                let content = self.get_field(number, field);
                self.as_number(content, ty);
            }
            4..6 if let Some(number) = self.some_array() => {
                let local = self.object_local(number);
                self.sink().local_get(local);
                self.element_index(local, depth);
                let content = self.get_element(number);
                self.as_number(content, ty);
            }
            6 if let Some(number) = self.some_array() => {
                self.object(number, depth + 1);
                self.sink().array_len();
                self.convert(Type::I32, ty);
            }
            7 => {
                self.any(depth + 1);
                let number = self.some_object();
                let heap_type = match self.random.below(3) {
                    0 => self.objects.heap_type(number),
                    1 => EQ,
                    _ => I31,
                };
                match self.random.below(2) {
                    0 => self.sink().ref_test_nullable(heap_type),
                    _ => self.sink().ref_test_non_null(heap_type),
                };
                self.convert(Type::I32, ty);
            }
            8 => {
                let (a, b) = (self.some_object(), self.some_object());
                self.object(a, depth + 1);
                self.object(b, depth + 1);
                self.sink().ref_eq();
                self.convert(Type::I32, ty);
            }
            _ => {
                // The small integer, or another number where it is none.
                let i31 = RefType {
                    nullable: false,
                    heap_type: I31,
                };
                self.sink().block(BlockType::Result(encoded(&Type::I32)));
                self.sink().block(BlockType::Result(ValType::Ref(i31)));
                self.any(depth + 1);
                self.sink().br_on_cast(0, RefType::ANYREF, i31);
                self.sink().drop().i32_const(12345).br(1).end();
                match self.random.below(2) {
                    0 => self.sink().i31_get_s(),
                    _ => self.sink().i31_get_u(),
                };
                self.sink().end();
                self.convert(Type::I32, ty);
            }
        }
    }

    /// Changes an object, or what a local refers to.
    pub(super) fn change_objects(&mut self) {
        match self.random.below(8) {
            0 | 1 => {
                let number = self.some_object();
                self.object(number, 1);
                let local = self.object_local(number);
                self.sink().local_set(local);
            }
            2 => {
                self.any(1);
                let local = self.any_local();
                self.sink().local_set(local);
            }
            3 => {
                self.any(1);
                let global = self.features.any_global();
                self.sink().global_set(global);
            }
            4 if let Some(number) = self.some_array() => {
                let (local, index) = (self.object_local(number), self.objects.index(number));
                let element = self.objects.types[number].fields[0];
                self.sink().local_get(local);
                self.element_index(local, 2);
                self.content(element, 2);
                self.sink().array_set(index);
            }
            5 if let Some(number) = self.some_array() => {
                let (local, index) = (self.object_local(number), self.objects.index(number));
                let element = self.objects.types[number].fields[0];
                self.sink().local_get(local);
                self.element_index(local, 2);
                if self.random.below(2) == 0 {
                    self.content(element, 2);
                    self.sink().i32_const(1).array_fill(index);
                } else {
                    self.sink().local_get(local);
                    self.element_index(local, 2);
                    let count = i32::from(self.random.below(10) > 0);
                    self.sink().i32_const(count).array_copy(index, index);
                }
            }
            _ => {
                let number = self.some_struct();
                self.object(number, 1);
                let field = self.random.below(self.objects.types[number].fields.len());
                let content = self.objects.types[number].fields[field];
                self.content(content, 1);
                let index = self.objects.index(number);
                self.sink().struct_set(index, u32::try_from(field).expect("few"));
            }
        }
    }

    /// Takes a number of type `ty`; leaves one into which everything that the locals'
    /// objects hold has gone.
    pub(super) fn mix_objects(&mut self, ty: Type) {
        for number in 0..self.objects.count() {
            let local = self.object_local(number);
            if self.objects.types[number].is_array {
                self.sink().local_get(local).ref_is_null();
                self.mix(Type::I32, ty);
                continue;
            }
            for field in 0..self.objects.types[number].fields.len() {
                // A null object counts as a zero.
                let content = self.objects.types[number].fields[field];
                let from = match content {
                    Content::Number(from) => from,
                    _ => Type::I32,
                };
                self.sink().local_get(local).ref_is_null();
                self.sink().if_(BlockType::Result(encoded(&from)));
                self.zero(from);
                self.sink().else_().local_get(local);
                let content = self.get_field(number, field);
                self.as_number(content, from);
                self.sink().end();
                self.mix(from, ty);
            }
        }
    }
}
