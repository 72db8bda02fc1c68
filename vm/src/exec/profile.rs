//! Samples of a run to frames: what the signal handler noted is looked up in
//! the code that the store has.
//!
//! At a sample the machine's registers are those of an instruction in the
//! middle, and may already be the next one's, or be kept elsewhere. So as in
//! [`super::backtrace`] nothing is taken for granted. A pair of `ip` and `fp`
//! is believed if the slot where the function at `ip` has its header holds a
//! return address, after a call of a function whose header stands just there, or of
//! one that may have tail-called the function. What else there is tells less, and is
//! tried after that.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use wasmparser::{BinaryReader, Operator, OperatorsReader};

use super::context::Rt;
use super::control::LEAVES;
use super::stubs;
use super::tail::stub;
use crate::ir::code::CodeSet;
use crate::ir::translate::ops;
use crate::module::{FuncIdx, HEADER_SLOTS, ModuleData};
use crate::runtime::store::StoreInner;
use crate::sys::{self, Kind, Recording, Sample, Sampler};

/// Frames of a stack at most, those of host functions included.
const MAX_FRAMES: usize = 128;
/// Slots above a frame's start in which its header is looked for.
const HEADER_WITHIN: usize = 64;
/// Bytes of the longest handler. One that is farther from the program counter
/// does not contain it.
const LONGEST_HANDLER: usize = 4096;

/// Starts sampling what the calling thread does in a store.
///
/// # Errors
/// See [`Sampler::start`].
pub(crate) fn start(inner: &StoreInner) -> io::Result<Sampler> {
    let stack = inner.machine.stack();
    let rt: *const Rt = inner.machine.rt().as_ptr();
    // Unoptimised handlers keep the machine's registers anywhere, but the loop
    // that calls them has noted them for each.
    let registers = if cfg!(orcavm_tail_calls) {
        None
    } else {
        // SAFETY: the block is live; only addresses in it are taken.
        let scratch = unsafe { &raw const (*rt).scratch };
        // SAFETY: as above.
        Some(unsafe { [(&raw const (*scratch).ip).cast(), (&raw const (*scratch).fp).cast()] })
    };
    let target = sys::Target {
        base: stack.base() as usize,
        slots: stack.usable_bytes() / size_of::<u64>(),
        control: Arc::clone(inner.machine.control()),
        // SAFETY: as above.
        next_frame: unsafe { &raw const (*rt).next_frame },
        registers,
    };
    // SAFETY: the block lives as long as the machine, and an activation on its
    // stack is entered with the store borrowed by the thread that enters.
    unsafe { Sampler::start(target) }
}

/// A function in which time was spent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Place {
    /// A function of the module that is this number of [`Places::modules`].
    Wasm { module: usize, func: FuncIdx },
    /// A host function: the import by which it is called, if it is known.
    Host { import: Option<(usize, FuncIdx)> },
    /// The translation of functions that are called for the first time.
    Translation,
    /// It is not known.
    Unknown,
}

/// Where the samples of a recording were taken.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Modules that have code.
    pub(crate) modules: Vec<Arc<ModuleData>>,
    /// Distinct stacks, the outermost frame first, and how often each was found.
    pub(crate) stacks: HashMap<Stack, u64>,
    /// Samples taken while nothing ran in the store.
    pub(crate) outside: u64,
    /// Instructions by name, and how often one was running.
    pub(crate) ops: HashMap<String, u64>,
}

/// A stack, the outermost frame first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Stack {
    /// Its frames.
    pub(crate) frames: Vec<Place>,
    /// Whether frames further out are missing.
    pub(crate) is_cut: bool,
}

