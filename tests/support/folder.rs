//! A folder for the files of a test.

use std::fs;
use std::path::PathBuf;

use tollgate::Replay;
use tollgate::replay::Mode;

/// An empty folder of its own, removed at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// `name` must differ from those of the other tests of the process.
    pub(crate) fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("tollgate-test-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    pub(crate) fn replay(&self, mode: Mode) -> Replay {
        Replay::dir(&self.0).mode(mode)
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        fs::create_dir_all(&self.0).expect("a folder for temporary files");
        self.0.join(name)
    }

    /// The names of all files in it.
    pub(crate) fn names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.0) else { return Vec::new() };
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// All files in it: their names and texts.
    pub(crate) fn files(&self) -> Vec<(String, String)> {
        let read = |name: String| {
            let text = fs::read_to_string(self.0.join(&name)).unwrap();
            (name, text)
        };
        self.names().into_iter().map(read).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
