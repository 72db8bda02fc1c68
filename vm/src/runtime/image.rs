//! What a module's memory holds at first, made once for all instances.
//!
//! From the second instance on, the pages that a module's data segments fill
//! are mapped copy-on-write from one file instead of being written: an
//! instance has pages of its own only where it writes.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::module::{ConstOp, DataKind, ModuleData};
use crate::sys;
use crate::sys::shared::SharedPages;

/// Bytes of data segments from which on an image is made: writing fewer costs
/// no more than mapping.
const LEAST: usize = 16 << 10;

/// The image of a module, made when it is worth it.
#[derive(Debug, Default)]
pub(crate) struct ImageOnce {
    /// An instance has been made.
    used: AtomicBool,
    image: OnceLock<Option<Image>>,
}

/// First contents of a part of memory 0.
#[derive(Debug)]
pub(crate) struct Image {
    /// Its first byte in the memory, at a page.
    pub(crate) at: usize,
    /// The pages.
    pub(crate) pages: Arc<SharedPages>,
}

impl ImageOnce {
    /// The image for an instance of `module`, which is noted; `None` where its
    /// segments are to be written.
    pub(crate) fn get(&self, module: &ModuleData) -> Option<&Image> {
        if !self.used.swap(true, Ordering::Relaxed) {
            return None;
        }
        self.image.get_or_init(|| Image::of(module)).as_ref()
    }
}

impl Image {
    /// The image of what all active segments write, if that does not depend on
    /// the instance, all fit, and it is worth it.
    fn of(module: &ModuleData) -> Option<Self> {
        let memory = module.memories.first().filter(|_| module.num_imported_memories == 0)?;
        if memory.is_shared() {
            return None;
        }
        let size = memory.minimum().checked_mul(memory.page_size())?;
        let mut parts = Vec::new();
        for segment in &module.datas {
            let DataKind::Active { memory, offset } = &segment.kind else {
                continue;
            };
            let [ConstOp::Const(offset)] = offset.0[..] else {
                return None;
            };
            let bytes = module.bytes.get(segment.range.clone())?;
            let end = offset.checked_add(bytes.len() as u64)?;
            if memory.index() != 0 || end > size {
                return None;
            }
            if !bytes.is_empty() {
                parts.push((usize::try_from(offset).ok()?, bytes));
            }
        }
        if parts.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() < LEAST {
            return None;
        }
        let page = sys::page_size();
        let first = parts.iter().map(|(at, _)| *at).min()?;
        let end = parts.iter().map(|(at, bytes)| at + bytes.len()).max()?;
        let range = first / page * page..end.next_multiple_of(page);
        // Pages without data would be pages of the file once they are read, where
        // a memory's zeros cost nothing.
        let bytes: usize = parts.iter().map(|(_, bytes)| bytes.len()).sum();
        if range.end as u64 > size || range.len() > 2 * bytes {
            return None;
        }
        let pages = pages(&range, &parts).ok()?;
        Some(Self {
            at: range.start,
            pages: Arc::new(pages),
        })
    }
}

/// Pages with these parts of a memory's `range`.
fn pages(range: &Range<usize>, parts: &[(usize, &[u8])]) -> io::Result<SharedPages> {
    SharedPages::create_constant(range.len(), |pages| {
        let write = |(at, bytes): &(usize, &[u8])| pages.write_at((at - range.start) as u64, bytes);
        parts.iter().try_for_each(write)
    })
}
