//! Atomic memory operators (threads proposal): operands stay where they are, in slots.

use wasmparser::{MemArg, Operator};

use super::operators::memory_of;
use super::{Stop, Translator};
use crate::exec::atomic::{self, AtomicInfo};
use crate::ir::instr::{Instr, Operand};
use crate::ir::stack::{Ty, Value};
use crate::ir::table_atomic::for_each_atomic_op;

macro_rules! translate_atomic {
    ($($op:ident $text:literal $kind:ident $width:ident $(-> $result:ident)?;)*) => {
        impl Translator<'_> {
            /// Translates a reachable operator of the threads proposal.
            pub(super) fn atomic_operator(&mut self, op: &Operator<'_>) -> Result<(), Stop> {
                match op {
                    $(Operator::$op { memarg } => {
                        static INFO: AtomicInfo =
                            AtomicInfo::of::<atomic::$kind<atomic::$width>>($text, translate_atomic!(@result $($result)?));
                        self.atomic(&INFO, memarg)
                    })*
                    Operator::AtomicFence { .. } => {
                        self.emit.push(&Instr::new("atomic.fence", atomic::atomic_fence, 8));
                        Ok(())
                    }
                    other => self.vector_operator(other),
                }
            }
        }
    };
    (@result) => { None };
    (@result $result:ident) => { Some(Ty::$result) };
}

for_each_atomic_op!(translate_atomic);

impl Translator<'_> {
    /// An atomic operator.
    fn atomic(&mut self, info: &'static AtomicInfo, memarg: &MemArg) -> Result<(), Stop> {
        let mut slots = [0; 3];
        for slot in slots.iter_mut().take(1 + info.operands).rev() {
            let (operand, ty) = self.pop();
            *slot = match operand {
                Operand::Slot(slot) => slot,
                other => {
                    let slot = self.temp_slot(self.stack.len());
                    self.copy_to(other, ty, slot);
                    slot
                }
            };
        }
        let [address, x, y] = slots;
        let result = self.temp_slot(self.stack.len());
        let memory = memory_of(memarg)?;
        let reach = self.reach(memory, memarg.offset)?;
        let instr = match info.guarded {
            Some(handlers) if !reach.is_checked() => {
                let handler = handlers[usize::from(reach.is_64())];
                let len = if info.operands > 0 { 24 } else { 16 };
                Instr::new(info.name, handler, len).u32(12, u32::try_from(memarg.offset)?)
            }
            _ => Instr::new(info.name, info.called, atomic::CALLED)
                .u32(12, self.memory_offset(memory)?)
                .u64(24, memarg.offset),
        };
        let mut instr = instr.u16(8, result).u16(10, address);
        if info.operands > 0 {
            instr = instr.u16(16, x).u16(18, y);
        }
        let shown = slots.iter().take(1 + info.operands).map(|slot| Operand::Slot(*slot));
        let offset = (memarg.offset != 0).then_some(Operand::Const(memarg.offset));
        self.emit.push(&instr.showing(shown.chain(offset)));
        if let Some(ty) = info.result {
            self.stack.push(ty, Value::Temp);
        }
        Ok(())
    }
}
