//! Instructions in the making: operands, fields, and how listings show them.

use crate::exec::address::AddressKind;
use crate::exec::dispatch::Handler;
use crate::exec::operand::PINNED_FLOATS;
use crate::ir::emit::Position;

/// An operand of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    /// In a slot.
    Slot(u16),
    /// In the accumulator of its class.
    Acc,
    /// A constant, as a slot.
    Const(u64),
    /// A pinned local: its place among those of its class, and its slot.
    Pinned(u8, u16),
}

impl Operand {
    /// Index in handler tables.
    pub(crate) fn kind(self) -> usize {
        match self {
            Self::Slot(_) => 0,
            Self::Acc => 1,
            Self::Const(_) => 2,
            Self::Pinned(n, _) => 3 + usize::from(n),
        }
    }
}

/// The slots of the locals that the loop being translated pins: an integer,
/// then floats.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pins([Option<u16>; 1 + PINNED_FLOATS]);

impl Pins {
    /// Those of these slots.
    pub(crate) fn new(int: Option<u16>, floats: [Option<u16>; PINNED_FLOATS]) -> Self {
        let mut slots = [int; 1 + PINNED_FLOATS];
        slots[1..].copy_from_slice(&floats);
        Self(slots)
    }

    /// The place of a slot's local among the pinned ones of its class.
    pub(crate) fn place(&self, slot: u16) -> Option<u8> {
        let at = self.0.iter().position(|pinned| *pinned == Some(slot))?;
        Some(at.saturating_sub(1) as u8)
    }
}

/// An instruction in the making, at most six words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instr {
    prefix: &'static str,
    name: &'static str,
    pub(super) words: [u64; 8],
    pub(super) len: usize,
    /// The name of what it does first, if it does the work of two operators.
    inner: &'static str,
    pub(super) shown: [Option<Operand>; 5],
}

impl Instr {
    /// An instruction of `len` bytes, executed by `handler`; `name` is what a
    /// listing calls it.
    #[inline(always)]
    pub(crate) fn new(name: &'static str, handler: Handler, len: usize) -> Self {
        let mut words = [0; 8];
        words[0] = handler as usize as u64;
        Self {
            prefix: "",
            name,
            words,
            len: len / 8,
            inner: "",
            shown: [None; 5],
        }
    }

    /// Says what else than its name a listing calls the instruction.
    #[inline(always)]
    pub(crate) fn prefix(mut self, prefix: &'static str) -> Self {
        self.prefix = prefix;
        self
    }

    /// Names what the instruction does first.
    #[inline(always)]
    pub(crate) fn inner(mut self, inner: &'static str) -> Self {
        self.inner = inner;
        self
    }

    /// Says which operands a listing shows, where they are not those given to
    /// [`Instr::operands`].
    #[inline(always)]
    pub(crate) fn showing(mut self, operands: impl IntoIterator<Item = Operand>) -> Self {
        self.shown = [None; 5];
        for (shown, operand) in self.shown.iter_mut().zip(operands) {
            *shown = Some(operand);
        }
        self
    }

    /// What a listing calls it.
    pub(crate) fn full_name(&self) -> String {
        let mut text = String::new();
        if !self.prefix.is_empty() {
            text += self.prefix;
            text += " ";
        }
        if !self.inner.is_empty() {
            text += self.inner;
            text += ", ";
        }
        text += self.name;
        text
    }

    /// Its name with the kinds of its operands: slots, the accumulator,
    /// constants and pinned locals.
    pub(crate) fn kind(&self) -> String {
        let mut text = self.full_name();
        for (i, operand) in self.shown.iter().flatten().enumerate() {
            text += if i == 0 { " " } else { ", " };
            text += match operand {
                Operand::Slot(_) => "s",
                Operand::Acc => "acc",
                Operand::Const(_) => "k",
                Operand::Pinned(..) => "p",
            };
        }
        text
    }

    /// Sets a two-byte field.
    #[inline(always)]
    pub(crate) fn u16(mut self, at: usize, value: u16) -> Self {
        self.words[at / 8] |= u64::from(value) << (at % 8 * 8);
        self
    }

    /// Sets a four-byte field.
    #[inline(always)]
    pub(crate) fn u32(mut self, at: usize, value: u32) -> Self {
        self.words[at / 8] |= u64::from(value) << (at % 8 * 8);
        self
    }

    /// Sets an eight-byte field.
    #[inline(always)]
    pub(crate) fn u64(mut self, at: usize, value: u64) -> Self {
        self.words[at / 8] = value;
        self
    }

