//! What a function takes and gives across the border between two modules that have
//! memories and tables of their own: [`Signature`].
//!
//! A function's type says only that something is an `i32`. A signature says whether
//! that is a number, an address or a function pointer. It comes from the module that
//! owns the child: what a child says of itself decides about nothing of its parent's.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use vm::{FuncType, ValType};

use crate::error::{Problem, Slot};

/// The longest text, in bytes.
const LONGEST: usize = 1024;
/// How deep pointers to functions that take pointers to functions may go.
const DEEPEST: u32 = 8;

/// What a function takes and gives.
///
/// As text, a letter for each parameter, a colon, and one for each result; and before
/// them a `?`, if a child's function that fails is to give zeros:
///
/// | text | what it is | type |
/// |---|---|---|
/// | `i`, `I`, `f`, `F` | a number | `i32`, `i64`, `f32`, `f64` |
/// | `&` | an address of a byte in a region that both modules have mapped; 0 stays 0 | `i32` |
/// | `&16` | the same, of 16 bytes | `i32` |
/// | `&#` | the same, of as many bytes as the next one says, which is an `i` | `i32` |
/// | `*(ii:i)` | a pointer to a function with that signature; 0 stays 0 | `i32` |
///
/// ```
/// use orcavm_sandbox::Signature;
///
/// let sort: Signature = "&#ii*(&4&4:i):".parse()?;
/// assert_eq!(sort.to_string(), "&#ii*(&4&4:i):");
/// assert_eq!(sort.func_type().to_string(), "(func (param i32 i32 i32 i32))");
/// # Ok::<(), orcavm_sandbox::SignatureError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Signature {
    pub(crate) params: Vec<Kind>,
    pub(crate) results: Vec<Kind>,
    /// It gives zeros where it fails.
    pub(crate) is_lenient: bool,
    /// All are numbers.
    pub(crate) is_plain: bool,
    /// Bytes that it takes, about.
    pub(crate) weight: u64,
}

/// What a parameter or a result is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Number(ValType),
    Address(Extent),
    Function(Arc<Signature>),
}

/// How many bytes an address is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Extent {
    Bytes(u32),
    /// As many as the next parameter, or the next result, says.
    Next,
}

/// A text that is no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Something that begins no kind of value.
    #[error("a signature has one of i, I, f, F, & and * for each parameter and result, but not what is at byte {at}")]
    Unknown {
        /// Where, in bytes.
        at: usize,
    },
    /// The colon is missing.
    #[error("a signature has a colon between parameters and results, which is missing at byte {at}")]
    NoColon {
        /// Where, in bytes.
        at: usize,
    },
    /// A pointer's signature does not begin, or does not end.
    #[error("the signature of a function pointer stands in parentheses, of which one is missing at byte {at}")]
    NoParenthesis {
        /// Where, in bytes.
        at: usize,
    },
    /// An address is of as many bytes as something says that is no `i`.
    #[error("the length of an address, as `&#`, is the `i` after it, which is missing at byte {at}")]
    NoLength {
        /// Where, in bytes.
        at: usize,
    },
    /// A number of bytes that no memory has.
    #[error("no memory has as many bytes as the number at byte {at} says")]
    TooManyBytes {
        /// Where, in bytes.
        at: usize,
    },
    /// Function pointers in function pointers.
    #[error("function pointers that take function pointers go {DEEPEST} deep at most")]
    TooDeep,
    /// Too much text.
    #[error("a signature has {LONGEST} bytes at most")]
    TooLong,
}

/// A type's letter, if it is a number's.
pub(crate) fn letter(ty: &ValType) -> Option<char> {
    match ty {
        ValType::I32 => Some('i'),
        ValType::I64 => Some('I'),
        ValType::F32 => Some('f'),
        ValType::F64 => Some('F'),
        _ => None,
    }
}

impl Kind {
    /// The type of such a value.
    pub(crate) fn ty(&self) -> ValType {
        match self {
            Self::Number(ty) => ty.clone(),
            Self::Address(_) | Self::Function(_) => ValType::I32,
        }
    }
}

impl Signature {
    fn new(params: Vec<Kind>, results: Vec<Kind>, is_lenient: bool) -> Self {
        let is_plain = params
            .iter()
            .chain(&results)
            .all(|kind| matches!(kind, Kind::Number(_)));
        let weigh = |kind: &Kind| match kind {
            Kind::Number(_) | Kind::Address(_) => 32,
            Kind::Function(signature) => 32 + signature.weight,
        };
        let weight = 128 + params.iter().chain(&results).map(weigh).sum::<u64>();
        Self {
            params,
            results,
            is_lenient,
            is_plain,
            weight,
        }
    }

    /// That of something that takes one value.
    pub(crate) fn one(kind: Kind) -> Self {
        Self::new(vec![kind], Vec::new(), false)
    }

