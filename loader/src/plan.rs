//! Plans: where each module of a program goes, and who provides what it needs.
//!
//! A plan is made of what modules say, before any of them is instantiated. It is
//! data: it can be printed, compared and thrown away.

use std::fmt;
use std::ops::Range;

use vm::{FuncType, TagType};

use crate::bind::Binder;
use crate::space::Free;
use crate::{Dylink, Import, Interface, RESERVED};

/// No object is below, so that none has the address 0 or one near it.
pub const LOWEST_ADDRESS: u32 = 1024;

/// A module to be linked, or one that is there.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Its name, for messages.
    pub name: &'a str,
    /// What it says of its memory and its libraries.
    pub dylink: &'a Dylink,
    /// What it gives and needs.
    pub interface: &'a Interface,
}

/// Room for modules: addresses, and places in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Addresses that are free.
    pub memory: Range<u32>,
    /// Places in the table that are free.
    pub table: Range<u32>,
    /// Bytes of the stack that follows the modules' data: of a program, not of
    /// libraries that it loads later.
    pub stack_size: u32,
}

/// What the stack's ends are multiples of (tool-conventions, *BasicCABI*).
const STACK_ALIGNMENT: u32 = 16;

/// Who provides a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// The module at this position in the plan.
    Part(usize),
    /// The host.
    Host,
    /// Nobody. A function traps when it is called, an address is 0.
    Nobody,
}

/// What an import is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// What the program has one of, or the module's own bases: see [`Need`](crate::Need).
    Own,
    /// A function that is looked for when it is first called.
    Lazy,
    /// A function.
    Function(Provider),
    /// The address of data.
    Data(Provider, u32),
    /// The place of a function in the table; 0 is nobody's.
    Slot(Provider, u32),
    /// A tag. What nobody provides the host may have, or else the linker makes it.
    Tag(Provider),
}

/// Where a module is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// Addresses of its data.
    pub memory: Range<u32>,
    /// Places of its functions in the table.
    pub table: Range<u32>,
    /// Addresses of its thread-local data.
    pub tls: Range<u32>,
}

/// Where a module goes, and what its imports are bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placed {
    /// Where it goes.
    pub place: Place,
    /// What its imports are bound to, in their order.
    pub bindings: Vec<Binding>,
}

/// A place in the table for a function that has none by its module's elements.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewSlot {
    /// Who has the function.
    pub provider: Provider,
    /// A name that it has there.
    pub symbol: Box<str>,
    /// The place.
    pub slot: u32,
}

/// Where the modules of a program go, and who provides what they need.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// One for each module, in order.
    pub placed: Vec<Placed>,
    /// Addresses of the stack, which begins at their end.
    pub stack: Range<u32>,
    /// Room that is left.
    pub left: Room,
    /// Places in the table beyond the modules' own.
    pub slots: Vec<NewSlot>,
    /// What nobody provides and is not weak.
    pub missing: Vec<Missing>,
}

/// A symbol that nobody provides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The module that needs it.
    pub importer: Box<str>,
    /// Its name.
    pub symbol: Box<str>,
    /// Its type, if it is a function that is called.
    pub ty: Option<FuncType>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { importer, symbol, ty } = self;
        match ty {
            Some(ty) => write!(f, "`{symbol}` {ty}, needed by {importer}"),
            None => write!(f, "the address of `{symbol}`, needed by {importer}"),
        }
    }
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A module does not fit.
    #[error("{module} needs {size} {what}, aligned to {alignment}: there is no room from {from} to {to}")]
    NoRoom {
        /// The module.
        module: Box<str>,
        /// `bytes of memory` or `table elements`.
        what: &'static str,
        /// How many.
        size: u32,
        /// What their start must be a multiple of.
        alignment: u32,
        /// Where room begins.
        from: u32,
        /// Where it ends.
        to: u32,
    },
    /// A function is called as another type than it has.
    #[error("{importer} calls `{symbol}` as {expected}, and {provider} has it as {found}")]
    Type {
        /// The module that calls it.
        importer: Box<str>,
        /// The module that has it.
        provider: Box<str>,
        /// The function.
        symbol: Box<str>,
        /// The type it is called as.
        expected: FuncType,
        /// The type it has.
        found: FuncType,
    },
    /// A tag is used as another type than it has.
    #[error("{importer} has the tag `{symbol}` as {expected}, and {provider} as {found}")]
    TagType {
        /// The module that imports it.
        importer: Box<str>,
        /// The module that has it.
        provider: Box<str>,
        /// The tag.
        symbol: Box<str>,
        /// The type it is imported with.
        expected: TagType,
        /// The type it has.
        found: TagType,
    },
    /// There is no program, or it is not where it has to be.
    #[error("{module} brings a memory of its own, which only a program can")]
    NotTheProgram {
        /// The module.
        module: Box<str>,
    },
}

