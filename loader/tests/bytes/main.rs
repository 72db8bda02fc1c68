//! What any bytes say to a linker: the bounded part of the fuzz target `link`, whose
//! harness this is.

mod harness;

use proptest::prelude::*;
use proptest::test_runner::Config;

proptest! {
    #![proptest_config(Config { failure_persistence: None, cases: 512, ..Config::default() })]

    #[test]
    fn sections_of_any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        harness::section(&bytes);
    }

    /// Bytes of parts, of which more are well-formed.
    #[test]
    fn sections_of_parts_are_read_or_refused(parts in prop::collection::vec(
        (0..8_u8, prop::collection::vec(prop_oneof![3 => 0..5_u8, 1 => any::<u8>()], 0..12)), 0..6
    )) {
        let bytes: Vec<u8> = parts
            .into_iter()
            .flat_map(|(kind, body)| [vec![kind, u8::try_from(body.len()).expect("short")], body].concat())
            .collect();
        harness::section(&bytes);
    }

    #[test]
    fn plans_of_any_modules_hold(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        harness::link(&bytes);
    }
}

/// The proptests above are about something: of modules that any bytes make, many are
/// planned, and many of those are loaded.
#[test]
fn many_modules_of_any_bytes_fit() {
    let (mut planned, mut loaded) = (0, 0);
    let mut state = 1_u64;
    for _ in 0..300 {
        let byte = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        };
        let bytes: Vec<u8> = std::iter::repeat_with(byte).take(400).collect();
        let done = harness::link(&bytes);
        planned += u32::from(done.is_planned);
        loaded += u32::from(done.is_loaded);
    }
    assert!(planned > 50 && loaded > 5, "{planned} planned, {loaded} loaded");
}