    /// That of a function which takes and gives numbers only.
    ///
    /// # Errors
    /// The first thing that is no number.
    pub(crate) fn of(ty: &FuncType) -> Result<Self, (Slot, Problem)> {
        let number = |slot: fn(usize) -> Slot| {
            move |(i, ty): (usize, ValType)| match letter(&ty) {
                Some(_) => Ok(Kind::Number(ty)),
                None => Err((slot(i), Problem::Unpassable { ty })),
            }
        };
        let params = ty.params().enumerate().map(number(Slot::Parameter));
        let results = ty.results().enumerate().map(number(Slot::Result));
        Ok(Self::new(
            params.collect::<Result<_, _>>()?,
            results.collect::<Result<_, _>>()?,
            false,
        ))
    }

    /// Whether it can be that of a function of this type.
    ///
    /// # Errors
    /// What keeps it from that.
    pub(crate) fn check(&self, ty: &FuncType) -> Result<(), (Slot, Problem)> {
        let check = |slot: fn(usize) -> Slot, kinds: &[Kind], types: &mut dyn ExactSizeIterator<Item = ValType>| {
            let (declared, found) = (kinds.len(), types.len());
            if declared != found {
                let what = match slot(0) {
                    Slot::Parameter(_) => "parameters",
                    _ => "results",
                };
                return Err((Slot::Whole, Problem::Count { what, declared, found }));
            }
            for (i, (kind, found)) in kinds.iter().zip(types).enumerate() {
                if letter(&found).is_none() {
                    return Err((slot(i), Problem::Unpassable { ty: found }));
                }
                if kind.ty() != found {
                    let declared = kind.ty();
                    return Err((slot(i), Problem::Declared { declared, found }));
                }
            }
            Ok(())
        };
        check(Slot::Parameter, &self.params, &mut ty.params())?;
        check(Slot::Result, &self.results, &mut ty.results())
    }

    /// The type of functions that have it.
    pub fn func_type(&self) -> FuncType {
        FuncType::new(self.params.iter().map(Kind::ty), self.results.iter().map(Kind::ty))
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let write = |f: &mut fmt::Formatter<'_>, kinds: &[Kind]| {
            kinds.iter().try_for_each(|kind| match kind {
                Kind::Number(ty) => write!(f, "{}", letter(ty).unwrap_or('?')),
                Kind::Address(Extent::Bytes(1)) => f.write_str("&"),
                Kind::Address(Extent::Bytes(bytes)) => write!(f, "&{bytes}"),
                Kind::Address(Extent::Next) => f.write_str("&#"),
                Kind::Function(signature) => write!(f, "*({signature})"),
            })
        };
        f.write_str(if self.is_lenient { "?" } else { "" })?;
        write(f, &self.params)?;
        f.write_str(":")?;
        write(f, &self.results)
    }
}

impl FromStr for Signature {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, SignatureError> {
        if text.len() > LONGEST {
            return Err(SignatureError::TooLong);
        }
        let mut parser = Parser {
            text: text.as_bytes(),
            at: 0,
        };
        let signature = parser.signature(0)?;
        match parser.peek() {
            None => Ok(signature),
            Some(_) => Err(SignatureError::Unknown { at: parser.at }),
        }
    }
}

/// Reads a text from left to right.
struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Whether this byte is next, which is passed then.
    fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn signature(&mut self, depth: u32) -> Result<Signature, SignatureError> {
        let is_lenient = self.eat(b'?');
        let params = self.kinds(depth)?;
        if !self.eat(b':') {
            return Err(match self.peek() {
                None | Some(b')') => SignatureError::NoColon { at: self.at },
                Some(_) => SignatureError::Unknown { at: self.at },
            });
        }
        Ok(Signature::new(params, self.kinds(depth)?, is_lenient))
    }

    fn kinds(&mut self, depth: u32) -> Result<Vec<Kind>, SignatureError> {
        let mut kinds = Vec::new();
        let mut is_length_next = false;
        loop {
            let at = self.at;
            let kind = match self.peek() {
                Some(b'i') => Kind::Number(ValType::I32),
                Some(b'I') => Kind::Number(ValType::I64),
                Some(b'f') => Kind::Number(ValType::F32),
                Some(b'F') => Kind::Number(ValType::F64),
                Some(b'&') => Kind::Address(Extent::Bytes(1)),
                Some(b'*') => Kind::Function(Arc::default()),
                _ if is_length_next => return Err(SignatureError::NoLength { at }),
                _ => return Ok(kinds),
            };
            if is_length_next && kind != Kind::Number(ValType::I32) {
                return Err(SignatureError::NoLength { at });
            }
            self.at += 1;
            kinds.push(match kind {
                Kind::Number(_) => kind,
                Kind::Address(_) => Kind::Address(self.extent()?),
                Kind::Function(_) => Kind::Function(Arc::new(self.pointed_to(depth)?)),
            });
            is_length_next = matches!(kinds.last(), Some(Kind::Address(Extent::Next)));
        }
    }

    fn extent(&mut self) -> Result<Extent, SignatureError> {
        if self.eat(b'#') {
            return Ok(Extent::Next);
        }
        let at = self.at;
        let mut bytes = None::<u32>;
        while let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(10)) {
            let more = bytes
                .unwrap_or(0)
                .checked_mul(10)
                .and_then(|bytes| bytes.checked_add(digit));
            bytes = Some(more.ok_or(SignatureError::TooManyBytes { at })?);
            self.at += 1;
        }
        Ok(Extent::Bytes(bytes.unwrap_or(1)))
    }

    fn pointed_to(&mut self, depth: u32) -> Result<Signature, SignatureError> {
        if depth == DEEPEST {
            return Err(SignatureError::TooDeep);
        }
        if !self.eat(b'(') {
            return Err(SignatureError::NoParenthesis { at: self.at });
        }
        let signature = self.signature(depth + 1)?;
        match self.eat(b')') {
            true => Ok(signature),
            false => Err(SignatureError::NoParenthesis { at: self.at }),
        }
    }
}

