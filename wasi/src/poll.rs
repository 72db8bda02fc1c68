//! Waiting for several things at once: `poll_oneoff`.
//!
//! Clocks become moments, descriptors that may have to wait go to the host's
//! poll, all others are ready. The number of subscriptions is bounded, and
//! with an interrupt flag the wait goes in slices of at most 20 ms.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno as Host;
use vm::Capability;

use crate::abi::Call;
use crate::clock::now;
use crate::errno::{Errno, Failure};
use crate::host::HostFile;
use crate::interrupt::{SLICE, timespec};
use crate::memory::GuestAddr;
use crate::table::{Descriptor, FdTable, Object};
use crate::types::{Awaited, Clock, EVENT_SIZE, Event, FileType, Rights, Subscription};

/// The most subscriptions one call takes; more are `INVAL`.
const MAX_SUBSCRIPTIONS: u32 = 4096;

/// How long at most to wait for a time of day before looking again, since the
/// host's clock may be set meanwhile.
const REALTIME_SLICE: Duration = Duration::from_secs(1);

/// A moment a subscription waits for, in nanoseconds of its clock.
#[derive(Clone, Copy, Debug)]
struct Moment {
    clock: Clock,
    time: u64,
}

impl Moment {
    /// The moment a clock subscription names.
    ///
    /// # Errors
    ///
    /// [`Errno::Inval`] for an unknown clock; [`Errno::Notsup`] for a clock
    /// of processor time, which stands still during the wait.
    fn new(id: u32, timeout: u64, absolute: bool) -> Result<Moment, Errno> {
        match (Clock::from_guest(id)?, absolute) {
            (Clock::ProcessCpu | Clock::ThreadCpu, _) => Err(Errno::Notsup),
            (clock, true) => Ok(Moment { clock, time: timeout }),
            // A duration passes whatever becomes of the time of day.
            (_, false) => Ok(Moment {
                clock: Clock::Monotonic,
                time: now(Clock::Monotonic).saturating_add(timeout),
            }),
        }
    }

    /// How long until then; zero once it has come.
    fn remaining(self) -> Duration {
        Duration::from_nanos(self.time.saturating_sub(now(self.clock)))
    }
}

/// What the subscriptions of one call come to.
#[derive(Debug, Default)]
struct Waiting<'a> {
    /// Events that are there already: errors, and what never waits.
    ready: Vec<Event>,
    /// Moments, with the `userdata` of their subscriptions.
    moments: Vec<(u64, Moment)>,
    /// Descriptors for the host to poll, with their subscriptions.
    polled: Vec<PollFd<'a>>,
    subscriptions: Vec<(Subscription, &'a HostFile)>,
}

impl<'a> Waiting<'a> {
    /// Adds a subscription.
    fn add(&mut self, fds: &'a FdTable, subscription: Subscription) {
        let result = match subscription.event {
            Awaited::Clock { .. } if !fds.permissions().allows(Capability::Clock) => Err(Errno::NotCapable),
            Awaited::Clock { id, timeout, absolute } => {
                Moment::new(id, timeout, absolute).map(|moment| self.moments.push((subscription.userdata, moment)))
            }
            Awaited::Read(fd) => fds
                .get(fd)
                .and_then(|descriptor| self.add_descriptor(subscription, descriptor, Rights::FD_READ, PollFlags::IN)),
            Awaited::Write(fd) => fds
                .get(fd)
                .and_then(|descriptor| self.add_descriptor(subscription, descriptor, Rights::FD_WRITE, PollFlags::OUT)),
        };
        if let Err(error) = result {
            self.ready.push(event(subscription, error, 0, false));
        }
    }

    /// Adds a subscription to a descriptor.
    fn add_descriptor(
        &mut self,
        subscription: Subscription,
        descriptor: &'a Descriptor,
        right: Rights,
        flags: PollFlags,
    ) -> Result<(), Errno> {
        descriptor.require(Rights::POLL_FD_READWRITE.or(right))?;
        match &descriptor.object {
            Object::File(file) if file.may_wait() => {
                self.polled.push(PollFd::from_borrowed_fd(file.as_fd(), flags));
                self.subscriptions.push((subscription, file));
            }
            Object::File(file) => {
                let nbytes = unread(file).unwrap_or(0);
                self.ready.push(event(subscription, Errno::Success, nbytes, false));
            }
            Object::Input(_) | Object::Output(_) => {
                self.ready.push(event(subscription, Errno::Success, 1, false));
            }
            Object::Directory(_) => return Err(Errno::Isdir),
        }
        Ok(())
    }

