//! A guest's file descriptors.
//!
//! Owns [`FdTable`], which maps the guest's numbers to [`Descriptor`]s, and
//! the rules for numbers: the lowest free one is handed out next, as POSIX
//! has it, and there are at most as many as the context allows, so that a
//! guest cannot exhaust the host: not by its children either, whose tables
//! count what they open in the same place. The threads of a program have one table,
//! which they use in turn ([`SharedTable`]).

use std::fs::File;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use vm::{Access, Capabilities, Capability, DomainId, Permissions};

use crate::dir::Listing;
use crate::errno::Errno;
use crate::host::HostFile;
use crate::types::{Fd, FdFlags, FileType, Rights};

/// How many descriptors a guest may have open unless its context says
/// otherwise.
pub(crate) const DEFAULT_LIMIT: usize = 1024;

/// One open descriptor of a guest.
#[derive(Debug)]
pub(crate) struct Descriptor {
    /// What it names.
    pub(crate) object: Object,
    /// Where it comes from, which decides what permissions it needs.
    pub(crate) source: Source,
    /// What the running call's permissions leave of its rights.
    permitted: Rights,
    /// What may be done with it.
    pub(crate) base: Rights,
    /// What may be done with descriptors opened through it.
    pub(crate) inheriting: Rights,
    /// Its flags, as the guest set them.
    pub(crate) flags: FdFlags,
    /// It is not only another name for what a parent has open.
    counted: Option<Counted>,
}

/// One of the descriptors that a context and its children have open.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Where a descriptor comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A standard stream, or a socket: it needs this capability.
    Stream(Capability),
    /// A directory that was open from the start, with this name, or what was
    /// opened below it.
    Directory(Arc<[u8]>),
}

impl Source {
    /// The rights that permissions leave to descriptors from here.
    fn permitted(&self, permissions: &Permissions) -> Rights {
        let path = match self {
            Source::Stream(capability) if permissions.allows(*capability) => return Rights::ALL,
            Source::Stream(_) => return Rights::NONE,
            Source::Directory(path) => path,
        };
        let access = match permissions.directories() {
            None => Some(Access::ReadWrite),
            // A name that is no text is in no directory that can be named.
            Some(_) => std::str::from_utf8(path)
                .ok()
                .and_then(|path| permissions.directory(path)),
        };
        let mut permitted = if access.is_some() { Rights::ALL } else { Rights::NONE };
        if !permissions.allows(Capability::ReadFiles) {
            permitted = permitted.without(Rights::LOOKING);
        }
        if access != Some(Access::ReadWrite) || !permissions.allows(Capability::WriteFiles) {
            permitted = permitted.without(Rights::CHANGING);
        }
        if !permitted.intersects(Rights::LOOKING.or(Rights::CHANGING)) {
            permitted = Rights::NONE;
        }
        permitted
    }
}

/// What a descriptor names.
pub(crate) enum Object {
    /// A directory.
    Directory(Directory),
    /// Any other host file.
    File(HostFile),
    /// A stream of the embedder's to read from, which children share.
    Input(Arc<Mutex<dyn Read + Send>>),
    /// A stream of the embedder's to write to, which children share.
    Output(Arc<Mutex<dyn Write + Send>>),
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Object::Directory(directory) => directory.fmt(f),
            Object::File(file) => file.fmt(f),
            Object::Input(_) => f.write_str("Input"),
            Object::Output(_) => f.write_str("Output"),
        }
    }
}

impl Object {
    /// The same once more.
    pub(crate) fn alias(&self) -> Object {
        match self {
            Object::Directory(directory) => Object::Directory(Directory {
                file: Arc::clone(&directory.file),
                read_only: directory.read_only,
                preopen: directory.preopen.clone(),
                listing: None,
            }),
            Object::File(file) => Object::File(file.share()),
            Object::Input(reader) => Object::Input(Arc::clone(reader)),
            Object::Output(writer) => Object::Output(Arc::clone(writer)),
        }
    }
}

/// An open directory.
#[derive(Debug)]
pub(crate) struct Directory {
    /// The host's descriptor of it; paths are resolved below it.
    pub(crate) file: Arc<File>,
    /// Nothing in it may be changed through this descriptor.
    pub(crate) read_only: bool,
    /// The guest's name for it, if it was open from the start.
    pub(crate) preopen: Option<Box<[u8]>>,
    /// Where `fd_readdir` stands, once it was used.
    pub(crate) listing: Option<Listing>,
}

