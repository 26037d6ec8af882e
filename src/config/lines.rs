//! Where the lines of a text begin.

/// The lines of a text, found once and then looked up.
pub struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    pub fn new(content: &str) -> Self {
        Self { starts: std::iter::once(0).chain(content.match_indices('\n').map(|(at, _)| at + 1)).collect() }
    }

    /// The line that byte `at` lies on, counted from 0.
    pub fn number(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at).saturating_sub(1)
    }

    /// The first byte of the line that byte `at` lies on.
    pub fn start(&self, at: usize) -> usize {
        self.starts[self.number(at)]
    }
}

/// The rest of the line from byte `at` on, without its end.
pub fn rest_of_line(content: &str, at: usize) -> &str {
    content[at..].lines().next().unwrap_or("")
}

/// The nearest start of a character at or before byte `at`.
pub fn floor_char(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_line() {
        let content = "a\n\nbc\r\n";
        let lines = Lines::new(content);
        let of = |at| (lines.number(at), lines.start(at), rest_of_line(content, lines.start(at)));
        assert_eq!(of(0), (0, 0, "a"));
        assert_eq!(of(1), (0, 0, "a"));
        assert_eq!(of(2), (1, 2, ""));
        assert_eq!(of(4), (2, 3, "bc"));
        assert_eq!(of(7), (3, 7, ""));
        assert_eq!(Lines::new("").start(0), 0);
    }

    #[test]
    fn characters_are_not_cut() {
        let floors: Vec<usize> = (0..6).map(|at| floor_char("a训b", at)).collect();
        assert_eq!(floors, [0, 1, 1, 1, 4, 5]);
    }
}
