//! What the test needs of an engine, and values, endings and states in a form
//! independent of one.

/// How to run a module.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Fuel for the instantiation and for each call; `None`: not metered.
    pub fuel: Option<u64>,
    /// Whether this engine may use guard pages instead of bounds checks.
    pub guard: bool,
}

/// Bytes all memories of a store may have together, and elements a table may have.
pub(crate) const MEMORY_LIMIT: usize = 64 << 20;
pub(crate) const TABLE_LIMIT: usize = 100_000;

/// The name under which `random` exports the global that counts down to ensure
/// termination, and its value at the begin of each call.
pub(crate) const STEPS_GLOBAL: &str = "steps left";
pub(crate) const STEPS: i32 = 2000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    I32,
    I64,
    F32,
    F64,
    Func,
    Extern,
}

/// A value; floating-point numbers by their bits, references by whether they are
/// null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    Func { null: bool },
    Extern { null: bool },
}

impl Value {
    /// The value of a type with these bits; references are null.
    pub(crate) fn of_bits(ty: Type, bits: u64) -> Self {
        let [a, b, c, d, ..] = bits.to_le_bytes();
        let low = u32::from_le_bytes([a, b, c, d]);
        match ty {
            Type::I32 => Value::I32(low.cast_signed()),
            Type::I64 => Value::I64(bits.cast_signed()),
            Type::F32 => Value::F32(low),
            Type::F64 => Value::F64(bits),
            Type::Func => Value::Func { null: true },
            Type::Extern => Value::Extern { null: true },
        }
    }

    fn bits(self) -> u64 {
        match self {
            Value::I32(value) => value.cast_unsigned().into(),
            Value::I64(value) => value.cast_unsigned(),
            Value::F32(bits) => bits.into(),
            Value::F64(bits) => bits,
            Value::Func { null } | Value::Extern { null } => null.into(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrapKind {
    Unreachable,
    MemoryOutOfBounds,
    TableOutOfBounds,
    NullElement,
    DivisionByZero,
    IntegerOverflow,
    BadConversion,
    BadSignature,
}

/// How a call or an instantiation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    Values(Vec<Value>),
    Trap(TrapKind),
    /// Fuel, the call stack or a limit of the store ran out. Where exactly differs
    /// between engines, so nothing can be compared from here on.
    Limit,
    /// The module was refused, or something else went wrong that is no trap.
    Refused(String),
}

/// What can be seen of an instance from outside.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) globals: Vec<(String, Value)>,
    /// Name, size in bytes, hash of the content.
    pub(crate) memories: Vec<(String, usize, u64)>,
    /// Name, size in elements, hash over which of them are null.
    pub(crate) tables: Vec<(String, u64, u64)>,
}

/// An instance of a module in an engine. Imports are given by the machine:
/// functions that answer with [`answer`], globals, and empty memories and tables.
pub(crate) trait Machine: Sized {
    /// Compiles and instantiates. An `Err` is never `Ending::Values`.
    fn start(wasm: &[u8], setup: &Setup) -> Result<Self, Ending>;

    /// The exported functions in the order of their names.
    fn functions(&mut self) -> Vec<(String, Vec<Type>)>;

    /// Calls an exported function after refilling fuel.
    fn call(&mut self, name: &str, arguments: &[Value]) -> Ending;

    fn state(&mut self) -> State;
}

/// What an imported function returns: a function of its name and its arguments.
pub(crate) fn answer(name: &str, arguments: &[Value], results: &[Type]) -> Vec<Value> {
    let mut hash = Hash::new();
    name.bytes().for_each(|byte| hash.add(byte.into()));
    arguments.iter().for_each(|argument| hash.add(argument.bits()));
    let mut value = |ty: &Type| {
        hash.add(1);
        // Small numbers often, so that they are addresses and counts that work. The
        // high bits of a floating-point number stay clear: no NaN.
        let bits = if hash.0 & 3 == 0 { hash.0 >> 3 } else { hash.0 & 0xff };
        Value::of_bits(
            *ty,
            if matches!(ty, Type::F32) {
                bits & 0x7f00_ffff
            } else {
                bits
            },
        )
    };
    results.iter().map(&mut value).collect()
}

/// The initial value of an imported global.
pub(crate) fn global_value(name: &str, ty: Type) -> Value {
    answer(name, &[], &[ty])[0]
}

/// A hash over words; not a good one, but fast and the same for both engines.
pub(crate) struct Hash(pub(crate) u64);

impl Hash {
    pub(crate) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn add(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    }

    pub(crate) fn of_bytes(bytes: &[u8]) -> u64 {
        let mut hash = Self::new();
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|&word| hash.add(u64::from_le_bytes(word)));
        rest.iter().for_each(|&byte| hash.add(byte.into()));
        hash.0
    }
}