    /// How long the host may wait before the next look; `None` for as long
    /// as it takes.
    fn slice(&self, interruptible: bool) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let moments = self.moments.iter().map(|(_, moment)| {
            let remaining = moment.remaining();
            match moment.clock {
                Clock::Realtime => remaining.min(REALTIME_SLICE),
                _ => remaining,
            }
        });
        moments.chain(interruptible.then_some(SLICE)).min()
    }

    /// Waits once and collects what happened.
    ///
    /// # Errors
    ///
    /// What the host says.
    fn wait(&mut self, slice: Option<Duration>) -> Result<(), Failure> {
        let happened = match poll(&mut self.polled, slice.map(timespec).as_ref()) {
            Ok(count) => count > 0,
            Err(Host::INTR) => false,
            Err(error) => return Err(error.into()),
        };
        if happened {
            for (polled, (subscription, file)) in self.polled.iter().zip(&self.subscriptions) {
                self.ready.extend(polled_event(*subscription, file, polled.revents()));
            }
        }
        for (userdata, moment) in &self.moments {
            if moment.remaining().is_zero() {
                self.ready.push(Event {
                    userdata: *userdata,
                    error: Errno::Success,
                    event_type: 0,
                    nbytes: 0,
                    hangup: false,
                });
            }
        }
        Ok(())
    }
}

/// The event for what the host's poll says of a descriptor, if anything.
fn polled_event(subscription: Subscription, file: &HostFile, flags: PollFlags) -> Option<Event> {
    if flags.is_empty() {
        return None;
    }
    if flags.contains(PollFlags::NVAL) {
        return Some(event(subscription, Errno::Badf, 0, false));
    }
    let nbytes = match subscription.event {
        Awaited::Read(_) => rustix::io::ioctl_fionread(file).unwrap_or(0),
        // How much can be written is not for the host to say.
        _ => 0,
    };
    let hangup = flags.contains(PollFlags::HUP);
    Some(event(subscription, Errno::Success, nbytes, hangup))
}

/// How many bytes of a file lie behind its position.
fn unread(file: &HostFile) -> Result<u64, Errno> {
    if file.filetype() != FileType::RegularFile {
        return Ok(0);
    }
    let size = file.stat()?.size;
    Ok(size.saturating_sub(rustix::fs::tell(file)?))
}

/// An event for a subscription.
fn event(subscription: Subscription, error: Errno, nbytes: u64, hangup: bool) -> Event {
    Event {
        userdata: subscription.userdata,
        error,
        event_type: subscription.event.event_type(),
        nbytes,
        hangup,
    }
}

impl Call<'_> {
    /// `poll_oneoff`: waits until at least one of the subscriptions happens
    /// and says which did. What is wrong with a single subscription is said
    /// in its event.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; `INVAL` for no subscription or more than 4096;
    /// [`Failure::Interrupt`].
    pub fn poll_oneoff(
        &mut self,
        subscriptions: GuestAddr,
        events: GuestAddr,
        count: u32,
        happened: GuestAddr,
    ) -> Result<(), Failure> {
        if count == 0 || count > MAX_SUBSCRIPTIONS {
            return Err(Errno::Inval.into());
        }
        let mut awaited = Vec::new();
        for index in 0..count {
            let addr = subscriptions.element(index, self.abi.subscription_size)?;
            awaited.push(self.abi.subscription(self.memory, addr)?);
        }
        let numbers = awaited.iter().filter_map(|subscription| match subscription.event {
            Awaited::Clock { .. } => None,
            Awaited::Read(fd) | Awaited::Write(fd) => Some(fd),
        });
        let ready = self.ctx.waiting_for(numbers, |fds, interrupt| {
            let mut waiting = Waiting::default();
            for subscription in &awaited {
                waiting.add(fds, *subscription);
            }
            loop {
                interrupt.check()?;
                waiting.wait(waiting.slice(interrupt.is_armed()))?;
                if !waiting.ready.is_empty() {
                    return Ok(waiting.ready);
                }
            }
        })?;
        let mut stored = 0;
        for event in ready {
            self.memory
                .write(events.element(stored, EVENT_SIZE)?.0, &event.to_bytes())?;
            stored += 1;
        }
        Ok(self.memory.write_u32(happened, stored)?)
    }
}
