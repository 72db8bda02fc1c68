//! Seeded randomness: modules, arguments.

use arbitrary::Unstructured;
use vm::Proposal;
use wasm_smith::{Config, InstructionKind, InstructionKinds, MemoryOffsetChoices, Module};

use crate::machine::{STEPS, STEPS_GLOBAL, Type, Value};
use crate::{dense, mutate};

/// The sizes of functions in dense modules, unless somebody wants others.
pub const SIZES: [usize; 3] = [20, 100, 400];

/// A pseudo-random sequence (xorshift64*).
pub struct Random(u64);

impl Random {
    /// The sequence of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Spread neighbouring seeds (splitmix64); the state must not be 0.
        let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((state ^ (state >> 31)).max(1))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`, which is at least 1.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("fits");
        usize::try_from(self.next() % bound).expect("below a usize")
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.next().to_le_bytes())
            .flatten()
            .take(count)
            .collect()
    }

    /// An argument for a call: often one at the edge of its type.
    /// `None` if no value of the type can be made.
    pub(crate) fn value(&mut self, ty: Type) -> Option<Value> {
        const I32: [i32; 8] = [0, 1, -1, 2, i32::MIN, i32::MAX, 0xffff, 0x8000];
        const I64: [i64; 8] = [0, 1, -1, 0xffff_ffff, 0x1_0000_0000, i64::MIN, i64::MAX, -0x8000_0000];
        const F64: [f64; 10] = [
            0.0,
            -0.0,
            1.0,
            -1.5,
            0.1,
            f64::MAX,
            f64::MIN_POSITIVE,
            f64::INFINITY,
            4294967296.0,
            -2147483649.0,
        ];
        let random = self.next();
        let plain = !random.is_multiple_of(3);
        Some(match ty {
            Type::I32 if plain => Value::I32(*self.pick(&I32)),
            Type::I64 if plain => Value::I64(*self.pick(&I64)),
            #[allow(clippy::cast_possible_truncation, reason = "an f32 close to it is meant")]
            Type::F32 if plain => Value::F32((*self.pick(&F64) as f32).to_bits()),
            Type::F64 if plain => Value::F64(self.pick(&F64).to_bits()),
            Type::F32 => Value::F32(0x7fc0_0000), // the canonical NaNs
            Type::F64 => Value::F64(0x7ff8_0000_0000_0000),
            Type::V128 => {
                let high = u128::from(self.next()) << (random % 64);
                Value::V128(high << 64 | u128::from(random) | high >> (random % 128))
            }
            _ => Value::of_bits(ty, random >> (random % 64))?,
        })
    }

    /// As [`value`](Self::value), for a type of numbers.
    pub(crate) fn number(&mut self, ty: Type) -> Value {
        self.value(ty).expect("numbers can be made")
    }

    /// A valid module that may use these proposals, and whether each call into it is
    /// sure to end soon.
    pub fn module(&mut self, seed: u64, proposals: &[Proposal]) -> (Vec<u8>, bool) {
        let terminates = !seed.is_multiple_of(4);
        loop {
            let length = 1000 << self.below(5);
            let bytes = self.bytes(length);
            // Bytes that do not make up a module are rare.
            if let Some(found) = self.module_of(&bytes, terminates, proposals) {
                return found;
            }
        }
    }

    /// The module that these bytes make up, as [`module`](Self::module) makes it.
    pub fn module_of(&mut self, bytes: &[u8], terminates: bool, proposals: &[Proposal]) -> Option<(Vec<u8>, bool)> {
        let config = self.config(proposals);
        let mut module = Module::new(config, &mut Unstructured::new(bytes)).ok()?;
        let (wasm, terminates) = match terminates.then(|| module.ensure_termination(STEPS.cast_unsigned())) {
            Some(Ok(global)) => {
                let wasm = mutate::with_global_export(&module.to_bytes(), STEPS_GLOBAL, global);
                (wasm, true)
            }
            _ => (module.to_bytes(), false),
        };
        (!mutate::may_wait(&wasm)).then_some((wasm, terminates))
    }

    /// A module of `dense`'s: valid, sure to end, and all that it computes can be seen.
    /// Each function has about as many operators as one of `sizes` says.
    pub fn dense_module(&mut self, proposals: &[Proposal], sizes: &[usize]) -> Vec<u8> {
        dense::module(self, proposals, sizes)
    }

    /// A module that is probably not valid, made from one that was.
    pub fn damaged_module(&mut self, seed: u64, proposals: &[Proposal]) -> Vec<u8> {
        let wasm = match self.below(8) {
            0 => mutate::PROGRAMS[self.below(mutate::PROGRAMS.len())].to_vec(),
            1..4 => dense::module(self, proposals, &SIZES),
            _ => self.module(seed | 1, proposals).0,
        };
        let donor = mutate::PROGRAMS[self.below(mutate::PROGRAMS.len())];
        let damaged = mutate::damage(wasm, donor, self);
        match mutate::may_wait(&damaged) {
            true => self.damaged_module(seed, proposals),
            false => damaged,
        }
    }

    /// What wasm-smith may use: WebAssembly 2.0 without vectors, extended constant
    /// expressions, several memories, and some of `proposals`.
    fn config(&mut self, proposals: &[Proposal]) -> Config {
        let allow_floats = self.below(3) > 0;
        let few = self.below(3) == 0;
        let mut on = Vec::new();
        for proposal in proposals {
            // Fewer at a time, and so more of each; or nearly all.
            if self.below(8) < if few { 2 } else { 7 } {
                on.push(*proposal);
            }
        }
        let has = |proposal| on.contains(&proposal);
        Config {
            allow_floats,
            allowed_instructions: self.instructions(),
            canonicalize_nans: true,
            disallow_traps: self.below(2) == 0,
            export_everything: true,
            min_types: 6,
            min_funcs: 8,
            max_funcs: 8 + self.below(12),
            max_instructions: *self.pick(&[20, 100, 400, 2000]),
            max_imports: self.below(6),
            max_globals: 1 + self.below(12),
            max_memories: 1 + self.below(3),
            max_tables: 1 + self.below(3),
            max_memory32_bytes: 10 << 16,
            max_memory64_bytes: 10 << 16,
            max_tags: 5,
            max_table_elements: 1000,
            memory_max_size_required: true,
            table_max_size_required: true,
            memory_offset_choices: MemoryOffsetChoices(90, 9, 1),
            min_uleb_size: if self.below(8) == 0 { 5 } else { 1 },
            generate_custom_sections: self.below(4) == 0,
            acquire_release_atomics_enabled: false,
            compact_imports_enabled: false,
            custom_descriptors_enabled: false,
            custom_page_sizes_enabled: has(Proposal::CustomPageSizes),
            exceptions_enabled: has(Proposal::Exceptions),
            gc_enabled: has(Proposal::Gc),
            memory64_enabled: has(Proposal::Memory64),
            multibyte_array_access_enabled: false,
            relaxed_simd_enabled: has(Proposal::Simd) && has(Proposal::RelaxedSimd),
            shared_everything_threads_enabled: false,
            simd_enabled: has(Proposal::Simd),
            tail_call_enabled: has(Proposal::TailCall),
            threads_enabled: has(Proposal::Threads),
            wide_arithmetic_enabled: has(Proposal::WideArithmetic),
            ..Config::default()
        }
    }

    /// Half of the modules use a few kinds of instructions only, and so more of
    /// each.
    fn instructions(&mut self) -> InstructionKinds {
        use InstructionKind::{Aggregate, Control, Memory, Numeric, Parametric, Reference, Table, Variable, Vector};
        const FAMILIES: [&[InstructionKind]; 7] = [
            &[Numeric, Variable, Control],
            &[Numeric, Variable, Parametric],
            &[Memory, Numeric, Variable, Control],
            &[Table, Reference, Variable, Control],
            &[Vector, Numeric, Variable, Memory],
            &[Aggregate, Reference, Variable, Control],
            &[Aggregate, Reference, Numeric, Parametric],
        ];
        match self.below(2) {
            0 => InstructionKinds::all(),
            _ => InstructionKinds::new(FAMILIES[self.below(FAMILIES.len())]),
        }
    }
}
