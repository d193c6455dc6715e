//! `Spool`: bytes that are written once and read back by place, on disk if they are many.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use crate::error::{Error, ErrorKind};

/// How many bytes stay in memory. Above that, all of them are in a file.
const IN_MEMORY: usize = 16 * 1024 * 1024;

/// How many bytes are gathered before they are written to the file.
const WRITE: usize = 256 * 1024;

/// Bytes that are written once and read back by place.
///
/// The file is in the system's folder for temporary files, readable by this user alone, and
/// deleted with the spool.
#[derive(Debug, Default)]
pub(crate) struct Spool {
    /// What is not in the file.
    recent: Vec<u8>,
    file: Option<TemporaryFile>,
    /// How many bytes are in the file.
    stored: u64,
}

/// A piece of a [`Spool`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    start: u64,
    length: usize,
}

impl Piece {
    pub(crate) fn len(self) -> usize {
        self.length
    }
}

#[derive(Debug)]
struct TemporaryFile {
    file: File,
    path: PathBuf,
}

impl Spool {
    /// Appends a piece.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<Piece> {
        let most = if self.file.is_some() { WRITE } else { IN_MEMORY };
        if self.recent.len() + bytes.len() > most {
            let temporary = match &mut self.file {
                Some(temporary) => temporary,
                None => self.file.insert(TemporaryFile::new()?),
            };
            temporary.file.seek(SeekFrom::Start(self.stored))?;
            temporary.file.write_all(&self.recent)?;
            self.stored += self.recent.len() as u64;
            self.recent.clear();
            self.recent.shrink_to(WRITE);
        }
        let piece = Piece { start: self.stored + self.recent.len() as u64, length: bytes.len() };
        self.recent.extend_from_slice(bytes);
        Ok(piece)
    }

    /// Appends a piece to `out`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub(crate) fn read(&mut self, piece: Piece, out: &mut Vec<u8>) -> io::Result<()> {
        if let Some(start) = piece.start.checked_sub(self.stored) {
            let start = usize::try_from(start).unwrap_or(usize::MAX);
            let end = start.saturating_add(piece.length);
            let bytes = self.recent.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?;
            out.extend_from_slice(bytes);
            return Ok(());
        }
        let Some(temporary) = &mut self.file else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        temporary.file.seek(SeekFrom::Start(piece.start))?;
        let read = (&temporary.file).take(piece.length as u64).read_to_end(out)?;
        if read == piece.length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

impl TemporaryFile {
    fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("tollgate-{:032x}", fastrand::u128(..)));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self { file: options.open(&path)?, path })
    }
}

/// Why a spool cannot be `what`: read or written.
pub(crate) fn failed(cause: io::Error, what: &str) -> Error {
    let folder = std::env::temp_dir();
    let message = format!(
        "the temporary file in {} cannot be {what}; free some space, or set TMPDIR to another folder",
        folder.display()
    );
    Error::new(ErrorKind::Configuration, message).with_source(cause)
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // If that fails, the system's own cleaning removes it.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_read_back_from_memory_and_from_the_file() {
        let mut spool = Spool::default();
        let text = |number: usize| format!("{number}:").repeat(1 + number % 7_000);
        let pieces: Vec<_> =
            (0..1_500).map(|number| spool.push(text(number * 7).as_bytes()).unwrap()).collect();
        let path = spool.file.as_ref().map(|file| file.path.clone()).expect("it is in a file");
        assert!(spool.recent.len() <= WRITE + 7 * 7_000);
        for number in [0, 1, 700, 1_200, 1_498, 1_499] {
            let mut out = Vec::new();
            spool.read(pieces[number], &mut out).unwrap();
            assert_eq!(out, text(number * 7).as_bytes(), "{number}");
            assert_eq!(out.len(), pieces[number].len());
        }
        assert!(path.exists());
        drop(spool);
        assert!(!path.exists());
    }

    #[test]
    fn few_bytes_make_no_file() {
        let mut spool = Spool::default();
        let piece = spool.push(b"abc").unwrap();
        let next = spool.push(b"").unwrap();
        let mut out = Vec::new();
        spool.read(piece, &mut out).unwrap();
        spool.read(next, &mut out).unwrap();
        assert_eq!((out.as_slice(), spool.file.is_none()), (&b"abc"[..], true));
        assert!(spool.read(Piece { start: 2, length: 5 }, &mut out).is_err());
    }
}
