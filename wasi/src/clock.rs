//! The clocks: `clock_res_get`, `clock_time_get`.

use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

use crate::abi::Call;
use crate::errno::Failure;
use crate::host::nanoseconds;
use crate::memory::GuestAddr;
use crate::types::Clock;

/// The host's name of a clock.
fn host_clock(clock: Clock) -> ClockId {
    match clock {
        Clock::Realtime => ClockId::Realtime,
        Clock::Monotonic => ClockId::Monotonic,
        Clock::ProcessCpu => ClockId::ProcessCPUTime,
        Clock::ThreadCpu => ClockId::ThreadCPUTime,
    }
}

/// A clock's time, in nanoseconds.
pub(crate) fn now(clock: Clock) -> u64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(host_clock(clock));
    nanoseconds(tv_sec, tv_nsec)
}

impl Call<'_> {
    /// `clock_res_get`: a clock's resolution in nanoseconds.
    ///
    /// # Errors
    ///
    /// As for every [`Call`].
    pub fn clock_res_get(&mut self, id: u32, resolution: GuestAddr) -> Result<(), Failure> {
        let Timespec { tv_sec, tv_nsec } = clock_getres(host_clock(Clock::from_guest(id)?));
        let value = nanoseconds(tv_sec, tv_nsec).max(1);
        Ok(self.memory.write_u64(resolution, value)?)
    }

    /// `clock_time_get`: a clock's time in nanoseconds, always as exact as
    /// the host has it.
    ///
    /// # Errors
    ///
    /// As for every [`Call`].
    pub fn clock_time_get(&mut self, id: u32, _precision: u64, time: GuestAddr) -> Result<(), Failure> {
        let value = now(Clock::from_guest(id)?);
        Ok(self.memory.write_u64(time, value)?)
    }
}
