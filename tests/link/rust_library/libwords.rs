// lld: 22
// link: -lc
// export: count_words WORDS_SEEN
use std::collections::BTreeMap;
use std::ffi::{c_char, c_uint, CStr};
use std::sync::atomic::{AtomicU32, Ordering};

#[no_mangle]
pub static WORDS_SEEN: AtomicU32 = AtomicU32::new(0);

/// Calls `each` with every different word and how often it is in the text.
#[no_mangle]
pub unsafe extern "C" fn count_words(text: *const c_char, each: extern "C" fn(*const u8, usize, c_uint)) -> usize {
    let text = CStr::from_ptr(text).to_string_lossy();
    let mut words = BTreeMap::<String, c_uint>::new();
    for word in text.split_whitespace() {
        *words.entry(word.to_lowercase()).or_default() += 1;
        WORDS_SEEN.fetch_add(1, Ordering::Relaxed);
    }
    println!("Rust counts {} words", words.len());
    for (word, count) in &words {
        each(word.as_ptr(), word.len(), *count);
    }
    words.len()
}
