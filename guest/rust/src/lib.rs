//! What guests of orcavm import to share pages and to run other modules: safe
//! wrappers of `orca_region`, `orca_module` and `orca_access`, whose functions
//! `guest/include/orca.h` explains.
//!
//! ```ignore
//! let plugin = Module::load_path("/plugin.wasm")?;
//! let child = Child::new(&plugin, "stdout,dir=/data:ro,memory=4MiB")?;
//! child.start()?;
//! let words = child.find("words")?;
//! let mut results = [0];
//! child.call(words, &[], &mut results)?;
//! ```

#![no_std]
#![deny(missing_docs, unsafe_op_in_unsafe_fn)]

extern crate alloc;

use alloc::string::String;
use alloc::vec;
use core::fmt;

mod raw {
    pub mod region {
        #[link(wasm_import_module = "orca_region")]
        extern "C" {
            pub fn page_size() -> u32;
            pub fn create(size: i64) -> i32;
            pub fn open(name: *const u8, length: usize) -> i32;
            pub fn close(region: i32) -> i32;
            pub fn size(region: i32) -> i64;
            pub fn map(region: i32, offset: i64, length: i64, address: i64, access: i32) -> i64;
            pub fn unmap(address: i64, length: i64) -> i32;
            pub fn protect(address: i64, length: i64, access: i32) -> i32;
        }
    }
    pub mod module {
        #[link(wasm_import_module = "orca_module")]
        extern "C" {
            pub fn load(bytes: *const u8, length: usize) -> i32;
            pub fn load_path(path: *const u8, length: usize) -> i32;
            pub fn unload(module: i32) -> i32;
            pub fn create(module: i32, permissions: *const u8, length: usize) -> i32;
            pub fn share(child: i32, region: i32, name: *const u8, length: usize, access: i32) -> i32;
            pub fn start(child: i32) -> i32;
            pub fn find(child: i32, name: *const u8, length: usize) -> i32;
            pub fn signature(child: i32, function: i32, text: *mut u8, room: usize) -> i32;
            pub fn call(child: i32, function: i32, arguments: *const u64, results: *mut u64) -> i32;
            pub fn declare(child: i32, function: i32, signature: *const u8, length: usize) -> i32;
            pub fn symbol(child: i32, name: *const u8, name_length: usize, signature: *const u8, length: usize) -> i32;
            pub fn pass(child: i32, function: usize, signature: *const u8, length: usize) -> i32;
            pub fn withdraw(child: i32, function: u32) -> i32;
            pub fn release(function: usize) -> i32;
            pub fn lend(child: i32, address: *const u8, length: usize, access: i32) -> i32;
            pub fn reclaim(child: i32, address: *const u8) -> i32;
            pub fn exit_code(child: i32) -> i32;
            pub fn drop(child: i32) -> i32;
            pub fn give_up(permissions: *const u8, length: usize) -> i32;
            pub fn error(text: *mut u8, room: usize) -> i32;
        }
    }
    pub mod access {
        #[link(wasm_import_module = "orca_access")]
        extern "C" {
            pub fn size(of: i32, address: u32) -> i64;
            pub fn copy_from(of: i32, from: u32, to: *mut u8, length: usize) -> i32;
            pub fn copy_to(of: i32, to: u32, from: *const u8, length: usize) -> i32;
        }
    }
}

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The negative number: an error number of WASI, negated, or [`TRAPPED`] or
    /// [`EXITED`].
    pub code: i64,
    /// What went wrong, in words.
    pub message: String,
}

/// The code where a child trapped.
pub const TRAPPED: i64 = -1000;
/// The code where a child exited.
pub const EXITED: i64 = -1001;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

/// The number that a function gave, or the error it stands for.
fn checked(number: i64) -> Result<i64, Error> {
    if number >= 0 {
        return Ok(number);
    }
    let mut text = vec![0; 1024];
    // SAFETY: the buffer has as much room as is said.
    let length = unsafe { raw::module::error(text.as_mut_ptr(), text.len()) };
    text.truncate(usize::try_from(length).unwrap_or(0));
    Err(Error {
        code: number,
        message: String::from_utf8_lossy(&text).into_owned(),
    })
}

fn handle(number: i32) -> Result<i32, Error> {
    checked(number.into()).map(|_| number)
}

/// What may be done with pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// They may be read.
    Read = 0,
    /// They may be read and written.
    ReadWrite = 1,
}

/// Bytes of a page, of which all sizes, offsets and addresses are multiples.
pub fn page_size() -> usize {
    // SAFETY: it takes nothing.
    unsafe { raw::region::page_size() as usize }
}

/// Pages that several memories share.
#[derive(Debug)]
pub struct Region(i32);

