//! Which locals a loop keeps in registers.
//!
//! An innermost loop without calls pins the locals it uses most: one integer
//! and a few floats stay in registers of the machine while it runs. Their slots
//! are written with them, so an instruction that knows nothing of pinned
//! locals may read the slot, and nothing is to be done where the loop is left.

use wasmparser::{Operator, OperatorsReader};

use super::Stop;
use crate::exec::operand::PINNED_FLOATS;
use crate::ir::stack::Ty;

/// Locals that a loop pins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LoopPins {
    /// Byte offset of the `loop` in the module.
    offset: usize,
    /// Whether there is a `br_table` in it.
    pub(super) switches: bool,
    /// An integer.
    pub(super) int: Option<u32>,
    /// Floats.
    pub(super) floats: [Option<u32>; PINNED_FLOATS],
}

/// The innermost loops of a body that call nothing.
#[derive(Debug, Default)]
pub(super) struct Loops {
    /// Ascending by offset.
    loops: Vec<LoopPins>,
    scan: Scan,
}

/// Reads and writes of a local in a loop.
#[derive(Clone, Copy, Debug, Default)]
struct Uses {
    reads: u32,
    writes: u32,
}

/// Buffers of [`Loops::find`].
#[derive(Debug, Default)]
struct Scan {
    uses: Vec<Uses>,
    /// Locals whose uses are not zero.
    used: Vec<u32>,
}

impl Loops {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.loops.clear();
    }

    /// Finds the loops from here to the end of the body, the first of which
    /// begins with the operator at `offset`, just read.
    pub(super) fn find(
        &mut self,
        mut operators: OperatorsReader<'_>,
        offset: usize,
        locals: &[Ty],
    ) -> Result<(), Stop> {
        self.scan.uses.clear();
        self.scan.uses.resize(locals.len(), Uses::default());
        self.scan.used.clear();
        // The innermost open loop and how many blocks are open in it.
        let mut current = Some((offset, 0_u32));
        let mut called = false;
        // Whether a branch leads back to its beginning.
        let mut turns = false;
        let mut switches = false;
        while !operators.eof() {
            let (op, at) = operators.read_with_offset()?;
            // A call that does not return is no call of the loop's.
            if std::mem::take(&mut called) && !matches!(op, Operator::Unreachable) {
                current = None;
            }
            match op {
                Operator::Loop { .. } => {
                    self.scan.reset();
                    turns = false;
                    switches = false;
                    current = Some((usize::try_from(at).map_err(|_| Stop)?, 0));
                }
                Operator::Block { .. } | Operator::If { .. } => {
                    if let Some((_, blocks)) = &mut current {
                        *blocks += 1;
                    }
                }
                Operator::End => match &mut current {
                    Some((offset, 0)) => {
                        let pins = LoopPins {
                            switches,
                            ..self.scan.choose(*offset, locals)
                        };
                        if turns {
                            self.loops.push(pins);
                        }
                        current = None;
                    }
                    Some((_, blocks)) => *blocks -= 1,
                    None => {}
                },
                // Tail calls leave the loop.
                Operator::Call { .. } | Operator::CallIndirect { .. } | Operator::CallRef { .. } => called = true,
                // Where something is caught, registers are what callees have left.
                Operator::TryTable { .. } | Operator::Try { .. } => current = None,
                Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
                    turns |= current.is_some_and(|(_, blocks)| relative_depth == blocks);
                }
                Operator::BrTable { targets } => {
                    switches = true;
                    if let Some((_, blocks)) = current {
                        turns |= targets.default() == blocks;
                        for target in targets.targets() {
                            turns |= target? == blocks;
                        }
                    }
                }
                Operator::LocalGet { local_index } if current.is_some() => self.scan.count(local_index, 1, 0),
                Operator::LocalSet { local_index } if current.is_some() => self.scan.count(local_index, 0, 1),
                Operator::LocalTee { local_index } if current.is_some() => self.scan.count(local_index, 1, 1),
                _ => {}
            }
        }
        Ok(())
    }

    /// What the loop at a byte offset in the module pins.
    pub(super) fn at(&self, offset: u32) -> Option<LoopPins> {
        let at = self
            .loops
            .binary_search_by_key(&(offset as usize), |pins| pins.offset)
            .ok()?;
        self.loops.get(at).copied()
    }
}

impl Scan {
    /// Forgets the uses counted so far.
    fn reset(&mut self) {
        for local in self.used.drain(..) {
            self.uses[local as usize] = Uses::default();
        }
    }

    /// Counts reads and writes of a local.
    fn count(&mut self, local: u32, reads: u32, writes: u32) {
        if let Some(uses) = self.uses.get_mut(local as usize) {
            if uses.reads + uses.writes == 0 {
                self.used.push(local);
            }
            uses.reads += reads;
            uses.writes += writes;
        }
    }

    /// The locals that the loop at `offset`, whose uses have been counted,
    /// pins. A local that one round of the loop passes on to the next waits
    /// for its slot each time, so it goes before one that is only read.
    fn choose(&mut self, offset: usize, locals: &[Ty]) -> LoopPins {
        let mut pins = LoopPins {
            offset,
            ..LoopPins::default()
        };
        let mut scores = [0; PINNED_FLOATS];
        let mut most = 0;
        for local in self.used.drain(..) {
            let Uses { reads, writes } = std::mem::take(&mut self.uses[local as usize]);
            let score = reads + if reads > 0 && writes > 0 { 4 } else { 0 };
            if score < 2 {
                continue;
            }
            match locals[local as usize] {
                Ty::I32 | Ty::I64 if score > most => {
                    (pins.int, most) = (Some(local), score);
                }
                Ty::F32 | Ty::F64 => {
                    let place = scores.iter().position(|other| score > *other);
                    if let Some(place) = place {
                        scores[place..].rotate_right(1);
                        pins.floats[place..].rotate_right(1);
                        (scores[place], pins.floats[place]) = (score, Some(local));
                    }
                }
                Ty::I32 | Ty::I64 | Ty::Ref | Ty::V128 => {}
            }
        }
        pins
    }
}
