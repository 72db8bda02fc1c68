//! Numbers by which a guest names what it has.

use orcavm_wasi::Errno;

/// Bits of a handle that say which place it is.
const PLACE_BITS: u32 = 16;
/// Bits above, that say the how manieth thing in that place.
const ROUND_MASK: u32 = 0x7fff;

/// Things and their handles.
///
/// A handle is never negative. That of something which is gone is not given to
/// what takes its place, for 32,767 times.
#[derive(Debug)]
pub(crate) struct Handles<V> {
    places: Vec<Place<V>>,
    free: Vec<u32>,
    limit: usize,
}

#[derive(Debug)]
struct Place<V> {
    round: u32,
    thing: Thing<V>,
}

#[derive(Debug)]
enum Thing<V> {
    None,
    /// Taken out for a while.
    Busy,
    Some(V),
}

impl<V> Handles<V> {
    /// Room for so many things, at most 65,536.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            limit: limit.min(1 << PLACE_BITS),
        }
    }

    /// A handle for a thing.
    ///
    /// # Errors
    /// [`Errno::Nfile`] if there are too many.
    pub(crate) fn insert(&mut self, thing: V) -> Result<i32, Errno> {
        let at = match self.free.pop() {
            Some(at) => at,
            None if self.places.len() < self.limit => {
                self.places.push(Place {
                    round: 0,
                    thing: Thing::None,
                });
                u32::try_from(self.places.len() - 1).map_err(|_| Errno::Nfile)?
            }
            None => return Err(Errno::Nfile),
        };
        let place = self.places.get_mut(at as usize).ok_or(Errno::Nfile)?;
        place.thing = Thing::Some(thing);
        Ok((place.round << PLACE_BITS | at).cast_signed())
    }

    /// Whether there is room for one more.
    pub(crate) fn has_room(&self) -> bool {
        !self.free.is_empty() || self.places.len() < self.limit
    }

    fn place(&mut self, handle: i32) -> Result<&mut Place<V>, Errno> {
        let bits = u32::try_from(handle).map_err(|_| Errno::Badf)?;
        let at = (bits & ((1 << PLACE_BITS) - 1)) as usize;
        let place = self.places.get_mut(at).ok_or(Errno::Badf)?;
        match place.round == bits >> PLACE_BITS && !matches!(place.thing, Thing::None) {
            true => Ok(place),
            false => Err(Errno::Badf),
        }
    }

    /// The thing with a handle.
    ///
    /// # Errors
    /// [`Errno::Badf`] if there is none, [`Errno::Busy`] if it is taken out.
    pub(crate) fn get(&mut self, handle: i32) -> Result<&mut V, Errno> {
        match &mut self.place(handle)?.thing {
            Thing::Some(thing) => Ok(thing),
            _ => Err(Errno::Busy),
        }
    }

    /// Takes a thing out for a while; its handle stays.
    ///
    /// # Errors
    /// As for [`Handles::get`].
    pub(crate) fn take(&mut self, handle: i32) -> Result<V, Errno> {
        let place = self.place(handle)?;
        match std::mem::replace(&mut place.thing, Thing::Busy) {
            Thing::Some(thing) => Ok(thing),
            _ => Err(Errno::Busy),
        }
    }

    /// Puts back what [`Handles::take`] took out.
    pub(crate) fn put_back(&mut self, handle: i32, thing: V) {
        if let Ok(place) = self.place(handle) {
            place.thing = Thing::Some(thing);
        }
    }

    /// Takes a thing out for good.
    ///
    /// # Errors
    /// As for [`Handles::get`].
    pub(crate) fn remove(&mut self, handle: i32) -> Result<V, Errno> {
        let thing = self.take(handle)?;
        let place = self.place(handle)?;
        place.thing = Thing::None;
        place.round = (place.round + 1) & ROUND_MASK;
        self.free.push(handle.cast_unsigned() & ((1 << PLACE_BITS) - 1));
        Ok(thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_forged_handles_are_told() {
        let mut handles = Handles::new(2);
        let first = handles.insert("first").expect("there is room");
        let second = handles.insert("second").expect("there is room");
        assert_eq!(handles.insert("third"), Err(Errno::Nfile));
        assert_eq!(handles.remove(first), Ok("first"));
        for handle in [first, -1, i32::MIN, i32::MAX, 2, first | 1 << 30] {
            assert_eq!(handles.get(handle).err(), Some(Errno::Badf), "{handle}");
        }
        let third = handles.insert("third").expect("there is room");
        assert_ne!(third, first);
        assert_eq!(handles.get(first).err(), Some(Errno::Badf));
        assert_eq!(handles.get(second), Ok(&mut "second"));
        for round in 0..100_000 {
            let handle = handles.remove(third).and_then(|_| handles.insert("again"));
            assert!(handle.is_ok_and(|handle| handle >= 0) || round > 0);
        }
    }

    #[test]
    fn what_is_taken_out_is_busy() {
        let mut handles = Handles::new(2);
        let handle = handles.insert(5).expect("there is room");
        assert_eq!(handles.take(handle), Ok(5));
        assert_eq!(handles.take(handle), Err(Errno::Busy));
        assert_eq!(handles.get(handle).err(), Some(Errno::Busy));
        assert_eq!(handles.remove(handle), Err(Errno::Busy));
        handles.put_back(handle, 6);
        assert_eq!(handles.remove(handle), Ok(6));
        assert_eq!(handles.take(handle), Err(Errno::Badf));
    }
}
