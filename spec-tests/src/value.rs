//! Values of scripts: arguments of calls, and patterns for their results.

use std::fmt::Write;

use vm::{AnyRef, ExternRef, HeapType, Store, Val};
use wast::core::{AbstractHeapType, NanPattern, V128Pattern, WastArgCore, WastRetCore};
use wast::token::{F32, F64};
use wast::{WastArg, WastRet};

use crate::problem::Problem;

/// The value of an argument.
///
/// # Errors
///
/// [`Problem::Unsupported`] for values the vm has no type for;
/// [`Problem::Vm`] if a reference cannot be made.
pub(crate) fn argument(store: &mut Store<()>, arg: &WastArg<'_>) -> Result<Val, Problem> {
    let WastArg::Core(arg) = arg else {
        return Err(Problem::Unsupported("values of components"));
    };
    match arg {
        WastArgCore::I32(value) => Ok(Val::I32(*value)),
        WastArgCore::I64(value) => Ok(Val::I64(*value)),
        WastArgCore::F32(value) => Ok(Val::F32(value.bits)),
        WastArgCore::F64(value) => Ok(Val::F64(value.bits)),
        WastArgCore::V128(value) => Ok(Val::V128(u128::from_le_bytes(value.to_le_bytes()).into())),
        WastArgCore::RefNull(heap) => null(heap),
        WastArgCore::RefExtern(number) => Ok(Val::ExternRef(Some(ExternRef::new(&mut *store, *number)?))),
        WastArgCore::RefHost(number) => {
            let value = ExternRef::new(&mut *store, *number)?;
            Ok(Val::AnyRef(Some(AnyRef::convert_extern(store, value)?)))
        }
    }
}

/// The null reference of a heap type.
fn null(heap: &wast::core::HeapType<'_>) -> Result<Val, Problem> {
    use AbstractHeapType as Abstract;
    let wast::core::HeapType::Abstract { shared: false, ty } = heap else {
        return Err(Problem::Unsupported("null references of types that are not abstract"));
    };
    Ok(match ty {
        Abstract::Func | Abstract::NoFunc => Val::FuncRef(None),
        Abstract::Extern | Abstract::NoExtern => Val::ExternRef(None),
        Abstract::Exn | Abstract::NoExn => Val::ExnRef(None),
        Abstract::Any | Abstract::Eq | Abstract::Struct | Abstract::Array | Abstract::I31 | Abstract::None => {
            Val::AnyRef(None)
        }
        Abstract::Cont | Abstract::NoCont => return Err(Problem::Unsupported("references to continuations")),
    })
}

/// Whether a value is null.
fn is_null(value: &Val) -> bool {
    value.as_ref().is_some_and(|value| value.is_null())
}

