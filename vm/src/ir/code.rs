//! Translated code of a module's functions.

use std::collections::BTreeMap;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::catches::Catches;
use super::translate::{Scratch, translate};
use crate::error::Error;
use crate::exec::context::CxLayout;
use crate::exec::dispatch::Handler;
use crate::exec::{control, stubs};
use crate::module::{FuncIdx, ModuleData};

/// What code depends on besides its module. Instances of a module that agree
/// in these share their code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct CodeOptions {
    /// Whether code counts its fuel.
    pub(crate) fuel: bool,
    /// Whether code counts the frames it enters.
    pub(crate) depth: bool,
    /// Whether relaxed operators have the results of the specification's
    /// deterministic profile.
    pub(crate) deterministic: bool,
    /// For each memory whether handlers check its accesses.
    pub(crate) checked: Box<[bool]>,
    /// The values, as slots, of globals that keep them, by index: imported ones, and
    /// defined ones that are made of those. Code has them as constants; what is not
    /// here is looked up, but for immutable globals that begin with a constant.
    pub(crate) constants: Box<[Option<u64>]>,
}

/// Where a function is called before it is translated: an instruction that
/// translates it.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Cell {
    handler: Handler,
    /// The translated function's entry, null before.
    entry: AtomicPtr<u8>,
}

impl Cell {
    /// The address of the first instruction of the translated function.
    fn entry(&self) -> Option<*const u8> {
        let entry = self.entry.load(Ordering::Acquire);
        (!entry.is_null()).then_some(entry.cast_const())
    }
}

/// Code of one function.
#[derive(Debug)]
pub(crate) struct FuncCode {
    /// Instructions. While they run, nothing changes but the entries in calls
    /// (see [`CodeSet::bind_call`]).
    pub(crate) words: Box<[AtomicU64]>,
    /// Pairs of byte offsets, in `words` and in the module, ascending: where
    /// instructions come from.
    pub(crate) origins: Box<[(u32, u32)]>,
    /// What it catches, if anything.
    pub(crate) catches: Option<Box<Catches>>,
}

impl FuncCode {
    /// Byte offset in the module of the instruction around `offset` bytes into
    /// the code.
    pub(crate) fn origin(&self, offset: usize) -> Option<u32> {
        let after = self.origins.partition_point(|(at, _)| *at as usize <= offset);
        Some(self.origins.get(after.checked_sub(1)?)?.1)
    }
}

/// The code of a module, under one set of options. Functions are translated
/// when they are first called.
#[derive(Debug)]
pub(crate) struct CodeSet {
    module: Arc<ModuleData>,
    options: CodeOptions,
    layout: Arc<CxLayout>,
    cells: Box<[Cell]>,
    translated: Mutex<Translated>,
}

#[derive(Debug, Default)]
struct Translated {
    /// Function by the address of its code.
    by_address: BTreeMap<usize, (FuncIdx, FuncCode)>,
    scratch: Scratch,
}

impl Translated {
    /// The word of code at an address.
    fn find(&self, address: usize) -> Option<&AtomicU64> {
        let (start, (_, code)) = self.by_address.range(..=address).next_back()?;
        code.words.get((address - start) / size_of::<u64>())
    }
}

impl CodeSet {
    /// Code of `module`, none of it translated yet.
    pub(crate) fn new(module: Arc<ModuleData>, options: CodeOptions) -> Arc<Self> {
        let layout = Arc::new(CxLayout::new(&module));
        let cells = module
            .bodies
            .iter()
            .map(|_| Cell {
                handler: stubs::LAZY,
                entry: AtomicPtr::default(),
            })
            .collect();
        Arc::new(Self {
            module,
            options,
            layout,
            cells,
            translated: Mutex::default(),
        })
    }

    /// The module.
    pub(crate) fn module(&self) -> &Arc<ModuleData> {
        &self.module
    }

    /// What the code depends on.
    pub(crate) fn options(&self) -> &CodeOptions {
        &self.options
    }

    /// The layout of contexts the code expects.
    pub(crate) fn cx_layout(&self) -> Arc<CxLayout> {
        Arc::clone(&self.layout)
    }

    /// The cell of a function that the module defines.
    fn cell(&self, func: FuncIdx) -> Option<&Cell> {
        self.cells
            .get(func.index().checked_sub(self.module.num_imported_funcs)?)
    }

