//! What holds with and without faults that become traps.

use std::io;
use std::ptr::without_provenance_mut;
use std::thread;

use super::*;

#[test]
fn a_reservation_is_aligned_and_rounded() {
    let page = page_size();
    assert!(page.is_power_of_two());
    for (asked, given) in [(0, page), (1, page), (page, page), (page + 1, 2 * page)] {
        let reservation = Reservation::new(asked).unwrap();
        assert_eq!(reservation.len(), given);
        assert_eq!(reservation.base() as usize % page, 0);
    }
    assert_eq!(
        Reservation::new(usize::MAX).unwrap_err().kind(),
        io::ErrorKind::InvalidInput
    );
    assert!(Reservation::new(1 << 60).is_err());
}

#[test]
fn committed_pages_keep_their_contents_and_decommitted_ones_do_not() {
    let page = page_size();
    let reservation = Reservation::new(16 * page).unwrap();
    reservation.commit(0, 2 * page).unwrap();
    let at = |offset: usize| reservation.base().wrapping_add(offset);
    // SAFETY: committed.
    unsafe { at(0).write_bytes(7, 2 * page) };
    reservation.commit(0, 4 * page).unwrap();
    // SAFETY: committed.
    assert_eq!(unsafe { at(2 * page - 1).read() }, 7);
    // SAFETY: committed.
    assert_eq!(unsafe { at(2 * page).read() }, 0);
    reservation.decommit(page, 3 * page).unwrap();
    reservation.commit(page, page).unwrap();
    // SAFETY: committed.
    assert_eq!(unsafe { at(page - 1).read() }, 7);
    // SAFETY: committed again.
    assert_eq!(unsafe { at(page).read() }, 0);
}

#[test]
fn ranges_outside_or_off_page_bounds_are_refused() {
    let page = page_size();
    let reservation = Reservation::new(4 * page).unwrap().for_guest().unwrap();
    let refused = |offset, len| {
        let commit = reservation.commit(offset, len).unwrap_err().kind();
        let decommit = reservation.decommit(offset, len).unwrap_err().kind();
        commit == io::ErrorKind::InvalidInput && decommit == io::ErrorKind::InvalidInput
    };
    assert!(refused(0, 5 * page));
    assert!(refused(4 * page, page));
    assert!(refused(1, page));
    assert!(refused(0, 1));
    assert!(refused(page, usize::MAX - page + 1));
    assert!(reservation.commit(4 * page, 0).is_ok());
    assert!(reservation.decommit(0, 0).is_ok());
    assert!(reservation.commit(0, 4 * page).is_ok());
}

#[test]
fn a_value_stack_is_zero_and_writable_to_its_end() {
    let stack = ValueStack::new(100_000).unwrap();
    assert_eq!(stack.usable_bytes(), 100_000_usize.next_multiple_of(page_size()));
    let slots = stack.usable_bytes() / size_of::<u64>();
    for slot in [0, 1, slots / 2, slots - 1] {
        let at = stack.base().wrapping_add(slot);
        // SAFETY: in the usable part.
        assert_eq!(unsafe { at.read() }, 0);
        // SAFETY: in the usable part.
        unsafe { at.write(slot as u64) };
    }
    assert!(ValueStack::new(usize::MAX - 4096).is_err());
    if !FAULT_TRAPS {
        // The largest frame, begun in the last slot.
        // SAFETY: accessible, as nothing would tell of an overflow.
        unsafe { stack.base().wrapping_add(slots + 65_535).write(1) };
    }
}

#[test]
fn an_interruption_is_pending_until_taken() {
    let stack = ValueStack::new(4096).unwrap();
    let control = stack.control();
    assert!(!control.take_pending());
    thread::scope(|scope| {
        scope.spawn(|| stack.control().interrupt());
    });
    assert!(control.pending_flag().load(std::sync::atomic::Ordering::Relaxed));
    assert!(control.take_pending());
    assert!(!control.take_pending());
    // SAFETY: usable.
    unsafe { stack.base().write(1) };
    drop(stack);
    control.interrupt();
    assert!(!control.take_pending());
}

/// Returns the sum of its parameters, each weighted.
#[cfg(target_arch = "x86_64")]
#[allow(clippy::too_many_arguments, reason = "the handlers' signature")]
extern "sysv64" fn sum(
    ip: *const u8,
    fp: *mut u64,
    mb: *mut u8,
    cx: *mut u8,
    a0: u64,
    a1: u64,
    f0: f64,
    f1: f64,
    f2: f64,
    f3: f64,
    f4: f64,
    f5: f64,
) -> u64 {
    let floats = f0 + f1 + f2 + f3 + f4 + f5;
    assert_eq!((a0, a1, floats), (0, 0, 0.0));
    ip as u64 + 10 * fp as u64 + 100 * mb as u64 + 1000 * cx as u64
}

#[test]
#[cfg(target_arch = "x86_64")]
fn entering_passes_the_registers() {
    let stack = ValueStack::new(4096).unwrap();
    let act = Activation::new(&stack);
    for _ in 0..2 {
        // SAFETY: `sum` takes any registers.
        let code = unsafe {
            let at = without_provenance_mut::<u8>;
            enter(&act, sum as *const (), at(1), at(2).cast(), at(3), at(4))
        };
        assert_eq!(code, 4321);
        assert_eq!(act.fault(code), None);
        assert_eq!(act.fault(FAULT_MEMORY), None);
    }
}

#[inline(never)]
fn down(depth: u32, least: usize) -> usize {
    let frame = std::hint::black_box([0_u8; 4096]);
    let left = remaining_host_stack();
    assert!(left < least);
    if depth == 0 {
        return left;
    }
    down(depth - 1, left) + usize::from(frame[7])
}

#[test]
fn the_host_stack_shrinks_with_depth() {
    for size in [256 << 10, 1 << 20, 8 << 20] {
        let thread = thread::Builder::new().stack_size(size).spawn(move || {
            let left = remaining_host_stack();
            // A stack that the system uses again may be larger than asked for.
            if cfg!(target_os = "linux") {
                assert!((size - (64 << 10)..64 << 20).contains(&left), "{left} of {size}");
            }
            let deep = down(20, left + 1);
            assert!(left - deep >= 20 * 4096, "{left} then {deep}");
        });
        thread.unwrap().join().unwrap();
    }
}
