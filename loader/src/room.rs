//! Room for what is loaded: where modules are placed, and the memory and the places
//! in the table that they get.

use std::ops::Range;

use tracing::trace;
use vm::{Access, Domain, Error, ExternType, Memory, MemoryType, Module, Ref, Region, StoreContextMut};

use crate::find::shown;
use crate::interface::MEMORY;
use crate::load::{Made, New};
use crate::object::{Block, Object, State};
use crate::plan::{ELEMENTS, PAGE, place, stack_address};
use crate::session::Session;
use crate::space::Free;
use crate::{LOWEST_ADDRESS, LoadError, Part, PlanError, Room};

/// Places of a table that it grows by at least.
const TABLE_CHUNK: u64 = 64;
/// Places that a table can have: what the virtual machine allows.
const MOST_SLOTS: u32 = 10_000_000;
/// The end of the addresses of blocks: nothing is near the end of the address space.
const HIGHEST_ADDRESS: u32 = 0xffff_0000;

impl<T: 'static> Session<T> {
    /// Places the modules of a program, and its stack; bytes of its memory.
    pub(crate) fn place_program(
        &self,
        store: &StoreContextMut<'_, T>,
        new: &mut [New],
        made: &mut Made,
    ) -> Result<u64, LoadError> {
        let pages = new.iter().map(|new| new.interface.memory_pages).max().unwrap_or(0);
        let mut room = Room {
            memory: LOWEST_ADDRESS..HIGHEST_ADDRESS,
            // A null pointer to a function is no function's.
            table: 1..MOST_SLOTS,
            stack_size: self.options().stack_size,
        };
        if let [main, libraries @ ..] = &mut *new
            && main.interface.is_static
        {
            let (addresses, slots) = main.part().leaves(&room);
            let mut state = self.state();
            (state.addresses, state.slots) = (addresses, slots);
            drop(state);
            self.place_each(store, libraries, made)?;
            return Ok(pages.saturating_mul(u64::from(PAGE)));
        }
        let parts: Vec<Part<'_>> = new.iter().map(New::part).collect();
        let (places, stack) = place(&parts, &mut room, self.options().stack_size)?;
        for (new, place) in new.iter_mut().zip(places) {
            new.place = place;
        }
        made.slots.push(1..room.table.start);
        let mut state = self.state();
        for name in ["__heap_base", "__stack_high", "__stack_low"] {
            state
                .own
                .extend(stack_address(&stack, name).map(|address| (name, address)));
        }
        let pages = pages.max(u64::from(stack.end.div_ceil(PAGE)));
        let size = pages.saturating_mul(u64::from(PAGE));
        let end = u32::try_from(size).unwrap_or(u32::MAX);
        state.own.insert("__heap_end", end);
        state.addresses = Free::new(end.min(HIGHEST_ADDRESS)..HIGHEST_ADDRESS);
        state.slots = Free::new(room.table);
        Ok(size)
    }

    /// What is not free for blocks, whoever thinks so: the memory as large as the guest
    /// has made it, and what the guest or the host has mapped.
    fn occupied(&self, store: &StoreContextMut<'_, T>) -> Vec<Range<u32>> {
        let Some(shared) = self.state().shared else {
            return Vec::new();
        };
        let address = |at: u64| u32::try_from(at).unwrap_or(u32::MAX);
        let memory = shared.memory;
        let size = memory.size(store).saturating_mul(memory.page_size(store));
        let mapped = memory.mappings(store).into_iter();
        let mapped =
            mapped.map(|mapping| address(mapping.address)..address(mapping.address.saturating_add(mapping.len)));
        std::iter::once(0..address(size)).chain(mapped).collect()
    }

    /// Does something that takes addresses, none of which are in use.
    pub(crate) fn take_addresses<R>(&self, store: &StoreContextMut<'_, T>, take: impl FnOnce(&mut State) -> R) -> R {
        let occupied = self.occupied(store);
        let mut state = self.state();
        let hidden: Vec<Range<u32>> = occupied.iter().flat_map(|range| state.addresses.hide(range)).collect();
        let result = take(&mut state);
        hidden.into_iter().for_each(|range| state.addresses.give_back(range));
        result
    }

    /// Sees which places of the table others have made, who have them for good.
    pub(crate) fn adopt_table(&self, store: &StoreContextMut<'_, T>) {
        let mut state = self.state();
        let Some(table) = state.shared.and_then(|shared| shared.table) else {
            return;
        };
        let size = table.size(store);
        let place = |size: u64| u32::try_from(size).unwrap_or(u32::MAX);
        let made = place(state.table_size)..place(size);
        state.table_size = size;
        state.slots.hide(&made);
    }

    /// Places modules in blocks of their own.
    pub(crate) fn place_each(
        &self,
        store: &StoreContextMut<'_, T>,
        new: &mut [New],
        made: &mut Made,
    ) -> Result<(), LoadError> {
        self.adopt_table(store);
        self.take_addresses(store, |state| Self::place_in(state, new, made))
    }

    /// Places modules in what is free.
    fn place_in(state: &mut State, new: &mut [New], made: &mut Made) -> Result<(), LoadError> {
        let State {
            addresses,
            slots,
            tombs,
            ..
        } = state;
        for new in new {
            let name = &*new.found.name;
            let tomb = tombs.take(&new.found.identity, &new.dylink);
            let mut own = tomb.clone().map(Free::new);
            let mut placed = new.part().place_apart(addresses, own.as_mut().unwrap_or(slots));
            if let (Err(_), Some(tomb)) = (&placed, tomb) {
                tombs.add(&new.found.identity, tomb, &[]);
            }
            if matches!(placed, Err(PlanError::NoRoom { what: ELEMENTS, .. })) {
                // Nobody can be told any more who was there.
                tombs.clear(slots);
                placed = new.part().place_apart(addresses, slots);
            }
            let (place, block) = placed?;
            made.slots.push(place.table.clone());
            new.place = place;
            if let Some(range) = block {
                let region = None;
                made.blocks.push((new.id, Block { range, region }));
            }
            trace!(
                name = shown(name),
                memory = ?new.place.memory,
                table = ?new.place.table,
                "placed"
            );
        }
        Ok(())
    }

    /// Gives back the places in the table of libraries that are gone; false if there are
    /// none.
    pub(crate) fn forget_tombs(&self) -> bool {
        let mut state = self.state();
        let State { slots, tombs, .. } = &mut *state;
        let is_any = !tombs.is_empty();
        tombs.clear(slots);
        is_any
    }

    /// Where the part of the table ends that is in use.
    pub(crate) fn table_end(&self) -> u32 {
        self.state().slots.bounds().start
    }

    /// Makes sure of the memory and of the table that a module is to have.
    pub(crate) fn make_room(
        &self,
        store: &mut StoreContextMut<'_, T>,
        module: &New,
        domain: Option<&Domain>,
    ) -> Result<(), LoadError> {
        let Some(shared) = self.state().shared else {
            return Ok(());
        };
        let more = module
            .interface
            .memory_pages
            .saturating_sub(shared.memory.size(&*store));
        if more > 0 {
            shared.memory.grow(&mut *store, more)?;
        }
        let block = |object: &mut Object| object.block.as_ref().map(|block| block.range.clone());
        let range = self.state().objects.get_mut(&module.id).and_then(block);
        if let Some(range) = range {
            let region = self.map_region(store, shared.memory, range, domain)?;
            let mut state = self.state();
            if let Some(block) = state
                .objects
                .get_mut(&module.id)
                .and_then(|object| object.block.as_mut())
            {
                block.region = Some(region);
            }
        }
        let end = module.place.table.end;
        let wanted = u64::from(end).max(module.interface.table_elements);
        self.grow_table(store, wanted)
    }

    /// Gives addresses memory of their own.
    pub(crate) fn map_region(
        &self,
        store: &mut StoreContextMut<'_, T>,
        memory: Memory,
        range: Range<u32>,
        domain: Option<&Domain>,
    ) -> Result<Region, LoadError> {
        let bytes = u64::from(range.end - range.start);
        let blocks = self.state().block_bytes;
        memory.check_growth(&mut *store, blocks.saturating_add(bytes))?;
        let region = Region::new(bytes).map_err(Error::from)?;
        if let Some(domain) = domain {
            region.hold(domain.charge_memory(bytes)?);
        }
        let at = u64::from(range.start);
        let mapped = memory.map(&mut *store, at, &region, 0..bytes, Access::ReadWrite);
        mapped.map_err(Error::from)?;
        self.state().block_bytes += bytes;
        Ok(region)
    }

    /// Makes the table have so many places at least.
    pub(crate) fn grow_table(&self, store: &mut StoreContextMut<'_, T>, wanted: u64) -> Result<(), LoadError> {
        let Some(table) = self.state().shared.and_then(|shared| shared.table) else {
            return match wanted {
                0 | 1 => Ok(()),
                _ => Err(LoadError::NoTable),
            };
        };
        let more = wanted.saturating_sub(table.size(&*store));
        if more == 0 {
            return Ok(());
        }
        let chunk = more.max(TABLE_CHUNK);
        if table.grow(&mut *store, chunk, Ref::Func(None)).is_err() {
            table.grow(&mut *store, more, Ref::Func(None))?;
        }
        self.state().table_size = table.size(&*store);
        Ok(())
    }

    /// Gives back the addresses of a block.
    pub(crate) fn give_back(&self, store: &mut StoreContextMut<'_, T>, block: Block) {
        let memory = self.state().shared.map(|shared| shared.memory);
        if let (Some(memory), Some(_)) = (memory, &block.region) {
            let range = u64::from(block.range.start)..u64::from(block.range.end);
            // It was mapped there; whatever the guest did to it since, nothing is after.
            self.state().block_bytes -= range.end - range.start;
            let _ = memory.unmap(&mut *store, range);
        }
        self.state().addresses.give_back(block.range);
    }
}

/// The type of the memory that a module has: the one it imports, or brings as a
/// program.
pub(crate) fn memory_type(module: &Module) -> Option<MemoryType> {
    let imported = module.imports().find_map(|import| match import.ty() {
        ExternType::Memory(ty) => Some(ty),
        _ => None,
    });
    imported.or_else(|| match module.get_export(MEMORY) {
        Some(ExternType::Memory(ty)) => Some(ty),
        _ => None,
    })
}
