//! Statements: code that leaves the operand stack as it was.

use wasm_encoder::BlockType;

use super::Signature;
use super::body::{Body, STORES};
use crate::machine::Type;

impl Body<'_> {
    /// Code that leaves the stack as it was.
    pub(super) fn statement(&mut self, loops: u32) {
        self.budget = self.budget.saturating_sub(1);
        let ty = *self.random.pick(self.features.numbers());
        if self.budget > 0 && self.random.below(3) == 0 && self.newer(loops) {
            return;
        }
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
                let global = self.global_of(ty);
                self.sink().global_set(global);
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

    /// A statement of a proposal's, if the module has the one that chance picks.
    fn newer(&mut self, loops: u32) -> bool {
        match self.random.below(7) {
            0 if self.features.simd => self.store_vector(),
            1 if self.features.threads => self.atomic_access(),
            2 if self.features.wide_arithmetic => self.wide_arithmetic(),
            3 if self.features.exceptions => self.try_table(loops),
            4 if self.features.exceptions && self.random.below(4) == 0 => self.throw(),
            5 | 6 if self.features.gc => self.change_objects(),
            _ => return false,
        }
        true
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
                self.element(element);
                self.sink().call_indirect(0, index);
            }
            1 if self.features.function_references => self.call_reference(callee),
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
        let wide = self.features.memory64;
        let kind = self.random.below(4);
        if kind < 2 {
            self.address(0);
        }
        match kind {
            0 => {
                self.expression(Type::I32, 2);
                self.count(100);
                self.sink().memory_fill(0);
            }
            1 => {
                self.address(1);
                self.count(300);
                self.sink().memory_copy(0, 0);
            }
            kind => {
                if kind == 2 {
                    self.count(1);
                    self.sink().memory_grow(0);
                } else {
                    self.sink().memory_size(0);
                }
                let local = self.some_local(if wide { Type::I64 } else { Type::I32 });
                self.sink().local_set(local);
            }
        }
    }

    /// A number of bytes or pages of the memory.
    fn count(&mut self, count: i32) {
        match self.features.memory64 {
            true => self.sink().i64_const(count.into()),
            false => self.sink().i32_const(count),
        };
    }
}
