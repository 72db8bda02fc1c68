//! Statements: code that leaves the operand stack as it was.

use wasm_encoder::BlockType;

use super::body::{Body, STORES};
use super::{NUMBERS, Signature};
use crate::machine::Type;

impl Body<'_> {
    /// Code that leaves the stack as it was.
    pub(super) fn statement(&mut self, loops: u32) {
        self.budget = self.budget.saturating_sub(1);
        let ty = *self.random.pick(&NUMBERS);
        let kind = if self.budget == 0 { 0 } else { self.random.below(20) };
        match kind {
            0..8 => {
                self.expression(ty, 0);
                let local = self.some_local(ty);
                self.sink().local_set(local);
            }
            8 => {
                self.expression(ty, 0);
                self.canonical(ty);
                self.sink().global_set(Self::global_of(ty));
            }
            9..12 => {
                let (first, last, ty) = *self.random.pick(&STORES);
                self.address(0);
                self.expression(ty, 1);
                self.canonical(ty);
                self.raw(first, last);
                self.offset();
            }
            12..14 => {
                self.expression(Type::I32, 1);
                self.sink().if_(BlockType::Empty);
                self.statements(loops);
                if self.random.below(2) == 0 {
                    self.sink().else_();
                    self.statements(loops);
                }
                self.sink().end();
            }
            14..16 if loops < 2 && self.has_loops => self.counted_loop(loops),
            16 => self.switch(loops),
            17 => self.call(loops),
            18 => self.bulk(),
            _ => {
                self.sink().block(BlockType::Empty);
                self.statements(loops);
                self.expression(Type::I32, 1);
                self.sink().br_if(0);
                self.statements(loops);
                self.sink().end();
            }
        }
    }

    fn statements(&mut self, loops: u32) {
        for _ in 0..1 + self.random.below(3) {
            self.statement(loops);
        }
    }

    /// A loop that counts down to zero or up to a number, with the end in one of
    /// several forms.
    fn counted_loop(&mut self, loops: u32) {
        let times = 1 + i32::try_from(self.random.below(9)).expect("small");
        let form = self.random.below(4);
        let counter = self.new_local(if form == 3 { Type::I64 } else { Type::I32 });
        let mut sink = self.sink();
        match form {
            0 => {
                sink.i32_const(times).local_set(counter);
            }
            3 => {
                sink.i64_const(0).local_set(counter);
            }
            _ => {
                sink.i32_const(0).local_set(counter);
            }
        }
        sink.loop_(BlockType::Empty);
        self.statements(loops + 1);
        let mut sink = self.sink();
        match form {
            0 => {
                sink.local_get(counter)
                    .i32_const(1)
                    .i32_sub()
                    .local_tee(counter)
                    .br_if(0);
            }
            1 => {
                sink.local_get(counter).i32_const(1).i32_add().local_set(counter);
                sink.local_get(counter).i32_const(times).i32_lt_s().br_if(0);
            }
            2 => {
                sink.local_get(counter).i32_const(2).i32_add().local_tee(counter);
                sink.i32_const(times).i32_ge_u().i32_eqz().br_if(0);
            }
            _ => {
                sink.local_get(counter).i64_const(1).i64_add().local_tee(counter);
                sink.i64_const(times.into()).i64_ne().br_if(0);
            }
        }
        self.sink().end();
    }

    fn switch(&mut self, loops: u32) {
        let cases = 2 + u32::try_from(self.random.below(4)).expect("small");
        for _ in 0..=cases {
            self.sink().block(BlockType::Empty);
        }
        self.expression(Type::I32, 1);
        let targets: Vec<u32> = (0..cases + 2).map(|n| n * 3 % (cases + 1)).collect();
        let mask = i32::try_from(cases + 3).expect("small");
        self.sink().i32_const(mask).i32_rem_u().br_table(targets, cases);
        for case in 0..=cases {
            self.sink().end();
            if case < cases {
                self.statement(loops);
                if self.random.below(2) == 0 {
                    self.sink().br(cases - case - 1); // to the end of all cases
                }
            }
        }
    }

    /// Calls an earlier function, and keeps the results in locals.
    fn call(&mut self, loops: u32) {
        let callable = if loops > 0 {
            self.earlier.len().min(2)
        } else {
            self.earlier.len()
        };
        if callable == 0 {
            return;
        }
        let callee = self.random.below(callable);
        let Signature { params, results } = self.earlier[callee].clone();
        for param in params {
            self.expression(param, 3);
        }
        let index = u32::try_from(callee).expect("few");
        match self.random.below(3) {
            0 => {
                // Mostly the right element; else one that is null or has another type.
                let element = if self.random.below(30) > 0 {
                    callee
                } else {
                    self.random.below(callable + 3)
                };
                let element = i32::try_from(element).expect("few");
                self.sink().i32_const(element).call_indirect(0, index);
            }
            _ => {
                self.sink().call(index);
            }
        }
        for result in results.into_iter().rev() {
            let local = self.some_local(result);
            self.sink().local_set(local);
        }
    }

    fn bulk(&mut self) {
        self.address(0);
        match self.random.below(4) {
            0 => {
                self.expression(Type::I32, 2);
                self.sink().i32_const(100).memory_fill(0);
            }
            1 => {
                self.address(1);
                self.sink().i32_const(300).memory_copy(0, 0);
            }
            2 => {
                self.sink().drop().i32_const(1).memory_grow(0);
                let local = self.some_local(Type::I32);
                self.sink().local_set(local);
            }
            _ => {
                self.sink().drop().memory_size(0);
                let local = self.some_local(Type::I32);
                self.sink().local_set(local);
            }
        }
    }
}
