//! `orca_region`: making, opening and mapping regions.

use orcavm_wasi::Errno;
use vm::{Access, Capability, Memory, Region, RegionError};

use crate::ctx::SharedRegion;
use crate::guest::{Guest, Refusal};
use crate::host::AnyStore;

/// The address that stands for any.
const ANYWHERE: i64 = -1;

/// What a guest's number means.
pub(crate) fn access(number: i32) -> Result<Access, Refusal> {
    match number {
        0 => Ok(Access::Read),
        1 => Ok(Access::ReadWrite),
        _ => Err(Refusal::new(
            Errno::Inval,
            "an access is 0, to read, or 1, to read and write",
        )),
    }
}

/// A size or an address from a guest.
fn unsigned(number: i64) -> Result<u64, Refusal> {
    u64::try_from(number).map_err(|_| Refusal::new(Errno::Inval, "a size or an address is negative"))
}

impl Guest<'_> {
    /// `create`: a handle of a new region.
    pub(crate) fn region_create(&mut self, bytes: i64) -> Result<i32, Refusal> {
        let ctx = self.ctx();
        if !ctx.regions.has_room() {
            return Err(Errno::Nfile.into());
        }
        let region = SharedRegion::made_by(ctx, unsigned(bytes)?)?;
        Ok(ctx.regions.insert(region)?)
    }

    /// `open`: a handle of a region that was shared with the guest.
    pub(crate) fn region_open(&mut self, name: u32, len: u32) -> Result<i32, Refusal> {
        let name = self.name(name, len)?;
        let ctx = self.ctx();
        let Some(region) = ctx.shared.get(&*name).cloned() else {
            return Err(Refusal::new(
                Errno::Noent,
                format_args!("no region named {name:?} is shared with `{}`", ctx.domain.name()),
            ));
        };
        Ok(ctx.regions.insert(region)?)
    }

    /// `size`: a region's bytes.
    pub(crate) fn region_size(&mut self, region: i32) -> Result<i64, Refusal> {
        let size = self.ctx().regions.get(region)?.region.size();
        i64::try_from(size).map_err(|_| Errno::Overflow.into())
    }

    /// `access`: 1 if a region may be written, else 0.
    pub(crate) fn region_access(&mut self, region: i32) -> Result<i32, Refusal> {
        let access = self.ctx().regions.get(region)?.region.access();
        Ok(i32::from(access == Access::ReadWrite))
    }

    /// `close`: gives up a handle. What is mapped stays.
    pub(crate) fn region_close(&mut self, region: i32) -> Result<i32, Refusal> {
        self.ctx().regions.remove(region)?;
        Ok(0)
    }

    /// Whether the call chain may map so.
    fn may_map(&self, access: Access) -> Result<(), Refusal> {
        if access == Access::ReadWrite && !self.host.allows(Capability::WriteRegions) {
            let message = format!("that needs the permission `{}`", Capability::WriteRegions);
            return Err(Refusal::new(Errno::NotCapable, message));
        }
        Ok(())
    }

    /// `map`: the address where `len` bytes of a region are from now on.
    pub(crate) fn region_map(
        &mut self,
        region: i32,
        offset: i64,
        len: i64,
        address: i64,
        mode: i32,
    ) -> Result<i64, Refusal> {
        let access = access(mode)?;
        self.may_map(access)?;
        let shared = self.ctx().regions.get(region)?.clone();
        let (offset, len) = (unsigned(offset)?, unsigned(len)?);
        let end = offset.checked_add(len).ok_or(Errno::Inval)?;
        let memory = self.memory()?;
        let address = match address {
            ANYWHERE => self.find(&shared, offset, len)?,
            address => unsigned(address)?,
        };
        self.remap(memory, 1, |store| {
            store.map(memory, address, &shared.region, offset..end, access)
        })?;
        if let Some(start) = address.checked_sub(offset) {
            shared.set_place(start);
        }
        i64::try_from(address).map_err(|_| Errno::Overflow.into())
    }

    /// Does what makes up to `most` more mappings in a memory, and counts those that
    /// there are then.
    fn remap(
        &mut self,
        memory: Memory,
        most: u64,
        change: impl FnOnce(&mut dyn AnyStore) -> Result<(), RegionError>,
    ) -> Result<(), Refusal> {
        let before = self.host.mapping_count(memory) as u64;
        self.ctx().mapped.add(most).map_err(|_| Refusal::from(Errno::Nomem))?;
        let changed = change(self.host);
        let after = self.host.mapping_count(memory) as u64;
        self.ctx().mapped.give_back((before + most).saturating_sub(after));
        Ok(changed?)
    }

    /// An address with room for `len` bytes: where the region is elsewhere, or
    /// as high as possible.
    fn find(&mut self, shared: &SharedRegion, offset: u64, len: u64) -> Result<u64, Refusal> {
        const TOP: u64 = 1 << 32;
        let memory = self.memory()?;
        let page = Region::page_size() as u64;
        let len = len.next_multiple_of(page);
        let size = (self.host.data_size(memory) as u64).next_multiple_of(page);
        let mappings = self.host.mappings(memory);
        let is_free = |start: u64| {
            let end = start.saturating_add(len);
            let meets = |mapping: &vm::Mapping| mapping.address < end && start < mapping.address + mapping.len;
            start >= size && end <= TOP && !mappings.iter().any(meets)
        };
        let elsewhere = shared.place().and_then(|start| start.checked_add(offset));
        if let Some(start) = elsewhere.filter(|start| is_free(*start)) {
            return Ok(start);
        }
        // Not at the very top: programs take addresses near 2^32 for errors.
        let mut end = TOP - (64 << 10);
        for mapping in mappings.iter().rev() {
            let Some(start) = end.checked_sub(len) else { break };
            if is_free(start) {
                return Ok(start);
            }
            end = end.min(mapping.address);
        }
        let start = end.checked_sub(len).filter(|start| is_free(*start));
        start.ok_or_else(|| Refusal::new(Errno::Nomem, "no addresses are free for so many bytes"))
    }

    /// `unmap`: ends what is mapped.
    pub(crate) fn region_unmap(&mut self, address: i64, len: i64) -> Result<i32, Refusal> {
        let range = range(address, len)?;
        let memory = self.memory()?;
        // Only a hole makes two of one.
        let mappings = self.host.mappings(memory);
        let is_hole = |m: &vm::Mapping| m.address < range.start && range.end < m.address + m.len;
        let more = u64::from(mappings.iter().any(is_hole));
        self.remap(memory, more, |store| store.unmap(memory, range))?;
        Ok(0)
    }

    /// `protect`: changes what may be done with what is mapped.
    pub(crate) fn region_protect(&mut self, address: i64, len: i64, mode: i32) -> Result<i32, Refusal> {
        let access = access(mode)?;
        self.may_map(access)?;
        let range = range(address, len)?;
        let memory = self.memory()?;
        let mappings = self.host.mappings(memory);
        let is_cut = |at: &&u64| mappings.iter().any(|m| m.address < **at && **at < m.address + m.len);
        let more = [range.start, range.end].iter().filter(is_cut).count() as u64;
        self.remap(memory, more, |store| store.protect(memory, range, access))?;
        Ok(0)
    }
}

/// The addresses from `address` on.
fn range(address: i64, len: i64) -> Result<std::ops::Range<u64>, Refusal> {
    let (start, len) = (unsigned(address)?, unsigned(len)?);
    let end = start.checked_add(len).ok_or(Errno::Inval)?;
    Ok(start..end)
}
