//! Sockets: `sock_accept`, `sock_recv`, `sock_send`, `sock_shutdown`.
//!
//! WASI cannot make sockets, only use those a guest was given: a standard
//! stream that is one, or one the embedder preopened.

use std::fs::File;

use rustix::event::PollFlags;
use rustix::net::{RecvFlags, SendFlags, Shutdown, SocketFlags};

use crate::abi::Call;
use crate::errno::{Errno, Failure};
use crate::host::HostFile;
use crate::io::IoVecs;
use crate::memory::GuestAddr;
use crate::table::{Descriptor, Object};
use crate::types::{Fd, FdFlags, FileType, ReceiveFlags, Rights, ShutdownFlags};

impl Descriptor {
    /// The socket it names, with rights for an operation on it.
    ///
    /// # Errors
    ///
    /// [`Errno::NotSock`] if it names something else, else as
    /// [`Descriptor::require`].
    fn socket(&self, rights: Rights) -> Result<&HostFile, Errno> {
        let socket = socket_of(&self.object)?;
        self.require(rights)?;
        Ok(socket)
    }
}

/// The socket, if it is one.
///
/// # Errors
///
/// [`Errno::NotSock`] if it is none.
fn socket_of(object: &Object) -> Result<&HostFile, Errno> {
    match object {
        Object::File(file) if file.filetype().is_socket() => Ok(file),
        _ => Err(Errno::NotSock),
    }
}

impl Call<'_> {
    /// `sock_accept`: accepts a connection to a listening socket.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; `NOTSOCK`, or what the host says.
    pub fn sock_accept(&mut self, fd: Fd, flags: u32, opened: GuestAddr) -> Result<(), Failure> {
        self.ctx.fds.get(fd)?.socket(Rights::SOCK_ACCEPT)?;
        let flags = FdFlags::from_guest(flags)?;
        if !FdFlags::NONBLOCK.contains(flags) {
            return Err(Errno::Inval.into());
        }
        self.ctx.fds.check_room()?;
        let source = self.ctx.fds.get(fd)?.source.clone();
        let accepted = self.ctx.waiting(fd, |object, nonblock, interrupt| {
            socket_of(object)?.transfer(PollFlags::IN, nonblock, interrupt, |fd| {
                rustix::net::accept_with(fd, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
            })
        })?;
        let mut descriptor = Descriptor::for_file(HostFile::new(File::from(accepted))?, source);
        descriptor.flags = flags;
        let number = self.ctx.fds.insert(descriptor)?;
        if let Err(errno) = self.memory.write_u32(opened, number.0) {
            drop(self.ctx.fds.remove(number));
            return Err(errno.into());
        }
        Ok(())
    }

    /// `sock_recv`: receives a message into the guest's vectors, at most 64
    /// KiB of it.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; `NOTSOCK`, or what the host says.
    pub fn sock_recv(
        &mut self,
        fd: Fd,
        data: GuestAddr,
        data_len: u32,
        flags: u32,
        received: GuestAddr,
        result_flags: GuestAddr,
    ) -> Result<(), Failure> {
        self.ctx.fds.get(fd)?.socket(Rights::FD_READ)?;
        let flags = ReceiveFlags::from_guest(flags)?;
        let vectors = IoVecs::new(data, data_len)?;
        let mut scratch = self.ctx.take_scratch();
        let result = self.receive(fd, vectors, flags, &mut scratch);
        self.ctx.put_scratch(scratch);
        let (count, truncated) = result?;
        self.memory.write_u32(received, count)?;
        let bits = u16::from(truncated);
        Ok(self.memory.write(result_flags.0, &bits.to_le_bytes())?)
    }

    /// `sock_send`: sends a message from the guest's vectors, at most 64 KiB
    /// of it.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; `NOTSOCK`, or what the host says.
    pub fn sock_send(
        &mut self,
        fd: Fd,
        data: GuestAddr,
        data_len: u32,
        flags: u32,
        sent: GuestAddr,
    ) -> Result<(), Failure> {
        self.ctx.fds.get(fd)?.socket(Rights::FD_WRITE)?;
        if flags != 0 {
            return Err(Errno::Inval.into());
        }
        let vectors = IoVecs::new(data, data_len)?;
        let mut scratch = self.ctx.take_scratch();
        let result = self.send(fd, vectors, &mut scratch);
        self.ctx.put_scratch(scratch);
        Ok(self.memory.write_u32(sent, result?)?)
    }

    /// `sock_shutdown`: closes one or both directions of a socket.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; `NOTSOCK`, or what the host says.
    pub fn sock_shutdown(&mut self, fd: Fd, how: u32) -> Result<(), Failure> {
        let socket = self.ctx.fds.get(fd)?.socket(Rights::SOCK_SHUTDOWN)?;
        let how = ShutdownFlags::from_guest(how)?;
        let how = match (how.contains(ShutdownFlags::RD), how.contains(ShutdownFlags::WR)) {
            (true, false) => Shutdown::Read,
            (false, true) => Shutdown::Write,
            (true, true) => Shutdown::Both,
            (false, false) => return Err(Errno::Inval.into()),
        };
        rustix::net::shutdown(socket, how)?;
        Ok(())
    }

    /// Receives into `scratch`, then into the guest's vectors; says how many
    /// bytes, and whether some of a datagram did not fit.
    fn receive(
        &mut self,
        fd: Fd,
        mut vectors: IoVecs,
        flags: ReceiveFlags,
        scratch: &mut [u8],
    ) -> Result<(u32, bool), Failure> {
        let socket = self.ctx.fds.get(fd)?.socket(Rights::FD_READ)?;
        let wanted = vectors.measure(self.memory, scratch.len())?;
        let buf = scratch.get_mut(..wanted).ok_or(Errno::Inval)?;
        let mut host = RecvFlags::empty();
        host.set(RecvFlags::PEEK, flags.contains(ReceiveFlags::PEEK));
        host.set(RecvFlags::WAITALL, flags.contains(ReceiveFlags::WAITALL));
        // For a stream this flag would throw data away.
        host.set(RecvFlags::TRUNC, socket.filetype() == FileType::SocketDgram);
        let (stored, length) = self.ctx.waiting(fd, |object, nonblock, interrupt| {
            socket_of(object)?.transfer(PollFlags::IN, nonblock, interrupt, |fd| {
                rustix::net::recv(fd, &mut *buf, host)
            })
        })?;
        vectors.scatter(self.memory, buf.get(..stored).ok_or(Errno::Io)?)?;
        let count = u32::try_from(stored).map_err(|_| Errno::Overflow)?;
        Ok((count, length > stored))
    }

    /// Sends the guest's vectors by way of `scratch`; says how many bytes.
    fn send(&mut self, fd: Fd, mut vectors: IoVecs, scratch: &mut [u8]) -> Result<u32, Failure> {
        self.ctx.fds.get(fd)?.socket(Rights::FD_WRITE)?;
        let filled = vectors.gather(self.memory, scratch)?;
        let buf = scratch.get(..filled).ok_or(Errno::Inval)?;
        let sent = self.ctx.waiting(fd, |object, nonblock, interrupt| {
            socket_of(object)?.transfer(PollFlags::OUT, nonblock, interrupt, |fd| {
                rustix::net::send(fd, buf, SendFlags::NOSIGNAL)
            })
        })?;
        Ok(u32::try_from(sent).map_err(|_| Errno::Overflow)?)
    }
}