impl Region {
    /// A region of zeros.
    pub fn new(size: usize) -> Result<Self, Error> {
        // SAFETY: it takes numbers.
        handle(unsafe { raw::region::create(size as i64) }).map(Self)
    }

    /// A region that was shared with this module by this name.
    pub fn open(name: &str) -> Result<Self, Error> {
        // SAFETY: the name is as long as is said.
        handle(unsafe { raw::region::open(name.as_ptr(), name.len()) }).map(Self)
    }

    /// Its bytes.
    pub fn size(&self) -> Result<usize, Error> {
        // SAFETY: it takes numbers.
        checked(unsafe { raw::region::size(self.0) }).map(|size| size as usize)
    }

    /// Maps bytes of it where there is room, and where others have them if they
    /// can be there. The address is valid until it is unmapped.
    pub fn map(&self, offset: usize, length: usize, access: Access) -> Result<*mut u8, Error> {
        // SAFETY: it maps only where nothing of this program is.
        let address = unsafe { raw::region::map(self.0, offset as i64, length as i64, -1, access as i32) };
        checked(address).map(|address| address as usize as *mut u8)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: it takes numbers; what is mapped stays.
        unsafe { raw::region::close(self.0) };
    }
}

/// Ends what is mapped at an address.
///
/// # Safety
/// Nothing uses those bytes any more.
pub unsafe fn unmap(address: *mut u8, length: usize) -> Result<(), Error> {
    // SAFETY: the caller's promise.
    checked(unsafe { raw::region::unmap(address as usize as i64, length as i64) }.into()).map(drop)
}

/// Changes what may be done with what is mapped at an address.
///
/// # Safety
/// Nothing writes those bytes any more that may only be read then.
pub unsafe fn protect(address: *mut u8, length: usize, access: Access) -> Result<(), Error> {
    // SAFETY: the caller's promise.
    checked(unsafe { raw::region::protect(address as usize as i64, length as i64, access as i32) }.into()).map(drop)
}

/// A module that was loaded.
#[derive(Debug)]
pub struct Module(i32);

impl Module {
    /// Loads a module from bytes.
    pub fn load(bytes: &[u8]) -> Result<Self, Error> {
        // SAFETY: the bytes are as many as is said.
        handle(unsafe { raw::module::load(bytes.as_ptr(), bytes.len()) }).map(Self)
    }

    /// Loads a module from a file that this program may read.
    pub fn load_path(path: &str) -> Result<Self, Error> {
        // SAFETY: the path is as long as is said.
        handle(unsafe { raw::module::load_path(path.as_ptr(), path.len()) }).map(Self)
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: it takes numbers.
        unsafe { raw::module::unload(self.0) };
    }
}

/// A module that runs as this program's child.
#[derive(Debug)]
pub struct Child(i32);

/// A function of a child.
#[derive(Clone, Copy, Debug)]
pub struct Function(i32);

impl Child {
    /// A child, not started, that may do what the text says, of what this program may.
    pub fn new(module: &Module, permissions: &str) -> Result<Self, Error> {
        // SAFETY: the text is as long as is said.
        handle(unsafe { raw::module::create(module.0, permissions.as_ptr(), permissions.len()) }).map(Self)
    }

    /// Lets it open a region by a name.
    pub fn share(&self, region: &Region, name: &str, access: Access) -> Result<(), Error> {
        // SAFETY: the name is as long as is said.
        let shared = unsafe { raw::module::share(self.0, region.0, name.as_ptr(), name.len(), access as i32) };
        handle(shared).map(drop)
    }

    /// Makes its instance.
    pub fn start(&self) -> Result<(), Error> {
        // SAFETY: it takes numbers.
        handle(unsafe { raw::module::start(self.0) }).map(drop)
    }

    /// A function that it exports.
    pub fn find(&self, name: &str) -> Result<Function, Error> {
        // SAFETY: the name is as long as is said.
        handle(unsafe { raw::module::find(self.0, name.as_ptr(), name.len()) }).map(Function)
    }

