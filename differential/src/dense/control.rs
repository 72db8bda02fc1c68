//! Exceptions, tail calls, and calls through typed references.

use wasm_encoder::{BlockType, Catch};

use super::TAGS;
use super::body::Body;
use crate::machine::Type;

impl Body<'_> {
    /// The payload of a tag: a number of each of some types.
    pub(super) fn payload(&self, tag: usize) -> Vec<Type> {
        self.features.tags[tag].clone()
    }

    fn some_tag(&mut self) -> usize {
        self.random.below(TAGS)
    }

    /// Throws something, seldom.
    pub(super) fn throw(&mut self) {
        let tag = self.some_tag();
        self.expression(Type::I32, 1);
        let mask = *self.random.pick(&[0xf, 7, 1]);
        self.sink().i32_const(mask).i32_and().i32_eqz().if_(BlockType::Empty);
        for ty in self.payload(tag) {
            self.expression(ty, 2);
            self.canonical(ty);
        }
        self.sink().throw(u32::try_from(tag).expect("few")).end();
    }

    /// Statements whose exceptions of some tags are caught: the payload goes to
    /// locals, and the reference, where there is one, may be thrown again.
    pub(super) fn try_table(&mut self, loops: u32) {
        let tag = self.some_tag();
        let payload = self.payload(tag);
        let with_reference = self.random.below(2) == 0;
        let others = self.random.below(3);
        // The blocks' types are function types behind all others.
        let landing = self.features.landing_type(tag, with_reference);
        self.sink().block(BlockType::Empty);
        self.sink().block(BlockType::FunctionType(landing));
        let tag = u32::try_from(tag).expect("few");
        let mut catches = vec![match with_reference {
            true => Catch::OneRef { tag, label: 0 },
            false => Catch::One { tag, label: 0 },
        }];
        if others == 0 {
            catches.push(Catch::All { label: 1 });
        }
        self.sink().try_table(BlockType::Empty, catches);
        for _ in 0..1 + self.random.below(2) {
            self.statement(loops);
            self.throw();
        }
        self.sink().end().br(1).end();
        if with_reference {
            let local = self.exception_local();
            self.sink().local_set(local);
        }
        for ty in payload.into_iter().rev() {
            let local = self.some_local(ty);
            self.sink().local_set(local);
        }
        if with_reference && self.random.below(2) == 0 {
            let local = self.exception_local();
            self.expression(Type::I32, 2);
            self.sink().i32_const(3).i32_and().i32_eqz().if_(BlockType::Empty);
            self.sink().local_get(local).throw_ref().end();
        }
        self.sink().end();
    }

    /// Earlier functions with the same results as this one.
    fn callable_in_the_tail(&self) -> Vec<usize> {
        (0..self.earlier.len())
            .filter(|&index| self.earlier[index].results == self.signature.results)
            .collect()
    }

    /// Leaves the function for another, or for itself as long as steps are left.
    pub(super) fn tail_call(&mut self) {
        let callees = self.callable_in_the_tail();
        let itself = callees.is_empty() || self.random.below(3) == 0;
        let steps = self.features.steps_global();
        let (callee, params) = match itself {
            true => (self.earlier.len(), self.signature.params.clone()),
            false => {
                let callee = *self.random.pick(&callees);
                (callee, self.earlier[callee].params.clone())
            }
        };
        if itself {
            let mut sink = self.sink();
            sink.global_get(steps).i32_const(0).i32_gt_s().if_(BlockType::Empty);
            sink.global_get(steps).i32_const(1).i32_sub().global_set(steps);
        } else {
            self.expression(Type::I32, 2);
            self.sink().i32_const(7).i32_and().i32_eqz().if_(BlockType::Empty);
        }
        for param in params {
            self.expression(param, 3);
        }
        let index = u32::try_from(callee).expect("few");
        match self.random.below(4) {
            0 => {
                self.element(callee);
                self.sink().return_call_indirect(0, index);
            }
            1 if self.features.function_references => {
                self.sink().ref_func(index).return_call_ref(index);
            }
            _ => {
                self.sink().return_call(index);
            }
        }
        self.sink().end();
    }

    /// A position in the table of functions.
    pub(super) fn element(&mut self, function: usize) {
        let element = i32::try_from(function).expect("few");
        match self.features.memory64 {
            true => self.sink().i64_const(element.into()),
            false => self.sink().i32_const(element),
        };
    }

    /// Calls through a typed reference: the function's itself, or what the table has,
    /// if it is of that type.
    pub(super) fn call_reference(&mut self, callee: usize) {
        let index = u32::try_from(callee).expect("few");
        if self.features.gc && self.random.below(2) == 0 {
            self.element(callee);
            self.sink().table_get(0);
            self.sink().ref_cast_nullable(wasm_encoder::HeapType::Concrete(index));
        } else {
            self.sink().ref_func(index);
        }
        self.sink().call_ref(index);
    }
}
