//! Samples as the signal handler leaves them: words in a buffer of fixed size.
//!
//! ```text
//! | len, kind, number of candidates | pc | first slot of the window
//! | candidates … | words of the window with their places … |
//! ```

use std::time::Duration;

/// Words of a recording: 16 MiB, of which the system gives what is touched.
const CAPACITY: usize = 2 << 20;
/// Slots of the value stack that a sample looks at.
pub(super) const WINDOW_SLOTS: usize = 8 << 10;
/// Words of the window that a sample keeps at most.
pub(super) const MAX_WORDS: usize = 256;
/// Candidates that a sample keeps at most.
pub(super) const MAX_CANDIDATES: usize = 64;
/// Words before a sample's candidates.
const HEAD: usize = 3;

/// What the thread was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A handler ran; the candidates are the registers, `ip` and `fp` first.
    Handler,
    /// Something that a handler had called; what it has spilled is among the
    /// candidates too.
    Callee,
    /// A handler that keeps its registers anywhere; the candidates are `ip` and
    /// `fp` at its start.
    Noted,
    /// A host function; the only candidate is the end of its frame.
    Host,
}

/// A word of the window and its place in it, as one word.
pub(super) fn pack(at: usize, word: u64) -> u64 {
    (at as u64) << 48 | word
}

/// A recording of fixed size.
#[derive(Debug)]
pub(crate) struct Recording {
    words: Box<[u64]>,
    len: usize,
    /// Ticks that one sample stands for.
    pub(crate) every: u32,
    /// Ticks, in the same unit, in which nothing ran on the value stack.
    pub(crate) outside: u64,
    /// What the thread has used.
    pub(crate) cpu_time: Duration,
    /// Address of the value stack.
    base: usize,
    /// Its slots.
    slots: usize,
}

impl Recording {
    /// Nothing yet, of the value stack at an address.
    pub(super) fn new(base: usize, slots: usize) -> Self {
        Self {
            words: vec![0; CAPACITY].into(),
            len: 0,
            every: 1,
            outside: 0,
            cpu_time: Duration::ZERO,
            base,
            slots,
        }
    }

    /// Adds a sample: `low` is the window's first slot, `addresses` are
    /// [packed](pack). Async-signal-safe.
    pub(super) fn push(
        &mut self,
        kind: Kind,
        pc: u64,
        low: usize,
        candidates: &[u64],
        addresses: impl Iterator<Item = u64>,
    ) {
        if self.words.len() - self.len < HEAD + MAX_CANDIDATES + MAX_WORDS {
            self.halve();
        }
        let start = self.len;
        let Some(free) = self.words.get_mut(start..) else {
            return;
        };
        let words = [0, pc, low as u64].into_iter().chain(candidates.iter().copied());
        let mut len = 0;
        for (to, word) in free.iter_mut().zip(words.chain(addresses)) {
            *to = word;
            len += 1;
        }
        if let Some(head) = free.first_mut() {
            *head = len as u64 | (kind as u64) << 32 | (candidates.len() as u64) << 48;
            self.len += len;
        }
    }

    /// Drops every other sample.
    fn halve(&mut self) {
        let (mut from, mut to, mut keep) = (0, 0, true);
        while from < self.len {
            let Some(head) = self.words.get(from) else { break };
            let len = (*head as u32 as usize).max(1);
            let end = (from + len).min(self.len);
            if keep {
                self.words.copy_within(from..end, to);
                to += end - from;
            }
            keep = !keep;
            from = end;
        }
        self.len = to;
        self.every = self.every.saturating_mul(2);
        self.outside /= 2;
    }

    /// The samples in order.
    pub(crate) fn samples(&self) -> impl Iterator<Item = Sample<'_>> {
        let mut rest = self.words.get(..self.len).unwrap_or_default();
        std::iter::from_fn(move || {
            let head = *rest.first()?;
            let (sample, after) = rest.split_at_checked((head as u32 as usize).max(HEAD))?;
            rest = after;
            let (head, body) = sample.split_at_checked(HEAD)?;
            let (candidates, words) = body.split_at_checked((head[0] >> 48) as usize)?;
            Some(Sample {
                kind: match (head[0] >> 32) as u8 {
                    0 => Kind::Handler,
                    1 => Kind::Callee,
                    2 => Kind::Noted,
                    _ => Kind::Host,
                },
                pc: head[1] as usize,
                low: head[2] as usize,
                candidates,
                words,
                base: self.base,
                slots: self.slots,
            })
        })
    }
}

