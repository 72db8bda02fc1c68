//! Traps (Spec 3.0 §4) and the backtraces that come with them.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::error::{MemoryAccessError, Shown};
use crate::module::FuncIdx;
use crate::runtime::module::Module;

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
    /// A field of a null reference.
    NullStructReference "null structure reference";
    /// An element, or the length, of a null reference.
    NullArrayReference "null array reference";
    /// The integer of a null reference.
    NullI31Reference "null i31 reference";
    /// A null reference where there must be a descriptor.
    NullDescriptorReference "null descriptor reference";
    /// An access to elements that are not in the array.
    ArrayOutOfBounds "out of bounds array access";
    /// A reference to something of another type than it was cast to.
    CastFailure "cast failure";
    /// A reference to something with another descriptor than it was cast to.
    DescriptorCastFailure "descriptor cast failure";
    /// An object that no heap of the store could hold.
    AllocationTooLarge "allocation size too large";
    /// The heap has no room left, and may not grow.
    HeapExhausted "GC heap out of memory";
    /// An atomic access to an address that is not a multiple of its size.
    HeapMisaligned "unaligned atomic";
    /// A wait at an address that no other thread can access.
    AtomicWaitNonSharedMemory "expected shared memory";
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
    run: Arc<Run>,
    /// Which of the run's frames it is.
    index: usize,
}

/// Where a frame stood.
pub(crate) struct Place {
    pub(crate) module: Module,
    pub(crate) func: FuncIdx,
    /// In bytes from the module's start.
    pub(crate) offset: u32,
}

/// The frames of one run, whose debug information is read together.
struct Run {
    places: Box<[Place]>,
    symbols: OnceLock<Symbols>,
}

/// What debug information says about the frames of a run.
#[derive(Debug, Default)]
struct Symbols {
    by_frame: Vec<Box<[FrameSymbol]>>,
    is_cut: bool,
}

/// A function at a frame's place, as debug information has it: the frame's own, or
/// one that is inlined in it.
#[derive(Clone, Debug)]
pub struct FrameSymbol {
    name: Option<String>,
    file: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
}

impl FrameSymbol {
    #[cfg(feature = "addr2line")]
    pub(crate) fn new(name: Option<String>, file: Option<String>, line: Option<u32>, column: Option<u32>) -> Self {
        Self {
            name,
            file,
            line,
            column,
        }
    }

    /// The function's name, as the linker knew it if it did: often mangled.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The source file's path, as the compiler wrote it.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// The line in the file, from 1.
    pub fn line(&self) -> Option<u32> {
        self.line
    }

    /// The column in the line, from 1; compilers count bytes.
    pub fn column(&self) -> Option<u32> {
        self.column
    }
}

impl FrameInfo {
    /// The frames of a run that stood at these places.
    pub(crate) fn of_run(places: Vec<Place>) -> Vec<Self> {
        let run = Arc::new(Run {
            places: places.into(),
            symbols: OnceLock::new(),
        });
        let frames = (0..run.places.len()).map(|index| Self {
            run: Arc::clone(&run),
            index,
        });
        frames.collect()
    }

    fn place(&self) -> &Place {
        &self.run.places[self.index]
    }

    /// The module.
    pub fn module(&self) -> &Module {
        &self.place().module
    }

    /// The module's name, if its name section has one.
    pub fn module_name(&self) -> Option<&str> {
        self.module().name()
    }

    /// Index of the function in its module.
    pub fn func_index(&self) -> u32 {
        self.place().func.as_u32()
    }

    /// The function's name as the name section has it, or its export's.
    pub fn raw_func_name(&self) -> Option<&str> {
        self.module().data().func_name(self.place().func)
    }

    /// The function's name, demangled if it is one of Rust's or C++'s.
    pub fn func_name(&self) -> Option<String> {
        self.raw_func_name().map(demangle)
    }

    /// Bytes from the start of the module to the instruction.
    pub fn module_offset(&self) -> usize {
        self.place().offset as usize
    }

    /// Bytes from the start of the function's body to the instruction.
    pub fn func_offset(&self) -> usize {
        let start = self.module().data().body_start(self.place().func);
        self.module_offset().saturating_sub(start)
    }

    /// What the module's debug information (DWARF) says about the place: the
    /// function, last, before it those inlined there, innermost first, each with its
    /// file and line. Nothing if there is no debug information, or none for the place,
    /// and nothing without the feature `addr2line`, which is on by default.
    ///
    /// The first call reads the debug information for all frames of the run; that
    /// takes about a quarter of a second at most; where it would take longer, some
    /// frames go without.
    pub fn symbols(&self) -> &[FrameSymbol] {
        let symbols = self.run.symbols();
        symbols.by_frame.get(self.index).map_or(&[], |symbols| symbols)
    }
}

impl Run {
    fn symbols(&self) -> &Symbols {
        self.symbols.get_or_init(|| self.read())
    }

    #[cfg(feature = "addr2line")]
    fn read(&self) -> Symbols {
        let frames = self.places.iter().map(|place| (&**place.module.data(), place.offset));
        let frames: Vec<_> = frames.collect();
        let (by_frame, is_cut) = crate::dwarf::find(&frames, crate::dwarf::STEPS);
        Symbols { by_frame, is_cut }
    }

