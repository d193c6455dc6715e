//! `JsonLines`: reads a file with one JSON value on each line.

use serde::de::DeserializeOwned;
use std::fs::{File, Metadata};
use std::io::{BufRead, BufReader};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use crate::chat::json_line_problem;
use crate::error::{Error, ErrorKind};
use crate::settings_file::without_mark;

/// Reads values from a file, one on each line, one at a time. Empty lines are skipped.
///
/// A line that cannot be read is an error with its number and the reason. The iterator goes on after
/// it, so the program decides whether to stop. If the file changes while it is read, the last item
/// is an error.
///
/// ```no_run
/// # use tollgate::{ChatRequest, Client};
/// use tollgate::bulk::JsonLines;
///
/// #[derive(serde::Deserialize)]
/// struct Product {
///     id: u64,
///     name: String,
/// }
///
/// # let client = Client::openai("gpt-4o-mini")?;
/// let products = JsonLines::<Product>::open("products.jsonl")?.filter_map(|line| {
///     line.inspect_err(|problem| eprintln!("{problem}")).ok()
/// });
/// let requests = products
///     .map(|product| (product.id, ChatRequest::from(format!("Describe {}.", product.name))));
/// for (id, result) in client.bulk().chat(requests)? {
///     println!("{id}: {}", result?.text());
/// }
/// # Ok::<(), tollgate::Error>(())
/// ```
#[derive(Debug)]
pub struct JsonLines<T> {
    path: PathBuf,
    file: BufReader<File>,
    /// The file as it was when it was opened; `None` at its end.
    opened: Option<Metadata>,
    number: u64,
    line: String,
    values: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> JsonLines<T> {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) if it cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?, file)));
        match opened {
            Ok((metadata, file)) => Ok(Self {
                path,
                file: BufReader::with_capacity(1 << 16, file),
                opened: Some(metadata),
                number: 0,
                line: String::new(),
                values: PhantomData,
            }),
            Err(cause) => {
                let message = format!("{} cannot be opened: {cause}", path.display());
                Err(Error::new(ErrorKind::Configuration, message).with_source(cause))
            }
        }
    }

    fn problem(&self, problem: impl std::fmt::Display) -> Error {
        let message = format!("{}, line {}: {problem}", self.path.display(), self.number);
        Error::invalid_request(message)
    }
}

impl<T: DeserializeOwned> Iterator for JsonLines<T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(opened) = &self.opened {
            self.line.clear();
            self.number += 1;
            let mut bytes = std::mem::take(&mut self.line).into_bytes();
            let read = match self.file.read_until(b'\n', &mut bytes) {
                Ok(read) => read,
                Err(cause) => {
                    self.opened = None;
                    return Some(Err(self.problem(&cause).with_source(cause)));
                }
            };
            if read == 0 {
                let now = self.file.get_ref().metadata();
                let is_same = now.is_ok_and(|now| {
                    now.len() == opened.len() && now.modified().ok() == opened.modified().ok()
                });
                self.opened = None;
                return (!is_same).then(|| {
                    let path = self.path.display();
                    Err(Error::invalid_request(format!(
                        "{path} has changed while it was read; read it again, and leave it alone \
                         meanwhile"
                    )))
                });
            }
            match String::from_utf8(bytes) {
                Ok(line) => self.line = line,
                Err(error) => {
                    let at = error.utf8_error().valid_up_to();
                    return Some(Err(self.problem(format!("byte {at} is not UTF-8"))));
                }
            }
            let line = without_mark(&self.line).trim();
            if line.is_empty() {
                continue;
            }
            let item = serde_json::from_str(line);
            return Some(item.map_err(|error| self.problem(json_line_problem(&error))));
        }
        None
    }
}