/// One sample. Slots are counted from the start of the value stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample<'a> {
    /// What the thread was doing.
    pub(crate) kind: Kind,
    /// The processor's program counter.
    pub(crate) pc: usize,
    /// What could be `ip` or `fp`: see [`Kind`].
    pub(crate) candidates: &'a [u64],
    low: usize,
    words: &'a [u64],
    base: usize,
    slots: usize,
}

impl Sample<'_> {
    /// The slot that an address is of, if it is one's.
    pub(crate) fn slot(&self, address: u64) -> Option<usize> {
        let offset = usize::try_from(address).ok()?.checked_sub(self.base)?;
        (offset.is_multiple_of(8) && offset / 8 <= self.slots).then_some(offset / 8)
    }

    /// The word in a slot, if it could be an address and was recorded.
    pub(crate) fn word(&self, slot: usize) -> Option<u64> {
        let at = slot.checked_sub(self.low)? as u64;
        let found = self.words.binary_search_by(|packed| at.cmp(&(packed >> 48))).ok()?;
        self.words.get(found).map(|packed| packed & ((1 << 48) - 1))
    }

    /// Whether the words of a slot and all below it are missing for want of
    /// room.
    pub(crate) fn is_cut_at(&self, slot: usize) -> bool {
        match self.words.last() {
            Some(last) if self.words.len() == MAX_WORDS => slot < self.low + (last >> 48) as usize,
            _ => slot < self.low,
        }
    }

    /// The words recorded below a slot with their slots, the highest first.
    pub(crate) fn words_below(&self, slot: usize) -> impl Iterator<Item = (usize, u64)> {
        self.words
            .iter()
            .map(|packed| (self.low + (packed >> 48) as usize, packed & ((1 << 48) - 1)))
            .skip_while(move |(at, _)| *at >= slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(recording: &mut Recording, pc: u64, words: usize) {
        let addresses = (0..words).rev().map(|i| pack(i * 2, 1 << 40 | i as u64));
        recording.push(Kind::Callee, pc, 10, &[7, 8], addresses);
    }

    #[test]
    fn samples_come_back_as_they_were() {
        let mut recording = Recording::new(0x1000, 100);
        push(&mut recording, 5, 3);
        recording.push(Kind::Host, 6, 0, &[], std::iter::empty());
        let samples: Vec<_> = recording.samples().collect();
        assert_eq!((samples.len(), samples[1].kind, samples[1].pc), (2, Kind::Host, 6));
        let first = samples[0];
        assert_eq!((first.kind, first.pc, first.candidates), (Kind::Callee, 5, &[7, 8][..]));
        assert_eq!(
            [10, 11, 12, 14].map(|slot| first.word(slot)),
            [Some(1 << 40), None, Some(1 << 40 | 1), Some(1 << 40 | 2)]
        );
        assert_eq!(
            first.words_below(14).map(|(slot, _)| slot).collect::<Vec<_>>(),
            [12, 10]
        );
        assert_eq!([9, 10].map(|slot| first.is_cut_at(slot)), [true, false]);
        assert_eq!(
            (first.slot(0x1008), first.slot(0x1009), first.slot(0xfff)),
            (Some(1), None, None)
        );
    }

    #[test]
    fn a_full_recording_keeps_every_other_sample() {
        let mut recording = Recording::new(0, 0);
        let (mut pushed, mut ticks) = (0, 0);
        while recording.every < 4 {
            if ticks % u64::from(recording.every) == 0 {
                push(&mut recording, ticks, MAX_WORDS);
                pushed += 1;
            }
            ticks += 1;
        }
        let pcs: Vec<_> = recording.samples().map(|sample| sample.pc as u64).collect();
        // The last one was pushed in the turn of the rhythm before.
        let (last, kept) = pcs.split_last().unwrap();
        assert_eq!(*last, ticks - 1);
        assert!(pushed > 10_000 && kept.len() > 2000, "{pushed} {}", kept.len());
        assert!(kept.windows(2).all(|pair| pair[1] - pair[0] == 4), "{:?}", &kept[..10]);
        assert!(recording.samples().all(|sample| sample.is_cut_at(9)));
    }
}