/// What the host provides, by name.
pub type HostFunctions<'a> = &'a dyn Fn(&str) -> Option<FuncType>;

impl Plan {
    /// A plan for modules that are loaded together, the program first and then its
    /// libraries in the order in which symbols are looked for: the first that has
    /// a symbol which is not weak provides it, else the first that has it, else the
    /// host.
    ///
    /// # Errors
    /// If a module does not fit, or calls a function as another type than it has.
    /// That something is missing is no error yet: see [`Plan::missing`].
    pub fn new(parts: &[Part<'_>], room: &Room, host: HostFunctions<'_>) -> Result<Self, PlanError> {
        let mut left = room.clone();
        let (places, stack) = place(parts, &mut left, room.stack_size)?;
        let scope: Vec<usize> = (0..parts.len()).collect();
        let addresses = |name: &str| stack_address(&stack, name);
        let mut table = left.table.clone();
        let mut bound = Binder {
            parts,
            places: &places,
            known: &|_, _| None,
            from: 0,
            scope: &scope,
            reserved: &|name| RESERVED.contains(&name).then_some(1),
            is_lazy: false,
            addresses: &addresses,
            host,
            take_slot: &mut |_| Some(take(&mut table, 1, 1)?.start),
        }
        .bind()?;
        left.table = table;
        let bindings = std::mem::take(&mut bound.bindings);
        let placed = places.into_iter().zip(bindings);
        Ok(Self {
            placed: placed.map(|(place, bindings)| Placed { place, bindings }).collect(),
            stack,
            left,
            slots: bound.slots,
            missing: bound.missing,
        })
    }

    /// The plan as text: where each module goes, and who provides what it needs.
    pub fn describe(&self, parts: &[Part<'_>]) -> String {
        let mut text = String::new();
        for (part, placed) in parts.iter().zip(&self.placed) {
            let Place { memory, table, tls } = &placed.place;
            text += &match part.interface.is_static {
                true => format!("{}: at its own addresses", part.name),
                false => format!(
                    "{}: memory {:#x}..{:#x}, table {}..{}",
                    part.name, memory.start, memory.end, table.start, table.end
                ),
            };
            if !tls.is_empty() {
                text += &format!(", thread-local {:#x}..{:#x}", tls.start, tls.end);
            }
            text.push('\n');
            for (Import { name, .. }, binding) in part.interface.imports.iter().zip(&placed.bindings) {
                let line = match *binding {
                    Binding::Own => continue,
                    Binding::Lazy => format!("{name}: when it is called"),
                    Binding::Function(provider) => format!("{name}: {}", name_of(parts, provider)),
                    Binding::Tag(Provider::Nobody) => format!("{name}: a tag of all"),
                    Binding::Tag(provider) => format!("{name}: {}", name_of(parts, provider)),
                    Binding::Slot(provider, slot) => format!("&{name}(): {} {slot}", name_of(parts, provider)),
                    Binding::Data(provider, address) => {
                        format!("&{name}: {} {address:#x}", name_of(parts, provider))
                    }
                };
                text += &format!("  {line}\n");
            }
        }
        text
    }
}

/// Places a program's modules one after the other, and the stack behind them. Where
/// the program is at fixed addresses, its libraries are placed as those that are
/// opened later.
///
/// # Errors
/// If one does not fit.
pub(crate) fn place(
    parts: &[Part<'_>],
    left: &mut Room,
    stack_size: u32,
) -> Result<(Vec<Place>, Range<u32>), PlanError> {
    left.memory.start = left.memory.start.max(LOWEST_ADDRESS);
    let mut places = Vec::with_capacity(parts.len());
    if let [main, libraries @ ..] = parts
        && main.interface.is_static
    {
        let (mut addresses, mut slots) = main.leaves(left);
        places.push(Place::default());
        for library in libraries {
            places.push(library.place_apart(&mut addresses, &mut slots)?.0);
        }
        // Holes that alignments leave are behind what was taken: blocks come from above,
        // and places in the table from below.
        left.memory = addresses.first();
        left.table = slots.last();
        return Ok((places, 0..0));
    }
    for part in parts {
        let Dylink {
            memory_size,
            memory_alignment,
            table_size,
            table_alignment,
            ..
        } = *part.dylink;
        part.check_movable()?;
        let memory = |free: &mut Range<u32>, size, alignment| {
            take(free, size, alignment).ok_or_else(|| no_room(part.name, BYTES, size, alignment, free))
        };
        let (tls_size, tls_alignment) = part.tls();
        places.push(Place {
            memory: memory(&mut left.memory, memory_size, memory_alignment)?,
            tls: memory(&mut left.memory, tls_size, tls_alignment)?,
            table: take(&mut left.table, table_size, table_alignment)
                .ok_or_else(|| no_room(part.name, ELEMENTS, table_size, table_alignment, &left.table))?,
        });
    }
    let size = stack_size.checked_next_multiple_of(STACK_ALIGNMENT).unwrap_or(u32::MAX);
    let stack = take(&mut left.memory, size, STACK_ALIGNMENT)
        .ok_or_else(|| no_room("the program's stack", BYTES, size, STACK_ALIGNMENT, &left.memory))?;
    Ok((places, stack))
}

impl Part<'_> {
    /// Room that a program at fixed addresses leaves for others.
    pub(crate) fn leaves(&self, room: &Room) -> (Free, Free) {
        let end = self.interface.memory_pages.saturating_mul(u64::from(PAGE));
        let start =
            |from: u64, range: &Range<u32>| u32::try_from(from).unwrap_or(u32::MAX).max(range.start).min(range.end);
        let addresses = start(end, &room.memory)..room.memory.end;
        let slots = start(self.interface.table_elements, &room.table)..room.table.end;
        (Free::new(addresses), Free::new(slots))
    }

    /// Places a library by itself, its data in host pages of its own: where it goes,
    /// and the addresses that it takes, if it takes any.
    ///
    /// # Errors
    /// If it does not fit. Nothing is taken then.
    pub(crate) fn place_apart(
        &self,
        addresses: &mut Free,
        slots: &mut Free,
    ) -> Result<(Place, Option<Range<u32>>), PlanError> {
        let Dylink {
            memory_size,
            memory_alignment,
            table_size,
            table_alignment,
            ..
        } = *self.dylink;
        self.check_movable()?;
        let host_page = u32::try_from(vm::Region::page_size()).unwrap_or(PAGE);
        let (tls_size, tls_alignment) = self.tls();
        let alignment = memory_alignment.max(tls_alignment).max(host_page);
        let free = addresses.bounds();
        let full = || no_room(self.name, BYTES, memory_size, memory_alignment, &free);
        let whole = || {
            let tls_at = memory_size.checked_next_multiple_of(tls_alignment)?;
            let size = tls_at.checked_add(tls_size)?;
            Some((tls_at, size, size.checked_next_multiple_of(host_page)?))
        };
        let (tls_at, size, bytes) = whole().ok_or_else(full)?;
        let block = match size {
            0 => None,
            _ => Some(addresses.take_highest(bytes, alignment).ok_or_else(full)?),
        };
        // Where there is no object, none is at the address, which is not 0 either.
        let start = match &block {
            Some(block) => block.start,
            None => LOWEST_ADDRESS.checked_next_multiple_of(alignment).ok_or_else(full)?,
        };
        let free = slots.bounds();
        let Some(table) = slots.take_lowest(table_size, table_alignment) else {
            block.into_iter().for_each(|block| addresses.give_back(block));
            return Err(no_room(self.name, ELEMENTS, table_size, table_alignment, &free));
        };
        let place = Place {
            memory: start..start + memory_size,
            tls: start + tls_at..start + size,
            table,
        };
        Ok((place, block))
    }

    /// Bytes of its thread-local data, and what their address must be a multiple of.
    fn tls(&self) -> (u32, u32) {
        self.interface
            .tls
            .map_or((0, 1), |tls| (tls.size, tls.alignment.max(1)))
    }

    /// That it can be anywhere.
    fn check_movable(&self) -> Result<(), PlanError> {
        match self.interface.is_static {
            true => Err(PlanError::NotTheProgram {
                module: self.name.into(),
            }),
            false => Ok(()),
        }
    }
}

/// What there is no room for.
pub(crate) const BYTES: &str = "bytes of memory";
/// See [`BYTES`].
pub(crate) const ELEMENTS: &str = "table elements";

/// That a module does not fit.
pub(crate) fn no_room(module: &str, what: &'static str, size: u32, alignment: u32, room: &Range<u32>) -> PlanError {
    PlanError::NoRoom {
        module: module.into(),
        what,
        size,
        alignment,
        from: room.start,
        to: room.end,
    }
}

/// The address that the linker itself gives a symbol of a program with this stack.
pub(crate) fn stack_address(stack: &Range<u32>, name: &str) -> Option<u32> {
    match name {
        "__heap_base" | "__stack_high" => Some(stack.end),
        "__stack_low" => Some(stack.start),
        // As large as the memory is made for it.
        "__heap_end" => stack.end.checked_next_multiple_of(PAGE),
        _ => None,
    }
}

/// Bytes of a page of memory.
pub(crate) const PAGE: u32 = 65_536;

/// Takes room at the start of what is free; the rest is left.
pub(crate) fn take(free: &mut Range<u32>, size: u32, alignment: u32) -> Option<Range<u32>> {
    let start = free.start.checked_next_multiple_of(alignment.max(1))?;
    let end = start.checked_add(size).filter(|end| *end <= free.end)?;
    free.start = end;
    Some(start..end)
}

/// Who that is, for people.
pub(crate) fn name_of<'p>(parts: &[Part<'p>], provider: Provider) -> &'p str {
    match provider {
        Provider::Part(i) => parts.get(i).map_or("nobody", |part| part.name),
        Provider::Host => "the host",
        Provider::Nobody => "nobody",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vm::{Engine, Module, ValType};

    use super::*;

    /// Modules by name.
    struct World(Vec<(&'static str, Dylink, Interface)>);

    impl World {
        fn new(modules: &[(&'static str, &str)]) -> Self {
            let engine = Engine::default();
            let read = |(name, text): &(&'static str, &str)| {
                let module = Module::new(&engine, text).expect("valid");
                let dylink = Dylink::read(&module).expect("well-formed").expect("it is there");
                let interface = Interface::of(&module, &dylink).expect("it fits");
                (*name, dylink, interface)
            };
            Self(modules.iter().map(read).collect())
        }

        fn plan(&self, room: &Room) -> Result<(Plan, String), PlanError> {
            let parts: Vec<Part<'_>> = self
                .0
                .iter()
                .map(|(name, dylink, interface)| Part {
                    name,
                    dylink,
                    interface,
                })
                .collect();
            let host =
                |name: &str| (name == "dlopen").then(|| FuncType::new([ValType::I32, ValType::I32], [ValType::I32]));
            let plan = Plan::new(&parts, room, &host)?;
            let text = plan.describe(&parts);
            Ok((plan, text))
        }
    }

    const ROOM: Room = Room {
        memory: 0..0x10_0000,
        table: 1..100,
        stack_size: 0,
    };

    const MAIN: (&str, &str) = (
        "main",
        r#"(module (@dylink.0 (mem-info (memory 100 4) (table 2 0)) (import-info "env" "maybe" binding-weak)
                (import-info "GOT.mem" "nothing" binding-weak))
            (import "env" "memory" (memory 1))
            (import "env" "__memory_base" (global i32))
            (import "env" "f" (func (param i32)))
            (import "env" "maybe" (func))
            (import "env" "dlopen" (func (param i32 i32) (result i32)))
            (import "GOT.mem" "data" (global (mut i32)))
            (import "GOT.mem" "nothing" (global (mut i32)))
            (import "GOT.mem" "own" (global (mut i32)))
            (import "GOT.func" "f" (global (mut i32)))
            (global (export "own") i32 (i32.const 4)))"#,
    );

    #[test]
    fn strong_before_weak_and_first_before_later() {
        let weak = r#"(module (@dylink.0 (mem-info (memory 10 3) (table 1 2)) (export-info "f" binding-weak))
            (func (export "f") (param i32)) (global (export "data") i32 (i32.const 2)))"#;
        let strong = r#"(module (@dylink.0 (mem-info (memory 8 0))) (func (export "f") (param i32))
            (global (export "data") i32 (i32.const 3)) (global (export "own") i32 (i32.const 5)))"#;
        let world = World::new(&[MAIN, ("weak.so", weak), ("strong.so", strong), ("later.so", strong)]);
        let (plan, text) = world.plan(&ROOM).expect("there is room");
        assert_eq!(
            text,
            "main: memory 0x400..0x464, table 1..3\n  \
               f: strong.so\n  \
               maybe: nobody\n  \
               dlopen: the host\n  \
               &data: weak.so 0x46a\n  \
               &nothing: nobody 0x0\n  \
               &own: main 0x404\n  \
               &f(): strong.so 5\n\
             weak.so: memory 0x468..0x472, table 4..5\n\
             strong.so: memory 0x472..0x47a, table 5..5\n\
             later.so: memory 0x47a..0x482, table 5..5\n"
        );
        assert_eq!(plan.missing, []);
        assert_eq!((plan.left.memory, plan.left.table), (0x490..0x10_0000, 6..100));
    }

    #[test]
    fn all_that_is_missing_is_told() {
        let (plan, _) = World::new(&[MAIN]).plan(&ROOM).expect("there is room");
        let missing: Vec<String> = plan.missing.iter().map(Missing::to_string).collect();
        assert_eq!(
            missing,
            [
                "`f` (func (param i32)), needed by main",
                "the address of `data`, needed by main",
                "the address of `f`, needed by main"
            ]
        );
    }

    /// The second library's alignment leaves a hole in front of it.
    #[test]
    fn places_behind_a_hole_are_not_taken_twice() {
        let main = r#"(module (@dylink.0) (import "GOT.func" "f" (global (mut i32)))
            (memory (export "memory") 1) (table (export "__indirect_function_table") 3 funcref))"#;
        let lib = r#"(module (@dylink.0 (mem-info (table 5 4))) (func (export "f")))"#;
        let (plan, _) = World::new(&[("main", main), ("lib.so", lib)])
            .plan(&ROOM)
            .expect("it fits");
        assert_eq!(plan.placed[1].place.table, 16..21);
        assert_eq!(plan.slots.iter().map(|new| new.slot).collect::<Vec<_>>(), [21]);
    }

    #[test]
    fn types_are_checked() {
        let other =
            r#"(module (@dylink.0) (func (export "f") (param i64)) (global (export "data") i32 (i32.const 3)))"#;
        let error = World::new(&[MAIN, ("lib.so", other)])
            .plan(&ROOM)
            .expect_err("another type");
        assert_eq!(
            error.to_string(),
            "main calls `f` as (func (param i32)), and lib.so has it as (func (param i64))"
        );
        let host = r#"(module (@dylink.0) (import "env" "dlopen" (func)))"#;
        let error = World::new(&[("m", host)]).plan(&ROOM).expect_err("another type");
        assert_eq!(
            error.to_string(),
            "m calls `dlopen` as (func), and the host has it as (func (param i32 i32) (result i32))"
        );
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let large =
            |memory: u32, table: u32| format!("(module (@dylink.0 (mem-info (memory {memory} 16) (table {table} 3))))");
        for (memory, table, message) in [
            (
                0x10_0000,
                0,
                "large.so needs 1048576 bytes of memory, aligned to 65536: there is no room from 1024 to 1048576",
            ),
            (u32::MAX, 0, "large.so needs 4294967295 bytes of memory"),
            (
                8,
                93,
                "large.so needs 93 table elements, aligned to 8: there is no room from 1 to 100",
            ),
        ] {
            let text = large(memory, table);
            let error = World::new(&[("large.so", &text)])
                .plan(&ROOM)
                .expect_err("too large")
                .to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }

    proptest! {
        /// Modules do not overlap, are aligned, and stay inside.
        #[test]
        fn room_is_shared_out(sizes in prop::collection::vec((0..5000_u32, 0..8_u32, 0..20_u32, 0..4_u32), 1..12)) {
            let texts: Vec<String> = sizes
                .iter()
                .map(|(memory, p, table, q)| format!("(module (@dylink.0 (mem-info (memory {memory} {p}) (table {table} {q}))))"))
                .collect();
            let modules: Vec<(&'static str, &str)> = texts.iter().map(|text| ("m", text.as_str())).collect();
            let room = Room { memory: 0..20_000, table: 1..60, stack_size: 0 };
            let Ok((plan, _)) = World::new(&modules).plan(&room) else { return Ok(()) };
            let mut ends = (LOWEST_ADDRESS, 1);
            for (placed, (memory, p, table, q)) in plan.placed.iter().zip(&sizes) {
                prop_assert!(placed.place.memory.start >= ends.0 && placed.place.table.start >= ends.1);
                prop_assert_eq!((placed.place.memory.len() as u32, placed.place.table.len() as u32), (*memory, *table));
                prop_assert_eq!((placed.place.memory.start % (1 << p), placed.place.table.start % (1 << q)), (0, 0));
                ends = (placed.place.memory.end, placed.place.table.end);
            }
            prop_assert!(ends.0 <= 20_000 && ends.1 <= 60);
        }
    }
}
