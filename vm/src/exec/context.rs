//! What the interpreter reaches through its `cx` register: the instance
//! context, function records, and the per-store runtime block.
//!
//! A [`Cx`] is one heap block per instance, a fixed head followed by arrays
//! whose offsets ([`CxLayout`]) depend on the module alone, so that an
//! instruction finds an import record or a global at `cx + constant`.
//!
//! Invariants:
//! 1. Blocks, records and cells are made by a store and live as long as it;
//!    nothing in here outlives its store. The runtime keeps them that way.
//! 2. Only the thread that has the store (`&mut`) reads or writes them.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::mem::size_of;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use crate::exec::memory::MemoryRef;
use crate::exec::table::TableRef;
use crate::ir::code::CodeSet;
use crate::module::{FuncIdx, GlobalIdx, ModuleData, TagIdx};
use crate::runtime::domain;
use crate::runtime::fuel::FuelLeft;
use crate::runtime::permissions::Capabilities;
use crate::sys;
use crate::types::{TypeId, TypeInfo};

use super::dispatch::Regs;
use super::globals::GlobalRef;
use super::heap::{Bump, Bumps};
use super::reach::Beyond;
use super::stubs;
use super::tag::{TagInst, TagRef, TagShape};

/// The fixed head of an instance context (and of a host function's).
#[repr(C)]
pub(crate) struct Cx {
    /// Base address of memory 0, loaded into the `mb` register; null if none.
    pub(crate) mem0_base: *mut u8,
    /// The store's runtime block.
    pub(crate) rt: *mut Rt,
    /// Translated code of the module; null in a host function's head.
    pub(crate) code: *const CodeSet,
    /// Index of the instance in its store.
    pub(crate) instance: u32,
    /// Index of the first function that is not imported.
    pub(crate) num_imported_funcs: u32,
    /// Index of the instance's domain in its store; one that is none in a host
    /// function's head.
    pub(crate) domain: u32,
    /// This instance's records of its own escaped functions.
    pub(crate) own_recs: *const FuncRec,
    /// Base of the store's heap, which handles count from; null if there is none yet.
    pub(crate) heap: *mut u8,
}

/// A function as seen by its callers: the entry of a PLT-like import table and
/// what a function reference points to.
///
/// `ip` starts at a stub that translates the function and then writes the real
/// entry here, so only the first call through a record pays for it.
#[repr(C)]
pub(crate) struct FuncRec {
    /// Where execution starts.
    pub(crate) ip: Cell<*const u8>,
    /// Context of the callee: an instance's, or the head of a [`super::host::HostFunc`].
    pub(crate) cx: *mut Cx,
    /// Engine-wide identity of the function's type.
    pub(crate) ty: TypeId,
    /// Index in the callee's function index space (unused for host functions); of
    /// an unbound import, in the importer's.
    pub(crate) func: u32,
    /// Slots before the frame's header: the larger of parameters and results.
    pub(crate) slots: u32,
    /// The record that stands for the function's identity; null for an unbound
    /// import.
    pub(crate) canonical: Cell<*const FuncRec>,
    /// What the function's type is a subtype of, which the store keeps.
    pub(crate) info: *const TypeInfo,
}

/// State of a store that running code needs.
#[repr(C)]
pub(crate) struct Rt {
    /// Fuel left, in units of one operator.
    pub(crate) fuel: u64,
    /// What more can be had of; null if nothing.
    pub(crate) fuel_pool: *const FuelLeft,
    /// Guest frames entered; counted only where a call depth limit is set.
    pub(crate) depth: u32,
    /// The limit of `depth`.
    pub(crate) max_depth: u32,
    /// First slot that the next entry from the host may use.
    pub(crate) next_frame: *mut u64,
    /// The end of the usable part of the value stack.
    pub(crate) stack_end: *mut u64,
    /// The running activation, null outside guest calls.
    pub(crate) act: *const sys::Activation,
    /// `*mut StoreData<T>` of the running call.
    pub(crate) store: *mut (),
    /// The type-independent part of the same store.
    pub(crate) inner: *mut crate::runtime::store::StoreInner,
    /// Bits of the capabilities that every domain of the store has, whatever the
    /// call chain.
    pub(crate) granted: u32,
    /// How often domains had given something up then
    /// ([`drops`](crate::runtime::domain::drops)).
    pub(crate) granted_at: u64,
    /// The mark of the next run that the host begins ([`super::chain::Mark`]).
    pub(crate) mark: u64,
    /// How other threads ask for an interruption.
    pub(crate) control: *const sys::StackControl,
    /// Set by another thread to ask for an interruption; polled where faults
    /// do not deliver it.
    pub(crate) interrupt: *const std::sync::atomic::AtomicBool,
    /// Where a trapping handler stood: instruction, frame and context.
    pub(crate) trap_ip: *const u8,
    /// See `trap_ip`.
    pub(crate) trap_fp: *mut u64,
    /// See `trap_ip`.
    pub(crate) trap_cx: *mut Cx,
    /// Base of the heap, for contexts that are made later.
    pub(crate) heap: *mut u8,
    /// Free cells of the heap.
    pub(crate) bumps: Bumps,
    /// The access for which a handler has found no address in its memory.
    pub(crate) beyond: Beyond,
    /// Registers between two handlers where calls do not become jumps.
    pub(crate) scratch: Regs,
}

