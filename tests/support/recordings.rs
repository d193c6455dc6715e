//! Real responses, recorded from the providers.

use serde_json::Value;
use std::env;
use std::fs;
use std::path::PathBuf;

/// The folder that `TOLLGATE_RECORDINGS` names.
pub(crate) struct Recordings {
    folder: PathBuf,
    pub(crate) entries: Vec<Value>,
}

impl Recordings {
    /// `None` if the variable is not set; prints that the test skips.
    pub(crate) fn open() -> Option<Self> {
        let Some(folder) = env::var_os("TOLLGATE_RECORDINGS").map(PathBuf::from) else {
            eprintln!("skipped: TOLLGATE_RECORDINGS does not name the folder of recordings");
            return None;
        };
        let index = fs::read_to_string(folder.join("index.json")).expect("index.json");
        let mut index: Value = serde_json::from_str(&index).expect("a JSON index");
        let Value::Array(entries) = index["entries"].take() else { panic!("no entries") };
        Some(Self { folder, entries })
    }

    pub(crate) fn body(&self, entry: &Value) -> Vec<u8> {
        fs::read(self.folder.join(member(entry, "file"))).expect("a recording")
    }
}

/// A member of an entry.
pub(crate) fn member(entry: &Value, key: &str) -> String {
    entry[key].as_str().unwrap_or_default().to_owned()
}