    #[cfg(not(feature = "addr2line"))]
    fn read(&self) -> Symbols {
        Symbols::default()
    }
}

/// Bytes of the longest symbol that is demangled.
const MAX_MANGLED: usize = 8 << 10;
/// Bytes that a demangled name may have; a short symbol can stand for
/// gigabytes.
const MAX_DEMANGLED: usize = 16 << 10;

/// A symbol's name as its source has it; the symbol itself if it is no mangled
/// one, or an excessive one.
pub(crate) fn demangle(name: &str) -> String {
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
/// `<unknown>` and `func[index]`. Debug information is not read.
impl fmt::Display for FrameInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(f, UNKNOWN, &[])
    }
}

/// What a module without a name is called.
const UNKNOWN: &str = "<unknown>";

impl FrameInfo {
    /// Prints the frame, with `unnamed` for a module without a name, and with what
    /// is known of its source.
    fn show(&self, f: &mut fmt::Formatter<'_>, unnamed: &str, symbols: &[FrameSymbol]) -> fmt::Result {
        let module = Shown(self.module_name().unwrap_or(unnamed));
        let Some((own, inlined)) = symbols.split_last() else {
            write!(f, "{module}!")?;
            self.show_func(f, None)?;
            return write!(f, " @ {:#x}", self.module_offset());
        };
        for symbol in inlined {
            let name = symbol.name().map_or_else(|| UNKNOWN.to_owned(), demangle);
            write!(f, "{module}!{}", Shown(&name))?;
            symbol.show_place(f)?;
            f.write_str(", inlined in\n      ")?;
        }
        write!(f, "{module}!")?;
        self.show_func(f, own.name())?;
        match own.file() {
            Some(_) => own.show_place(f),
            None => write!(f, " @ {:#x}", self.module_offset()),
        }
    }

    /// Prints the function, which debug information may know by another name.
    fn show_func(&self, f: &mut fmt::Formatter<'_>, other: Option<&str>) -> fmt::Result {
        match self.func_name().or_else(|| other.map(demangle)) {
            Some(name) => write!(f, "{}", Shown(&name)),
            None => write!(f, "func[{}]", self.func_index()),
        }
    }
}

impl FrameSymbol {
    /// Prints the file, if it is known, and the line.
    fn show_place(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(file) = self.file() else { return Ok(()) };
        write!(f, " ({}", Shown(file))?;
        match self.line() {
            Some(line) => write!(f, ":{line})"),
            None => f.write_str(")"),
        }
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

    /// Prints the backtrace: its first `most` frames, with the name that `unnamed`
    /// gives (a file's, say) for modules that have none.
    pub fn display<'a>(&'a self, most: usize, unnamed: impl Fn(&Module) -> &'a str + 'a) -> impl fmt::Display + 'a {
        fmt::from_fn(move |f| {
            for (i, frame) in self.frames.iter().take(most).enumerate() {
                if i > 0 {
                    f.write_str("\n")?;
                }
                write!(f, "{i:>4}: ")?;
                frame.show(f, unnamed(frame.module()), frame.symbols())?;
            }
            if let Some(more @ 1..) = self.frames.len().checked_sub(most) {
                write!(f, "\n      and {more} more")?;
            }
            if self.frames.iter().take(most).any(|frame| frame.run.symbols().is_cut) {
                f.write_str("\n      (lines may be missing: there is too much debug information)")?;
            }
            Ok(())
        })
    }
}

/// One line for a frame, with its number, and one for each function that is inlined
/// there.
impl fmt::Display for WasmBacktrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.display(usize::MAX, |_| UNKNOWN).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{FrameInfo, MAX_DEMANGLED, Place, Trap, WasmBacktrace, demangle};
    use crate::module::FuncIdx;
    use crate::runtime::engine::Engine;
    use crate::runtime::module::Module;

    /// A module of no more than a name section: subsections' ids and contents.
    fn named(subsections: &[(u8, &[u8])]) -> Module {
        let byte = |len: usize| u8::try_from(len).expect("a short section");
        let mut section = b"\x04name".to_vec();
        for (id, content) in subsections {
            section.extend([*id, byte(content.len())]);
            section.extend(*content);
        }
        let mut bytes = b"\0asm\x01\0\0\0\0".to_vec();
        bytes.push(byte(section.len()));
        bytes.extend(section);
        Module::from_binary(&Engine::default(), &bytes).expect("a valid module")
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
        let place = |module: &Module, func, offset| Place {
            module: module.clone(),
            func: FuncIdx::new(func),
            offset,
        };
        let mut backtrace = WasmBacktrace::new(FrameInfo::of_run(vec![place(&module, 7, 0x1a2b)]));
        backtrace.extend(FrameInfo::of_run(vec![place(&module, 8, 16), place(&nameless, 0, 17)]));
        let lines = |unknown: &str| {
            format!("   0: lib!a::b::b(int) @ 0x1a2b\n   1: lib!func[8] @ 0x10\n   2: {unknown}!func[0] @ 0x11")
        };
        assert_eq!(backtrace.to_string(), lines("<unknown>"));
        let shown = |most| backtrace.display(most, |_| "app.wasm").to_string();
        assert_eq!(shown(3), lines("app.wasm"));
        assert_eq!(shown(1), "   0: lib!a::b::b(int) @ 0x1a2b\n      and 2 more");
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