impl Rt {
    /// Bits of the capabilities that every domain had, and when.
    ///
    /// # Safety
    /// `this` is the block of a live store of this thread.
    #[inline]
    pub(crate) unsafe fn granted(this: *const Self) -> (u32, u64) {
        // SAFETY: the caller's promise.
        unsafe { ((*this).granted, (*this).granted_at) }
    }

    /// A runtime block for a store whose value stack is `stack`.
    pub(super) fn new(stack: &sys::ValueStack, control: &sys::StackControl, max_depth: u32) -> Self {
        let slots = stack.usable_bytes() / size_of::<u64>();
        Self {
            fuel: 0,
            fuel_pool: ptr::null(),
            depth: 0,
            max_depth,
            next_frame: stack.base(),
            stack_end: stack.base().wrapping_add(slots),
            act: ptr::null(),
            store: ptr::null_mut(),
            inner: ptr::null_mut(),
            granted: Capabilities::all().to_bits(),
            granted_at: domain::drops(),
            mark: super::chain::Mark::Open.word(),
            control,
            interrupt: control.pending_flag(),
            trap_ip: ptr::null(),
            trap_fp: ptr::null_mut(),
            trap_cx: ptr::null_mut(),
            heap: ptr::null_mut(),
            bumps: Bump::NONE,
            beyond: Beyond::NONE,
            scratch: Regs::zero(),
        }
    }
}

/// Offsets, in bytes from the start of a [`Cx`], of its trailing arrays.
#[derive(Clone, Debug)]
pub(crate) struct CxLayout {
    imports: usize,
    globals: usize,
    imported_globals: usize,
    memories: usize,
    tables: usize,
    func_refs: usize,
    tags: usize,
    own_tags: usize,
    size: usize,
    num_imported_globals: usize,
}

/// Bytes of a global's cell (a v128 needs them all).
const GLOBAL_CELL: usize = 16;

impl CxLayout {
    /// The layout of contexts for instances of `module`.
    pub(crate) fn new(module: &ModuleData) -> Self {
        let word = size_of::<usize>();
        let imports = size_of::<Cx>().next_multiple_of(16);
        let globals = (imports + module.num_imported_funcs * size_of::<FuncRec>()).next_multiple_of(16);
        let own_globals = module.globals.len() - module.num_imported_globals;
        let imported_globals = globals + own_globals * GLOBAL_CELL;
        let memories = imported_globals + module.num_imported_globals * word;
        let tables = memories + module.memories.len() * word;
        let func_refs = tables + module.tables.len() * word;
        let tags = func_refs + module.num_escaped * word;
        let own_tags = tags + module.tags.len() * word;
        let size = own_tags + (module.tags.len() - module.num_imported_tags) * size_of::<TagInst>();
        Self {
            imports,
            globals,
            imported_globals,
            memories,
            tables,
            func_refs,
            tags,
            own_tags,
            size,
            num_imported_globals: module.num_imported_globals,
        }
    }

    /// Bytes of a context and of the records of a module's own functions.
    pub(crate) fn bytes(module: &ModuleData) -> usize {
        Self::new(module).size + module.num_escaped * size_of::<FuncRec>()
    }

    /// Offset of the record of imported function `i`.
    pub(crate) fn import(&self, i: usize) -> usize {
        self.imports + i * size_of::<FuncRec>()
    }

