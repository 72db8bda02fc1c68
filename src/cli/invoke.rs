//! `--invoke`: calling an exported function with arguments from the command
//! line.

use std::ffi::OsString;
use std::fmt::{Display, LowerExp};
use std::io::{self, Write};

use anyhow::{Context, Result, anyhow, bail};
use orcavm::vm::{ExternType, Func, Instance, Module, Ref, Store, Val, ValType};

/// How many exports an error lists.
const LISTED: usize = 20;

/// An exported function.
///
/// # Errors
///
/// If there is none of that name; the error lists those there are.
pub(crate) fn function<T>(
    file: &str,
    store: &mut Store<T>,
    module: &Module,
    instance: Instance,
    name: &str,
) -> Result<Func> {
    if let Some(func) = instance.get_func(&mut *store, name) {
        return Ok(func);
    }
    match module.get_export(name) {
        Some(ty) => bail!("{file}: the export {name:?} is no function but a {}", ty.kind()),
        None => bail!("{file} exports no function {name:?}; {}", functions(module)),
    }
}

/// A sentence that lists the functions a module exports.
pub(crate) fn functions(module: &Module) -> String {
    let mut functions = Vec::new();
    for export in module.exports() {
        if let ExternType::Func(ty) = export.ty() {
            functions.push(format!("{:?} {ty}", export.name()));
        }
    }
    let more = functions.len().saturating_sub(LISTED);
    functions.truncate(LISTED);
    match (functions.is_empty(), more) {
        (true, _) => "it exports no functions at all".to_owned(),
        (false, 0) => format!("it exports {}", functions.join(", ")),
        (false, more) => format!("it exports {} and {more} more", functions.join(", ")),
    }
}

/// Calls a function with arguments read by its type, and prints its results one
/// per line.
///
/// # Errors
///
/// If there are too many or too few arguments or one is no value of its
/// parameter's type; what the call gives; if standard output cannot be written.
pub(crate) fn call<T>(store: &mut Store<T>, name: &str, func: Func, args: &[OsString]) -> Result<()> {
    let ty = func.ty(&*store);
    let params: Vec<ValType> = ty.params().collect();
    if params.len() != args.len() {
        bail!(
            "{name:?} is a {ty}: it takes {} arguments, not {}",
            params.len(),
            args.len()
        );
    }
    let mut values = Vec::with_capacity(args.len());
    for (index, (param, arg)) in params.iter().zip(args).enumerate() {
        let value = arg.to_str().and_then(|arg| parse(param, arg).transpose());
        let value = value
            .ok_or_else(|| anyhow!("{arg:?} is no {param}"))
            .flatten()
            .with_context(|| format!("argument {} of {name:?}", index + 1))?;
        values.push(value);
    }
    let mut results = vec![Val::I32(0); ty.results().len()];
    func.call(&mut *store, &values, &mut results)?;
    let mut out = io::stdout().lock();
    for result in &results {
        writeln!(out, "{}", show(result))?;
    }
    out.flush()?;
    Ok(())
}

/// Reads a value of a type; `None` if it is none.
///
/// # Errors
///
/// If values of that type cannot be given on a command line.
fn parse(ty: &ValType, text: &str) -> Result<Option<Val>> {
    Ok(match ty {
        ValType::I32 => integer(text).and_then(|n| {
            let signed = i32::try_from(n).ok();
            signed
                .or_else(|| u32::try_from(n).ok().map(u32::cast_signed))
                .map(Val::I32)
        }),
        ValType::I64 => integer(text).and_then(|n| {
            let signed = i64::try_from(n).ok();
            signed
                .or_else(|| u64::try_from(n).ok().map(u64::cast_signed))
                .map(Val::I64)
        }),
        ValType::F32 => text.parse().ok().map(|n: f32| Val::F32(n.to_bits())),
        ValType::F64 => text.parse().ok().map(|n: f64| Val::F64(n.to_bits())),
        ValType::Ref(ty) if text == "null" && ty.is_nullable() => Some(Ref::null(ty.heap_type()).into()),
        ValType::Ref(_) => bail!("of a reference type, only null can be given, not {text:?}"),
        ValType::V128 => vector(text).map(Val::from),
    })
}

/// Reads an integer, decimal or, after `0x`, hexadecimal; `None` if it is none.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let number: i128 = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok()?.into(),
        None => digits.parse::<u64>().ok()?.into(),
    };
    Some(if negative { -number } else { number })
}

/// Reads a vector's 128 bits, decimal or, after `0x`, hexadecimal; `None` if they are
/// not that.
fn vector(text: &str) -> Option<u128> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u128::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// A value as a person would write it: integers signed, vectors as all of their bits,
/// no type.
fn show(value: &Val) -> String {
    match value {
        Val::I32(value) => value.to_string(),
        Val::I64(value) => value.to_string(),
        Val::F32(bits) => short(f32::from_bits(*bits)),
        Val::F64(bits) => short(f64::from_bits(*bits)),
        Val::V128(vector) => format!("{:#034x}", vector.as_u128()),
        Val::FuncRef(None) | Val::ExternRef(None) | Val::AnyRef(None) | Val::ExnRef(None) => "null".to_owned(),
        Val::FuncRef(Some(_)) => "funcref".to_owned(),
        Val::ExternRef(Some(_)) => "externref".to_owned(),
        Val::AnyRef(Some(_)) => "anyref".to_owned(),
        Val::ExnRef(Some(_)) => "exnref".to_owned(),
    }
}

/// A float in the shortest digits that give it back, with an exponent if there
/// would be many zeros.
fn short(float: impl Display + LowerExp) -> String {
    let plain = float.to_string();
    if plain.len() > 24 { format!("{float:e}") } else { plain }
}

#[cfg(test)]
mod tests {
    use orcavm::vm::{Val, ValType};

    use super::{parse, show};

    #[test]
    fn arguments_become_values_of_their_type() {
        for (ty, text, shown) in [
            (ValType::I32, "-1", Some("-1")),
            (ValType::I32, "4294967295", Some("-1")),
            (ValType::I32, "0xffffffff", Some("-1")),
            (ValType::I32, "-0x80000000", Some("-2147483648")),
            (ValType::I32, "4294967296", None),
            (ValType::I32, "-2147483649", None),
            (ValType::I32, "1.5", None),
            (ValType::I32, "", None),
            (ValType::I32, "--1", None),
            (ValType::I64, "18446744073709551615", Some("-1")),
            (ValType::I64, "-9223372036854775808", Some("-9223372036854775808")),
            (ValType::I64, "-9223372036854775809", None),
            (ValType::F32, "1.5", Some("1.5")),
            (ValType::F64, "-inf", Some("-inf")),
            (ValType::F64, "nan", Some("NaN")),
            (ValType::F64, "x", None),
        ] {
            let value = parse(&ty, text).expect("a number type");
            assert_eq!(value.as_ref().map(show).as_deref(), shown, "{text}");
        }
        assert!(matches!(parse(&ValType::FUNCREF, "null"), Ok(Some(Val::FuncRef(None)))));
        assert!(parse(&ValType::FUNCREF, "1").is_err());
    }
}
