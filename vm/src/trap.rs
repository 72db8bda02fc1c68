//! Traps (Spec 3.0 §4) and the backtraces that come with them.

use std::fmt;
use std::sync::Arc;

use crate::module::{FuncIdx, ModuleData};

macro_rules! traps {
    ($($(#[$doc:meta])* $name:ident $text:literal;)*) => {
        /// Why a guest's execution ended. Prints the specification's text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Trap {
            $($(#[$doc])* $name,)*
        }

        impl Trap {
            /// All traps.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name),*];
        }

        impl fmt::Display for Trap {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$name => $text,)*
                })
            }
        }
    };
}

traps! {
    /// The value stack, the host's stack or the limit of the call depth is exhausted.
    StackOverflow "call stack exhausted";
    /// An access to bytes that are not in the memory.
    MemoryOutOfBounds "out of bounds memory access";
    /// An access to elements that are not in the table.
    TableOutOfBounds "out of bounds table access";
    /// An indirect call through an index that is not in the table.
    UndefinedElement "undefined element";
    /// An indirect call through a null element.
    IndirectCallToNull "uninitialized element";
    /// An indirect call of a function of another type.
    BadSignature "indirect call type mismatch";
    /// An integer result that its type cannot hold.
    IntegerOverflow "integer overflow";
    /// An integer division or remainder by zero.
    IntegerDivisionByZero "integer divide by zero";
    /// A conversion of NaN to an integer.
    BadConversionToInteger "invalid conversion to integer";
    /// `unreachable` was executed.
    UnreachableCodeReached "unreachable";
    /// A null reference where there must be none.
    NullReference "null reference";
    /// Another thread asked for an interruption.
    Interrupt "interrupted";
    /// The store's fuel is used up.
    OutOfFuel "all fuel consumed";
}

impl std::error::Error for Trap {}

/// One frame of a backtrace: a function, and where in it.
#[derive(Clone)]
pub struct FrameInfo {
    module: Arc<ModuleData>,
    func: FuncIdx,
    offset: u32,
}

impl FrameInfo {
    /// A frame of function `func`, `offset` bytes into the module.
    pub(crate) fn new(module: Arc<ModuleData>, func: FuncIdx, offset: u32) -> Self {
        Self { module, func, offset }
    }

    /// The module's name, if its name section has one.
    pub fn module_name(&self) -> Option<&str> {
        self.module.module_name()
    }

    /// Index of the function in its module.
    pub fn func_index(&self) -> u32 {
        self.func.as_u32()
    }

    /// The function's name as the name section has it, or its export's.
    pub fn raw_func_name(&self) -> Option<&str> {
        self.module.func_name(self.func)
    }

    /// The function's name, demangled if it is one of Rust's or C++'s.
    pub fn func_name(&self) -> Option<String> {
        self.raw_func_name().map(demangle)
    }

    /// Bytes from the start of the module to the instruction.
    pub fn module_offset(&self) -> usize {
        self.offset as usize
    }

    /// Bytes from the start of the function's body to the instruction.
    pub fn func_offset(&self) -> usize {
        self.module_offset().saturating_sub(self.module.body_start(self.func))
    }
}

/// A symbol's name as its source has it.
fn demangle(name: &str) -> String {
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        return format!("{rust:#}");
    }
    let cpp = name
        .starts_with("_Z")
        .then(|| cpp_demangle::Symbol::new(name).ok())
        .flatten();
    cpp.and_then(|symbol| symbol.demangle().ok())
        .unwrap_or_else(|| name.to_owned())
}

impl fmt::Debug for FrameInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// `module!function @ offset`; a module or function without a name shows as
/// `<unnamed>` and `func[index]`.
impl fmt::Display for FrameInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}!", self.module_name().unwrap_or("<unnamed>"))?;
        match self.func_name() {
            Some(name) => f.write_str(&name)?,
            None => write!(f, "func[{}]", self.func_index())?,
        }
        write!(f, " @ {:#x}", self.offset)
    }
}

/// The guest's frames when it trapped, innermost first. At most 100 frames of
/// each entry from the host are kept.
#[derive(Clone, Debug, Default)]
pub struct WasmBacktrace {
    frames: Vec<FrameInfo>,
}

impl WasmBacktrace {
    /// A backtrace of these frames.
    pub(crate) fn new(frames: Vec<FrameInfo>) -> Self {
        Self { frames }
    }

    /// Adds frames further out.
    pub(crate) fn extend(&mut self, frames: Vec<FrameInfo>) {
        self.frames.extend(frames);
    }

    /// The frames, innermost first.
    pub fn frames(&self) -> &[FrameInfo] {
        &self.frames
    }
}

/// One line a frame, each with its number.
impl fmt::Display for WasmBacktrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, frame) in self.frames.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{i:>4}: {frame}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::demangle;

    #[test]
    fn names_are_shown_as_in_their_source() {
        for (mangled, shown) in [
            (
                "_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE",
                "core::fmt::Write::write_fmt",
            ),
            ("_RNvC6_123foo3bar", "123foo::bar"),
            ("_ZNSt6vectorIiE4sizeEv", "std::vector<int>::size()"),
            ("main", "main"),
            ("_Znonsense", "_Znonsense"),
        ] {
            assert_eq!(demangle(mangled), shown);
        }
    }
}
