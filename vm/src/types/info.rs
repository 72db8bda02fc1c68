//! What running code knows of a type: a record whose address objects and functions
//! carry, and which tells at once whether the type is a subtype of another.

use super::raw::{Kind, RawCompositeType, RawStorageType, SubType};
use super::registry::TypeId;
use crate::exec::heap::shape::{HANDLE, HEADER, Shape};

/// Supertypes that a record has in itself, and casts find without another look.
pub(crate) const NEAR: usize = 8;

/// The record of a type; it stays where it is as long as something keeps the type's
/// group.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct TypeInfo {
    /// What the collector knows of its objects, which begin with its address. That of a
    /// function type means nothing.
    pub(crate) shape: Shape,
    /// The type's identity.
    pub(crate) id: TypeId,
    /// How many supertypes it has.
    pub(crate) depth: u32,
    /// Its supertypes from the outermost on, and itself; [`TypeId::NONE`] behind.
    pub(crate) near: [TypeId; NEAR],
    /// What it is the type of.
    pub(crate) kind: Kind,
    /// Whether it can have no subtypes.
    pub(crate) is_final: bool,
    /// All its supertypes and itself, where `near` has no room for them.
    far: Box<[TypeId]>,
    /// Where a struct's parts stand in its objects.
    pub(crate) layout: StructLayout,
}

impl TypeInfo {
    /// The record of the type with this definition and identity, and with this
    /// supertype.
    pub(super) fn new(def: &SubType, id: TypeId, supertype: Option<&Self>) -> Self {
        let mut display: Vec<TypeId> = supertype.map_or_else(Vec::new, |ty| ty.display().to_vec());
        let depth = u32::try_from(display.len()).expect("validation bounds the number of supertypes");
        display.push(id);
        let mut near = [TypeId::NONE; NEAR];
        near.iter_mut().zip(&display).for_each(|(near, id)| *near = *id);
        let layout = StructLayout::new(def, supertype.map(|ty| &ty.layout));
        Self {
            shape: shape(def, &layout),
            id,
            depth,
            near,
            kind: def.composite.kind(),
            is_final: def.is_final,
            far: match display.len() > NEAR {
                true => display.into(),
                false => Box::default(),
            },
            layout,
        }
    }

    /// Its supertypes from the outermost on, and itself.
    fn display(&self) -> &[TypeId] {
        match self.far.is_empty() {
            true => self.near.get(..=self.depth as usize).unwrap_or(&self.near),
            false => &self.far,
        }
    }

    /// Whether it is `other` or a subtype of it.
    pub(crate) fn is_subtype_of(&self, other: &Self) -> bool {
        self.has(other.id, other.depth)
    }

    /// Whether the type with an identity, which has so many supertypes, is it or one of
    /// its supertypes.
    #[inline(always)]
    pub(crate) fn has(&self, id: TypeId, depth: u32) -> bool {
        match self.near.get(depth as usize) {
            Some(near) => *near == id,
            None => self.far.get(depth as usize) == Some(&id),
        }
    }
}

/// The shape of a definition's objects.
fn shape(def: &SubType, layout: &StructLayout) -> Shape {
    match &def.composite {
        RawCompositeType::Struct(fields) => {
            let fields = fields.iter().zip(&layout.fields);
            let handles = fields.filter(|(field, _)| field.storage.is_handle()).map(|(_, at)| *at);
            let descriptor = (layout.descriptor != 0).then_some(layout.descriptor);
            Shape::of_struct(layout.end, handles.chain(descriptor))
        }
        RawCompositeType::Array(element) if element.storage.is_handle() => Shape::of_handle_array(),
        RawCompositeType::Array(element) => Shape::of_array(element.storage.bytes()),
        RawCompositeType::Func { .. } => Shape::of_array(RawStorageType::I8.bytes()),
    }
}

/// Where the parts of a struct's objects stand, in bytes from their beginning.
#[derive(Debug, Default)]
pub(crate) struct StructLayout {
    /// The fields, in order.
    pub(crate) fields: Box<[u32]>,
    /// The handle of the descriptor; 0 if the type has none.
    pub(crate) descriptor: u32,
    /// Where they end.
    pub(crate) end: u32,
}

impl StructLayout {
    /// That of a definition: where its supertype has its parts, and then what that
    /// has not, each aligned to its size.
    fn new(def: &SubType, supertype: Option<&Self>) -> Self {
        let RawCompositeType::Struct(fields) = &def.composite else {
            return Self::default();
        };
        let mut end = supertype.map_or(HEADER, |supertype| supertype.end);
        let mut place = |bytes: u32| {
            // Objects begin at multiples of 8.
            let at = end.next_multiple_of(bytes.min(8));
            end = at + bytes;
            at
        };
        let inherited = supertype.map_or(0, |supertype| supertype.descriptor);
        let descriptor = match def.descriptor {
            Some(_) if inherited == 0 => place(HANDLE),
            _ => inherited,
        };
        let known = supertype.map_or(&[][..], |supertype| &supertype.fields);
        let more = fields.iter().skip(known.len());
        let more: Vec<u32> = more.map(|field| place(field.storage.bytes())).collect();
        Self {
            fields: known.iter().copied().chain(more).collect(),
            descriptor,
            end,
        }
    }
}
