//! What a file says, where it is shown in messages.

use std::borrow::Cow;

/// The longest message: a key may be as long as a file.
const LONGEST: usize = 1000;

/// Whether a terminal would act on a character rather than show it: control characters, and those that turn the direction
/// of writing.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with hidden characters escaped, and cut where it is very long.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST && !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST {
            out.push('…');
            break;
        }
        if is_hidden(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        assert_eq!(printable("größe 训练"), "größe 训练");
        assert_eq!(printable("a\u{1b}[2J\n\u{202e}b\u{7}"), "a\\u{1b}[2J\\n\\u{202e}b\\u{7}");
        let long = printable(&"é".repeat(5000)).into_owned();
        assert_eq!((long.chars().count(), long.ends_with('…')), (LONGEST + 1, true));
    }
}