/// Compares what came with what was wanted, in number and in each value.
///
/// # Errors
///
/// [`Problem::Results`] with both sides written out;
/// [`Problem::Unsupported`] for patterns the vm has no values for.
pub(crate) fn compare(store: &Store<()>, got: &[Val], wanted: &[WastRet<'_>]) -> Result<(), Problem> {
    let mut same = got.len() == wanted.len();
    for (got, wanted) in got.iter().zip(wanted) {
        let WastRet::Core(wanted) = wanted else {
            return Err(Problem::Unsupported("values of components"));
        };
        same &= matches(store, got, wanted)?;
    }
    if same {
        return Ok(());
    }
    let wanted = wanted.iter().map(|wanted| match wanted {
        WastRet::Core(wanted) => show_pattern(wanted),
        _ => "a component's value".to_owned(),
    });
    Err(Problem::Results {
        wanted: list(wanted),
        got: show(got),
    })
}

/// Whether a value fits a pattern.
fn matches(store: &Store<()>, got: &Val, wanted: &WastRetCore<'_>) -> Result<bool, Problem> {
    Ok(match (wanted, got) {
        (WastRetCore::Either(cases), got) => {
            for case in cases {
                if matches(store, got, case)? {
                    return Ok(true);
                }
            }
            false
        }
        (WastRetCore::I32(wanted), Val::I32(got)) => wanted == got,
        (WastRetCore::I64(wanted), Val::I64(got)) => wanted == got,
        (WastRetCore::F32(wanted), Val::F32(got)) => matches_f32(*got, wanted),
        (WastRetCore::F64(wanted), Val::F64(got)) => matches_f64(*got, wanted),
        (WastRetCore::V128(wanted), Val::V128(got)) => matches_v128(got.as_u128(), wanted),
        (WastRetCore::RefNull(None), got) => is_null(got),
        (WastRetCore::RefNull(Some(heap)), got) => is_null(got) && null(heap)?.ty() == got.ty(),
        // Which function is not comparable: a script's index counts within
        // some module, a value may come from any.
        (WastRetCore::RefFunc(_), Val::FuncRef(Some(_))) => true,
        (WastRetCore::RefExtern(None), Val::ExternRef(Some(_))) => true,
        (WastRetCore::RefExtern(Some(wanted)), Val::ExternRef(Some(got))) => {
            let value = got.data(store)?;
            value.and_then(|value| value.downcast_ref::<u32>()) == Some(wanted)
        }
        (WastRetCore::RefHost(wanted), Val::AnyRef(Some(got))) => {
            let value = ExternRef::convert_any(store, *got)?;
            let value = value.data(store)?;
            value.and_then(|value| value.downcast_ref::<u32>()) == Some(wanted)
        }
        (WastRetCore::RefAny, Val::AnyRef(Some(_))) => true,
        (WastRetCore::RefEq, Val::AnyRef(Some(got))) => got.matches_ty(store, &HeapType::Eq)?,
        (WastRetCore::RefArray, Val::AnyRef(Some(got))) => got.matches_ty(store, &HeapType::Array)?,
        (WastRetCore::RefStruct, Val::AnyRef(Some(got))) => got.matches_ty(store, &HeapType::Struct)?,
        (WastRetCore::RefI31, Val::AnyRef(Some(got))) => got.is_i31(store)?,
        _ => false,
    })
}

/// The canonical NaN of f32 but for its sign; an arithmetic NaN has at least
/// these bits (Spec 3.0 §3.3.3).
const QUIET_F32: u32 = 0x7fc0_0000;
/// The same for f64.
const QUIET_F64: u64 = 0x7ff8_0000_0000_0000;

fn matches_f32(got: u32, wanted: &NanPattern<F32>) -> bool {
    match wanted {
        NanPattern::CanonicalNan => got & 0x7fff_ffff == QUIET_F32,
        NanPattern::ArithmeticNan => got & QUIET_F32 == QUIET_F32,
        NanPattern::Value(wanted) => got == wanted.bits,
    }
}

fn matches_f64(got: u64, wanted: &NanPattern<F64>) -> bool {
    match wanted {
        NanPattern::CanonicalNan => got & 0x7fff_ffff_ffff_ffff == QUIET_F64,
        NanPattern::ArithmeticNan => got & QUIET_F64 == QUIET_F64,
        NanPattern::Value(wanted) => got == wanted.bits,
    }
}

/// Whether each lane fits its pattern.
fn matches_v128(got: u128, wanted: &V128Pattern) -> bool {
    let bytes = got.to_le_bytes();
    let f32s = || lanes(&bytes).map(u32::from_le_bytes);
    let f64s = || lanes(&bytes).map(u64::from_le_bytes);
    match wanted {
        V128Pattern::I8x16(wanted) => bytes == wanted.map(i8::cast_unsigned),
        V128Pattern::I16x8(wanted) => lanes(&bytes).map(i16::from_le_bytes).eq(*wanted),
        V128Pattern::I32x4(wanted) => lanes(&bytes).map(i32::from_le_bytes).eq(*wanted),
        V128Pattern::I64x2(wanted) => lanes(&bytes).map(i64::from_le_bytes).eq(*wanted),
        V128Pattern::F32x4(wanted) => f32s().zip(wanted).all(|(got, wanted)| matches_f32(got, wanted)),
        V128Pattern::F64x2(wanted) => f64s().zip(wanted).all(|(got, wanted)| matches_f64(got, wanted)),
    }
}

/// The lanes of a vector, each of `N` bytes.
fn lanes<const N: usize>(bytes: &[u8; 16]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

/// Values as a script would write them.
pub(crate) fn show(values: &[Val]) -> String {
    list(values.iter().map(|value| match value {
        Val::I32(value) => format!("(i32.const {value})"),
        Val::I64(value) => format!("(i64.const {value})"),
        Val::F32(bits) => show_f32(*bits),
        Val::F64(bits) => show_f64(*bits),
        Val::V128(vector) => {
            let bytes = vector.as_u128().to_le_bytes();
            let lanes = lanes(&bytes).map(|lane| format!("{:#010x}", u32::from_le_bytes(lane)));
            format!("(v128.const i32x4 {})", list(lanes))
        }
        Val::FuncRef(None) => "(ref.null func)".to_owned(),
        Val::FuncRef(Some(_)) => "(ref.func)".to_owned(),
        Val::ExternRef(None) => "(ref.null extern)".to_owned(),
        Val::ExternRef(Some(_)) => "(ref.extern)".to_owned(),
        Val::AnyRef(None) => "(ref.null any)".to_owned(),
        Val::AnyRef(Some(_)) => "(ref.any)".to_owned(),
        Val::ExnRef(None) => "(ref.null exn)".to_owned(),
        Val::ExnRef(Some(_)) => "(ref.exn)".to_owned(),
    }))
}

/// A pattern as the script has it, near enough.
fn show_pattern(pattern: &WastRetCore<'_>) -> String {
    match pattern {
        WastRetCore::I32(value) => format!("(i32.const {value})"),
        WastRetCore::I64(value) => format!("(i64.const {value})"),
        WastRetCore::F32(NanPattern::Value(value)) => show_f32(value.bits),
        WastRetCore::F64(NanPattern::Value(value)) => show_f64(value.bits),
        WastRetCore::F32(NanPattern::CanonicalNan) => "(f32.const nan:canonical)".to_owned(),
        WastRetCore::F64(NanPattern::CanonicalNan) => "(f64.const nan:canonical)".to_owned(),
        WastRetCore::F32(NanPattern::ArithmeticNan) => "(f32.const nan:arithmetic)".to_owned(),
        WastRetCore::F64(NanPattern::ArithmeticNan) => "(f64.const nan:arithmetic)".to_owned(),
        WastRetCore::RefNull(_) => "(ref.null)".to_owned(),
        WastRetCore::RefFunc(_) => "(ref.func)".to_owned(),
        WastRetCore::RefExtern(None) => "(ref.extern)".to_owned(),
        WastRetCore::RefExtern(Some(number)) => format!("(ref.extern {number})"),
        WastRetCore::Either(cases) => format!("(either {})", list(cases.iter().map(show_pattern))),
        other => format!("{other:?}"),
    }
}

/// A float with its bits, which are what is compared.
fn show_f32(bits: u32) -> String {
    format!("(f32.const {:?} (;{bits:#010x};))", f32::from_bits(bits))
}

fn show_f64(bits: u64) -> String {
    format!("(f64.const {:?} (;{bits:#018x};))", f64::from_bits(bits))
}

fn list(items: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for item in items {
        let gap = if text.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{gap}{item}");
    }
    if text.is_empty() { "nothing".to_owned() } else { text }
}
