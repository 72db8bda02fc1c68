//! Moves between slots that are meant to happen all at once, in an order in which they
//! can happen one after the other.

use smallvec::SmallVec;

/// Moves, each to, from.
pub(crate) type Moves = SmallVec<[(u16, u16); 8]>;

/// An order of `moves` in which none reads what one before has written; each slot is
/// written by one move at most. Where values go round in a circle, one waits in the slot
/// `scratch`, which no move names.
///
/// Takes time in the square of the number of moves.
pub(crate) fn in_sequence(moves: &[(u16, u16)], scratch: u16) -> Moves {
    let mut left: Moves = moves.iter().copied().filter(|(to, from)| to != from).collect();
    let mut ordered = Moves::new();
    while !left.is_empty() {
        let ready = left.iter().position(|(to, _)| left.iter().all(|(_, from)| from != to));
        if let Some(ready) = ready {
            ordered.push(left.swap_remove(ready));
        } else {
            // Only circles are left. This one is done before the next is begun.
            ordered.push((scratch, left[0].1));
            left[0].1 = scratch;
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_order_does_what_all_at_once_would(sources in proptest::collection::vec(0_u16..20, 0..16)) {
            let moves: Vec<(u16, u16)> = (0..).zip(sources).collect();
            let before: Vec<u16> = (100..160).collect();
            let mut expected = before.clone();
            for (to, from) in &moves {
                expected[usize::from(*to)] = before[usize::from(*from)];
            }
            let mut slots = before;
            let ordered = in_sequence(&moves, 30);
            for (to, from) in &ordered {
                slots[usize::from(*to)] = slots[usize::from(*from)];
            }
            prop_assert_eq!(&slots[..30], &expected[..30]);
            let needless = moves.iter().filter(|(to, from)| to == from).count();
            let circles = ordered.iter().filter(|(to, _)| *to == 30).count();
            prop_assert_eq!(ordered.len(), moves.len() - needless + circles);
            prop_assert!(circles <= moves.len() / 2);
        }
    }

    #[test]
    fn only_circles_need_a_slot_more() {
        assert_eq!(in_sequence(&[(0, 1), (1, 2)], 9)[..], [(0, 1), (1, 2)]);
        assert_eq!(in_sequence(&[(1, 0), (2, 1)], 9)[..], [(2, 1), (1, 0)]);
        assert_eq!(
            in_sequence(&[(0, 1), (1, 0), (2, 0)], 9)[..],
            [(2, 0), (9, 1), (1, 0), (0, 9)]
        );
    }
}
