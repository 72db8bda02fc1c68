//! Translated code of a module's functions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::translate::{Scratch, translate};
use crate::error::Error;
use crate::exec::context::CxLayout;
use crate::exec::stubs;
use crate::module::{FuncIdx, ModuleData};

/// What code depends on besides its module. Instances of a module that agree
/// in these share their code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct CodeOptions {
    /// Whether code counts its fuel.
    pub(crate) fuel: bool,
    /// Whether code counts the frames it enters.
    pub(crate) depth: bool,
    /// For each memory whether handlers check its accesses.
    pub(crate) checked: Box<[bool]>,
    /// The values, as slots, of imported globals that are immutable numbers;
    /// code has them as constants. Without any, all globals are looked up.
    pub(crate) constants: Box<[Option<u64>]>,
}

/// The entry of a function, as calls within its module find it.
#[derive(Debug)]
pub(crate) struct Cell(AtomicPtr<u8>);

impl Cell {
    /// The address of the entry's first instruction.
    #[inline(always)]
    pub(crate) fn get(&self) -> *const u8 {
        self.0.load(Ordering::Acquire)
    }
}

/// Code of one function.
#[derive(Debug)]
pub(crate) struct FuncCode {
    /// Instructions.
    pub(crate) words: Box<[u64]>,
    /// Pairs of byte offsets, in `words` and in the module, ascending: where
    /// instructions come from.
    pub(crate) origins: Box<[(u32, u32)]>,
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

impl CodeSet {
    /// Code of `module`, none of it translated yet.
    pub(crate) fn new(module: Arc<ModuleData>, options: CodeOptions) -> Arc<Self> {
        let layout = Arc::new(CxLayout::new(&module));
        let cells = module
            .bodies
            .iter()
            .map(|_| Cell(AtomicPtr::new(stubs::lazy_entry())))
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
    pub(crate) fn cell(&self, func: FuncIdx) -> Option<&Cell> {
        self.cells
            .get(func.index().checked_sub(self.module.num_imported_funcs)?)
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
        if cell.get() != stubs::lazy_entry().cast_const() {
            return Ok(cell.get());
        }
        let first = self.cells.as_ptr() as usize;
        let defined = (std::ptr::from_ref(cell) as usize - first) / size_of::<Cell>();
        let index = self.module.num_imported_funcs + defined;
        let func = FuncIdx::new(u32::try_from(index).expect("validation bounds the number of functions"));
        let mut translated = self.lock();
        if cell.get() == stubs::lazy_entry().cast_const() {
            let code = translate(self, func, &mut translated.scratch)?;
            let start = code.words.as_ptr().cast::<u8>().cast_mut();
            translated.by_address.insert(start as usize, (func, code));
            cell.0.store(start, Ordering::Release);
        }
        Ok(cell.get())
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
        let translated = self.lock();
        let (start, (_, code)) = translated.by_address.range(..=address).next_back()?;
        code.words.get((address - start) / size_of::<u64>()).copied()
    }

    fn lock(&self) -> MutexGuard<'_, Translated> {
        self.translated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
