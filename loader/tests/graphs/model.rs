//! The rules: who provides a symbol, what is loaded, and what ran.

use std::collections::BTreeSet;

use crate::modules::{Graph, Mark, SYMBOLS};

pub type Id = usize;

const GLOBAL: u32 = 0x100;
const NODELETE: u32 = 0x1000;
const DEEPBIND: u32 = 8;
const NOLOAD: u32 = 4;
const NOW: u32 = 2;

/// A module that is loaded.
#[derive(Clone, Debug)]
pub struct Object {
    pub id: Id,
    pub module: usize,
    pub needs: Vec<Id>,
    local: Vec<Id>,
    is_deep: bool,
    pub is_kept: bool,
    pub opens: u32,
    uses: BTreeSet<Id>,
    /// Who has the functions that it calls; `None` if nobody was found so far.
    calls: [Option<Id>; SYMBOLS],
    /// Who has what it has the addresses of.
    pub function_addresses: [Option<Id>; SYMBOLS],
    pub data_addresses: [Option<Id>; SYMBOLS],
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub objects: Vec<Object>,
    global: Vec<Id>,
    next: Id,
    /// Constructors that ran, by module, and destructors, 100 more.
    pub notes: Vec<i32>,
    /// Whose destructors wait.
    exits: Vec<(Id, usize)>,
}

/// Something could not be loaded: nothing has changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Failed;

fn note(number: usize) -> i32 {
    i32::try_from(number).expect("small")
}

impl Model {
    pub fn object(&self, id: Id) -> Option<&Object> {
        self.objects.iter().find(|object| object.id == id)
    }

    fn object_mut(&mut self, id: Id) -> &mut Object {
        self.objects
            .iter_mut()
            .find(|object| object.id == id)
            .expect("it is loaded")
    }

    /// Breadth first.
    pub fn with_needs(&self, roots: &[Id]) -> Vec<Id> {
        let mut all: Vec<Id> = Vec::new();
        let mut waiting = roots.to_vec();
        while !waiting.is_empty() {
            let id = waiting.remove(0);
            if !all.contains(&id) {
                all.push(id);
                waiting.extend(&self.object(id).expect("it is loaded").needs);
            }
        }
        all
    }

    /// The first that is not weak, else the first.
    fn first(&self, scope: &[Id], mark: impl Fn(usize) -> Mark) -> Option<Id> {
        let has = |id: &&Id, weak: bool| mark(self.object(**id).expect("it is loaded").module) == Some(weak);
        let strong = scope.iter().find(|id| has(id, false));
        strong.or_else(|| scope.iter().find(|id| has(id, true))).copied()
    }

    pub fn function(&self, graph: &Graph, scope: &[Id], k: usize) -> Option<Id> {
        self.first(scope, |module| graph.modules[module].functions[k])
    }

    pub fn datum(&self, graph: &Graph, scope: &[Id], k: usize) -> Option<Id> {
        self.first(scope, |module| graph.modules[module].data[k])
    }

    pub fn scope(&self, id: Id) -> Vec<Id> {
        let object = self.object(id).expect("it is loaded");
        let (first, second) = match object.is_deep {
            true => (&object.local, &self.global),
            false => (&self.global, &object.local),
        };
        let rest = second.iter().filter(|id| !first.contains(id));
        first.iter().chain(rest).copied().collect()
    }