/// Finds out where the samples were taken.
pub(crate) fn locate(inner: &StoreInner, recording: &Recording) -> Places {
    let mut map = Map::new(inner);
    let mut outside = recording.outside;
    let mut found = Vec::new();
    for sample in recording.samples() {
        match map.locate(&sample) {
            Some(place) => found.push(place),
            None => outside += 1,
        }
    }
    let ops = Ops::new(&map, found.iter().filter_map(|found| Some(found.at?.0)));
    let mut places = Places::default();
    for Found { stack, at, pc } in found {
        *places.stacks.entry(stack).or_default() += 1;
        let name = match at {
            Some((span, offset)) => Some(ops.name(span, offset, pc)),
            None => pc.and_then(|pc| ops.name_by_handler(pc)),
        };
        if let Some(name) = name {
            *places.ops.entry(name.to_owned()).or_default() += 1;
        }
    }
    places.modules = map.modules;
    places.outside = outside;
    places
}

/// The code of one function.
struct Span {
    start: usize,
    len: usize,
    code: Arc<CodeSet>,
    module: usize,
    func: FuncIdx,
    /// Slots before its frame's header.
    slots: usize,
}

/// A call that a return address follows.
#[derive(Clone, Debug)]
struct Call {
    span: usize,
    /// Where the call begins.
    origin: u32,
    /// Slots from the caller's frame to the callee's.
    delta: usize,
    /// Slots from the callee's frame to its header.
    header: usize,
    /// The function that it calls, if that stands in the code.
    callee: Option<FuncIdx>,
    /// Whether that is an imported one.
    is_import: bool,
}

/// Where a sample was taken.
struct Found {
    stack: Stack,
    /// The running instruction: a function's code and a byte offset there.
    at: Option<(usize, usize)>,
    /// The processor's program counter, if it was in a handler.
    pc: Option<usize>,
}

/// Frames in the making, the innermost first.
#[derive(Default)]
struct Walk {
    frames: Vec<Place>,
    is_cut: bool,
}

/// All code of a store, by address.
struct Map<'s> {
    inner: &'s StoreInner,
    spans: Vec<Span>,
    modules: Vec<Arc<ModuleData>>,
    calls: HashMap<u64, Option<Call>>,
    /// Whether there are tail calls anywhere.
    has_tail_calls: bool,
    /// Where host functions return to that have been tail-called, and the slots before
    /// their headers.
    host_returns: HashMap<u64, usize>,
}

impl<'s> Map<'s> {
    fn new(inner: &'s StoreInner) -> Self {
        let mut spans = Vec::new();
        let mut modules: Vec<Arc<ModuleData>> = Vec::new();
        let mut seen: Vec<*const CodeSet> = Vec::new();
        for instance in &inner.instances {
            let code = instance.cx.code();
            if seen.contains(&Arc::as_ptr(code)) {
                continue;
            }
            seen.push(Arc::as_ptr(code));
            let known = modules.iter().position(|module| Arc::ptr_eq(module, code.module()));
            let module = known.unwrap_or_else(|| {
                modules.push(Arc::clone(code.module()));
                modules.len() - 1
            });
            spans.extend(code.translated().into_iter().map(|(start, len, func)| Span {
                start,
                len,
                code: Arc::clone(code),
                module,
                func,
                slots: code.module().func_type(func).slots() as usize,
            }));
        }
        spans.sort_by_key(|span| span.start);
        let has_tail_calls = |module: &Arc<ModuleData>| module.bodies.iter().any(|body| body.has_tail_calls);
        Self {
            inner,
            spans,
            has_tail_calls: modules.iter().any(has_tail_calls),
            host_returns: inner.host_tail_returns().collect(),
            modules,
            calls: HashMap::new(),
        }
    }

    /// The function whose code an address is in, and the byte there.
    fn find(&self, address: u64) -> Option<(usize, usize)> {
        let address = usize::try_from(address).ok()?;
        let after = self.spans.partition_point(|span| span.start <= address);
        let span = after.checked_sub(1)?;
        let offset = address - self.spans.get(span)?.start;
        (offset < self.spans[span].len).then_some((span, offset))
    }