    /// Offset of the cell of a global the module defines, or of the pointer to
    /// an imported one's.
    pub(crate) fn global(&self, i: GlobalIdx) -> GlobalPlace {
        let i = i.index();
        match i.checked_sub(self.num_imported_globals) {
            Some(own) => GlobalPlace::Own(self.globals + own * GLOBAL_CELL),
            None => GlobalPlace::Imported(self.imported_globals + i * size_of::<usize>()),
        }
    }

    /// Offset of the pointer to memory `i`.
    pub(crate) fn memory(&self, i: usize) -> usize {
        self.memories + i * size_of::<usize>()
    }

    /// Offset of the pointer to table `i`.
    pub(crate) fn table(&self, i: usize) -> usize {
        self.tables + i * size_of::<usize>()
    }

    /// Offset of the function reference with dense index `i`.
    pub(crate) fn func_ref(&self, i: usize) -> usize {
        self.func_refs + i * size_of::<usize>()
    }

    /// Offset of the pointer to a tag.
    pub(crate) fn tag(&self, tag: TagIdx) -> usize {
        self.tags + tag.index() * size_of::<usize>()
    }
}

/// Where a global stands relative to a [`Cx`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum GlobalPlace {
    /// Its cell is at this offset.
    Own(usize),
    /// The pointer to its cell is at this offset.
    Imported(usize),
}

/// A function reference: a record that lives as long as its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FuncRef(NonNull<FuncRec>);

impl FuncRef {
    /// A reference to `rec`, which the store keeps alive.
    pub(crate) fn new(rec: &FuncRec) -> Self {
        Self(NonNull::from(rec))
    }

    /// The record.
    pub(crate) fn rec(&self) -> &FuncRec {
        // SAFETY: invariant 1: the record lives as long as the store that hands
        // out and takes back these references.
        unsafe { self.0.as_ref() }
    }

    /// The record's address.
    pub(crate) fn as_ptr(self) -> *const FuncRec {
        self.0.as_ptr()
    }

    /// The engine-wide identity of the function's type.
    pub(crate) fn ty(self) -> TypeId {
        self.rec().ty
    }

    /// The slot value of the reference.
    pub(crate) fn to_slot(self) -> u64 {
        self.0.as_ptr() as u64
    }

    /// The reference in a slot of function reference type; `None` for null.
    ///
    /// The slot must come from running code or a table of the same store.
    pub(crate) fn from_slot(slot: u64) -> Option<Self> {
        NonNull::new(slot as *mut FuncRec).map(Self)
    }

    /// The index of the instance that the function belongs to; none for a host
    /// function.
    pub(crate) fn instance(self) -> Option<u32> {
        // SAFETY: invariant 1; `cx` points to a context or a host function's head.
        (!self.is_host()).then(|| unsafe { (*self.rec().cx).instance })
    }

    /// Whether the function is a host function.
    pub(crate) fn is_host(self) -> bool {
        // SAFETY: invariant 1; `cx` points to a context or a host function's head.
        unsafe { (*self.rec().cx).code.is_null() }
    }
}

/// The owner of an instance's context block and function records.
#[derive(Debug)]
pub(crate) struct InstanceCx {
    block: NonNull<Cx>,
    layout: Layout,
    offsets: Arc<CxLayout>,
    /// Records of escaped functions that the module defines; never resized.
    records: Box<[FuncRec]>,
    /// Kept alive: instructions of running frames stand in it.
    code: Arc<CodeSet>,
}

impl std::fmt::Debug for FuncRec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FuncRec")
            .field("ty", &self.ty)
            .field("func", &self.func)
            .finish_non_exhaustive()
    }
}

/// What an instance imports, and what else its index spaces are made of.
pub(crate) struct Wiring<'a> {
    /// The index of the instance's domain.
    pub(crate) domain: u32,
    /// Imported functions; none for one that is found when it is first called.
    pub(crate) funcs: &'a [Option<FuncRef>],
    /// Imported globals.
    pub(crate) globals: &'a [GlobalRef],
    /// All memories: imported, then defined.
    pub(crate) memories: &'a [MemoryRef],
    /// All tables: imported, then defined.
    pub(crate) tables: &'a [TableRef],
    /// Imported tags.
    pub(crate) tags: &'a [TagRef],
    /// The shapes of the tags it defines.
    pub(crate) own_tags: &'a [NonNull<TagShape>],
}

