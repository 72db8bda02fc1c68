//! Traps (Spec 3.0 §4) and the backtraces that come with them.

use std::fmt;
use std::sync::Arc;

use crate::error::{MemoryAccessError, Shown};
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
    /// A write to pages of a region that is mapped read-only.
    ReadOnlyMemory "write to read-only memory";
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
    /// A call through a null function reference.
    NullFuncReference "null function reference";
    /// Another thread asked for an interruption.
    Interrupt "interrupted";
    /// The store's fuel is used up.
    OutOfFuel "all fuel consumed";
}

impl std::error::Error for Trap {}

impl From<MemoryAccessError> for Trap {
    fn from(error: MemoryAccessError) -> Self {
        match error {
            MemoryAccessError::OutOfBounds => Self::MemoryOutOfBounds,
            MemoryAccessError::ReadOnly => Self::ReadOnlyMemory,
        }
    }
}

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

/// Bytes of the longest symbol that is demangled.
const MAX_MANGLED: usize = 8 << 10;
/// Bytes that a demangled name may have; a short symbol can stand for
/// gigabytes.
const MAX_DEMANGLED: usize = 16 << 10;

/// A symbol's name as its source has it; the symbol itself if it is no mangled
/// one, or an excessive one.
fn demangle(name: &str) -> String {
    let mut shown = Bounded::default();
    let done = if name.len() > MAX_MANGLED {
        false
    } else if let Ok(rust) = rustc_demangle::try_demangle(name) {
        fmt::write(&mut shown, format_args!("{rust:#}")).is_ok()
    } else if name.starts_with("_Z") {
        let options = cpp_demangle::DemangleOptions::new();
        cpp_demangle::Symbol::new(name).is_ok_and(|symbol| symbol.structured_demangle(&mut shown, &options).is_ok())
    } else {
        false
    };
    if done { shown.0 } else { name.to_owned() }
}

/// Takes [`MAX_DEMANGLED`] bytes, then fails.
#[derive(Default)]
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        if self.0.len() + s.len() > MAX_DEMANGLED {
            return Err(fmt::Error);
        }
        self.0.push_str(s);
        Ok(())
    }
}

impl fmt::Debug for FrameInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// `module!function @ offset`; a module or function without a name shows as
/// `<unknown>` and `func[index]`.
impl fmt::Display for FrameInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(f, UNKNOWN)
    }
}

/// What a module without a name is called.
const UNKNOWN: &str = "<unknown>";