    /// Loads modules and what they need.
    fn load(&mut self, graph: &Graph, roots: &[usize], flags: u32, is_program: bool) -> Result<Id, Failed> {
        let mut next = self.clone();
        let old = next.objects.len();
        // Breadth first, each module once.
        let mut waiting: Vec<usize> = roots.to_vec();
        let mut new: Vec<usize> = Vec::new();
        while !waiting.is_empty() {
            let module = waiting.remove(0);
            let is_there = |object: &Object| object.module == module;
            if new.contains(&module) || next.objects.iter().any(is_there) {
                continue;
            }
            new.push(module);
            waiting.extend(&graph.modules[module].needs);
        }
        for module in &new {
            next.objects.push(Object {
                id: next.next,
                module: *module,
                needs: Vec::new(),
                local: Vec::new(),
                is_deep: flags & DEEPBIND != 0,
                is_kept: is_program || flags & NODELETE != 0,
                opens: 0,
                uses: BTreeSet::new(),
                calls: [None; SYMBOLS],
                function_addresses: [None; SYMBOLS],
                data_addresses: [None; SYMBOLS],
            });
            next.next += 1;
        }
        let of = |next: &Self, module: usize| {
            let object = next.objects.iter().find(|object| object.module == module);
            object.expect("it is gathered").id
        };
        for at in old..next.objects.len() {
            let needs = &graph.modules[next.objects[at].module].needs;
            next.objects[at].needs = needs.iter().map(|module| of(&next, *module)).collect();
        }
        let root_ids: Vec<Id> = roots.iter().map(|module| of(&next, *module)).collect();
        let local = next.with_needs(&root_ids);
        for object in &mut next.objects[old..] {
            object.local.clone_from(&local);
        }
        if is_program {
            next.global = local;
        }
        // Who provides what.
        for at in old..next.objects.len() {
            let (id, spec) = (next.objects[at].id, &graph.modules[next.objects[at].module]);
            let scope = next.scope(id);
            for k in 0..SYMBOLS {
                let function = next.function(graph, &scope, k);
                let datum = next.datum(graph, &scope, k);
                let object = &mut next.objects[at];
                let mut bind = |found: Option<Id>, is_weak: Option<bool>| match (is_weak, found) {
                    (None, _) | (Some(true), None) => Ok(None),
                    (Some(false), None) => Err(Failed),
                    (Some(_), Some(found)) => {
                        object.uses.insert(found);
                        Ok(Some(found))
                    }
                };
                let function_address = bind(function, spec.address_is_weak(k))?;
                let data_address = bind(datum, spec.data_addresses[k])?;
                let call = match flags & NOW != 0 {
                    true => bind(function, spec.calls[k])?,
                    false => None,
                };
                object.function_addresses[k] = function_address;
                object.data_addresses[k] = data_address;
                object.calls[k] = call;
            }
        }
        // What is needed is constructed first; a program after its preloads.
        let mut order = Vec::new();
        let new_ids: Vec<Id> = next.objects[old..].iter().map(|object| object.id).collect();
        for id in root_ids.iter().rev().chain(&new_ids) {
            next.visit(*id, &new_ids, &mut Vec::new(), &mut order);
        }
        for id in order {
            let module = next.object(id).expect("it is loaded").module;
            next.notes.push(note(module));
            next.exits.push((id, module));
        }
        *self = next;
        Ok(root_ids[0])
    }

    fn visit(&self, id: Id, new: &[Id], on_the_way: &mut Vec<Id>, order: &mut Vec<Id>) {
        if !new.contains(&id) || order.contains(&id) || on_the_way.contains(&id) {
            return;
        }
        on_the_way.push(id);
        for need in &self.object(id).expect("it is loaded").needs {
            self.visit(*need, new, on_the_way, order);
        }
        order.push(id);
    }

    pub fn program(graph: &Graph) -> Result<Self, Failed> {
        let mut this = Self::default();
        let roots: Vec<usize> = std::iter::once(0).chain(graph.preloads.iter().copied()).collect();
        let flags = if graph.is_now { NOW } else { 0 };
        this.load(graph, &roots, flags, true)?;
        Ok(this)
    }

    pub fn open(&mut self, graph: &Graph, module: usize, flags: u32) -> Result<Id, Failed> {
        let there = self.objects.iter().find(|object| object.module == module);
        let id = match there {
            Some(object) => object.id,
            None if flags & NOLOAD != 0 => return Err(Failed),
            None => self.load(graph, &[module], flags | if graph.is_now { NOW } else { 0 }, false)?,
        };
        if flags & GLOBAL != 0 {
            for id in self.with_needs(&[id]) {
                if !self.global.contains(&id) {
                    self.global.push(id);
                }
            }
        }
        let object = self.object_mut(id);
        object.opens += 1;
        object.is_kept |= flags & NODELETE != 0;
        Ok(id)
    }

    /// An object has a symbol of another.
    pub fn keep(&mut self, id: Id, found: Id) {
        if id != found {
            self.object_mut(id).uses.insert(found);
        }
    }

    pub fn close(&mut self, id: Id) {
        self.object_mut(id).opens -= 1;
        let mut stays: BTreeSet<Id> = BTreeSet::new();
        let roots = self.objects.iter().filter(|object| object.opens > 0 || object.is_kept);
        let mut waiting: Vec<Id> = roots.map(|object| object.id).collect();
        while let Some(id) = waiting.pop() {
            if stays.insert(id) {
                let object = self.object(id).expect("what is used stays");
                waiting.extend(object.needs.iter().chain(&object.uses));
            }
        }
        self.objects.retain(|object| stays.contains(&object.id));
        self.global.retain(|id| stays.contains(id));
        self.end(|id| !stays.contains(&id));
    }

    /// Destructors run, the last first.
    pub fn end(&mut self, is_due: impl Fn(Id) -> bool) {
        for (id, module) in std::mem::take(&mut self.exits).into_iter().rev() {
            match is_due(id) {
                true => self.notes.push(100 + note(module)),
                false => self.exits.insert(0, (id, module)),
            }
        }
    }

    /// Who has the function that an object calls, from now on.
    pub fn call(&mut self, graph: &Graph, id: Id, k: usize) -> Option<Id> {
        if let Some(known) = self.object(id).expect("it is loaded").calls[k] {
            return Some(known);
        }
        let found = self.function(graph, &self.scope(id), k)?;
        let object = self.object_mut(id);
        object.calls[k] = Some(found);
        object.uses.insert(found);
        Some(found)
    }
}
