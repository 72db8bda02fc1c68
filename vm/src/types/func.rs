//! Function types (Spec 3.0 §2.3.8).

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::raw::{RawCompositeType, RawValType, SubType};
use super::registry::{DefType, TypeRegistry};
use super::{Definer, Finality, ValType};
use crate::error::TypeError;
use crate::runtime::engine::Engine;

/// A function type: what a function takes and gives. Cheap to clone.
///
/// Types with equal parameters and results are equal, but for those that a module
/// defines together with others, or as subtypes or for them: those are only equal
/// to what is defined in the same way.
#[derive(Clone)]
pub struct FuncType(Repr);

#[derive(Clone)]
enum Repr {
    /// Of no engine: a final type without a supertype.
    Plain(Arc<Signature>),
    /// An engine's.
    Defined(DefType),
}

struct Signature {
    /// Parameters, then results.
    types: Box<[ValType]>,
    params: usize,
}

impl FuncType {
    /// The type of functions with these parameters and results.
    pub fn new(params: impl IntoIterator<Item = ValType>, results: impl IntoIterator<Item = ValType>) -> Self {
        let mut types: Vec<ValType> = params.into_iter().collect();
        let params = types.len();
        types.extend(results);
        Self(Repr::Plain(Arc::new(Signature {
            types: types.into(),
            params,
        })))
    }

    /// The type of functions with these parameters and results that is a subtype of
    /// `supertype`, and that can have subtypes itself if it is not final.
    ///
    /// ```
    /// use vm::{Engine, Finality, FuncType, HeapType, RefType, ValType};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let engine = Engine::default();
    /// let any = FuncType::with_finality_and_supertype(&engine, Finality::NonFinal, None, [], [ValType::FUNCREF])?;
    /// let nothing = RefType::new(true, HeapType::NoFunc);
    /// let less = FuncType::with_finality_and_supertype(&engine, Finality::Final, Some(&any), [], [nothing.into()])?;
    /// assert!(less.matches(&any) && !any.matches(&less));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If it cannot be a subtype: that one is final, or takes or gives what does not
    /// match.
    ///
    /// # Panics
    /// If a type in it is of another engine.
    pub fn with_finality_and_supertype(
        engine: &Engine,
        finality: Finality,
        supertype: Option<&Self>,
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> Result<Self, TypeError> {
        let this = Self::new(params, results);
        if let Some(supertype) = supertype
            && (supertype.finality() == Finality::Final || !this.fits(supertype))
        {
            return Err(TypeError::Supertype);
        }
        let mut definer = Definer::new(engine.types());
        let composite = this.composite(&mut definer);
        let supertype = supertype.map(|ty| definer.keep(&ty.define(engine.types())));
        let def = SubType {
            is_final: finality == Finality::Final,
            supertype,
            ..SubType::plain(composite)
        };
        Ok(Self(Repr::Defined(definer.intern(def))))
    }

    /// Whether its parameters and results are such that a function of this type does
    /// for one of `other` (Spec 3.0 §3.3.8).
    fn fits(&self, other: &Self) -> bool {
        let counts = |ty: &Self| (ty.params().len(), ty.results().len());
        counts(self) == counts(other)
            && other
                .params()
                .zip(self.params())
                .all(|(other, own)| other.matches(&own))
            && self
                .results()
                .zip(other.results())
                .all(|(own, other)| own.matches(&other))
    }

    /// The defined type.
    pub(crate) fn of(ty: DefType) -> Self {
        Self(Repr::Defined(ty))
    }

    /// The defined type, if it is one.
    pub(super) fn def(&self) -> Option<&DefType> {
        match &self.0 {
            Repr::Plain(_) => None,
            Repr::Defined(ty) => Some(ty),
        }
    }

    /// The type as one of an engine.
    ///
    /// # Panics
    /// If it is of another engine, or a type in it is, unless that is of no matter.
    pub(crate) fn define(&self, registry: &TypeRegistry) -> DefType {
        if let Repr::Defined(ty) = &self.0
            && ty.is_of(registry)
        {
            return ty.clone();
        }
        assert!(self.is_plain(), "the type is of another engine");
        let mut definer = Definer::new(registry);
        let composite = self.composite(&mut definer);
        definer.intern(SubType::plain(composite))
    }

    /// What it is defined as.
    fn composite(&self, definer: &mut Definer<'_>) -> RawCompositeType {
        let types = self.params().chain(self.results());
        RawCompositeType::Func {
            types: types.map(|ty| definer.val(&ty)).collect(),
            params: self.params().len(),
        }
    }

    /// Whether nothing but parameters and results make it what it is.
    pub(super) fn is_plain(&self) -> bool {
        self.def().is_none_or(DefType::is_plain)
    }

    /// Number of parameters, and of them and results.
    fn counts(&self) -> (usize, usize) {
        match &self.0 {
            Repr::Plain(signature) => (signature.params, signature.types.len()),
            Repr::Defined(ty) => match &ty.def().composite {
                RawCompositeType::Func { types, params } => (*params, types.len()),
                RawCompositeType::Array(_) | RawCompositeType::Struct(_) => unreachable!("made of function types"),
            },
        }
    }

    /// Its `i`-th parameter, or result behind them.
    fn at(&self, i: usize) -> ValType {
        let ty = match &self.0 {
            Repr::Plain(signature) => signature.types.get(i).cloned(),
            Repr::Defined(def) => match &def.def().composite {
                RawCompositeType::Func { types, .. } => types.get(i).map(|ty| ValType::of(*ty, def)),
                RawCompositeType::Array(_) | RawCompositeType::Struct(_) => None,
            },
        };
        ty.expect("callers count")
    }

    /// Types of the parameters.
    pub fn params(&self) -> impl ExactSizeIterator<Item = ValType> + DoubleEndedIterator + '_ {
        let (params, _) = self.counts();
        (0..params).map(|i| self.at(i))
    }