impl InstanceCx {
    /// A context for instance `instance` of the module `code` belongs to.
    pub(crate) fn new(code: Arc<CodeSet>, rt: NonNull<Rt>, instance: u32, wiring: &Wiring<'_>) -> Self {
        let module = Arc::clone(code.module());
        let offsets = code.cx_layout();
        let layout =
            Layout::from_size_align(offsets.size, 16).expect("a module's index spaces are bounded by validation");
        // SAFETY: the size is at least that of `Cx`, not zero.
        let block = unsafe { alloc_zeroed(layout) };
        let Some(block) = NonNull::new(block.cast::<Cx>()) else {
            handle_alloc_error(layout)
        };

        let imported = module.num_imported_funcs;
        let stub = stubs::bind_entry();
        let escaped: Vec<(usize, FuncIdx)> = module.escaped_funcs().collect();
        let records: Box<[FuncRec]> = escaped
            .iter()
            .filter(|(_, func)| func.index() >= imported)
            .map(|(_, func)| FuncRec {
                ip: Cell::new(stub),
                cx: block.as_ptr(),
                ty: module.func_type_id(*func),
                func: func.as_u32(),
                slots: module.func_type(*func).slots(),
                canonical: Cell::new(ptr::null()),
                info: module.func_info(*func),
            })
            .collect();
        for rec in &records {
            rec.canonical.set(rec);
        }

        let this = Self {
            block,
            layout,
            offsets,
            records,
            code,
        };
        this.wire(rt, instance, wiring);
        this
    }

    /// Writes the block, whose globals are zeros.
    fn wire(&self, rt: NonNull<Rt>, instance: u32, wiring: &Wiring<'_>) {
        let module = self.code.module();
        let imported = module.num_imported_funcs;
        let head = Cx {
            mem0_base: wiring.memories.first().map_or(ptr::null_mut(), |m| m.base()),
            rt: rt.as_ptr(),
            code: Arc::as_ptr(&self.code),
            instance,
            num_imported_funcs: u32::try_from(imported).expect("validation bounds the number of imports"),
            domain: wiring.domain,
            own_recs: self.records.as_ptr(),
            // SAFETY: the store's block is live, and nothing runs.
            heap: unsafe { rt.as_ref() }.heap,
        };
        // SAFETY: the block is large enough for a head, and no code runs in it.
        unsafe { self.block.write(head) };
        for (i, func) in wiring.funcs.iter().enumerate() {
            match func {
                Some(func) => self.write_import(i, *func),
                None => self.write_unbound(i),
            }
        }
        for (i, global) in wiring.globals.iter().enumerate() {
            let at = self.offsets.imported_globals + i * size_of::<usize>();
            // SAFETY: the layout has room for each imported global's pointer.
            unsafe { self.at::<*mut u64>(at).write(global.as_ptr()) };
        }
        for (i, memory) in wiring.memories.iter().enumerate() {
            // SAFETY: the layout has room for each memory's pointer.
            unsafe {
                self.at::<*mut super::memory::MemoryInst>(self.offsets.memory(i))
                    .write(memory.as_ptr())
            };
        }
        for (i, table) in wiring.tables.iter().enumerate() {
            // SAFETY: the layout has room for each table's pointer.
            unsafe {
                self.at::<*mut super::table::TableInst>(self.offsets.table(i))
                    .write(table.as_ptr())
            };
        }
        self.wire_tags(wiring);
        let mut own = self.records.iter();
        for (dense, func) in module.escaped_funcs() {
            let rec: *const FuncRec = match wiring.funcs.get(func.index()) {
                Some(imported) => imported
                    .expect("an import that the module refers to is bound from the start")
                    .as_ptr(),
                None => own.next().expect("one record per escaped defined function"),
            };
            // SAFETY: the layout has room for each escaped function's pointer.
            unsafe { self.at::<*const FuncRec>(self.offsets.func_ref(dense)).write(rec) };
        }
    }

    /// Writes the tags it defines, and the pointers to all.
    fn wire_tags(&self, wiring: &Wiring<'_>) {
        let first = self.offsets.own_tags;
        let own = (0..).map(|i| first + i * size_of::<TagInst>());
        let own = own.zip(wiring.own_tags).map(|(at, shape)| {
            let tag = self.at::<TagInst>(at);
            // SAFETY: shapes live as long as the store.
            let inst = TagInst::new(unsafe { shape.as_ref() });
            // SAFETY: the layout has room for each tag that the module defines.
            unsafe { tag.write(inst) };
            tag
        });
        let tags = wiring.tags.iter().map(|tag| tag.as_ptr()).chain(own);
        for (i, tag) in tags.enumerate() {
            let at = self.offsets.tags + i * size_of::<usize>();
            // SAFETY: the layout has room for each tag's pointer.
            unsafe { self.at::<*mut TagInst>(at).write(tag) };
        }
    }

