//! Names of guests in messages.

use std::fmt;

/// Prints a name that a guest chose: one line, not too long a one, and nothing
/// a terminal would obey.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 200;
        for (i, c) in self.0.chars().enumerate() {
            if i == SHOWN {
                return f.write_str("…");
            }
            if is_plain(c) {
                write!(f, "{c}")?
            } else {
                write!(f, "{}", c.escape_unicode())?
            }
        }
        Ok(())
    }
}

/// Whether a character shows as itself: no control character, and none of
/// those that change the direction of text.
fn is_plain(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