    /// Sets operand slots from byte `at` on, with no gaps, and a constant's
    /// field of one or two words' halves at byte `imm`.
    #[inline(always)]
    pub(crate) fn operands(mut self, at: usize, imm: usize, wide: bool, operands: &[Operand]) -> Self {
        let mut slot_at = at;
        for operand in operands {
            if let Some(shown) = self.shown.iter_mut().find(|shown| shown.is_none()) {
                *shown = Some(*operand);
            }
            match *operand {
                Operand::Slot(slot) => {
                    self = self.u16(slot_at, slot);
                    slot_at += 2;
                }
                Operand::Acc | Operand::Pinned(..) => {}
                Operand::Const(value) if wide => self = self.u64(imm, value),
                Operand::Const(value) => self = self.u32(imm, value as u32),
            }
        }
        self
    }
}

impl Instr {
    /// Sets the slots of copies that the instruction makes first, from byte `at`
    /// on: to, from.
    pub(crate) fn copies(mut self, at: usize, copies: &[(u16, u16)]) -> Self {
        for (i, (to, from)) in copies.iter().enumerate() {
            self = self.u16(at + 4 * i, *to).u16(at + 2 + 4 * i, *from);
        }
        match copies {
            [] => self,
            _ => self.prefix("copy,").showing(copied(copies)),
        }
    }
}

/// The slots of copies, for listings.
pub(crate) fn copied(copies: &[(u16, u16)]) -> impl Iterator<Item = Operand> {
    copies
        .iter()
        .flat_map(|(to, from)| [Operand::Slot(*to), Operand::Slot(*from)])
}

/// The address of a load or store of memory 0 with guard pages; see
/// [`crate::exec::fused::Address`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    /// How it is computed.
    pub(crate) kind: AddressKind,
    /// Its first term: a slot or the accumulator.
    pub(crate) first: Operand,
    /// The slot of its second term, or a small static offset.
    pub(crate) second: u16,
    /// Its constant term.
    pub(crate) number: u32,
}

impl Address {
    /// Its terms, for listings.
    pub(crate) fn shown(&self) -> impl Iterator<Item = Operand> {
        let second = matches!(self.kind, AddressKind::Sum | AddressKind::Scaled).then_some(Operand::Slot(self.second));
        let number =
            (self.number != 0 || self.kind == AddressKind::Base).then_some(Operand::Const(u64::from(self.number)));
        let offset = (matches!(self.kind, AddressKind::Wrap | AddressKind::IndexWrap) && self.second != 0)
            .then_some(Operand::Const(u64::from(self.second)));
        std::iter::once(self.first).chain(second).chain(number).chain(offset)
    }
}

impl Instr {
    /// Sets the word of an address at byte `at`.
    pub(crate) fn address(self, at: usize, address: &Address) -> Self {
        let first = match address.first {
            Operand::Slot(slot) | Operand::Pinned(_, slot) => slot,
            Operand::Acc | Operand::Const(_) => 0,
        };
        self.u16(at, first)
            .u16(at + 2, address.second)
            .u32(at + 4, address.number)
    }

    /// Sets the word of an operand made of a slot or the accumulator and a slot
    /// or constant, at byte `at`.
    pub(crate) fn made(self, at: usize, x: Operand, y: Operand) -> Self {
        let this = match x {
            Operand::Slot(slot) | Operand::Pinned(_, slot) => self.u16(at, slot),
            Operand::Acc | Operand::Const(_) => self,
        };
        match y {
            Operand::Slot(slot) | Operand::Pinned(_, slot) => this.u16(at + 2, slot),
            Operand::Const(number) => this.u32(at + 4, number as u32),
            Operand::Acc => this,
        }
    }
}

/// An instruction of a listing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) at: Position,
    pub(crate) destination: Option<Operand>,
    /// Whether the accumulator is a destination besides.
    pub(crate) and_acc: bool,
    pub(crate) instr: Instr,
}

impl std::fmt::Display for Operand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Slot(slot) => write!(f, "s{slot}"),
            Self::Acc => f.write_str("acc"),
            Self::Const(value) => write!(f, "{value:#x}"),
            Self::Pinned(_, slot) => write!(f, "p{slot}"),
        }
    }
}

/// `0008: s3 = i32.add s0, 0x1`, where the number is a byte offset.
impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04x}: ", self.at * 8)?;
        if let Some(destination) = self.destination {
            write!(f, "{destination}{} = ", if self.and_acc { ", acc" } else { "" })?;
        }
        f.write_str(&self.instr.full_name())?;
        for (i, operand) in self.instr.shown.iter().flatten().enumerate() {
            write!(f, "{} {operand}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}