    /// A tag.
    pub(crate) fn tag(&self, tag: TagIdx) -> TagRef {
        // SAFETY: written by `wire_tags` for each tag.
        let tag = unsafe { self.at::<*mut TagInst>(self.offsets.tag(tag)).read() };
        TagRef::new(NonNull::new(tag).expect("inside the block, or a live tag"))
    }

    /// Makes the instance one without code: who calls its functions is told that
    /// they are gone. The block and the records stay, for those who have references.
    ///
    /// No function of it may be running. `empty` is the code of a module without
    /// functions, which the instance is one of from now on.
    pub(crate) fn retire(&mut self, empty: Arc<CodeSet>) {
        for rec in &self.records {
            rec.ip.set(stubs::unloaded_entry());
        }
        self.code = empty;
        let head = self.block.as_ptr();
        // SAFETY: the block is this instance's, and no code runs in it.
        unsafe { (*head).code = Arc::as_ptr(&self.code) };
    }

    /// Makes a retired instance one of its former module again: what refers to its
    /// functions and globals refers to the new ones.
    ///
    /// # Panics
    /// If `code` is of a module with another layout.
    pub(crate) fn renew(&mut self, code: Arc<CodeSet>, rt: NonNull<Rt>, instance: u32, wiring: &Wiring<'_>) {
        assert_eq!(code.cx_layout().size, self.layout.size(), "it is of the same module");
        self.offsets = code.cx_layout();
        self.code = code;
        // SAFETY: allocated with this layout; no code runs in it.
        unsafe { self.block.as_ptr().cast::<u8>().write_bytes(0, self.layout.size()) };
        for rec in &self.records {
            rec.ip.set(stubs::bind_entry());
        }
        self.wire(rt, instance, wiring);
    }

    /// Lets calls of imported functions that `is_gone` go nowhere.
    pub(crate) fn forget_imports(&self, is_gone: impl Fn(FuncRef) -> bool) {
        for i in 0..self.code.module().num_imported_funcs {
            if self.imported_func(i).is_some_and(&is_gone) {
                // SAFETY: written by `wire` for each import.
                unsafe {
                    (*self.at::<FuncRec>(self.offsets.import(i)))
                        .ip
                        .set(stubs::unloaded_entry())
                };
            }
        }
    }

    /// Whether a function is one of the instance's own.
    pub(crate) fn has_func(&self, func: FuncRef) -> bool {
        // SAFETY: invariant 1.
        func.rec().cx == self.block.as_ptr()
    }

    /// The number, in bytes from the block's start, of the import whose record it
    /// is.
    ///
    /// # Panics
    /// If the record is none of the instance's imports.
    pub(crate) fn import_at(&self, rec: *const FuncRec) -> usize {
        let offset = rec.addr() - self.block.as_ptr().addr() - self.offsets.imports;
        let i = offset / size_of::<FuncRec>();
        assert!(i < self.code.module().num_imported_funcs, "a record of an import");
        i
    }

    /// Makes imported function `i` another one, of the same type: for calls from now
    /// on, and for references that are made from now on.
    ///
    /// # Panics
    /// If there is no such import.
    pub(crate) fn rebind(&mut self, i: usize, func: FuncRef) {
        let module = Arc::clone(self.code.module());
        assert!(i < module.num_imported_funcs, "the import exists");
        self.write_import(i, func);
        let index = FuncIdx::new(u32::try_from(i).expect("validation bounds the number of imports"));
        if let Some(dense) = module.escaped_index(index) {
            // SAFETY: the layout has room for each escaped function's pointer.
            unsafe {
                self.at::<*const FuncRec>(self.offsets.func_ref(dense))
                    .write(func.as_ptr())
            };
        }
    }