impl Directory {
    /// Checks that what is in the directory may be changed.
    ///
    /// # Errors
    ///
    /// [`Errno::Rofs`] if not.
    pub(crate) fn check_writable(&self) -> Result<(), Errno> {
        if self.read_only { Err(Errno::Rofs) } else { Ok(()) }
    }
}

impl Descriptor {
    /// A descriptor without flags.
    pub(crate) fn new(object: Object, source: Source, base: Rights, inheriting: Rights) -> Descriptor {
        Descriptor {
            object,
            source,
            permitted: Rights::ALL,
            base,
            inheriting,
            flags: FdFlags::NONE,
            counted: None,
        }
    }

    /// A directory that is open from the start, as `guest`.
    pub(crate) fn preopened(file: Arc<File>, guest: Box<[u8]>, read_only: bool) -> Descriptor {
        let source = Source::Directory(Arc::from(&*guest));
        let directory = Directory {
            file,
            read_only,
            preopen: Some(guest),
            listing: None,
        };
        Descriptor::new(
            Object::Directory(directory),
            source,
            Rights::DIRECTORY,
            Rights::INHERITING,
        )
    }

    /// A descriptor with all rights that make sense for `file`.
    pub(crate) fn for_file(file: HostFile, source: Source) -> Descriptor {
        let base = match file.filetype() {
            filetype if filetype.is_socket() => Rights::STREAM.or(Rights::SOCKET),
            // A guest's `isatty` takes a character device without the rights
            // to seek for a terminal, so other devices must have them.
            _ if file.has_position() => Rights::FILE,
            _ => Rights::STREAM,
        };
        Descriptor::new(Object::File(file), source, base, Rights::NONE)
    }

    /// A standard stream that is empty, or goes nowhere.
    pub(crate) fn null(capability: Capability) -> Descriptor {
        let (object, right) = match capability {
            Capability::Stdin => (Object::Input(Arc::new(Mutex::new(std::io::empty()))), Rights::FD_READ),
            _ => (Object::Output(Arc::new(Mutex::new(std::io::sink()))), Rights::FD_WRITE),
        };
        let rights = Rights::STREAM.without(Rights::FD_READ.or(Rights::FD_WRITE)).or(right);
        Descriptor::new(object, Source::Stream(capability), rights, Rights::NONE)
    }

    /// What may be done with it in the running call.
    pub(crate) fn rights(&self) -> Rights {
        self.base.and(self.permitted)
    }

    /// What may be done in the running call with descriptors opened through it.
    pub(crate) fn inheriting(&self) -> Rights {
        self.inheriting.and(self.permitted)
    }

    /// Another descriptor of the same stream or file, for a child.
    ///
    /// # Errors
    ///
    /// [`Errno::Isdir`] for a directory.
    pub(crate) fn share(&self) -> Result<Descriptor, Errno> {
        match &self.object {
            Object::Directory(_) => Err(Errno::Isdir),
            _ => Ok(Descriptor {
                permitted: Rights::ALL,
                ..self.alias()
            }),
        }
    }

    /// The same descriptor once more, which nobody counts and which lists nothing if it
    /// is a directory's.
    fn alias(&self) -> Descriptor {
        Descriptor {
            object: self.object.alias(),
            source: self.source.clone(),
            permitted: self.permitted,
            base: self.base,
            inheriting: self.inheriting,
            flags: self.flags,
            counted: None,
        }
    }

    /// What it names.
    pub(crate) fn filetype(&self) -> FileType {
        match &self.object {
            Object::Directory(_) => FileType::Directory,
            Object::File(file) => file.filetype(),
            Object::Input(_) | Object::Output(_) => FileType::Unknown,
        }
    }

    /// Checks for rights.
    ///
    /// # Errors
    ///
    /// [`Errno::NotCapable`] if one is missing.
    pub(crate) fn require(&self, rights: Rights) -> Result<(), Errno> {
        if self.rights().contains(rights) {
            Ok(())
        } else {
            Err(Errno::NotCapable)
        }
    }