impl Default for Signature {
    /// That of a function which takes and gives nothing.
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new(), false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts() {
        for text in [
            ":",
            "iIfF:FfIi",
            "&#i:",
            "&16:&",
            "*(:):",
            "?:i",
            "*(?ii:i)i:*(*(?i:):i)",
            "&0:&4294967295",
        ] {
            let signature: Signature = text.parse().expect(text);
            assert_eq!(signature.to_string(), text);
        }
        let (deep, deeper) = ("*(".repeat(8), "*(".repeat(9));
        assert!(format!("{deep}:{}", "):".repeat(8)).parse::<Signature>().is_ok());
        for (text, error) in [
            ("", SignatureError::NoColon { at: 0 }),
            ("ii", SignatureError::NoColon { at: 2 }),
            ("v:", SignatureError::Unknown { at: 0 }),
            ("i:i:", SignatureError::Unknown { at: 3 }),
            (":)", SignatureError::Unknown { at: 1 }),
            ("*:", SignatureError::NoParenthesis { at: 1 }),
            ("*(i:", SignatureError::NoParenthesis { at: 4 }),
            ("*(i)", SignatureError::NoColon { at: 3 }),
            ("*?(i:):", SignatureError::NoParenthesis { at: 1 }),
            ("??:", SignatureError::Unknown { at: 1 }),
            ("&#:", SignatureError::NoLength { at: 2 }),
            ("&#&:", SignatureError::NoLength { at: 2 }),
            ("&#I:", SignatureError::NoLength { at: 2 }),
            ("&4294967296:", SignatureError::TooManyBytes { at: 1 }),
            (&deeper, SignatureError::TooDeep),
            (&"i".repeat(5000), SignatureError::TooLong),
        ] {
            assert_eq!(text.parse::<Signature>(), Err(error), "{text}");
        }
    }

    #[test]
    fn types() {
        let ty = FuncType::new([ValType::I32, ValType::I64], [ValType::I32]);
        assert!(Signature::of(&ty).is_ok_and(|signature| signature.is_plain && signature.func_type() == ty));
        for text in ["iI:i", "&I:&", "*(:)I:*(:)"] {
            assert!(text.parse::<Signature>().expect(text).check(&ty).is_ok(), "{text}");
        }
        for (text, slot) in [
            ("i:i", Slot::Whole),
            ("iI:", Slot::Whole),
            ("ii:i", Slot::Parameter(1)),
            ("II:i", Slot::Parameter(0)),
            ("iI:f", Slot::Result(0)),
        ] {
            let problem = text.parse::<Signature>().expect(text).check(&ty);
            assert_eq!(problem.expect_err(text).0, slot, "{text}");
        }
        let vector = FuncType::new([ValType::I32], [ValType::V128]);
        let problem = Signature::of(&vector).expect_err("no number");
        assert!(matches!(
            problem,
            (Slot::Result(0), Problem::Unpassable { ty: ValType::V128 })
        ));
        let declared = "i:i".parse::<Signature>().expect("one").check(&vector);
        assert!(matches!(declared, Err((Slot::Result(0), Problem::Unpassable { .. }))));
    }

    proptest! {
        /// What can be read is written as it was, or shorter by what says nothing.
        #[test]
        fn any_text(text in "[iIfF&*(?:)#0-9]{0,40}") {
            if let Ok(signature) = text.parse::<Signature>() {
                let written = signature.to_string();
                prop_assert_eq!(written.parse::<Signature>(), Ok(signature));
            }
        }
    }
}
