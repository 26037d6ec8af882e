//! Where a key that is given twice was given first.

use super::super::lines::Lines;
use std::collections::BTreeMap;
use std::ops::Range;

/// The lines on which keys and headers are given first, counted from 1.
pub struct FirstGiven<'a> {
    /// By the line of the header above, 0 where there is none and for headers themselves, and what stands before `=` or `]`.
    keys: BTreeMap<(usize, &'a str), usize>,
    headers: Vec<usize>,
}

impl<'a> FirstGiven<'a> {
    pub fn new(content: &'a str) -> Self {
        let (mut keys, mut headers) = (BTreeMap::new(), Vec::new());
        for (line, written) in (1..).zip(content.lines()) {
            let written = written.trim_start();
            let (table, head) = match written.strip_prefix('[') {
                Some(_) => (0, written.split_once(']')),
                None => (headers.last().copied().unwrap_or(0), written.split_once('=')),
            };
            if written.starts_with('[') {
                headers.push(line);
            }
            if let Some((head, _)) = head {
                keys.entry((table, head.trim_end())).or_insert(line);
            }
        }
        Self { keys, headers }
    }

    /// The line of what is given again at `again`. Only a key that starts its line has an answer.
    pub fn of(&self, lines: &Lines, content: &'a str, again: &Range<usize>) -> Option<usize> {
        let line = lines.number(again.start) + 1;
        let head = content[lines.start(again.start)..again.end].trim_start();
        let table = match (head.starts_with('['), self.headers.partition_point(|header| *header < line)) {
            (true, _) | (false, 0) => 0,
            (false, above) => self.headers[above - 1],
        };
        // What stands within an inline table is no key of its section.
        let starts_line = !head.contains(['{', ',']);
        self.keys.get(&(table, head)).copied().filter(|first| starts_line && *first < line)
    }
}