    fn wasm(&self, span: usize) -> Place {
        let Span { module, func, .. } = self.spans[span];
        Place::Wasm { module, func }
    }

    /// The call before the return address `ret`, if it is one.
    fn call(&mut self, ret: u64) -> Option<Call> {
        if let Some(known) = self.calls.get(&ret) {
            return known.clone();
        }
        let call = self.call_anew(ret);
        self.calls.insert(ret, call.clone());
        call
    }

    fn call_anew(&self, ret: u64) -> Option<Call> {
        let (span, offset) = self.find(ret.checked_sub(8)?)?;
        let Span { code, start, .. } = &self.spans[span];
        let word = code.word(start + offset)?;
        let (delta, header) = (word as u32 as usize, ((word >> 32) as u32 & !LEAVES) as usize);
        if !offset.is_multiple_of(8) || !delta.is_multiple_of(8) || !header.is_multiple_of(8) {
            return None;
        }
        let (_, origin) = code.find(start + offset)?;
        let callee = match operator_at(code.module(), origin)? {
            // A tail call makes a header while its import is bound.
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                Some(FuncIdx::new(function_index))
            }
            Operator::CallIndirect { .. } | Operator::CallRef { .. } => None,
            _ => return None,
        };
        Some(Call {
            span,
            origin,
            delta: delta / 8,
            header: header / 8,
            callee,
            is_import: callee.is_some_and(|func| func.index() < code.module().num_imported_funcs),
        })
    }

    /// The function that a call names, if it is of the same module.
    fn callee(&self, call: &Call) -> Option<usize> {
        let func = call.callee.filter(|_| !call.is_import)?;
        let code = &self.spans[call.span].code;
        let is_callee = |span: &Span| span.func == func && Arc::ptr_eq(&span.code, code);
        self.spans.iter().position(is_callee)
    }

    /// Whether a call may be one of the function whose code is `span`.
    fn fits(&self, call: &Call, span: usize) -> bool {
        let (callee, caller) = (&self.spans[span], &self.spans[call.span]);
        match call.callee {
            Some(func) if !call.is_import => func == callee.func && Arc::ptr_eq(&caller.code, &callee.code),
            _ => true,
        }
    }

    /// Whether what a call has called may have made a tail call since.
    fn may_be_another(&self, call: &Call) -> bool {
        self.has_tail_calls
            && call.callee.filter(|_| !call.is_import).is_none_or(|func| {
                let module = self.spans[call.span].code.module();
                let defined = func.index().checked_sub(module.num_imported_funcs);
                let body = defined.and_then(|defined| module.bodies.get(defined));
                body.is_none_or(|body| body.has_tail_calls)
            })
    }

    /// What the stub frame below the frame at slot `fp` stands for: a return address, and
    /// where the frame began. `None` where there is no such frame.
    fn beneath(&self, sample: &Sample<'_>, fp: usize, ret: u64) -> Option<(Option<u64>, usize)> {
        if ret != stub::stub_ip() as u64 && !self.host_returns.contains_key(&ret) {
            return None;
        }
        let fixed = fp.checked_sub(stub::STUB_SLOTS)?;
        // Small numbers are not recorded; then there are no words of domains.
        let width = sample.word(fixed + 2).map_or(0, |results| (results >> 32) as usize);
        Some((sample.word(fixed), fixed.checked_sub(width)?))
    }

    fn host(&self, call: &Call) -> Place {
        Place::Host {
            import: call
                .callee
                .filter(|_| call.is_import)
                .map(|func| (self.spans[call.span].module, func)),
        }
    }

    /// Adds the frames around the one at slot `fp` with its header at slot
    /// `header`, of the function `span` if that is known. False if that is no
    /// frame, or the last frame found is not the outermost.
    fn walk(
        &mut self,
        sample: &Sample<'_>,
        (fp, header): (usize, usize),
        span: Option<usize>,
        walk: &mut Walk,
    ) -> bool {
        let (mut fp, mut header, mut span) = (fp, header, span);
        loop {
            let Some(mut ret) = sample.word(header) else {
                walk.is_cut = sample.is_cut_at(header);
                return walk.is_cut;
            };
            if walk.frames.len() >= MAX_FRAMES {
                walk.is_cut = true;
                return true;
            }
            let beneath = self.beneath(sample, fp, ret);
            if let Some((before, start)) = beneath {
                let Some(before) = before else {
                    walk.is_cut = sample.is_cut_at(start);
                    return walk.is_cut;
                };
                (ret, fp) = (before, start);
            }
            let (call, caller) = if ret == stubs::exit_ip() as u64 {
                // Below an entry from a host function is that function's header.
                let outer = fp.checked_sub(HEADER_SLOTS);
                let Some(outer) = outer else { return true };
                let ret = sample.word(outer);
                if let Some(slots) = ret.and_then(|ret| self.host_returns.get(&ret).copied()) {
                    walk.frames.push(Place::Host { import: None });
                    let Some(start) = outer.checked_sub(slots) else {
                        return false;
                    };
                    (fp, header, span) = (start, outer, None);
                    continue;
                }
                let Some(call) = ret.and_then(|ret| self.call(ret)) else {
                    walk.is_cut = sample.is_cut_at(outer);
                    return true;
                };
                walk.frames.push(self.host(&call));
                let caller = outer.checked_sub(call.header + call.delta);
                (call, caller)
            } else {
                let Some(call) = self.call(ret) else { return false };
                let is_called = fp + call.header == header && span.is_none_or(|span| self.fits(&call, span));
                if !is_called && beneath.is_none() && !self.may_be_another(&call) {
                    return false;
                }
                let caller = fp.checked_sub(call.delta);
                (call, caller)
            };
            let Some(caller) = caller else { return false };
            walk.frames.push(self.wasm(call.span));
            fp = caller;
            header = caller + self.spans[call.span].slots;
            span = Some(call.span);
        }
    }

    /// Where a sample was taken; `None` if the guest had not begun, or had
    /// ended.
    fn locate(&mut self, sample: &Sample<'_>) -> Option<Found> {
        match sample.kind {
            Kind::Host => self.locate_host(sample),
            Kind::Handler | Kind::Callee | Kind::Noted => Some(self.locate_guest(sample)),
        }
    }

    fn locate_host(&mut self, sample: &Sample<'_>) -> Option<Found> {
        let end = sample.candidates.first().and_then(|end| sample.slot(*end)).unwrap_or(0);
        if let Some(walk) = end
            .checked_sub(HEADER_SLOTS)
            .and_then(|header| self.tail_called_from(sample, header))
        {
            return Some(Found::new(Place::Host { import: None }, walk, None, None));
        }
        let found = end
            .checked_sub(HEADER_SLOTS)
            .and_then(|header| self.called_from(sample, header))
            // An entry into the guest is being made or left.
            .or_else(|| self.nearest(sample, end));
        let (call, walk) = found?;
        Some(Found::new(self.host(&call), walk, None, None))
    }

    fn locate_guest(&mut self, sample: &Sample<'_>) -> Found {
        let ips: Vec<(usize, usize)> = sample.candidates.iter().filter_map(|word| self.find(*word)).collect();
        let fps: Vec<usize> = sample.candidates.iter().filter_map(|word| sample.slot(*word)).collect();
        let pc = (sample.kind == Kind::Handler).then_some(sample.pc);
        for &(span, offset) in &ips {
            let slots = self.spans[span].slots;
            for &fp in &fps {
                let mut walk = Walk::default();
                if self.walk(sample, (fp, fp + slots), Some(span), &mut walk) {
                    return Found::new(self.wasm(span), walk, Some((span, offset)), pc);
                }
            }
        }
        // The callee's frame is there already, or is not the running code's.
        for &fp in &fps {
            for header in fp..fp + HEADER_WITHIN {
                let Some((call, walk)) = self
                    .called_from(sample, header)
                    .filter(|(call, _)| fp + call.header == header)
                else {
                    continue;
                };
                if let Some(at) = ips.iter().copied().find(|at| self.is_call_at(&call, *at)) {
                    return Found::at_call(walk, at, pc);
                }
                // Handlers that call nothing are no host functions': it is on
                // its way back to its caller.
                if sample.kind == Kind::Handler || (sample.kind == Kind::Noted && !ips.is_empty()) {
                    let at = ips.first().copied();
                    return match (self.callee(&call), at) {
                        (Some(span), _) => Found::new(self.wasm(span), walk, at, pc),
                        (None, Some(at)) => Found::at_call(walk, at, pc),
                        // Nothing says any more which function was called
                        // indirectly.
                        (None, None) => match sample.word(header).and_then(|ret| self.find(ret - 8)) {
                            Some(at) => Found::at_call(walk, at, pc),
                            None => Found::new(Place::Unknown, walk, None, None),
                        },
                    };
                }
                let is_host = call.is_import || sample.candidates.iter().any(|word| self.inner.has_host_func(*word));
                let leaf = if is_host { self.host(&call) } else { Place::Translation };
                return Found::new(leaf, walk, None, None);
            }
        }
        let at = ips.first().copied();
        let leaf = at.map_or(Place::Unknown, |(span, _)| self.wasm(span));
        let top = fps.first().map_or(0, |fp| fp + HEADER_WITHIN);
        match (self.nearest(sample, top), at) {
            (Some((call, walk)), Some(at)) if self.is_call_at(&call, at) => Found::at_call(walk, at, pc),
            (Some((_, walk)), _) => Found::new(leaf, walk, at, pc),
            (None, _) => Found::new(
                leaf,
                Walk {
                    frames: Vec::new(),
                    is_cut: true,
                },
                at,
                pc,
            ),
        }
    }

    /// Whether the instruction at a place is (a part of) the call.
    fn is_call_at(&self, call: &Call, (span, offset): (usize, usize)) -> bool {
        let Span { code, start, .. } = &self.spans[span];
        call.span == span
            && code
                .find(start + offset)
                .is_some_and(|(_, origin)| origin == call.origin)
    }

    /// The call that wrote a header at a slot, and the frames from its caller on
    /// outwards.
    fn called_from(&mut self, sample: &Sample<'_>, header: usize) -> Option<(Call, Walk)> {
        let call = sample.word(header).and_then(|ret| self.call(ret))?;
        let fp = header.checked_sub(call.header)?;
        let mut walk = Walk::default();
        self.walk(sample, (fp, header), None, &mut walk).then_some((call, walk))
    }

    /// The frames around a host function that has been tail-called and has its header at a
    /// slot.
    fn tail_called_from(&mut self, sample: &Sample<'_>, header: usize) -> Option<Walk> {
        let slots = *self.host_returns.get(&sample.word(header)?)?;
        let fp = header.checked_sub(slots)?;
        let mut walk = Walk::default();
        self.walk(sample, (fp, header), None, &mut walk).then_some(walk)
    }

    /// The innermost call below a slot whose callers can be followed to the end.
    fn nearest(&mut self, sample: &Sample<'_>, below: usize) -> Option<(Call, Walk)> {
        sample
            .words_below(below)
            .find_map(|(header, _)| self.called_from(sample, header))
    }
}

