//! Which features of WebAssembly a script needs: [`Group`].
//!
//! The suite keeps everything that became part of the standard in one folder,
//! so a file's place says nothing. Its modules do: a feature is needed if some
//! module of the script is valid with all features but not without that one.

use std::fmt;

use wasmparser::{Validator, WasmFeatures};
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::{Wast, WastDirective, WastExecute};

use crate::legacy;

/// What every script may use: WebAssembly 2.0 without SIMD, and extended
/// constant expressions.
const CORE: WasmFeatures = WasmFeatures::WASM2
    .difference(WasmFeatures::SIMD)
    .union(WasmFeatures::EXTENDED_CONST);

const GC: WasmFeatures = WasmFeatures::GC.union(WasmFeatures::FUNCTION_REFERENCES);

/// The features told apart, by name. Each has the flags of those it builds on.
const FEATURES: [(&str, WasmFeatures); 13] = [
    ("multi-memory", WasmFeatures::MULTI_MEMORY),
    ("simd", WasmFeatures::SIMD),
    ("relaxed-simd", WasmFeatures::RELAXED_SIMD.union(WasmFeatures::SIMD)),
    ("memory64", WasmFeatures::MEMORY64),
    ("tail-call", WasmFeatures::TAIL_CALL),
    ("exceptions", WasmFeatures::EXCEPTIONS),
    (
        "legacy-exceptions",
        WasmFeatures::LEGACY_EXCEPTIONS.union(WasmFeatures::EXCEPTIONS),
    ),
    ("function-references", WasmFeatures::FUNCTION_REFERENCES),
    ("gc", GC),
    ("threads", WasmFeatures::THREADS),
    ("custom-page-sizes", WasmFeatures::CUSTOM_PAGE_SIZES),
    ("wide-arithmetic", WasmFeatures::WIDE_ARITHMETIC),
    ("custom-descriptors", WasmFeatures::CUSTOM_DESCRIPTORS.union(GC)),
];

/// The features a script needs beyond WebAssembly 2.0 without SIMD; scripts
/// are grouped by them. The order is that of tables: fewest needs first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group(Needs);

/// What a group's scripts need.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Needs {
    /// So many features: indexes of [`FEATURES`], ascending, without those that
    /// another one of them builds on.
    Features(usize, Vec<usize>),
    /// The script's syntax, or a module in it, is unknown to the parser.
    Unknown,
}

impl Group {
    /// The group of the script with this text.
    #[must_use]
    pub fn of(text: &str) -> Group {
        let text = legacy::flat(text);
        let mut lexer = Lexer::new(&text);
        lexer.allow_confusing_unicode(true);
        let Ok(buffer) = ParseBuffer::new_with_lexer(lexer) else {
            return Group(Needs::Unknown);
        };
        let Ok(script) = parser::parse::<Wast<'_>>(&buffer) else {
            return Group(Needs::Unknown);
        };
        let mut needed = [false; FEATURES.len()];
        for directive in script.directives {
            let Some(bytes) = valid_module(directive) else { continue };
            if is_valid(&bytes, CORE) {
                continue;
            }
            if !is_valid(&bytes, with_all_but(None)) {
                return Group(Needs::Unknown);
            }
            for (index, needed) in needed.iter_mut().enumerate() {
                *needed = *needed || !is_valid(&bytes, with_all_but(Some(index)));
            }
        }
        let builds_on = |a: usize, b: usize| a != b && FEATURES[a].1.contains(FEATURES[b].1);
        let features: Vec<usize> = (0..FEATURES.len())
            .filter(|&feature| needed[feature])
            .filter(|&feature| !(0..FEATURES.len()).any(|other| needed[other] && builds_on(other, feature)))
            .collect();
        Group(Needs::Features(features.len(), features))
    }

    /// Whether the script needs the feature of that name; `core` is the name
    /// for needing none.
    #[must_use]
    pub fn needs(&self, feature: &str) -> bool {
        match &self.0 {
            Needs::Features(_, features) if features.is_empty() => feature == "core",
            Needs::Features(_, features) => features.iter().any(|&index| FEATURES[index].0 == feature),
            Needs::Unknown => feature == "unknown",
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Needs::Features(_, features) if features.is_empty() => f.pad("1.0 + 2.0"),
            Needs::Features(_, features) => {
                let names: Vec<&str> = features.iter().map(|&index| FEATURES[index].0).collect();
                f.pad(&names.join(" + "))
            }
            Needs::Unknown => f.pad("unknown syntax"),
        }
    }
}

/// The bytes of the module in a directive that has one which must be valid.
fn valid_module(directive: WastDirective<'_>) -> Option<Vec<u8>> {
    match directive {
        WastDirective::Module(mut module) | WastDirective::ModuleDefinition(mut module) => module.encode().ok(),
        WastDirective::AssertUnlinkable { mut module, .. }
        | WastDirective::AssertTrap {
            exec: WastExecute::Wat(mut module),
            ..
        }
        | WastDirective::AssertReturn {
            exec: WastExecute::Wat(mut module),
            ..
        } => module.encode().ok(),
        _ => None,
    }
}

/// All features, or all but one and those that build on it.
fn with_all_but(left_out: Option<usize>) -> WasmFeatures {
    let missing = left_out.map_or(WasmFeatures::empty(), |index| FEATURES[index].1);
    FEATURES
        .iter()
        .filter(|(_, flags)| left_out.is_none() || !flags.contains(missing))
        .fold(CORE, |all, (_, flags)| all.union(*flags))
}

fn is_valid(bytes: &[u8], features: WasmFeatures) -> bool {
    Validator::new_with_features(features).validate_all(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::Group;

    #[test]
    fn groups_go_by_what_modules_need() {
        for (script, group) in [
            (
                "(module (func (result i32) (i32.extend8_s (i32.const 1))))",
                "1.0 + 2.0",
            ),
            ("(module (memory 1) (memory 1))", "multi-memory"),
            ("(module (func (result v128) (v128.const i64x2 0 0)))", "simd"),
            ("(module (type (struct)))", "gc"),
            ("(module (memory i64 1) (memory 1))", "multi-memory + memory64"),
            ("(module (func (try (do))))", "legacy-exceptions"),
            ("(module (func (maybe)))", "unknown syntax"),
            (
                "(assert_invalid (module (func (result i32))) \"type mismatch\")",
                "1.0 + 2.0",
            ),
        ] {
            assert_eq!(Group::of(script).to_string(), group, "{script}");
        }
    }
}
