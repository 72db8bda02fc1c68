//! What the functions for guests read and write in the program's memory.

use vm::{Domain, Memory, StoreContextMut};

use crate::LoadError;
use crate::object::{Block, ObjectId, Strings};
use crate::session::Session;

/// The longest string that is read, in bytes.
const LONGEST_STRING: u32 = 4096;
/// Bytes of a block of strings.
const STRINGS: u32 = 4096;
/// Bytes at the start of the scratch block, for what went wrong last.
pub(crate) const ERROR_BYTES: u32 = 4096;
/// Bytes of the scratch block.
const SCRATCH: u32 = 2 * ERROR_BYTES;

/// A string at an address, without the zero at its end; `None` if it is not all in
/// memory, too long, or not UTF-8.
pub(crate) fn read_string<T>(store: &StoreContextMut<'_, T>, memory: Memory, address: u32) -> Option<String> {
    let mut bytes = Vec::new();
    for at in address..address.checked_add(LONGEST_STRING)? {
        let mut byte = [0];
        memory.read(store, usize::try_from(at).ok()?, &mut byte).ok()?;
        match byte {
            [0] => return String::from_utf8(bytes).ok(),
            [byte] => bytes.push(byte),
        }
    }
    None
}

impl<T: 'static> Session<T> {
    /// Writes 32-bit numbers to the program's memory; false where that is not.
    pub(crate) fn write_words(&self, store: &mut StoreContextMut<'_, T>, address: u32, words: &[u32]) -> bool {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let memory = self.state().shared.map(|shared| shared.memory);
        let written = memory
            .zip(usize::try_from(address).ok())
            .map(|(memory, address)| memory.write(&mut *store, address, &bytes));
        matches!(written, Some(Ok(())))
    }

    /// Addresses for what passes, of at least [`ERROR_BYTES`] twice.
    pub(crate) fn scratch(&self, store: &mut StoreContextMut<'_, T>) -> Result<u32, LoadError> {
        if let Some(block) = &self.state().scratch {
            return Ok(block.range.start);
        }
        let block = self.new_block(store, SCRATCH)?;
        let start = block.range.start;
        self.state().scratch = Some(block);
        Ok(start)
    }

    /// A block of the program's own.
    fn new_block(&self, store: &mut StoreContextMut<'_, T>, bytes: u32) -> Result<Block, LoadError> {
        let Some(shared) = self.state().shared else {
            return Err(LoadError::NoProgram);
        };
        let page = u32::try_from(vm::Region::page_size()).unwrap_or(bytes);
        let bytes = bytes.next_multiple_of(page);
        let free = self.state().addresses.bounds();
        let range = self.take_addresses(store, |state| state.addresses.take_highest(bytes, page));
        let range = range.ok_or_else(|| crate::plan::no_room("the host", crate::plan::BYTES, bytes, page, &free))?;
        let domain: Option<Domain> = self.main_instance().map(|main| main.domain(&*store));
        match self.map_region(store, shared.memory, range.clone(), domain.as_ref()) {
            Ok(region) => Ok(Block {
                range,
                region: Some(region),
            }),
            Err(error) => {
                self.state().addresses.give_back(range);
                Err(error)
            }
        }
    }

    /// The address of a string that stays as long as an object; 0 where there is no
    /// room.
    pub(crate) fn string(&self, store: &mut StoreContextMut<'_, T>, id: ObjectId, text: &str) -> u32 {
        let known = {
            let state = self.state();
            state
                .objects
                .get(&id)
                .and_then(|object| object.strings.known.get(text).copied())
        };
        if let Some(address) = known {
            return address;
        }
        let mut bytes: Vec<u8> = text.bytes().take_while(|byte| *byte != 0).collect();
        bytes.truncate(usize::try_from(STRINGS - 1).unwrap_or(0));
        bytes.push(0);
        let length = u32::try_from(bytes.len()).unwrap_or(STRINGS);
        let has_room = |strings: &Strings| strings.free.end - strings.free.start >= length;
        let is_there = self
            .state()
            .objects
            .get(&id)
            .is_some_and(|object| has_room(&object.strings));
        if !is_there {
            let Ok(block) = self.new_block(store, STRINGS) else {
                return 0;
            };
            let mut state = self.state();
            let Some(object) = state.objects.get_mut(&id) else {
                return 0;
            };
            object.strings.free = block.range.clone();
            object.strings.blocks.push(block);
        }
        let Some(memory) = self.state().shared.map(|shared| shared.memory) else {
            return 0;
        };
        let start = self
            .state()
            .objects
            .get(&id)
            .map_or(0, |object| object.strings.free.start);
        let written = usize::try_from(start).map(|start| memory.write(&mut *store, start, &bytes));
        if !matches!(written, Ok(Ok(()))) {
            return 0;
        }
        let mut state = self.state();
        let Some(object) = state.objects.get_mut(&id) else {
            return 0;
        };
        object.strings.free.start += length;
        object.strings.known.insert(text.into(), start);
        start
    }
}