impl Found {
    fn new(leaf: Place, walk: Walk, at: Option<(usize, usize)>, pc: Option<usize>) -> Self {
        let Walk { mut frames, is_cut } = walk;
        frames.reverse();
        frames.push(leaf);
        Self {
            stack: Stack { frames, is_cut },
            at,
            pc,
        }
    }

    /// A call is running that has made its callee's frame: the innermost of the
    /// frames is the caller's.
    fn at_call(mut walk: Walk, at: (usize, usize), pc: Option<usize>) -> Self {
        let leaf = if walk.frames.is_empty() {
            Place::Unknown
        } else {
            walk.frames.remove(0)
        };
        Self::new(leaf, walk, Some(at), pc)
    }
}

/// The operator at a byte of a module.
fn operator_at(module: &ModuleData, origin: u32) -> Option<Operator<'_>> {
    let rest = module.bytes.get(origin as usize..)?;
    OperatorsReader::new(BinaryReader::new(rest, u64::from(origin)))
        .read()
        .ok()
}

/// Instructions by name and handler.
struct Ops {
    /// Of each function whose instructions were sampled: byte offset, handler,
    /// index of the name.
    of_spans: HashMap<usize, Vec<(usize, usize, usize)>>,
    names: Vec<String>,
    /// Handlers in order, with the name of their instructions; `None` if they
    /// have several.
    handlers: Vec<(usize, Option<usize>)>,
}