    /// The directory it names.
    ///
    /// # Errors
    ///
    /// [`Errno::Notdir`] if it names something else.
    pub(crate) fn directory(&self) -> Result<&Directory, Errno> {
        match &self.object {
            Object::Directory(directory) => Ok(directory),
            _ => Err(Errno::Notdir),
        }
    }

    /// The directory it names, to change.
    ///
    /// # Errors
    ///
    /// [`Errno::Notdir`] if it names something else.
    pub(crate) fn directory_mut(&mut self) -> Result<&mut Directory, Errno> {
        match &mut self.object {
            Object::Directory(directory) => Ok(directory),
            _ => Err(Errno::Notdir),
        }
    }

    /// The host file it names, for an operation on contents.
    ///
    /// # Errors
    ///
    /// [`Errno::Isdir`] for a directory, [`Errno::Spipe`] for a stream of the
    /// embedder's, which has no position, size or place on a disk.
    pub(crate) fn file(&self) -> Result<&HostFile, Errno> {
        match &self.object {
            Object::File(file) => Ok(file),
            Object::Directory(_) => Err(Errno::Isdir),
            Object::Input(_) | Object::Output(_) => Err(Errno::Spipe),
        }
    }

    /// The host file it names, with rights for an operation on it.
    ///
    /// # Errors
    ///
    /// As [`Descriptor::file`] and [`Descriptor::require`].
    pub(crate) fn file_with(&self, rights: Rights) -> Result<&HostFile, Errno> {
        let file = self.file()?;
        self.require(rights)?;
        Ok(file)
    }

    /// The host file it names, with rights for an operation at a position.
    ///
    /// # Errors
    ///
    /// As [`Descriptor::file_with`]; [`Errno::Spipe`] if it has no positions.
    pub(crate) fn positioned(&self, rights: Rights) -> Result<&HostFile, Errno> {
        let file = self.file()?;
        if !file.has_position() {
            return Err(Errno::Spipe);
        }
        self.require(rights)?;
        Ok(file)
    }

    /// Whether reading and writing may have to wait for somebody else.
    pub(crate) fn may_wait(&self) -> bool {
        match &self.object {
            Object::File(file) => file.may_wait(),
            _ => true,
        }
    }

    /// Whether the guest asked that nothing waits.
    pub(crate) fn nonblock(&self) -> bool {
        self.flags.contains(FdFlags::NONBLOCK)
    }
}

/// A guest's descriptors by their numbers.
#[derive(Debug)]
pub(crate) struct FdTable {
    slots: Vec<Option<Descriptor>>,
    /// No slot below is free.
    lowest_free: usize,
    /// How many slots there may be, and how many may be open in all tables.
    limit: usize,
    /// How many the context and its children have open.
    open: Arc<AtomicUsize>,
    /// The permissions of the running call.
    permissions: Permissions,
    /// Whose they are, where that is one domain.
    applied: Option<(DomainId, Capabilities)>,
}

/// A table that contexts on several threads use in turn.
#[derive(Debug)]
pub(crate) struct SharedTable {
    /// `None` while one of them has it.
    table: Mutex<Option<FdTable>>,
    given_back: Condvar,
}

impl SharedTable {
    /// For this table.
    pub(crate) fn new(table: FdTable) -> SharedTable {
        SharedTable {
            table: Mutex::new(Some(table)),
            given_back: Condvar::new(),
        }
    }

    /// Takes the table, as soon as nobody else has it.
    pub(crate) fn take(&self) -> FdTable {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(table) = table.take() {
                return table;
            }
            table = self.given_back.wait(table).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives it back.
    pub(crate) fn give_back(&self, table: FdTable) {
        *self.table.lock().unwrap_or_else(PoisonError::into_inner) = Some(table);
        self.given_back.notify_one();
    }
}

impl Default for FdTable {
    fn default() -> FdTable {
        FdTable::new(DEFAULT_LIMIT)
    }
}

impl FdTable {
    /// A table for up to `limit` descriptors.
    pub(crate) fn new(limit: usize) -> FdTable {
        FdTable {
            slots: Vec::new(),
            lowest_free: 0,
            limit,
            open: Arc::default(),
            permissions: Permissions::all(),
            applied: None,
        }
    }

    /// An empty table for a child.
    pub(crate) fn child(&self) -> FdTable {
        FdTable {
            open: Arc::clone(&self.open),
            ..FdTable::new(self.limit)
        }
    }

