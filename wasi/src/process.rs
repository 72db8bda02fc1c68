//! What a guest learns of its start and how it ends: `args_*`, `environ_*`,
//! `random_get`, `proc_exit`, `proc_raise`, `sched_yield`.

use rustix::rand::{GetRandomFlags, getrandom};

use crate::abi::Call;
use crate::ctx::CHUNK;
use crate::errno::{Errno, Failure, I32Exit};
use crate::memory::{GuestAddr, GuestMemory};

/// The numbers of WASI's signals that have a meaning here.
mod signal {
    /// Asks whether signals can be sent.
    pub(super) const NONE: u32 = 0;
    /// A write to a pipe without a reader: ignored, as WASI has it.
    pub(super) const PIPE: u32 = 13;
    /// A child ended or stopped: ignored.
    pub(super) const CHLD: u32 = 16;
    /// Continue: a running program does.
    pub(super) const CONT: u32 = 17;
    /// Stop executing; 18 to 21 are the four ways to say so.
    pub(super) const STOP: u32 = 18;
    /// The last of them.
    pub(super) const TTOU: u32 = 21;
    /// Urgent data: ignored.
    pub(super) const URG: u32 = 22;
    /// The window changed: ignored.
    pub(super) const WINCH: u32 = 27;
    /// The last signal.
    pub(super) const SYS: u32 = 30;
}

impl Call<'_> {
    /// `args_get`: the arguments, each with a zero byte at its end, and an
    /// array of pointers to them. Who may not see arguments sees none.
    ///
    /// # Errors
    ///
    /// As for every [`Call`].
    pub fn args_get(&mut self, argv: GuestAddr, argv_buf: GuestAddr) -> Result<(), Failure> {
        Ok(put_strings(self.memory, &self.ctx.visible_args(), argv, argv_buf)?)
    }

    /// `args_sizes_get`: how many arguments there are, and how many bytes
    /// they take.
    ///
    /// # Errors
    ///
    /// As for every [`Call`].
    pub fn args_sizes_get(&mut self, argc: GuestAddr, size: GuestAddr) -> Result<(), Failure> {
        Ok(put_sizes(self.memory, &self.ctx.visible_args(), argc, size)?)
    }

    /// `environ_get`: the variables that may be seen, laid out as the arguments
    /// are.
    ///
    /// # Errors
    ///
    /// As for every [`Call`].
    pub fn environ_get(&mut self, environ: GuestAddr, buf: GuestAddr) -> Result<(), Failure> {
        Ok(put_strings(self.memory, &self.ctx.visible_env(), environ, buf)?)
    }

    /// `environ_sizes_get`: how many variables there are, and how many bytes
    /// they take.
    ///
    /// # Errors
    ///
    /// As for every [`Call`].
    pub fn environ_sizes_get(&mut self, count: GuestAddr, size: GuestAddr) -> Result<(), Failure> {
        Ok(put_sizes(self.memory, &self.ctx.visible_env(), count, size)?)
    }

    /// `random_get`: bytes from the host's random number generator.
    ///
    /// # Errors
    ///
    /// As for every [`Call`].
    pub fn random_get(&mut self, buf: GuestAddr, buf_len: u32) -> Result<(), Failure> {
        self.memory.probe(buf.0, buf_len)?;
        // Keys and seeds are short and common; only the rest needs the
        // context's buffer.
        let mut small = [0; 256];
        match usize::try_from(buf_len).ok().and_then(|len| small.get_mut(..len)) {
            Some(bytes) => {
                fill_random(bytes)?;
                Ok(self.memory.write(buf.0, bytes)?)
            }
            None => {
                let mut scratch = self.ctx.take_scratch();
                let result = self.random_chunks(&mut scratch, buf, buf_len);
                self.ctx.put_scratch(scratch);
                result
            }
        }
    }

    /// Fills a long range with random bytes, a buffer at a time.
    fn random_chunks(&mut self, scratch: &mut [u8], buf: GuestAddr, len: u32) -> Result<(), Failure> {
        let mut done = 0;
        while done < len {
            self.ctx.interrupt.check()?;
            let left = usize::try_from(len - done).unwrap_or(CHUNK);
            let bytes = scratch.get_mut(..left.min(CHUNK)).ok_or(Errno::Inval)?;
            fill_random(bytes)?;
            self.memory.write(buf.plus(done)?.0, bytes)?;
            done += u32::try_from(bytes.len()).map_err(|_| Errno::Inval)?;
        }
        Ok(())
    }

    /// `proc_exit`: ends the guest.
    ///
    /// # Errors
    ///
    /// Always [`Failure::Exit`].
    pub fn proc_exit(&mut self, code: u32) -> Result<(), Failure> {
        Err(Failure::Exit(I32Exit(code.cast_signed())))
    }

    /// `proc_raise`: sends the guest a signal. It has no handlers, so what
    /// happens is what the interface gives as the signal's action: nothing,
    /// or the guest's end with 128 plus the signal's number.
    ///
    /// # Errors
    ///
    /// [`Failure::Exit`]; `INVAL` for a number that is no signal, `NOTSUP`
    /// for those that stop a program, since nothing could continue it.
    pub fn proc_raise(&mut self, signal: u32) -> Result<(), Failure> {
        match signal {
            signal::NONE | signal::PIPE | signal::CHLD | signal::CONT | signal::URG | signal::WINCH => Ok(()),
            signal::STOP..=signal::TTOU => Err(Errno::Notsup.into()),
            1..=signal::SYS => {
                let code = i32::try_from(signal).map_err(|_| Errno::Inval)?;
                Err(Failure::Exit(I32Exit(128 + code)))
            }
            _ => Err(Errno::Inval.into()),
        }
    }

    /// `sched_yield`: lets other threads of the host run.
    ///
    /// # Errors
    ///
    /// None.
    pub fn sched_yield(&mut self) -> Result<(), Failure> {
        std::thread::yield_now();
        Ok(())
    }
}

/// Fills `bytes` from the host's random number generator.
fn fill_random(mut bytes: &mut [u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let count = rustix::io::retry_on_intr(|| getrandom(&mut *bytes, GetRandomFlags::empty()))?;
        bytes = bytes.get_mut(count..).unwrap_or_default();
    }
    Ok(())
}

/// Writes strings one after the other at `buf`, each with a zero byte at its
/// end, and their addresses at `pointers`.
fn put_strings(
    memory: &mut dyn GuestMemory,
    strings: &[&[u8]],
    mut pointers: GuestAddr,
    mut buf: GuestAddr,
) -> Result<(), Errno> {
    for string in strings {
        memory.write_u32(pointers, buf.0)?;
        memory.write(buf.0, string)?;
        let end = buf.plus(u32::try_from(string.len()).map_err(|_| Errno::Fault)?)?;
        memory.write(end.0, &[0])?;
        pointers = pointers.plus(4)?;
        buf = end.plus(1)?;
    }
    Ok(())
}

/// Writes how many strings there are and how many bytes they take, their
/// zero bytes included.
fn put_sizes(memory: &mut dyn GuestMemory, strings: &[&[u8]], count: GuestAddr, size: GuestAddr) -> Result<(), Errno> {
    let bytes: usize = strings.iter().map(|string| string.len() + 1).sum();
    memory.write_u32(count, u32::try_from(strings.len()).map_err(|_| Errno::Overflow)?)?;
    memory.write_u32(size, u32::try_from(bytes).map_err(|_| Errno::Overflow)?)
}