impl Ops {
    fn new(map: &Map<'_>, spans: impl Iterator<Item = usize>) -> Self {
        let mut this = Self {
            of_spans: HashMap::new(),
            names: vec!["(unknown)".to_owned()],
            handlers: Vec::new(),
        };
        let mut index: HashMap<String, usize> = HashMap::new();
        for span in spans {
            if this.of_spans.contains_key(&span) {
                continue;
            }
            let Span { code, start, func, .. } = &map.spans[span];
            // It has been translated before.
            let named = ops(code, *func).unwrap_or_default();
            let rows = named.into_iter().filter_map(|(offset, name)| {
                let handler = usize::try_from(code.word(start + offset)?).ok()?;
                let name = *index.entry(name).or_insert_with_key(|name| {
                    this.names.push(name.clone());
                    this.names.len() - 1
                });
                Some((offset, handler, name))
            });
            let rows: Vec<_> = rows.collect();
            this.handlers
                .extend(rows.iter().map(|(_, handler, name)| (*handler, Some(*name))));
            this.of_spans.insert(span, rows);
        }
        this.handlers.sort_unstable();
        this.handlers.dedup_by(|next, first| {
            let same = next.0 == first.0;
            if same && next.1 != first.1 {
                first.1 = None;
            }
            same
        });
        this
    }

