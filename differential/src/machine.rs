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

impl Setup {
    /// How the engines run the module of a seed: each variant of the translator and of
    /// memory access gets its share.
    #[must_use]
    pub fn of_seed(seed: u64, terminates: bool) -> Self {
        Self {
            fuel: match terminates {
                true => seed.is_multiple_of(3).then_some(100_000_000),
                false => Some(20_000),
            },
            guard: !seed.is_multiple_of(5),
        }
    }
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
    V128,
    /// A reference that may be null.
    Null(Kind),
    /// A reference that may not.
    NonNull(Kind),
}

/// What can be made outside of a module to be referred to by a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Func,
    Extern,
    /// `any`, `eq` and `i31`.
    I31,
    /// Nothing without knowing the module: its own types, `struct`, `none`, …
    Other,
}

/// A value; floating-point numbers by their bits, references by what they lead to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Value {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128(u128),
    /// A null reference of any type.
    Null,
    /// A function, whichever.
    Func,
    /// A value of the host's.
    Host(u32),
    /// Its bits, not signed.
    I31(u32),
    Struct(Vec<Value>),
    /// Its length and its first elements, [`ELEMENTS`] at most.
    Array(u32, Vec<Value>),
    /// An exception, whichever: this engine's host has no view of what it carries.
    Exn,
    /// Something that is not null, too deep inside something else.
    Deep,
}

/// How many references one behind the other are followed, and how many elements of
/// an array are looked at.
pub(crate) const DEPTH: u32 = 4;
pub(crate) const ELEMENTS: u32 = 16;

impl Value {
    /// The value of a type with these bits, where one can be made; a reference is
    /// null if it may be and the bits are even.
    pub(crate) fn of_bits(ty: Type, bits: u64) -> Option<Self> {
        let [a, b, c, d, ..] = bits.to_le_bytes();
        let low = u32::from_le_bytes([a, b, c, d]);
        Some(match ty {
            Type::I32 => Value::I32(low.cast_signed()),
            Type::I64 => Value::I64(bits.cast_signed()),
            Type::F32 => Value::F32(low),
            Type::F64 => Value::F64(bits),
            Type::V128 => Value::V128(u128::from(bits) * 0x1_0000_0000_0000_0003),
            Type::Null(kind @ (Kind::I31 | Kind::Extern)) if bits & 1 == 1 => Self::of_bits(Type::NonNull(kind), bits)?,
            Type::Null(_) => Value::Null,
            Type::NonNull(Kind::I31) => Value::I31(low >> 1),
            Type::NonNull(Kind::Extern) => Value::Host(low >> 1),
            Type::NonNull(Kind::Func | Kind::Other) => return None,
        })
    }

    fn add_to(&self, hash: &mut Hash) {
        match *self {
            Value::I32(value) => hash.add(value.cast_unsigned().into()),
            Value::I64(value) => hash.add(value.cast_unsigned()),
            Value::F32(bits) => hash.add(bits.into()),
            Value::F64(bits) => hash.add(bits),
            Value::V128(bits) => {
                let words = bits.to_le_bytes();
                hash.add(Hash::of_bytes(&words));
            }
            Value::Null => hash.add(1),
            Value::Func => hash.add(2),
            Value::Host(number) => hash.add(0x3_0000_0000 | u64::from(number)),
            Value::I31(bits) => hash.add(0x4_0000_0000 | u64::from(bits)),
            Value::Struct(ref fields) => Self::all_to(fields, 5, hash),
            Value::Array(length, ref elements) => Self::all_to(elements, 0x6_0000_0000 | u64::from(length), hash),
            Value::Exn => hash.add(7),
            Value::Deep => hash.add(8),
        }
    }

    fn all_to(values: &[Value], first: u64, hash: &mut Hash) {
        hash.add(first);
        values.iter().for_each(|value| value.add_to(hash));
    }
}

/// How a call or an instantiation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    Values(Vec<Value>),
    /// A trap, by the name that this engine's and wasmtime's interfaces give it.
    Trap(String),
    /// An exception that nothing caught.
    Exception,
    /// Fuel, the call stack or a limit of the store ran out. Where exactly differs
    /// between engines, so nothing can be compared from here on.
    Limit,
    /// The module was refused, or something else went wrong that is no trap.
    Refused(String),
    /// An import has a type that [`answer`] has no value of.
    Unanswerable,
}

/// What can be seen of an instance from outside.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) globals: Vec<(String, Value)>,
    /// Name, size in bytes, hash of the content.
    pub(crate) memories: Vec<(String, usize, u64)>,
    /// Name, size in elements, hash over them.
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
/// `None` if some result cannot be made.
pub(crate) fn answer(name: &str, arguments: &[Value], results: &[Type]) -> Option<Vec<Value>> {
    let mut hash = Hash::new();
    name.bytes().for_each(|byte| hash.add(byte.into()));
    arguments.iter().for_each(|argument| argument.add_to(&mut hash));
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

/// The initial value of an imported global, if one can be made.
pub(crate) fn global_value(name: &str, ty: Type) -> Option<Value> {
    answer(name, &[], &[ty])?.pop()
}

/// A hash over the elements of a table.
pub(crate) fn hash_of_values(values: impl IntoIterator<Item = Value>) -> u64 {
    let mut hash = Hash::new();
    for value in values {
        value.add_to(&mut hash);
    }
    hash.0
}

/// A hash over words; not a good one, but fast and the same for both engines.
pub(crate) struct Hash(pub(crate) u64);

impl Hash {
    pub(crate) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    pub(crate) const ROTATION: u32 = 23;

    pub(crate) fn add(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(Self::FACTOR).rotate_left(Self::ROTATION);
    }

    pub(crate) fn of_bytes(bytes: &[u8]) -> u64 {
        let mut hash = Self::new();
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|&word| hash.add(u64::from_le_bytes(word)));
        rest.iter().for_each(|&byte| hash.add(byte.into()));
        hash.0
    }
}
