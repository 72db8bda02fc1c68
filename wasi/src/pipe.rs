//! Streams in memory: what a test or an embedder gives a guest as standard
//! input, and where it collects standard output.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// A reader over bytes given beforehand; at their end, the end of the file.
#[derive(Debug)]
pub struct MemoryInput(io::Cursor<Vec<u8>>);

impl MemoryInput {
    /// A reader over `contents`.
    #[must_use]
    pub fn new(contents: impl Into<Vec<u8>>) -> MemoryInput {
        MemoryInput(io::Cursor::new(contents.into()))
    }
}

impl Read for MemoryInput {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

/// A writer that keeps what it is given, up to a limit. Clones share the
/// contents, so that one can be handed to a guest and another read.
#[derive(Clone, Debug)]
pub struct MemoryOutput {
    contents: Arc<Mutex<Vec<u8>>>,
    limit: usize,
}

impl MemoryOutput {
    /// An empty output that takes up to `limit` bytes; a guest that writes
    /// more gets `NOSPC`.
    #[must_use]
    pub fn new(limit: usize) -> MemoryOutput {
        MemoryOutput {
            contents: Arc::default(),
            limit,
        }
    }

    /// A copy of everything written so far.
    #[must_use]
    pub fn contents(&self) -> Vec<u8> {
        // A poisoned lock only means that a writer panicked between two
        // appends; the bytes are whole.
        self.contents.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Write for MemoryOutput {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        let room = self.limit.saturating_sub(contents.len());
        let taken = &buf[..buf.len().min(room)];
        if taken.is_empty() && !buf.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        contents.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_and_the_limit_holds() {
        let output = MemoryOutput::new(5);
        let mut writer = output.clone();
        assert_eq!(writer.write(b"abc").unwrap(), 3);
        assert_eq!(writer.write(b"def").unwrap(), 2);
        assert_eq!(writer.write(b"g").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(output.contents(), b"abcde");
    }
}