    /// What a function takes and gives: `i` for i32, `I` for i64, `f` for f32, `F`
    /// for f64, with a colon between.
    pub fn signature(&self, function: Function) -> Result<String, Error> {
        let mut text = vec![0; 2048];
        // SAFETY: the buffer has as much room as is said.
        let length = unsafe { raw::module::signature(self.0, function.0, text.as_mut_ptr(), text.len()) };
        text.truncate(handle(length)? as usize);
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Calls a function of it; each value is the bits of a number.
    ///
    /// # Panics
    /// If there are fewer arguments, or less room for results, than the function
    /// takes and gives.
    pub fn call(&self, function: Function, arguments: &[u64], results: &mut [u64]) -> Result<(), Error> {
        let signature = self.signature(function)?;
        let (takes, gives) = signature.split_once(':').unwrap_or((&signature, ""));
        assert!(takes.len() <= arguments.len() && gives.len() <= results.len());
        // SAFETY: there is as much as the function takes, and room for what it gives.
        let called = unsafe { raw::module::call(self.0, function.0, arguments.as_ptr(), results.as_mut_ptr()) };
        handle(called).map(drop)
    }

    /// Says what a function takes and gives, where that is more than numbers:
    /// [`Child::call`] passes it then.
    pub fn declare(&self, function: Function, signature: &str) -> Result<(), Error> {
        // SAFETY: the text is as long as is said.
        handle(unsafe { raw::module::declare(self.0, function.0, signature.as_ptr(), signature.len()) }).map(drop)
    }

    /// The place in this program's table where a function that it exports can be
    /// called: a function pointer, as a number.
    ///
    /// It is for the caller to make a function pointer of the right type of it, and
    /// not to call that once the child is dropped or it is released.
    pub fn symbol(&self, name: &str, signature: &str) -> Result<usize, Error> {
        // SAFETY: both texts are as long as is said.
        let place = unsafe {
            raw::module::symbol(self.0, name.as_ptr(), name.len(), signature.as_ptr(), signature.len())
        };
        handle(place).map(|place| place as usize)
    }

    /// The place in its table where a function of this program can be called.
    pub fn pass(&self, function: usize, signature: &str) -> Result<u32, Error> {
        // SAFETY: the text is as long as is said; whether there is such a function is
        // checked.
        let place = unsafe { raw::module::pass(self.0, function, signature.as_ptr(), signature.len()) };
        handle(place).map(|place| place as u32)
    }

    /// Ends what [`Child::pass`] has given.
    pub fn withdraw(&self, function: u32) -> Result<(), Error> {
        // SAFETY: it takes numbers.
        handle(unsafe { raw::module::withdraw(self.0, function) }).map(drop)
    }

    /// Lets it access bytes of this program's memory.
    ///
    /// # Safety
    /// Until they are reclaimed or the child is dropped, the bytes are there, and are
    /// not borrowed while the child runs: not at all if it may write them, and not
    /// exclusively if it may read them.
    pub unsafe fn lend(&self, address: *const u8, length: usize, access: Access) -> Result<(), Error> {
        // SAFETY: the caller's promise.
        handle(unsafe { raw::module::lend(self.0, address, length, access as i32) }).map(drop)
    }

    /// Ends what was lent from an address on.
    pub fn reclaim(&self, address: *const u8) -> Result<(), Error> {
        // SAFETY: it only ends what was allowed.
        handle(unsafe { raw::module::reclaim(self.0, address) }).map(drop)
    }

    /// Its memory.
    pub fn memory(&self) -> OtherMemory {
        OtherMemory(self.0)
    }

    /// The code that it exited with.
    pub fn exit_code(&self) -> Result<i32, Error> {
        // SAFETY: it takes numbers.
        handle(unsafe { raw::module::exit_code(self.0) })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: it takes numbers.
        unsafe { raw::module::drop(self.0) };
    }
}

/// Ends a function pointer that [`Child::symbol`] has given.
pub fn release(function: usize) -> Result<(), Error> {
    // SAFETY: it takes numbers.
    handle(unsafe { raw::module::release(function) }).map(drop)
}

/// The memory of a child, or what the parent has lent of its own. Addresses are the
/// other module's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherMemory(i32);

impl OtherMemory {
    /// What the parent has lent.
    pub const PARENT: Self = Self(-1);

    /// Bytes that may be read from an address on.
    pub fn size(self, address: u32) -> Result<u64, Error> {
        // SAFETY: it takes numbers.
        checked(unsafe { raw::access::size(self.0, address) }).map(|size| size as u64)
    }

    /// Copies bytes out of it: all, or none.
    pub fn read(self, from: u32, to: &mut [u8]) -> Result<(), Error> {
        // SAFETY: the bytes are as many as is said.
        handle(unsafe { raw::access::copy_from(self.0, from, to.as_mut_ptr(), to.len()) }).map(drop)
    }

    /// Copies bytes into it: all, or none.
    pub fn write(self, to: u32, from: &[u8]) -> Result<(), Error> {
        // SAFETY: the bytes are as many as is said.
        handle(unsafe { raw::access::copy_to(self.0, to, from.as_ptr(), from.len()) }).map(drop)
    }
}

/// Gives permissions up for good, such as `net,load`.
pub fn give_up(permissions: &str) -> Result<(), Error> {
    // SAFETY: the text is as long as is said.
    handle(unsafe { raw::module::give_up(permissions.as_ptr(), permissions.len()) }).map(drop)
}