    /// Where calls of a function that the module defines go for now: to its
    /// code, or to its cell.
    pub(crate) fn call_target(&self, func: FuncIdx) -> Option<*const u8> {
        let cell = self.cell(func)?;
        Some(cell.entry().unwrap_or(ptr::from_ref(cell).cast()))
    }

    /// The entry of a function that the module defines; null if it is not translated.
    pub(crate) fn entry_if_translated(&self, func: FuncIdx) -> Option<*const u8> {
        Some(self.cell(func)?.entry().unwrap_or(ptr::null()))
    }

    /// Lets the call before the return address `ret` go to `entry` from now on.
    pub(crate) fn bind_call(&self, ret: usize, entry: *const u8) {
        let translated = self.lock();
        let word = translated
            .find(ret - control::ENTRY_BEFORE_RETURN)
            .expect("calls of untranslated functions stand in translated code");
        // With `Release`, so that who reads it finds the code there.
        word.store(entry as usize as u64, Ordering::Release);
    }

    /// The entry of a function that the module defines.
    ///
    /// # Errors
    /// If the function cannot be translated.
    ///
    /// # Panics
    /// If the function is imported or does not exist.
    pub(crate) fn entry(&self, func: FuncIdx) -> Result<*const u8, Error> {
        self.entry_of_cell(self.cell(func).expect("records are made for defined functions"))
    }

    /// [`CodeSet::entry`] for a cell of this code.
    pub(crate) fn entry_of_cell(&self, cell: &Cell) -> Result<*const u8, Error> {
        if let Some(entry) = cell.entry() {
            return Ok(entry);
        }
        let func = self.func_of_cell(cell);
        let mut translated = self.lock();
        if let Some(entry) = cell.entry() {
            return Ok(entry);
        }
        let code = translate(self, func, &mut translated.scratch)?;
        let start = code.words.as_ptr().cast::<u8>().cast_mut();
        translated.by_address.insert(start as usize, (func, code));
        cell.entry.store(start, Ordering::Release);
        Ok(start)
    }

    /// The function whose cell of this code that is.
    pub(crate) fn func_of_cell(&self, cell: &Cell) -> FuncIdx {
        let first = self.cells.as_ptr() as usize;
        let defined = (ptr::from_ref(cell) as usize - first) / size_of::<Cell>();
        let index = self.module.num_imported_funcs + defined;
        FuncIdx::new(u32::try_from(index).expect("validation bounds the number of functions"))
    }

    /// The function whose code `address` is in, and the module's byte offset
    /// of the instruction there.
    pub(crate) fn find(&self, address: usize) -> Option<(FuncIdx, u32)> {
        let translated = self.lock();
        let (start, (func, code)) = translated.by_address.range(..=address).next_back()?;
        let offset = address - start;
        if offset >= code.words.len() * size_of::<u64>() {
            return None;
        }
        Some((*func, code.origin(offset)?))
    }

    /// The function whose code is at an address.
    pub(crate) fn function_at(&self, address: usize) -> Option<FuncIdx> {
        let translated = self.lock();
        let (start, (func, code)) = translated.by_address.range(..=address).next_back()?;
        (address - start < code.words.len() * size_of::<u64>()).then_some(*func)
    }

    /// Whether the code at an address is in a function that catches anything, and
    /// the function; `f` is given what it catches, and the offset of the address in
    /// its code.
    pub(crate) fn catches_at<R>(
        &self,
        address: usize,
        f: impl FnOnce(&Catches, usize) -> Option<R>,
    ) -> Option<(FuncIdx, Option<R>)> {
        let translated = self.lock();
        let (start, (func, code)) = translated.by_address.range(..=address).next_back()?;
        let offset = address - start;
        if offset >= code.words.len() * size_of::<u64>() {
            return None;
        }
        Some((*func, code.catches.as_ref().and_then(|catches| f(catches, offset))))
    }

    /// The functions translated so far: the address and the bytes of their code.
    pub(crate) fn translated(&self) -> Vec<(usize, usize, FuncIdx)> {
        let translated = self.lock();
        let functions = translated.by_address.iter();
        functions
            .map(|(start, (func, code))| (*start, code.words.len() * size_of::<u64>(), *func))
            .collect()
    }

    /// The word of translated code at an address.
    pub(crate) fn word(&self, address: usize) -> Option<u64> {
        Some(self.lock().find(address)?.load(Ordering::Relaxed))
    }

    fn lock(&self) -> MutexGuard<'_, Translated> {
        self.translated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
