//! Reads settings from JSON files.

use std::fs;
use std::path::Path;

use crate::error::{Error, ErrorKind};

/// Reads a file and parses its text.
///
/// # Errors
///
/// [`Configuration`](ErrorKind::Configuration) with the name of the file, if it cannot be read or
/// `parse` fails.
pub(crate) fn load<T>(path: &Path, parse: impl Fn(&str) -> Result<T, Error>) -> Result<T, Error> {
    let refuse = |message: String| Error::new(ErrorKind::Configuration, message);
    let text = fs::read_to_string(path).map_err(|cause| {
        refuse(format!("cannot read {}: {cause}", path.display())).with_source(cause)
    })?;
    parse(&text).map_err(|error| refuse(format!("{}: {}", path.display(), error.message())))
}

/// The text without a byte order mark, which some editors write.
pub(crate) fn without_mark(text: &str) -> &str {
    text.trim_start_matches('\u{feff}')
}
