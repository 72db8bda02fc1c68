//! Values of the host that objects of a heap stand for. They are dropped when their
//! objects are gone.

use std::any::Any;

/// A value of the host.
pub(crate) type HostValue = Box<dyn Any + Send + Sync>;

/// The values of a store, by number.
#[derive(Default)]
pub(crate) struct HostValues {
    entries: Vec<Entry>,
    /// The first free entry: its number, plus one.
    free: u64,
}

enum Entry {
    /// Free; the next one is this, plus one.
    Free(u64),
    /// The value of an object with this handle.
    Value(u32, HostValue),
}

impl std::fmt::Debug for HostValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostValues")
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}

impl HostValues {
    /// Takes in the value of an object; its number.
    pub(super) fn add(&mut self, handle: u32, value: HostValue) -> u64 {
        let entry = Entry::Value(handle, value);
        let free = self.free.checked_sub(1);
        let place = free.and_then(|i| Some((i, self.entries.get_mut(usize::try_from(i).ok()?)?)));
        let Some((i, place)) = place else {
            self.entries.push(entry);
            return self.entries.len() as u64 - 1;
        };
        if let Entry::Free(next) = std::mem::replace(place, entry) {
            self.free = next;
        }
        i
    }

    /// A value by its number.
    pub(super) fn get(&self, i: u64) -> Option<&HostValue> {
        match self.entries.get(usize::try_from(i).ok()?)? {
            Entry::Value(_, value) => Some(value),
            Entry::Free(_) => None,
        }
    }

    /// A value by its number.
    pub(super) fn get_mut(&mut self, i: u64) -> Option<&mut HostValue> {
        match self.entries.get_mut(usize::try_from(i).ok()?)? {
            Entry::Value(_, value) => Some(value),
            Entry::Free(_) => None,
        }
    }

    /// Takes out the values whose objects are gone.
    pub(super) fn sweep(&mut self, is_live: impl Fn(u32) -> bool) -> Vec<HostValue> {
        let mut dead = Vec::new();
        for (i, entry) in (0..).zip(&mut self.entries) {
            match entry {
                Entry::Value(handle, _) if !is_live(*handle) => {
                    if let Entry::Value(_, value) = std::mem::replace(entry, Entry::Free(self.free)) {
                        self.free = i + 1;
                        dead.push(value);
                    }
                }
                Entry::Value(..) | Entry::Free(_) => {}
            }
        }
        dead
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let is_value = |entry: &&Entry| matches!(entry, Entry::Value(..));
        self.entries.iter().filter(is_value).count()
    }
}
