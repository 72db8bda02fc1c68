//! Which locals a function must set to zero.
//!
//! A local is zero until it is first assigned (Spec 3.0 §4.6.10), but compilers
//! assign most before they read them, on every way that leads there. Those need
//! no zero. As a non-defaultable local's in validation, a local's assignment
//! counts to the end of its block; beyond, if it was there on every way out of
//! the block. Along a way assignments only come, so a loop begins with what is
//! assigned where it is entered.

/// Locals, from the first after the parameters on, as far as the set reaches.
pub(super) type Set = u64;

/// Every local: of code that cannot be reached anything is true.
pub(super) const ALL: Set = !0;

/// What is known at the current operator.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Assigned {
    /// Assigned on every way here.
    pub(super) now: Set,
    /// Read somewhere without that.
    wanting: Set,
}

/// The set of one local; empty if the set does not reach that far.
fn one(local: usize) -> Set {
    u32::try_from(local)
        .ok()
        .and_then(|local| 1_u64.checked_shl(local))
        .unwrap_or(0)
}

impl Assigned {
    /// Notes that a local is assigned.
    pub(super) fn set(&mut self, local: usize) {
        self.now |= one(local);
    }

    /// Notes that a local is read.
    pub(super) fn get(&mut self, local: usize) {
        self.wanting |= one(local) & !self.now;
    }

    /// The locals to set to zero, of `len`: all from the first one that needs it
    /// to the last.
    pub(super) fn to_zero(self, len: usize) -> std::ops::Range<usize> {
        let reach = Set::BITS as usize;
        let first = (self.wanting.trailing_zeros() as usize).min(len);
        let end = match len > reach {
            true => len,
            false => reach - self.wanting.leading_zeros() as usize,
        };
        first..end.max(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locals_read_unassigned_become_zero() {
        let mut assigned = Assigned::default();
        assert_eq!(assigned.to_zero(5), 5..5);
        assigned.set(1);
        assigned.get(1);
        assert!(assigned.to_zero(5).is_empty());
        assigned.get(2);
        assigned.get(4);
        assigned.set(2);
        assert_eq!(assigned.to_zero(5), 2..5);
        assigned.get(63);
        assert_eq!(assigned.to_zero(64), 2..64);
    }

    #[test]
    fn locals_beyond_the_set_become_zero() {
        let mut assigned = Assigned::default();
        assigned.set(64);
        assigned.get(1 << 40);
        assert_eq!(assigned.to_zero(65), 64..65);
        assert_eq!(assigned.to_zero(64), 64..64);
    }
}
