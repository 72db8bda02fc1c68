//! What stands in custom sections: [`check`].
//!
//! Custom sections have no part in whether a module is valid, and the vm reads
//! them with care instead of refusing them. Scripts that assert that one is
//! malformed or invalid mean a tool's diagnosis, which is [`wasmparser`]'s here.

use wasmparser::{BinaryReaderError, CustomSectionValidator, Parser, Payload, Validator, WasmFeatures};

/// Checks the custom sections that the standard knows: names and branch hints.
///
/// # Errors
///
/// What is wrong with them, or with the module itself.
pub(crate) fn check(module: &[u8]) -> Result<(), BinaryReaderError> {
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let mut custom = CustomSectionValidator::new();
    let mut bodies = Vec::new();
    // Imported functions come first among the indexes of functions.
    let mut functions = 0;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        validator.payload(&payload)?;
        custom.payload(&payload, &validator)?;
        match payload {
            Payload::CodeSectionStart { count, .. } => {
                let all = validator.types(0).map_or(0, |types| types.function_count());
                functions = all.saturating_sub(count);
            }
            Payload::CodeSectionEntry(body) => {
                bodies.push((custom.current_module_id(), functions, body));
                functions += 1;
            }
            _ => {}
        }
    }
    // Names come after the code.
    for (module, function, body) in &bodies {
        custom.code_section_entry(*module, *function, body)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    fn checked(text: &str) -> Result<(), String> {
        let buffer = wast::parser::ParseBuffer::new(text).expect("tokens");
        let mut module = wast::parser::parse::<wast::Wat<'_>>(&buffer).expect("a module");
        check(&module.encode().expect("a module")).map_err(|error| error.to_string())
    }

    #[test]
    fn hints_stand_at_branches_only() {
        let module = |hinted: &str| {
            format!(
                "(module (import \"\" \"\" (func)) (func $before) (func (param i32) \
                 local.get 0 local.get 0 {hinted} drop))"
            )
        };
        let hint = "(@metadata.code.branch_hint \"\\01\")";
        assert_eq!(checked(&module("if end")), Ok(()));
        assert_eq!(checked(&module(&format!("{hint} if end"))), Ok(()));
        assert_eq!(checked(&module(&format!("{hint} br_if 0"))), Ok(()));
        assert!(checked(&module(&format!("{hint} i32.eq"))).is_err());
    }

    #[test]
    fn names_are_of_what_is_there() {
        assert_eq!(
            checked("(module $m (import \"\" \"\" (func $f)) (func $g (local $l i32)))"),
            Ok(())
        );
        let broken = b"\0asm\x01\0\0\0\0\x0a\x04name\x01\x03\x01\x07\0";
        assert!(check(broken).is_err(), "there is no function 7");
    }
}
