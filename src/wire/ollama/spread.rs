//! Joins a JSON text over several lines.
//!
//! A proxy or an error handler can pretty-print an object within a stream of lines. Its first and
//! last lines are then a lone brace.

use std::mem;

use crate::wire::Failure;
use crate::wire::stream::SizeLimit;

/// The lines of an object so far; none unless one has begun.
#[derive(Debug, Default, Clone)]
pub(super) struct Spread(String);

/// What a line is.
pub(super) enum Line<'a> {
    /// A JSON text of its own.
    Whole(&'a str),
    /// Part of an object that continues on the next line.
    Part,
    /// The end of such an object.
    Joined(String),
}

impl Spread {
    /// Adds a line without the white space around it.
    pub(super) fn add<'a>(
        &mut self,
        line: &'a str,
        room: &mut SizeLimit,
    ) -> Result<Line<'a>, Failure> {
        if self.0.is_empty() && line != "{" {
            return Ok(Line::Whole(line));
        }
        room.keep(line.len())?;
        self.0.push_str(line);
        self.0.push('\n');
        // Nested objects end with the same line.
        match line == "}" && serde_json::from_str::<serde::de::IgnoredAny>(&self.0).is_ok() {
            true => Ok(Line::Joined(mem::take(&mut self.0))),
            false => Ok(Line::Part),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(lines: &[&str]) -> Vec<String> {
        let (mut spread, mut room) = (Spread::default(), SizeLimit::new(1000));
        let mut texts = Vec::new();
        for line in lines {
            match spread.add(line.trim(), &mut room).unwrap() {
                Line::Whole(text) => texts.push(text.to_owned()),
                Line::Part => {}
                Line::Joined(text) => texts.push(text),
            }
        }
        texts
    }

    #[test]
    fn an_object_over_several_lines_is_one() {
        assert_eq!(joined(&["{}", "{\"a\": 1}"]), ["{}", "{\"a\": 1}"]);
        assert_eq!(
            joined(&["{}", "{", "  \"a\": {", "  }", "}", "{}"]),
            ["{}", "{\n\"a\": {\n}\n}\n", "{}"]
        );
        assert!(joined(&["{", "\"a\": 1"]).is_empty());
    }

    #[test]
    fn lines_are_limited() {
        let (mut spread, mut room) = (Spread::default(), SizeLimit::new(5));
        assert!(spread.add("{", &mut room).is_ok());
        assert!(spread.add("12345", &mut room).is_err());
    }
}