    /// Writes the record of imported function `i`.
    fn write_import(&self, i: usize, func: FuncRef) {
        let callee = func.rec();
        let rec = FuncRec {
            ip: Cell::new(callee.ip.get()),
            cx: callee.cx,
            ty: callee.ty,
            func: callee.func,
            slots: callee.slots,
            canonical: Cell::new(func.as_ptr()),
            info: callee.info,
        };
        // SAFETY: the layout has room for each import's record; what calls read of
        // it they read at once.
        unsafe { self.at::<FuncRec>(self.offsets.import(i)).write(rec) };
    }

    /// Writes the record of an imported function that is found when it is called.
    fn write_unbound(&self, i: usize) {
        let module = self.code.module();
        let func = FuncIdx::new(u32::try_from(i).expect("validation bounds the number of imports"));
        let rec = FuncRec {
            ip: Cell::new(stubs::unbound_entry()),
            cx: self.block.as_ptr(),
            ty: module.func_type_id(func),
            func: func.as_u32(),
            slots: module.func_type(func).slots(),
            canonical: Cell::new(ptr::null()),
            info: module.func_info(func),
        };
        // SAFETY: as in `write_import`.
        unsafe { self.at::<FuncRec>(self.offsets.import(i)).write(rec) };
    }

    /// A pointer into the block.
    fn at<V>(&self, offset: usize) -> *mut V {
        debug_assert!(offset < self.offsets.size);
        self.block.as_ptr().wrapping_byte_add(offset).cast()
    }

    /// Sets the base of the store's heap.
    pub(crate) fn set_heap(&self, base: *mut u8) {
        // SAFETY: the block is this instance's; code that runs reads it again after what
        // made the heap.
        unsafe { (*self.block.as_ptr()).heap = base };
    }

    /// The context's address.
    pub(crate) fn as_ptr(&self) -> *mut Cx {
        self.block.as_ptr()
    }

    /// The code its functions run.
    pub(crate) fn code(&self) -> &Arc<CodeSet> {
        &self.code
    }

    /// A reference to a function that can escape (exports, elements, `ref.func`).
    ///
    /// # Panics
    /// If validation did not declare the function as one that escapes.
    pub(crate) fn func_ref(&self, func: FuncIdx) -> FuncRef {
        let dense = self
            .code
            .module()
            .escaped_index(func)
            .expect("validation declares every referenced function");
        // SAFETY: written by `new` for each dense index, never null.
        let rec = unsafe { self.at::<*mut FuncRec>(self.offsets.func_ref(dense)).read() };
        FuncRef(NonNull::new(rec).expect("written by `new`"))
    }

    /// A function that was imported, if it is bound.
    pub(crate) fn imported_func(&self, i: usize) -> Option<FuncRef> {
        // SAFETY: written by `wire` for each import.
        let canonical = unsafe { (*self.at::<FuncRec>(self.offsets.import(i))).canonical.get() };
        NonNull::new(canonical.cast_mut()).map(FuncRef)
    }

    /// The function of the instance's own that a slot refers to, if it does.
    pub(crate) fn own_func(&self, slot: u64) -> Option<FuncIdx> {
        let offset = (slot as usize).checked_sub(self.records.as_ptr().addr())?;
        let rec = self.records.get(offset / size_of::<FuncRec>())?;
        Some(FuncIdx::new(rec.func))
    }

    /// The cell of a global.
    pub(crate) fn global(&self, global: GlobalIdx) -> GlobalRef {
        let cell = match self.offsets.global(global) {
            GlobalPlace::Own(offset) => self.at(offset),
            // SAFETY: written by `new` for each imported global.
            GlobalPlace::Imported(offset) => unsafe { self.at::<*mut u64>(offset).read() },
        };
        GlobalRef::new(NonNull::new(cell).expect("inside the block, or a live cell"))
    }
}

impl Drop for InstanceCx {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout by `new`; records and cells in it
        // need no drop.
        unsafe { dealloc(self.block.as_ptr().cast(), self.layout) };
    }
}

// SAFETY: the pointers lead to parts of the same store, which moves between
// threads as a whole (invariant 2).
unsafe impl Send for InstanceCx {}
// SAFETY: shared references only read what no running code changes.
unsafe impl Sync for InstanceCx {}
// SAFETY: as for `InstanceCx`.
unsafe impl Send for FuncRef {}
// SAFETY: as for `InstanceCx`.
unsafe impl Sync for FuncRef {}
// SAFETY: as for `InstanceCx`.
unsafe impl Send for Rt {}
// SAFETY: as for `InstanceCx`.
unsafe impl Sync for Rt {}
