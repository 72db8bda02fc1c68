//! The proposals by which WebAssembly grew beyond its first version: their names,
//! what each builds on, and which of them modules may use.

use std::fmt;
use std::str::FromStr;

use wasmparser::WasmFeatures;

/// Calls the macro `$callback` with a row for each proposal: its name in code and in
/// text, its setter in [`Config`](crate::Config), the validator's flags, and what it
/// builds on. Each stands behind those.
macro_rules! for_each_proposal {
    ($callback:ident) => {
        $callback! {
            MutableGlobal "mutable-global" wasm_mutable_global MUTABLE_GLOBAL [];
            SignExtension "sign-extension" wasm_sign_extension SIGN_EXTENSION [];
            NontrappingFloatToInt "nontrapping-float-to-int" wasm_nontrapping_float_to_int SATURATING_FLOAT_TO_INT [];
            MultiValue "multi-value" wasm_multi_value MULTI_VALUE [];
            BulkMemory "bulk-memory" wasm_bulk_memory BULK_MEMORY [];
            ReferenceTypes "reference-types" wasm_reference_types REFERENCE_TYPES [];
            ExtendedConst "extended-const" wasm_extended_const EXTENDED_CONST [];
            MultiMemory "multi-memory" wasm_multi_memory MULTI_MEMORY [];
            Simd "simd" wasm_simd SIMD [];
            RelaxedSimd "relaxed-simd" wasm_relaxed_simd RELAXED_SIMD [Simd];
            TailCall "tail-call" wasm_tail_call TAIL_CALL [];
            Threads "threads" wasm_threads THREADS [];
            Memory64 "memory64" wasm_memory64 MEMORY64 [];
            CustomPageSizes "custom-page-sizes" wasm_custom_page_sizes CUSTOM_PAGE_SIZES [];
            WideArithmetic "wide-arithmetic" wasm_wide_arithmetic WIDE_ARITHMETIC [];
            Exceptions "exceptions" wasm_exceptions EXCEPTIONS [ReferenceTypes];
            LegacyExceptions "legacy-exceptions" wasm_legacy_exceptions LEGACY_EXCEPTIONS [Exceptions];
            FunctionReferences "function-references" wasm_function_references FUNCTION_REFERENCES [ReferenceTypes];
            Gc "gc" wasm_gc GC [FunctionReferences];
            CustomDescriptors "custom-descriptors" wasm_custom_descriptors CUSTOM_DESCRIPTORS [Gc];
        }
    };
}
pub(crate) use for_each_proposal;

macro_rules! define {
    ($($name:ident $text:literal $setter:ident $flag:ident [$($base:ident),*];)*) => {
        /// A proposal, by which modules may do more than those of WebAssembly 1.0.
        /// Most have become part of the standard since.
        ///
        /// ```
        /// use vm::{Config, Engine, Module, Proposal};
        ///
        /// # fn main() -> Result<(), vm::Error> {
        /// let mut config = Config::new();
        /// config.proposal("multi-memory".parse().unwrap(), false);
        /// let engine = Engine::new(&config)?;
        /// let error = Module::new(&engine, "(module (memory 1) (memory 1))").unwrap_err();
        /// assert!(error.to_string().starts_with("the multi-memory proposal is switched off"));
        /// # Ok(())
        /// # }
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Proposal {
            $(
                #[doc = concat!("The ", $text, " proposal.")]
                $name,
            )*
        }

        impl Proposal {
            /// All, each behind those that it builds on.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The proposals that it builds on: it is off where one of them is.
            pub fn builds_on(self) -> &'static [Self] {
                match self {
                    $(Self::$name => &[$(Self::$base),*],)*
                }
            }

            /// What the validator calls it.
            pub(crate) fn flags(self) -> WasmFeatures {
                match self {
                    $(Self::$name => WasmFeatures::$flag,)*
                }
            }
        }
    };
}
for_each_proposal!(define);

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text is not the name of a proposal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no proposal of this name; there are {}", Names)]
pub struct UnknownProposal;

/// Prints the names of all proposals.
struct Names;

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, proposal) in Proposal::ALL.iter().enumerate() {
            let between = match i {
                0 => "",
                _ if i + 1 == Proposal::ALL.len() => " and ",
                _ => ", ",
            };
            write!(f, "{between}{proposal}")?;
        }
        Ok(())
    }
}

impl FromStr for Proposal {
    type Err = UnknownProposal;

    fn from_str(name: &str) -> Result<Self, UnknownProposal> {
        let mut all = Self::ALL.iter().copied();
        all.find(|proposal| proposal.name() == name).ok_or(UnknownProposal)
    }
}

/// A set of proposals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proposals(u32);

impl Default for Proposals {
    /// All.
    fn default() -> Self {
        let mut this = Self(0);
        for proposal in Proposal::ALL {
            this.set(*proposal, true);
        }
        this
    }
}

impl Proposals {
    /// Takes a proposal in, or out.
    pub(crate) fn set(&mut self, proposal: Proposal, enable: bool) {
        let bit = 1 << proposal as u32;
        self.0 = if enable { self.0 | bit } else { self.0 & !bit };
    }

    /// Whether the proposal is in, with all that it builds on.
    pub(crate) fn has(self, proposal: Proposal) -> bool {
        self.0 & (1 << proposal as u32) != 0 && proposal.builds_on().iter().all(|base| self.has(*base))
    }

    /// What modules may use.
    pub(crate) fn features(self) -> WasmFeatures {
        let first = (WasmFeatures::WASM1 - Proposal::MutableGlobal.flags()) | WasmFeatures::GC_TYPES;
        let on = Proposal::ALL.iter().filter(|proposal| self.has(**proposal));
        on.fold(first, |features, proposal| features | proposal.flags())
    }
}

#[cfg(test)]
mod tests {
    use wasmparser::WasmFeatures;

    use super::{Proposal, Proposals};

    #[test]
    fn proposals_stand_behind_what_they_build_on() {
        for (i, proposal) in Proposal::ALL.iter().enumerate() {
            assert_eq!(proposal.name().parse(), Ok(*proposal));
            for base in proposal.builds_on() {
                assert!(Proposal::ALL[..i].contains(base), "{proposal} before {base}");
            }
        }
        let error = "garbage".parse::<Proposal>().expect_err("no proposal").to_string();
        assert!(error.starts_with("there is no proposal of this name; there are mutable-global, "));
        assert!(error.ends_with(", gc and custom-descriptors"), "{error}");
    }

    #[test]
    fn what_builds_on_a_proposal_is_off_with_it() {
        let mut all = Proposals::default();
        assert!(
            all.features()
                .contains(WasmFeatures::GC | WasmFeatures::CUSTOM_DESCRIPTORS)
        );
        all.set(Proposal::ReferenceTypes, false);
        let off = [
            Proposal::ReferenceTypes,
            Proposal::Exceptions,
            Proposal::LegacyExceptions,
            Proposal::FunctionReferences,
            Proposal::Gc,
            Proposal::CustomDescriptors,
        ];
        for proposal in Proposal::ALL {
            assert_eq!(all.has(*proposal), !off.contains(proposal), "{proposal}");
            assert_eq!(
                all.features().contains(proposal.flags()),
                !off.contains(proposal),
                "{proposal}"
            );
        }
    }

    #[test]
    fn without_any_proposal_the_first_version_is_left() {
        let mut none = Proposals::default();
        for proposal in Proposal::ALL {
            none.set(*proposal, false);
        }
        assert_eq!(none.features() - WasmFeatures::GC_TYPES, WasmFeatures::FLOATS);
    }
}