    /// How many descriptors there may be.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// The permissions of the running call.
    pub(crate) fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// Whose permissions they are, where that is one domain.
    pub(crate) fn applied(&self) -> Option<(DomainId, Capabilities)> {
        self.applied
    }

    /// Lets the calls that follow do what `permissions` allow; `whose` says
    /// where they come from, if the same can come again.
    pub(crate) fn apply(&mut self, whose: Option<(DomainId, Capabilities)>, permissions: impl FnOnce() -> Permissions) {
        if whose.is_none() || whose != self.applied {
            self.set_permissions(permissions());
            self.applied = whose;
        }
    }

    /// Sets the permissions of the calls that run from now on.
    pub(crate) fn set_permissions(&mut self, permissions: Permissions) {
        for descriptor in self.slots.iter_mut().flatten() {
            descriptor.permitted = descriptor.source.permitted(&permissions);
        }
        self.permissions = permissions;
    }

    /// The descriptor with the number of a standard stream, for a child; one
    /// that is empty, or goes nowhere, if it is no such stream any more.
    pub(crate) fn standard_stream(&self, number: usize) -> Descriptor {
        let capability = [Capability::Stdin, Capability::Stdout, Capability::Stderr][number.min(2)];
        let is_own = |descriptor: &&Descriptor| matches!(descriptor.source, Source::Stream(own) if own == capability);
        match self.slots.get(number).and_then(Option::as_ref).filter(is_own) {
            Some(stream) => stream.share().unwrap_or_else(|_| Descriptor::null(capability)),
            None => Descriptor::null(capability),
        }
    }

    /// All descriptors.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Descriptor> {
        self.slots.iter().flatten()
    }

    /// The descriptor with number `fd`.
    ///
    /// # Errors
    ///
    /// [`Errno::Badf`] if there is none.
    pub(crate) fn get(&self, fd: Fd) -> Result<&Descriptor, Errno> {
        usize::try_from(fd.0)
            .ok()
            .and_then(|index| self.slots.get(index)?.as_ref())
            .ok_or(Errno::Badf)
    }

    /// The descriptor with number `fd`, to change.
    ///
    /// # Errors
    ///
    /// [`Errno::Badf`] if there is none.
    pub(crate) fn get_mut(&mut self, fd: Fd) -> Result<&mut Descriptor, Errno> {
        self.slot_mut(fd)?.as_mut().ok_or(Errno::Badf)
    }

    /// A table with other names for some of these descriptors, by the same numbers.
    pub(crate) fn aliases(&self, numbers: impl Iterator<Item = Fd>) -> FdTable {
        let mut aliases = FdTable::new(self.limit);
        aliases.permissions = self.permissions.clone();
        for number in numbers {
            if let (Ok(descriptor), Ok(index)) = (self.get(number), usize::try_from(number.0)) {
                let slots = aliases.slots.len().max(index + 1);
                aliases.slots.resize_with(slots, || None);
                aliases.slots[index] = Some(descriptor.alias());
            }
        }
        aliases
    }

    /// Checks that another descriptor fits in, before something is created
    /// in the host for it.
    ///
    /// # Errors
    ///
    /// [`Errno::Nfile`] if not.
    pub(crate) fn check_room(&self) -> Result<(), Errno> {
        if self.free_index() < self.limit && self.open.load(Ordering::Relaxed) < self.limit {
            Ok(())
        } else {
            Err(Errno::Nfile)
        }
    }

    /// The lowest index that is free: a slot's, or the one after the last.
    fn free_index(&self) -> usize {
        let mut index = self.lowest_free;
        while matches!(self.slots.get(index), Some(Some(_))) {
            index += 1;
        }
        index
    }

    /// Gives `descriptor` the lowest free number.
    ///
    /// # Errors
    ///
    /// [`Errno::Nfile`] if the table is full, or too many are open in all.
    pub(crate) fn insert(&mut self, mut descriptor: Descriptor) -> Result<Fd, Errno> {
        let one_more = |open: usize| (open < self.limit).then_some(open + 1);
        let counted = self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        counted.map_err(|_| Errno::Nfile)?;
        descriptor.counted = Some(Counted(Arc::clone(&self.open)));
        self.insert_shared(descriptor)
    }

