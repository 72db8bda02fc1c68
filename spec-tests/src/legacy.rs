//! The text format of exceptions before the standard's: [`flat`].
//!
//! The parser reads the legacy instructions one after the other, `try` to `end`
//! or to `delegate`, but not their folded form:
//!
//! ```text
//! (try $label (result i32) (do …) (catch $tag …) (catch_all …))
//! (try $label (result i32) (do …) (delegate $label))
//! ```
//!
//! Folding is only a way to write, so unfolding a text changes nothing about what it says: the
//! parentheses of a `try` and of its parts become spaces, `do` goes, and the
//! last parenthesis becomes `end` unless the block ends in `delegate`.

use std::borrow::Cow;

use wast::lexer::{Lexer, TokenKind};

/// The text with every folded `try` unfolded. Lines stay what they are, and
/// columns up to the end of the first `try` in them.
///
/// A text that has none, or one that is not of the form above, or that is no
/// sequence of tokens, is given back as it is: the parser says what is wrong.
pub(crate) fn flat(text: &str) -> Cow<'_, str> {
    if !text.contains("(try") {
        return Cow::Borrowed(text);
    }
    unfold(text).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// How far a folded `try` has been read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its label and type, which end at `do`.
    Head,
    /// `do`, which clauses or `delegate` may follow.
    Body,
    /// `catch`, which more clauses may follow.
    Clauses,
    /// `catch_all` was the last clause.
    All,
    /// `delegate` stands for the end.
    Delegated,
}

/// What an open parenthesis belongs to.
enum Open {
    Try(Stage),
    /// `do`, or a clause.
    Part,
    Other,
}

/// `None` if there is nothing to unfold or the form is another.
fn unfold(text: &str) -> Option<String> {
    let lexer = {
        let mut lexer = Lexer::new(text);
        lexer.allow_confusing_unicode(true);
        lexer
    };
    let tokens: Vec<_> = lexer
        .iter(0)
        .filter(|token| {
            !matches!(
                token,
                Ok(token) if matches!(token.kind, TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment)
            )
        })
        .collect::<Result<_, _>>()
        .ok()?;
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    // The text up to here is in `out`.
    let mut done = 0;
    let mut open = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let (start, end) = (token.offset, token.offset + token.src(text).len());
        match token.kind {
            TokenKind::LParen => {
                let word = tokens
                    .get(index + 1)
                    .filter(|next| next.kind == TokenKind::Keyword)
                    .map(|next| (next.src(text), next.offset + next.src(text).len()));
                let (inner, replaced) = match (open.last_mut(), word) {
                    (_, Some(("try", _))) => (Open::Try(Stage::Head), Some(end)),
                    (Some(Open::Try(stage)), word) => match (*stage, word) {
                        (Stage::Head, Some(("do", word_end))) => {
                            *stage = Stage::Body;
                            (Open::Part, Some(word_end))
                        }
                        (Stage::Head, _) => (Open::Other, None),
                        (Stage::Body | Stage::Clauses, Some(("catch", _))) => {
                            *stage = Stage::Clauses;
                            (Open::Part, Some(end))
                        }
                        (Stage::Body | Stage::Clauses, Some(("catch_all", _))) => {
                            *stage = Stage::All;
                            (Open::Part, Some(end))
                        }
                        (Stage::Body, Some(("delegate", _))) => {
                            *stage = Stage::Delegated;
                            (Open::Part, Some(end))
                        }
                        _ => return None,
                    },
                    _ => (Open::Other, None),
                };
                if let Some(replaced) = replaced {
                    out.push_str(&text[done..start]);
                    out.extend(std::iter::repeat_n(' ', replaced - start));
                    done = replaced;
                }
                open.push(inner);
            }
            TokenKind::RParen => {
                let end_of_block = match open.pop()? {
                    Open::Other => continue,
                    Open::Part | Open::Try(Stage::Delegated) => " ",
                    Open::Try(Stage::Body | Stage::Clauses | Stage::All) => " end ",
                    Open::Try(Stage::Head) => return None,
                };
                out.push_str(&text[done..start]);
                out.push_str(end_of_block);
                done = end;
            }
            // Between the parts of a `try` there is nothing else.
            _ if matches!(open.last(), Some(Open::Try(stage)) if *stage != Stage::Head) => return None,
            _ => {}
        }
    }
    if done == 0 || !open.is_empty() {
        return None;
    }
    out.push_str(&text[done..]);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::flat;

    /// The bytes of a module with this function body.
    fn module(body: &str) -> Vec<u8> {
        let text = format!("(module (tag $a) (tag $b (param i32)) (func (result i32) {body}))");
        let text = flat(&text);
        let buffer = wast::parser::ParseBuffer::new(&text).expect("tokens");
        let mut module =
            wast::parser::parse::<wast::Wat<'_>>(&buffer).unwrap_or_else(|error| panic!("{text}: {error}"));
        module.encode().expect("a module")
    }

    #[test]
    fn folded_and_flat_forms_are_the_same_module() {
        for (folded, flat) in [
            (
                "(try (result i32) (do (i32.const 1)))",
                "try (result i32) i32.const 1 end",
            ),
            (
                "(try $l (result i32) (do (throw $a)) (catch $a (i32.const 2)) (catch $b) (catch_all (rethrow $l)))",
                "try $l (result i32) throw $a catch $a i32.const 2 catch $b catch_all rethrow $l end",
            ),
            (
                "(try (result i32) (do (try (result i32) (do (i32.const 1)) (delegate 1))) (catch_all (i32.const 0)))",
                "try (result i32) try (result i32) i32.const 1 delegate 1 catch_all i32.const 0 end",
            ),
            (
                // Not only where a whole instruction may stand.
                "(i32.add (try (result i32) (;a;) (do (;b;)) (catch $b ;; c\n)) (i32.const 3))",
                "try (result i32) catch $b end i32.const 3 i32.add",
            ),
        ] {
            assert_eq!(module(folded), module(flat), "{folded}");
        }
    }

    #[test]
    fn lines_stay() {
        let text = "(func\n (try\n  (do)\n  (catch_all\n   nop)))\n(func)";
        let flat = flat(text);
        assert_eq!(flat.lines().count(), text.lines().count());
        assert_eq!(flat.lines().last(), Some("(func)"));
        assert_eq!(flat.lines().nth(1), Some("  try"));
    }

    #[test]
    fn other_texts_are_left_alone() {
        for text in [
            "(func (try_table (catch 0 0)))",
            "(try)",
            "(try (do) nop (catch_all))",
            "(try (do) (catch_all) (catch_all))",
            "(try (do) (delegate 0) (catch_all))",
            "(try (do) (catch 0) (delegate 0))",
            "(try (catch_all))",
            "(try (do)",
            "\"(try (do))\"",
            "(try \u{1}",
        ] {
            assert_eq!(flat(text), text);
        }
    }
}
