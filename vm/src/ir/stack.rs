//! The translator's operand stack: for each wasm operand where its value is.
//!
//! Constants and `local.get` emit no code; their operands stand here until an
//! instruction folds them in. A local that is about to change first leaves its
//! old value in the temporaries of the operands that still mean it; each local
//! keeps a list of those, so that this takes time only where there are any.

/// The type of an operand, as far as translation tells types apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ty {
    /// `i32`
    I32,
    /// `i64`
    I64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// Any reference.
    Ref,
    /// `v128`, which takes two slots.
    V128,
}

impl Ty {
    /// Index of the class in handler tables: integers and references, floats,
    /// vectors.
    pub(crate) fn class(self) -> usize {
        match self {
            Self::I32 | Self::I64 | Self::Ref => 0,
            Self::F32 | Self::F64 => 1,
            Self::V128 => 2,
        }
    }

    /// Slots that a value takes.
    pub(crate) fn slots(self) -> u32 {
        1 + u32::from(self == Self::V128)
    }
}

/// Where the value of an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// In its temporary: the slot of its stack position, or the two of a `v128`.
    Temp,
    /// In a local; the next operand down the stack with the same local, if any.
    Local(u32, Option<u32>),
    /// A constant, as a slot.
    Const(u64),
}

/// One operand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Its type.
    pub(crate) ty: Ty,
    /// Its temporary: slots that the operands below take.
    slot: u32,
    /// Its value's place.
    pub(crate) value: Value,
}

/// The operand stack.
#[derive(Debug, Default)]
pub(crate) struct OperandStack {
    entries: Vec<Entry>,
    /// For each local the topmost operand that means it.
    heads: Vec<Option<u32>>,
    /// Positions that were pushed as locals, ascending; some may have been
    /// turned into temporaries since.
    locals: Vec<u32>,
    /// Positions that were pushed as constants, ascending; likewise.
    constants: Vec<u32>,
    /// The largest number of slots so far.
    most: u32,
}

impl OperandStack {
    /// Empties the stack for a function with `num_locals` locals.
    pub(crate) fn reset(&mut self, num_locals: usize) {
        self.entries.clear();
        self.heads.clear();
        self.heads.resize(num_locals, None);
        self.locals.clear();
        self.constants.clear();
        self.most = 0;
    }

    /// Number of operands.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The largest number of slots that temporaries have taken so far.
    pub(crate) fn most(&self) -> usize {
        self.most as usize
    }

    /// The temporary of the operand at a position, counted from the first temporary;
    /// for a position beyond the operands, if there are only operands of one slot
    /// between.
    pub(crate) fn slot(&self, at: usize) -> usize {
        match self.entries.get(at) {
            Some(entry) => entry.slot as usize,
            None => self.height() as usize + at - self.entries.len(),
        }
    }

    /// Slots that the temporaries of all operands take.
    fn height(&self) -> u32 {
        self.entries.last().map_or(0, |top| top.slot + top.ty.slots())
    }

    /// Puts an operand on top.
    fn push_entry(&mut self, ty: Ty, value: Value) {
        let slot = self.height();
        self.entries.push(Entry { ty, slot, value });
        self.most = self.most.max(slot + ty.slots());
    }

    /// The operand at a position.
    pub(crate) fn get(&self, at: usize) -> Entry {
        self.entries[at]
    }

    /// Pushes an operand whose value is in its temporary or constant.
    pub(crate) fn push(&mut self, ty: Ty, value: Value) {
        debug_assert!(!matches!(value, Value::Local(..)));
        if matches!(value, Value::Const(_)) {
            self.constants.push(self.entries.len() as u32);
        }
        self.push_entry(ty, value);
    }

    /// Pushes the value of a local.
    pub(crate) fn push_local(&mut self, ty: Ty, local: u32) {
        let at = self.entries.len() as u32;
        let before = self.heads[local as usize].replace(at);
        self.push_entry(ty, Value::Local(local, before));
        self.locals.push(at);
    }

    /// Removes the top operand.
    pub(crate) fn pop(&mut self) -> Entry {
        let entry = self.entries.pop().expect("validation balances the operand stack");
        if let Value::Local(local, before) = entry.value {
            self.heads[local as usize] = before;
        }
        for positions in [&mut self.locals, &mut self.constants] {
            while positions.last().is_some_and(|at| *at as usize >= self.entries.len()) {
                positions.pop();
            }
        }
        entry
    }

    /// Removes operands until `len` are left.
    pub(crate) fn truncate(&mut self, len: usize) {
        while self.entries.len() > len {
            self.pop();
        }
    }

    /// Says that the operand's value is in its temporary now. Of several
    /// operands that mean one local, the topmost goes first at no cost.
    pub(crate) fn set_temp(&mut self, at: usize) {
        if let Value::Local(local, before) = self.entries[at].value {
            // Operands above that mean the same local are gone or temporaries,
            // except where one below is turned alone; then relink.
            let head = &mut self.heads[local as usize];
            if *head == Some(at as u32) {
                *head = before;
            } else {
                self.unlink(local, at as u32, before);
            }
        }
        self.entries[at].value = Value::Temp;
    }

    /// Takes an operand out of the middle of a local's list.
    fn unlink(&mut self, local: u32, at: u32, before: Option<u32>) {
        let mut above = self.heads[local as usize];
        while let Some(i) = above {
            let Value::Local(same, next) = &mut self.entries[i as usize].value else {
                break;
            };
            debug_assert_eq!(*same, local);
            if *next == Some(at) {
                *next = before;
                break;
            }
            above = *next;
        }
    }

    /// The topmost operand that means `local`.
    pub(crate) fn topmost_of(&self, local: u32) -> Option<usize> {
        self.heads[local as usize].map(|at| at as usize)
    }

    /// Whether the values of all operands from a position on are in their
    /// temporaries.
    pub(crate) fn all_temps_from(&mut self, first: usize) -> bool {
        for positions in [&mut self.locals, &mut self.constants] {
            while let Some(at) = positions.last().map(|at| *at as usize) {
                if !matches!(self.entries[at].value, Value::Temp) {
                    if at >= first {
                        return false;
                    }
                    break;
                }
                positions.pop();
            }
        }
        true
    }

    /// Removes and yields one position that still means a local, the topmost.
    pub(crate) fn take_local(&mut self) -> Option<(usize, u32)> {
        while let Some(at) = self.locals.pop() {
            if let Value::Local(local, _) = self.entries[at as usize].value {
                return Some((at as usize, local));
            }
        }
        None
    }
}