    /// Types of the results.
    pub fn results(&self) -> impl ExactSizeIterator<Item = ValType> + DoubleEndedIterator + '_ {
        let (params, all) = self.counts();
        (params..all).map(|i| self.at(i))
    }

    /// Whether it can have subtypes.
    pub fn finality(&self) -> Finality {
        Finality::of(self.def())
    }

    /// The type that it was defined as a subtype of.
    pub fn supertype(&self) -> Option<Self> {
        let ty = self.def()?;
        Some(Self::of(ty.named(ty.def().supertype?)))
    }

    /// Whether it is `other` or a subtype of it.
    pub fn matches(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Repr::Defined(own), Repr::Defined(other)) if own.is_of(other.registry()) => own.matches(other),
            _ => self == other,
        }
    }

    /// Slots that a call passes values in: those of the parameters or of the results,
    /// whichever are more.
    ///
    /// # Panics
    /// If there are 2^31 of them; validation bounds parameters and results.
    pub(crate) fn slots(&self) -> u32 {
        match &self.0 {
            Repr::Plain(signature) => {
                let (params, results) = signature.types.split_at(signature.params);
                let slots = |types: &[ValType]| types.iter().map(ValType::slots).sum::<u32>();
                slots(params).max(slots(results))
            }
            Repr::Defined(ty) => match &ty.def().composite {
                RawCompositeType::Func { types, params } => {
                    let (params, results) = types.split_at(*params);
                    let slots = |types: &[RawValType]| types.iter().map(|ty| ty.slots()).sum::<u32>();
                    slots(params).max(slots(results))
                }
                RawCompositeType::Array(_) | RawCompositeType::Struct(_) => 0,
            },
        }
    }
}

impl PartialEq for FuncType {
    fn eq(&self, other: &Self) -> bool {
        let mut names_types = false;
        if let (Repr::Defined(own), Repr::Defined(other)) = (&self.0, &other.0) {
            if own.is_of(other.registry()) {
                return own == other;
            }
            let types = self.params().chain(self.results());
            names_types = types
                .filter_map(|ty| ty.as_ref().cloned())
                .any(|ty| ty.heap_type().is_concrete());
        }
        // If one is of no engine, the types that it names end somewhere.
        self.counts() == other.counts()
            && !names_types
            && self.is_plain()
            && other.is_plain()
            && self
                .params()
                .chain(self.results())
                .eq(other.params().chain(other.results()))
    }
}

impl Eq for FuncType {}

impl Hash for FuncType {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.counts().hash(state);
        self.params().chain(self.results()).for_each(|ty| ty.hash(state));
    }
}

impl std::fmt::Debug for FuncType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FuncType({self})")
    }
}

impl From<FuncType> for super::HeapType {
    fn from(ty: FuncType) -> Self {
        Self::ConcreteFunc(ty)
    }
}
