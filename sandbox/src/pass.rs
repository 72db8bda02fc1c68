//! `orca_module`: function pointers that are passed to children and taken from them,
//! and what their functions are declared to take and give.

use std::sync::Arc;

use orcavm_wasi::Errno;
use vm::{AsContextMut, Ref, Val};

use crate::crossing::{Passage, Side};
use crate::error::Name;
use crate::guest::{Guest, Refusal};
use crate::host::of_child;
use crate::module::fitting;
use crate::pointers::{Home, Target, Whose};
use crate::signature::{Kind, Signature};
use crate::trampoline::{home_of, to_child};

impl Guest<'_> {
    /// A signature in the guest's memory; none if it has no bytes.
    pub(crate) fn signature(&mut self, at: u32, len: u32) -> Result<Option<Signature>, Refusal> {
        if len == 0 {
            return Ok(None);
        }
        let signature = self.name(at, len)?.parse::<Signature>();
        signature.map(Some).map_err(|error| Refusal::new(Errno::Inval, error))
    }

    /// What a child is called in messages.
    pub(crate) fn module_name(&mut self, child: i32) -> Result<Box<str>, Refusal> {
        Ok(self.ctx().children.get(child)?.store.data().domain.name().into())
    }

    /// The way of values to and from a child.
    pub(crate) fn passage<'s>(&mut self, child: i32, signature: &'s Signature, name: &'s Name) -> Passage<'s> {
        let domain = self.host.domain().map(vm::Domain::id);
        Passage {
            signature,
            name,
            home: match signature.is_plain {
                true => Home::default(),
                false => home_of(self.host),
            },
            domain,
            owner: domain,
            child,
            lender: self.host.lender(),
        }
    }

    /// The signature of one function pointer, that is passed by `function`.
    fn one_pointer(&mut self, child: i32, at: u32, len: u32, function: &str) -> Result<(Signature, Name), Refusal> {
        let missing = || Refusal::new(Errno::Inval, "a function pointer is passed as some signature");
        let pointer = self.signature(at, len)?.ok_or_else(missing)?;
        let name = Name::new(function, &self.module_name(child)?);
        self.running(child)?;
        Ok((Signature::one(Kind::Function(Arc::new(pointer))), name))
    }

    /// `pass`: the place in a child's table where the function at `place` of the
    /// caller's table can be called.
    pub(crate) fn pointer_pass(&mut self, child: i32, place: u32, at: u32, len: u32) -> Result<i32, Refusal> {
        let (signature, name) = self.one_pointer(child, at, len, "pass")?;
        let passage = self.passage(child, &signature, &name);
        let value = [Val::I32(place.cast_signed())];
        let carried = passage.leave_parent(self.host, Side::Parameters, &value)?;
        let (child, _) = self.running(child)?;
        let values = passage.enter_child(
            &mut of_child(&mut child.store.as_context_mut()),
            Side::Parameters,
            &carried,
        )?;
        Ok(values.first().and_then(Val::i32).unwrap_or_default())
    }

    /// `take`: the place in the caller's table where the function at `place` of a
    /// child's table can be called.
    pub(crate) fn pointer_take(&mut self, child: i32, place: u32, at: u32, len: u32) -> Result<i32, Refusal> {
        let (signature, name) = self.one_pointer(child, at, len, "take")?;
        let passage = self.passage(child, &signature, &name);
        let value = [Val::I32(place.cast_signed())];
        let (child, _) = self.running(child)?;
        let carried = passage.leave_child(
            &mut of_child(&mut child.store.as_context_mut()),
            Side::Parameters,
            &value,
        )?;
        let values = passage.enter_parent(self.host, Side::Parameters, &carried)?;
        Ok(values.first().and_then(Val::i32).unwrap_or_default())
    }

    /// `symbol`: the place in the caller's table where a function that a child exports
    /// can be called.
    pub(crate) fn pointer_symbol(
        &mut self,
        child: i32,
        name: u32,
        name_len: u32,
        at: u32,
        len: u32,
    ) -> Result<i32, Refusal> {
        let declared = self.signature(at, len)?;
        let found = self.child_find(child, name, name_len)?;
        let (found, ty) = self.found(child, found)?;
        let (func, function) = (found.func, found.name.clone());
        let name = Name::new(&function, &self.module_name(child)?);
        let signature = fitting(declared, &ty, &name)?;
        let home = home_of(self.host);
        let table = home.table.ok_or_else(|| self.no_table())?;
        let target = Target {
            whose: Whose::Childs(child),
            func,
            place: None,
            home: Some(home),
            domain: self.host.domain().map(vm::Domain::id),
            signature: Arc::new(signature),
            name: name.clone(),
        };
        let made = to_child(self.host, Some(table), target);
        let (_, place) = made.map_err(|problem| name.pointer_problem(problem))?;
        i32::try_from(place).map_err(|_| Errno::Overflow.into())
    }

    fn no_table(&self) -> Refusal {
        let missing = "the module exports no table \"__indirect_function_table\": link it with --export-table";
        Refusal::new(Errno::Inval, missing)
    }

    /// `declare`: says what a function that was found takes and gives.
    pub(crate) fn child_declare(&mut self, child: i32, func: i32, at: u32, len: u32) -> Result<i32, Refusal> {
        let declared = self.signature(at, len)?;
        let (found, ty) = self.found(child, func)?;
        let function = found.name.clone();
        let name = Name::new(&function, &self.module_name(child)?);
        let signature = fitting(declared, &ty, &name)?;
        // Each may be longer than the last: room is kept for the longest.
        let more = signature.weight.saturating_sub(self.found(child, func)?.0.kept);
        self.running(child)?.0.keep(more)?;
        let (found, _) = self.found(child, func)?;
        found.kept += more;
        found.declared = (!signature.is_plain).then(|| Arc::new((signature, name)));
        Ok(0)
    }

    /// `withdraw`: ends a function pointer that was passed to a child.
    pub(crate) fn pointer_withdraw(&mut self, child: i32, place: u32) -> Result<i32, Refusal> {
        let (child, _) = self.running(child)?;
        let table = child.store.data().home.and_then(|home| home.table);
        let func = match table.and_then(|table| table.get(&child.store, place.into())) {
            Some(Ref::Func(Some(func))) => Some(func),
            _ => None,
        };
        let pointers = &mut child.store.data_mut().pointers;
        let released = func
            .ok_or(Errno::Inval)
            .and_then(|func| pointers.release(func, |whose| whose.is_same(Whose::Parents { is_gate: false })));
        let missing = format_args!("place {place} of the child's table holds no function that was passed to it");
        released.map(|()| 0).map_err(|errno| Refusal::new(errno, missing))
    }

    /// `release`: ends a function pointer that was taken from a child.
    pub(crate) fn pointer_release(&mut self, place: u32) -> Result<i32, Refusal> {
        let table = home_of(self.host).table.ok_or_else(|| self.no_table())?;
        let func = match self.host.element(table, place.into()) {
            Some(Ref::Func(Some(func))) => Some(func),
            _ => None,
        };
        let pointers = &mut self.ctx().pointers;
        let is_childs = |whose| matches!(whose, Whose::Childs(_));
        let released = func
            .ok_or(Errno::Inval)
            .and_then(|func| pointers.release(func, is_childs));
        let missing = format_args!("place {place} of the table holds no function of a child's");
        released.map(|()| 0).map_err(|errno| Refusal::new(errno, missing))
    }
}