    /// The same for a descriptor that is another name for what a parent has open.
    ///
    /// # Errors
    ///
    /// [`Errno::Nfile`] if the table is full.
    pub(crate) fn insert_shared(&mut self, mut descriptor: Descriptor) -> Result<Fd, Errno> {
        if self.free_index() >= self.limit {
            return Err(Errno::Nfile);
        }
        descriptor.permitted = descriptor.source.permitted(&self.permissions);
        let index = self.free_index();
        let fd = Fd(u32::try_from(index).map_err(|_| Errno::Nfile)?);
        match self.slots.get_mut(index) {
            Some(slot) => *slot = Some(descriptor),
            None => self.slots.push(Some(descriptor)),
        }
        self.lowest_free = index + 1;
        Ok(fd)
    }

    /// Takes out the descriptor with number `fd`.
    ///
    /// # Errors
    ///
    /// [`Errno::Badf`] if there is none.
    pub(crate) fn remove(&mut self, fd: Fd) -> Result<Descriptor, Errno> {
        let descriptor = self.slot_mut(fd)?.take().ok_or(Errno::Badf)?;
        if let Ok(index) = usize::try_from(fd.0) {
            self.lowest_free = self.lowest_free.min(index);
        }
        Ok(descriptor)
    }

    /// Gives the descriptor `from` the number `to`, closing what had it.
    ///
    /// # Errors
    ///
    /// [`Errno::Badf`] if either is not open.
    pub(crate) fn renumber(&mut self, from: Fd, to: Fd) -> Result<(), Errno> {
        self.get(from)?;
        self.get(to)?;
        if from != to {
            let moved = self.remove(from)?;
            *self.get_mut(to)? = moved;
        }
        Ok(())
    }

    /// The slot of number `fd`.
    fn slot_mut(&mut self, fd: Fd) -> Result<&mut Option<Descriptor>, Errno> {
        usize::try_from(fd.0)
            .ok()
            .and_then(|index| self.slots.get_mut(index))
            .ok_or(Errno::Badf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Descriptor {
        let input = Arc::new(Mutex::new(std::io::empty()));
        let source = Source::Stream(Capability::Stdin);
        Descriptor::new(Object::Input(input), source, Rights::FD_READ, Rights::NONE)
    }

    #[test]
    fn the_lowest_free_number_is_next_and_the_limit_holds() {
        let mut table = FdTable::new(3);
        for number in 0..3 {
            assert_eq!(table.insert(stream()), Ok(Fd(number)));
        }
        assert_eq!(table.insert(stream()), Err(Errno::Nfile));
        assert!(table.remove(Fd(1)).is_ok());
        assert_eq!(table.remove(Fd(1)).err(), Some(Errno::Badf));
        assert_eq!(table.insert(stream()), Ok(Fd(1)));
        assert_eq!(table.check_room(), Err(Errno::Nfile));
    }

    #[test]
    fn children_open_what_their_parent_leaves() {
        let mut parent = FdTable::new(3);
        let mut child = parent.child();
        assert!(parent.insert(stream()).is_ok());
        assert!(child.insert_shared(stream()).is_ok());
        assert!(child.insert(stream()).is_ok());
        assert!(child.child().insert(stream()).is_ok(), "which is gone at once");
        assert!(parent.insert(stream()).is_ok());
        assert_eq!(child.insert(stream()), Err(Errno::Nfile));
        assert_eq!(parent.insert(stream()), Err(Errno::Nfile));
        drop(child);
        assert!(parent.insert(stream()).is_ok());
        assert_eq!(parent.check_room(), Err(Errno::Nfile));
    }

    #[test]
    fn renumbering_needs_both_and_frees_one() {
        let mut table = FdTable::new(8);
        for _ in 0..3 {
            assert!(table.insert(stream()).is_ok());
        }
        assert_eq!(table.renumber(Fd(0), Fd(7)), Err(Errno::Badf));
        assert_eq!(table.renumber(Fd(7), Fd(0)), Err(Errno::Badf));
        assert_eq!(table.renumber(Fd(2), Fd(2)), Ok(()));
        assert_eq!(table.renumber(Fd(0), Fd(2)), Ok(()));
        assert_eq!(table.get(Fd(0)).err(), Some(Errno::Badf));
        assert!(table.get(Fd(2)).is_ok());
        assert_eq!(table.get(Fd(u32::MAX)).err(), Some(Errno::Badf));
    }
}
