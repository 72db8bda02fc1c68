//! The opcode table of atomic memory operators (threads proposal).
//!
//! A row is the operator's name in `wasmparser::Operator`, its mnemonic, what it does
//! to an integer of which width (`exec::atomic`), and the type of its result, if it
//! has one. Slots are whole, so an operator on `i32` and one on `i64` that access as
//! many bytes are the same.

/// Calls the macro `$callback` with the table of atomic operators.
macro_rules! for_each_atomic_op {
    ($callback:ident) => {
        $callback! {
            I32AtomicLoad "i32.atomic.load" Load Bits32 -> I32;
            I64AtomicLoad "i64.atomic.load" Load Bits64 -> I64;
            I32AtomicLoad8U "i32.atomic.load8_u" Load Bits8 -> I32;
            I32AtomicLoad16U "i32.atomic.load16_u" Load Bits16 -> I32;
            I64AtomicLoad8U "i64.atomic.load8_u" Load Bits8 -> I64;
            I64AtomicLoad16U "i64.atomic.load16_u" Load Bits16 -> I64;
            I64AtomicLoad32U "i64.atomic.load32_u" Load Bits32 -> I64;
            I32AtomicStore "i32.atomic.store" Store Bits32;
            I64AtomicStore "i64.atomic.store" Store Bits64;
            I32AtomicStore8 "i32.atomic.store8" Store Bits8;
            I32AtomicStore16 "i32.atomic.store16" Store Bits16;
            I64AtomicStore8 "i64.atomic.store8" Store Bits8;
            I64AtomicStore16 "i64.atomic.store16" Store Bits16;
            I64AtomicStore32 "i64.atomic.store32" Store Bits32;
            I32AtomicRmwAdd "i32.atomic.rmw.add" Add Bits32 -> I32;
            I64AtomicRmwAdd "i64.atomic.rmw.add" Add Bits64 -> I64;
            I32AtomicRmw8AddU "i32.atomic.rmw8.add_u" Add Bits8 -> I32;
            I32AtomicRmw16AddU "i32.atomic.rmw16.add_u" Add Bits16 -> I32;
            I64AtomicRmw8AddU "i64.atomic.rmw8.add_u" Add Bits8 -> I64;
            I64AtomicRmw16AddU "i64.atomic.rmw16.add_u" Add Bits16 -> I64;
            I64AtomicRmw32AddU "i64.atomic.rmw32.add_u" Add Bits32 -> I64;
            I32AtomicRmwSub "i32.atomic.rmw.sub" Sub Bits32 -> I32;
            I64AtomicRmwSub "i64.atomic.rmw.sub" Sub Bits64 -> I64;
            I32AtomicRmw8SubU "i32.atomic.rmw8.sub_u" Sub Bits8 -> I32;
            I32AtomicRmw16SubU "i32.atomic.rmw16.sub_u" Sub Bits16 -> I32;
            I64AtomicRmw8SubU "i64.atomic.rmw8.sub_u" Sub Bits8 -> I64;
            I64AtomicRmw16SubU "i64.atomic.rmw16.sub_u" Sub Bits16 -> I64;
            I64AtomicRmw32SubU "i64.atomic.rmw32.sub_u" Sub Bits32 -> I64;
            I32AtomicRmwAnd "i32.atomic.rmw.and" And Bits32 -> I32;
            I64AtomicRmwAnd "i64.atomic.rmw.and" And Bits64 -> I64;
            I32AtomicRmw8AndU "i32.atomic.rmw8.and_u" And Bits8 -> I32;
            I32AtomicRmw16AndU "i32.atomic.rmw16.and_u" And Bits16 -> I32;
            I64AtomicRmw8AndU "i64.atomic.rmw8.and_u" And Bits8 -> I64;
            I64AtomicRmw16AndU "i64.atomic.rmw16.and_u" And Bits16 -> I64;
            I64AtomicRmw32AndU "i64.atomic.rmw32.and_u" And Bits32 -> I64;
            I32AtomicRmwOr "i32.atomic.rmw.or" Or Bits32 -> I32;
            I64AtomicRmwOr "i64.atomic.rmw.or" Or Bits64 -> I64;
            I32AtomicRmw8OrU "i32.atomic.rmw8.or_u" Or Bits8 -> I32;
            I32AtomicRmw16OrU "i32.atomic.rmw16.or_u" Or Bits16 -> I32;
            I64AtomicRmw8OrU "i64.atomic.rmw8.or_u" Or Bits8 -> I64;
            I64AtomicRmw16OrU "i64.atomic.rmw16.or_u" Or Bits16 -> I64;
            I64AtomicRmw32OrU "i64.atomic.rmw32.or_u" Or Bits32 -> I64;
            I32AtomicRmwXor "i32.atomic.rmw.xor" Xor Bits32 -> I32;
            I64AtomicRmwXor "i64.atomic.rmw.xor" Xor Bits64 -> I64;
            I32AtomicRmw8XorU "i32.atomic.rmw8.xor_u" Xor Bits8 -> I32;
            I32AtomicRmw16XorU "i32.atomic.rmw16.xor_u" Xor Bits16 -> I32;
            I64AtomicRmw8XorU "i64.atomic.rmw8.xor_u" Xor Bits8 -> I64;
            I64AtomicRmw16XorU "i64.atomic.rmw16.xor_u" Xor Bits16 -> I64;
            I64AtomicRmw32XorU "i64.atomic.rmw32.xor_u" Xor Bits32 -> I64;
            I32AtomicRmwXchg "i32.atomic.rmw.xchg" Xchg Bits32 -> I32;
            I64AtomicRmwXchg "i64.atomic.rmw.xchg" Xchg Bits64 -> I64;
            I32AtomicRmw8XchgU "i32.atomic.rmw8.xchg_u" Xchg Bits8 -> I32;
            I32AtomicRmw16XchgU "i32.atomic.rmw16.xchg_u" Xchg Bits16 -> I32;
            I64AtomicRmw8XchgU "i64.atomic.rmw8.xchg_u" Xchg Bits8 -> I64;
            I64AtomicRmw16XchgU "i64.atomic.rmw16.xchg_u" Xchg Bits16 -> I64;
            I64AtomicRmw32XchgU "i64.atomic.rmw32.xchg_u" Xchg Bits32 -> I64;
            I32AtomicRmwCmpxchg "i32.atomic.rmw.cmpxchg" Cmpxchg Bits32 -> I32;
            I64AtomicRmwCmpxchg "i64.atomic.rmw.cmpxchg" Cmpxchg Bits64 -> I64;
            I32AtomicRmw8CmpxchgU "i32.atomic.rmw8.cmpxchg_u" Cmpxchg Bits8 -> I32;
            I32AtomicRmw16CmpxchgU "i32.atomic.rmw16.cmpxchg_u" Cmpxchg Bits16 -> I32;
            I64AtomicRmw8CmpxchgU "i64.atomic.rmw8.cmpxchg_u" Cmpxchg Bits8 -> I64;
            I64AtomicRmw16CmpxchgU "i64.atomic.rmw16.cmpxchg_u" Cmpxchg Bits16 -> I64;
            I64AtomicRmw32CmpxchgU "i64.atomic.rmw32.cmpxchg_u" Cmpxchg Bits32 -> I64;
            MemoryAtomicWait32 "memory.atomic.wait32" Wait Bits32 -> I32;
            MemoryAtomicWait64 "memory.atomic.wait64" Wait Bits64 -> I32;
            MemoryAtomicNotify "memory.atomic.notify" Notify Bits32 -> I32;
        }
    };
}
pub(crate) use for_each_atomic_op;
