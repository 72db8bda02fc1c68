//! Two additions to slots in one instruction: how the first is written.

use super::instr::Operand;

/// The first of two additions to slots that one instruction does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FirstBump {
    /// Whether it is of 64 bits.
    pub(crate) wide: bool,
    /// The slot.
    pub(crate) slot: u16,
    /// The number added: a slot or a constant.
    pub(crate) number: Operand,
    /// Whether the slot is the pinned local's.
    pub(crate) pinned: bool,
}

impl FirstBump {
    /// Index in handler tables: whether pinned, width, kind of number.
    pub(crate) fn kind(&self) -> usize {
        usize::from(self.pinned) * 4
            + usize::from(self.wide) * 2
            + usize::from(matches!(self.number, Operand::Const(_)))
    }

    /// Its word in an instruction, if the number fits.
    pub(crate) fn word(&self) -> Option<u64> {
        let number = match self.number {
            Operand::Slot(slot) => u64::from(slot) << 16,
            Operand::Const(number) if self.wide => {
                u64::from(i32::try_from(number.cast_signed()).ok()?.cast_unsigned()) << 32
            }
            Operand::Const(number) => number << 32,
            Operand::Acc | Operand::Pinned(..) => return None,
        };
        Some(u64::from(self.slot) | number)
    }
}
