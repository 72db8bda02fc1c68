//! What memories with 64-bit addresses take of the process's address space. No other test
//! here needs one meanwhile.

use vm::{Memory, MemoryType, Store};

use crate::common::{alone, engines};

/// Each takes a large part of the address space; those for which there is no room
/// do with less, and 32-bit memories still have theirs.
#[test]
fn many_memories_of_64_bits_leave_room_for_others() {
    let _alone = alone();
    let [engine, _] = engines();
    let mut store = Store::new(&engine, ());
    let large = MemoryType::builder().memory64(true).min(1).build().expect("valid");
    let memories: Vec<Memory> = (0..300)
        .map(|i| Memory::new(&mut store, large).unwrap_or_else(|error| panic!("{i}: {error}")))
        .collect();
    for memory in &memories {
        memory.write(&mut store, 65535, &[1]).expect("inside");
    }
    assert_eq!(memories[299].grow(&mut store, 16).expect("there is room"), 1);
    for _ in 0..100 {
        Memory::new(&mut store, MemoryType::new(1, None)).expect("there is room");
    }
}
