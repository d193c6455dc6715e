//! Finds the recordings of a folder by what was asked, wherever it was sent.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::{folder, stored};
use crate::fingerprint::Fingerprint;

/// The recordings of a folder by their [questions](super::key::question).
#[derive(Debug, Default)]
pub(super) struct Index {
    files: BTreeMap<String, Known>,
}

/// What is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    /// When it was last changed, and its length.
    version: (Option<SystemTime>, u64),
    /// `None` if it is no recording.
    question: Option<Fingerprint>,
}

impl Index {
    /// The index of a folder as it is now. It reads only the files that have changed.
    pub(super) fn refreshed(&self, folder: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for name in folder::names(folder)? {
            let path = folder.join(&name);
            let Ok(data) = path.metadata() else { continue };
            let version = (data.modified().ok(), data.len());
            let known = self.files.get(&name).filter(|known| known.version == version);
            let known = known.copied().unwrap_or_else(|| {
                let text = folder::read(&path).ok().flatten();
                let read = text.and_then(|text| stored::read_any(&text).ok());
                Known { version, question: read.map(|(question, _)| question) }
            });
            files.insert(name, known);
        }
        Ok(Self { files })
    }

    /// The file that answers a question for this `repetition`: the first by its name.
    pub(super) fn find(&self, question: Fingerprint, repetition: u32) -> Option<&str> {
        let mut files = self.files.iter().filter(|(_, known)| known.question == Some(question));
        files.find(|(name, _)| folder::repetition(name) == repetition).map(|(name, _)| &**name)
    }
}
