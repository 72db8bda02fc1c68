//! `memory.copy` and `memory.fill` of all small sizes.

use vm::{Instance, Memory, Store, Trap};

use crate::common::instance;

const MODULE: &str = r#"(module (memory (export "m") 1)
    (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
    (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2))))"#;

/// Bytes of the memory.
const SIZE: i32 = 65536;

/// A memory whose bytes differ from their neighbours.
fn patterned() -> (Store<()>, Instance, Memory) {
    let (mut store, instance) = instance(MODULE);
    let memory = instance.get_memory(&mut store, "m").expect("it exports m");
    for (i, byte) in memory.data_mut(&mut store).iter_mut().enumerate() {
        *byte = (i * 7 + i / 256) as u8;
    }
    (store, instance, memory)
}

/// Calls one of the two functions.
fn call(store: &mut Store<()>, instance: Instance, name: &str, arguments: (i32, i32, i32)) -> Option<Trap> {
    let f = instance
        .get_typed_func::<(i32, i32, i32), ()>(&mut *store, name)
        .expect("it exports the function");
    f.call(store, arguments)
        .err()
        .map(|error| error.trap().expect("a trap"))
}

#[test]
fn copies_and_fills_of_each_small_size_do_what_slices_do() {
    let (mut store, instance, memory) = patterned();
    for len in 0..=80 {
        for (to, from) in [
            (1000, 2000),
            (1000, 1003),
            (1003, 1000),
            (1000, 1031),
            (1031, 1000),
            (5, 5),
        ] {
            let mut expected = memory.data(&store).to_vec();
            expected.copy_within(from..from + len, to);
            let arguments = (to as i32, from as i32, len as i32);
            assert_eq!(call(&mut store, instance, "copy", arguments), None);
            assert!(memory.data(&store) == expected, "copy {arguments:?}");
        }
        let mut expected = memory.data(&store).to_vec();
        expected[3000..3000 + len].fill(0xa5);
        assert_eq!(call(&mut store, instance, "fill", (3000, 0x1a5, len as i32)), None);
        assert!(memory.data(&store) == expected, "fill {len}");
        memory.data_mut(&mut store)[3000..3080].fill(1);
    }
}

#[test]
fn what_does_not_fit_traps_and_writes_nothing() {
    let (mut store, instance, memory) = patterned();
    let before = memory.data(&store).to_vec();
    for len in 0..=80 {
        for at in [
            SIZE - len + 1,
            SIZE - 1 + i32::from(len == 1),
            SIZE,
            SIZE + 1,
            -1,
            i32::MIN,
        ] {
            if len == 0 && at.cast_unsigned() <= SIZE.cast_unsigned() {
                continue;
            }
            for (name, arguments) in [("copy", (at, 0, len)), ("copy", (0, at, len)), ("fill", (at, 3, len))] {
                if len == 1 && at == SIZE - len {
                    continue;
                }
                let trap = call(&mut store, instance, name, arguments);
                assert_eq!(trap, Some(Trap::MemoryOutOfBounds), "{name} {arguments:?}");
                assert!(memory.data(&store) == before, "{name} {arguments:?}");
            }
        }
    }
}

/// Copies and fills of much are done in parts.
#[test]
fn much_is_copied_as_if_it_were_read_before_it_is_written() {
    const PART: usize = 64 << 20;
    let (mut store, instance) = instance(
        r#"(module (memory (export "m") 2100)
        (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
        (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2))))"#,
    );
    let memory = instance.get_memory(&mut store, "m").expect("it exports m");
    let size = memory.data_size(&store);
    let marks = [0, 5, PART - 1, PART, PART + 1, 2 * PART - 1, 2 * PART, 2 * PART + 99];
    for (to, from) in [(7, 0), (0, 7), (PART, 0), (0, PART), (3, 3)] {
        memory.data_mut(&mut store).fill(0);
        for (i, mark) in marks.into_iter().enumerate() {
            memory.data_mut(&mut store)[mark] = i as u8 + 1;
        }
        let len = (2 * PART + 100).min(size - to.max(from));
        let mut expected = memory.data(&store).to_vec();
        expected.copy_within(from..from + len, to);
        let arguments = (to as i32, from as i32, len as i32);
        assert_eq!(call(&mut store, instance, "copy", arguments), None);
        assert!(memory.data(&store) == expected, "copy {arguments:?}");
    }
    let len = 2 * PART + 100;
    assert_eq!(call(&mut store, instance, "fill", (50, 9, len as i32)), None);
    let mut expected = memory.data(&store).to_vec();
    expected[50..50 + len].fill(9);
    assert!(memory.data(&store) == expected);
    // What does not fit writes nothing, in no part.
    let beyond = (size - 50 + 1) as i32;
    assert_eq!(
        call(&mut store, instance, "fill", (50, 8, beyond)),
        Some(Trap::MemoryOutOfBounds)
    );
    for arguments in [(50, 0, beyond), (0, 50, beyond)] {
        assert_eq!(
            call(&mut store, instance, "copy", arguments),
            Some(Trap::MemoryOutOfBounds)
        );
    }
    assert!(memory.data(&store) == expected);
}