    /// The name of the instruction that was running when `ip` was at a byte of
    /// a function. With the program counter given it is known which handler
    /// ran: `ip` may have been the next instruction's already.
    fn name(&self, span: usize, offset: usize, pc: Option<usize>) -> &str {
        let rows = self.of_spans.get(&span).map_or(&[][..], |rows| rows);
        let after = rows.partition_point(|(at, ..)| *at <= offset);
        let here = after.checked_sub(1).and_then(|i| rows.get(i));
        let before = after.checked_sub(2).and_then(|i| rows.get(i));
        let running = pc.and_then(|pc| self.running(pc));
        let row_name = |row: &(usize, usize, usize)| row.2;
        let name = match running {
            Some((handler, _)) if here.is_some_and(|row| row.1 == *handler) => here.map(row_name),
            Some((handler, _)) if before.is_some_and(|row| row.1 == *handler) => before.map(row_name),
            Some((_, Some(name))) => Some(*name),
            _ => here.map(row_name),
        };
        &self.names[name.unwrap_or(0)]
    }

    /// The name of the instruction whose handler was running, if all with that handler
    /// have one name: a return may not have `ip` any more, and not yet the caller's.
    fn name_by_handler(&self, pc: usize) -> Option<&str> {
        let (_, name) = self.running(pc)?;
        self.names.get((*name)?).map(String::as_str)
    }

    /// The handler that the program counter was in.
    fn running(&self, pc: usize) -> Option<&(usize, Option<usize>)> {
        let after = self.handlers.partition_point(|(handler, _)| *handler <= pc);
        let handler = self.handlers.get(after.checked_sub(1)?)?;
        (pc - handler.0 < LONGEST_HANDLER).then_some(handler)
    }
}