impl FrameInfo {
    /// Prints the frame, with `unnamed` for a module without a name.
    fn show(&self, f: &mut fmt::Formatter<'_>, unnamed: &str) -> fmt::Result {
        write!(f, "{}!", Shown(self.module_name().unwrap_or(unnamed)))?;
        match self.func_name() {
            Some(name) => write!(f, "{}", Shown(&name))?,
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

    /// Prints as the backtrace itself does, with `unnamed` (a file's name,
    /// say) for modules that have no name.
    pub fn display<'a>(&'a self, unnamed: &'a str) -> impl fmt::Display + 'a {
        fmt::from_fn(move |f| {
            for (i, frame) in self.frames.iter().enumerate() {
                if i > 0 {
                    f.write_str("\n")?;
                }
                write!(f, "{i:>4}: ")?;
                frame.show(f, unnamed)?;
            }
            Ok(())
        })
    }
}

/// One line a frame, each with its number.
impl fmt::Display for WasmBacktrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.display(UNKNOWN).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wasmparser::WasmFeatures;

    use super::{FrameInfo, MAX_DEMANGLED, Trap, WasmBacktrace, demangle};
    use crate::module::{FuncIdx, ModuleData, TypeRegistry};

    /// A module of no more than a name section: subsections' ids and contents.
    fn named(subsections: &[(u8, &[u8])]) -> Arc<ModuleData> {
        let byte = |len: usize| u8::try_from(len).expect("a short section");
        let mut section = b"\x04name".to_vec();
        for (id, content) in subsections {
            section.extend([*id, byte(content.len())]);
            section.extend(*content);
        }
        let mut bytes = b"\0asm\x01\0\0\0\0".to_vec();
        bytes.push(byte(section.len()));
        bytes.extend(section);
        let module = ModuleData::parse(bytes.into(), WasmFeatures::WASM2, &TypeRegistry::default(), 1);
        Arc::new(module.expect("a valid module"))
    }

    #[test]
    fn traps_print_the_spec_s_text() {
        let texts: Vec<String> = Trap::ALL.iter().map(Trap::to_string).collect();
        for text in [
            "unreachable",
            "integer divide by zero",
            "integer overflow",
            "invalid conversion to integer",
            "out of bounds memory access",
            "out of bounds table access",
            "undefined element",
            "uninitialized element",
            "indirect call type mismatch",
            "null reference",
            "null function reference",
            "call stack exhausted",
        ] {
            assert_eq!(texts.iter().filter(|t| *t == text).count(), 1, "{text}");
        }
    }

    #[test]
    fn backtraces_show_names_and_places() {
        let module = named(&[(0, b"\x03lib"), (1, b"\x01\x07\x0b_ZN1a1bC1Ei")]);
        let nameless = named(&[]);
        let frame =
            |module: &Arc<ModuleData>, func, offset| FrameInfo::new(Arc::clone(module), FuncIdx::new(func), offset);
        let mut backtrace = WasmBacktrace::new(vec![frame(&module, 7, 0x1a2b)]);
        backtrace.extend(vec![frame(&module, 8, 16), frame(&nameless, 0, 17)]);
        let lines = |unknown: &str| {
            format!("   0: lib!a::b::b(int) @ 0x1a2b\n   1: lib!func[8] @ 0x10\n   2: {unknown}!func[0] @ 0x11")
        };
        assert_eq!(backtrace.to_string(), lines("<unknown>"));
        assert_eq!(backtrace.display("app.wasm").to_string(), lines("app.wasm"));
        let first = &backtrace.frames()[0];
        assert_eq!(
            (first.func_index(), first.module_offset(), first.func_offset()),
            (7, 0x1a2b, 0x1a2b)
        );
        assert_eq!(
            (first.module_name(), backtrace.frames()[2].module_name()),
            (Some("lib"), None)
        );
    }

    #[test]
    fn names_are_shown_as_in_their_source() {
        for (mangled, shown) in [
            (
                "_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE",
                "core::fmt::Write::write_fmt",
            ),
            ("_RNvC6_123foo3bar", "123foo::bar"),
            ("_ZNSt6vectorIiE4sizeEv", "std::vector<int>::size()"),
            ("_ZN1a1bC1Ei", "a::b::b(int)"),
            ("main", "main"),
            ("_Znonsense", "_Znonsense"),
            ("_R", "_R"),
            ("_Z", "_Z"),
            ("", ""),
        ] {
            assert_eq!(demangle(mangled), shown);
        }
    }

    #[test]
    fn symbols_that_stand_for_gigabytes_are_shown_as_they_are() {
        // f(A<int, int>, B<A.., A..>, C<B.., B..>, …): each type twice the last.
        let digit = |n: u32| char::from_digit(n % 36, 36).expect("a digit").to_ascii_uppercase();
        let seq = |n: u32| {
            if n < 36 {
                digit(n).to_string()
            } else {
                format!("{}{}", digit(n / 36), digit(n))
            }
        };
        let bomb = |levels| {
            let types = (0..levels)
                .map(|level| seq(2 * level))
                .map(|last| format!("1BIS{last}_S{last}_E"));
            "_Z1f1AIiiE".to_owned() + &types.collect::<String>()
        };
        assert_eq!(demangle(&bomb(1)), "f(A<int, int>, B<A<int, int>, A<int, int> >)");
        assert!((1000..MAX_DEMANGLED).contains(&demangle(&bomb(6)).len()));
        assert_eq!(demangle(&bomb(60)), bomb(60));
        let long = format!("_Z{}{}", 20_000, "x".repeat(20_000));
        assert_eq!(demangle(&long), long);
        for name in [
            "_ZN".repeat(3000),
            "_Z".to_owned() + &"P".repeat(8000),
            "_R".to_owned() + &"NvC".repeat(2700),
        ] {
            assert!(demangle(&name).len() <= MAX_DEMANGLED);
        }
    }
}
