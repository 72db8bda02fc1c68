//! Shapes: what the collector knows of an object. An object's first word is the
//! address of its shape, the first field of the type's record.

/// Bytes of an object's header, the address of its shape.
pub(crate) const HEADER: u32 = 8;
/// Where an array has its number of elements, a `u32`.
pub(crate) const ARRAY_LEN: u32 = 8;
/// Where an array's elements begin.
pub(crate) const ARRAY_DATA: u32 = 16;
/// Bytes of a handle in an object.
pub(crate) const HANDLE: u32 = 4;

/// What kind of object has a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Fields at fixed places.
    Struct,
    /// Elements that are no handles.
    Array,
    /// Elements that are handles.
    HandleArray,
    /// A value of the host, whose number in the store is the word after the header.
    Extern,
    /// The address of a tag's record after the header, then its payload.
    Exn,
}

/// Handles whose places [`Shape::near`] has.
const NEAR: u32 = 64;

/// What the collector knows of objects of a type.
///
/// Its address does not change while there are objects with it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Shape {
    /// Bit `i` says that a handle stands at byte `HEADER + 4 * i`.
    near: u64,
    /// Bytes of an object, of an array without its elements.
    size: u32,
    kind: Kind,
    /// Bytes of an element, as a power of two.
    element: u8,
    /// Where the other handles stand.
    far: Option<Box<[u32]>>,
}

/// The shape of host values.
pub(crate) static EXTERN: Shape = Shape {
    near: 0,
    size: HEADER + 8,
    kind: Kind::Extern,
    element: 0,
    far: None,
};

impl Shape {
    /// The shape of a struct of `size` bytes, header included, with handles at these
    /// bytes from its start, all multiples of 4.
    pub(crate) fn of_struct(size: u32, handles: impl IntoIterator<Item = u32>) -> Self {
        Self::with_handles(Kind::Struct, size, handles)
    }

    /// The shape of an exception of `size` bytes, header included, with handles at
    /// these bytes from its start: the low halves of slots of its payload.
    pub(crate) fn of_exn(size: u32, handles: impl IntoIterator<Item = u32>) -> Self {
        Self::with_handles(Kind::Exn, size, handles)
    }

    /// The shape of arrays whose elements have `bytes` bytes, a power of two up to 16,
    /// and are no handles.
    pub(crate) fn of_array(bytes: u32) -> Self {
        Self::array(Kind::Array, bytes)
    }

    /// The shape of arrays of handles.
    pub(crate) fn of_handle_array() -> Self {
        Self::array(Kind::HandleArray, HANDLE)
    }

    fn array(kind: Kind, bytes: u32) -> Self {
        debug_assert!(bytes.is_power_of_two() && bytes <= 16, "bytes of an element");
        Self {
            near: 0,
            size: ARRAY_DATA,
            kind,
            element: bytes.trailing_zeros() as u8,
            far: None,
        }
    }

    fn with_handles(kind: Kind, size: u32, handles: impl IntoIterator<Item = u32>) -> Self {
        let mut near = 0;
        let mut far = Vec::new();
        for at in handles {
            debug_assert!(at >= HEADER && at.is_multiple_of(HANDLE) && at + HANDLE <= size);
            match (at - HEADER) / HANDLE {
                i if i < NEAR => near |= 1 << i,
                _ => far.push(at),
            }
        }
        Self {
            near,
            size,
            kind,
            element: 0,
            far: (!far.is_empty()).then(|| far.into()),
        }
    }

    /// What kind of object has it.
    #[inline(always)]
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Bytes of an object, header included; of an array without its elements.
    pub(crate) fn size(&self) -> u32 {
        self.size
    }

    /// Bytes of an element of an array.
    pub(crate) fn element_size(&self) -> u32 {
        1 << self.element
    }

    /// Bytes of an object of so many elements, header included; the elements of what
    /// is no array are not counted.
    #[inline(always)]
    pub(crate) fn bytes(&self, len: u32) -> u64 {
        match self.kind {
            Kind::Array | Kind::HandleArray => u64::from(self.size) + (u64::from(len) << self.element),
            Kind::Struct | Kind::Extern | Kind::Exn => u64::from(self.size),
        }
    }

    /// Places of handles, as bits ([`Shape`]), and of those beyond.
    #[inline(always)]
    pub(super) fn handles(&self) -> (u64, &[u32]) {
        (self.near, self.far.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_beyond_the_first_are_kept_apart() {
        let shape = Shape::of_struct(600, [8, 12, 260, 264, 596]);
        assert_eq!(shape.handles(), (0b11 | 1 << 63, &[264, 596][..]));
        assert_eq!((shape.size(), shape.bytes(7)), (600, 600));
    }

    #[test]
    fn arrays_have_room_for_their_elements() {
        for bytes in [1, 2, 4, 8, 16] {
            let shape = Shape::of_array(bytes);
            assert_eq!(shape.element_size(), bytes);
            assert_eq!(shape.bytes(u32::MAX), 16 + u64::from(u32::MAX) * u64::from(bytes));
        }
        assert_eq!(Shape::of_handle_array().bytes(3), 28);
    }
}
