//! What the sections are read with: [`Bytes`], little-endian bytes whose reading
//! takes steps off a common number.
//!
//! Debug information is a guest's, and small sections can stand for endless work:
//! units that share a list of ranges, say, or strings without an end. Every read
//! costs a step, and what is scanned or copied a step for each [`PER_STEP`] bytes,
//! so when no steps are left everything fails, and what there is to read, or to
//! keep of it, is no more than what the steps allow.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use gimli::{EndianSlice, Error, LittleEndian, ReaderOffsetId, Result};

/// Bytes that are scanned or copied in one step.
const PER_STEP: usize = 16;

/// The steps that are left.
#[derive(Debug)]
pub(super) struct Steps(Cell<usize>);

impl Steps {
    pub(super) fn new(steps: usize) -> Self {
        Self(Cell::new(steps))
    }

    /// Whether none is left.
    pub(super) fn are_over(&self) -> bool {
        self.0.get() == 0
    }

    /// Takes some; if there are not as many, all.
    fn take(&self, steps: usize) -> bool {
        let left = self.0.get().checked_sub(steps);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }
}

/// Bytes of a section.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a> {
    bytes: EndianSlice<'a, LittleEndian>,
    steps: &'a Steps,
}

impl fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({})", self.bytes.len())
    }
}

impl<'a> Bytes<'a> {
    pub(super) fn new(bytes: &'a [u8], steps: &'a Steps) -> Self {
        Self {
            bytes: EndianSlice::new(bytes, LittleEndian),
            steps,
        }
    }

    /// Takes steps for what is done without reading.
    ///
    /// # Errors
    /// If there are not as many.
    pub(super) fn charge(&self, steps: usize) -> Result<()> {
        match self.steps.take(steps) {
            true => Ok(()),
            false => Err(Error::UnexpectedEof(ReaderOffsetId(0))),
        }
    }

    fn charge_bytes(&self, bytes: usize) -> Result<()> {
        self.charge(1 + bytes / PER_STEP)
    }
}

impl gimli::Reader for Bytes<'_> {
    type Endian = LittleEndian;
    type Offset = usize;

    fn endian(&self) -> LittleEndian {
        LittleEndian
    }

    #[inline]
    fn len(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    fn empty(&mut self) {
        gimli::Reader::empty(&mut self.bytes);
    }

    #[inline]
    fn truncate(&mut self, len: usize) -> Result<()> {
        self.bytes.truncate(len)
    }

    #[inline]
    fn offset_from(&self, base: &Self) -> usize {
        self.bytes.offset_from(base.bytes)
    }

    fn offset_id(&self) -> ReaderOffsetId {
        self.bytes.offset_id()
    }

    fn lookup_offset_id(&self, id: ReaderOffsetId) -> Option<usize> {
        self.bytes.lookup_offset_id(id)
    }

    fn find(&self, byte: u8) -> Result<usize> {
        let found = self.bytes.find(byte);
        self.charge_bytes(found.unwrap_or(self.bytes.len()))?;
        found.ok_or_else(|| Error::UnexpectedEof(self.bytes.offset_id()))
    }

    #[inline]
    fn skip(&mut self, len: usize) -> Result<()> {
        self.bytes.skip(len)
    }

    fn split(&mut self, len: usize) -> Result<Self> {
        self.charge(1)?;
        let bytes = self.bytes.split(len)?;
        Ok(Self { bytes, ..*self })
    }

    fn to_slice(&self) -> Result<Cow<'_, [u8]>> {
        self.charge_bytes(self.bytes.len())?;
        self.bytes.to_slice()
    }

    fn to_string(&self) -> Result<Cow<'_, str>> {
        self.charge_bytes(self.bytes.len())?;
        gimli::Reader::to_string(&self.bytes)
    }

    fn to_string_lossy(&self) -> Result<Cow<'_, str>> {
        self.charge_bytes(self.bytes.len())?;
        gimli::Reader::to_string_lossy(&self.bytes)
    }

    #[inline]
    fn read_u8(&mut self) -> Result<u8> {
        self.charge(1)?;
        self.bytes.read_u8()
    }

    #[inline]
    fn read_slice(&mut self, buf: &mut [u8]) -> Result<()> {
        self.charge_bytes(buf.len())?;
        gimli::Reader::read_slice(&mut self.bytes, buf)
    }
}
