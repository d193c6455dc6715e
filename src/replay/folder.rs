//! A folder with one file for each recording.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The end of the name of a recording.
const END: &str = ".json";

/// How many characters of the key are in a name: half of it is enough, and short enough to read.
pub(super) const HASH: usize = 16;

/// The end of the name of a file that is being written.
const UNFINISHED: &str = ".tmp";

/// How old an unfinished file must be to be one that a killed process left.
const ABANDONED: Duration = Duration::from_secs(60);

/// Returns the name of a file for a recording: readable, and without any part of a prompt.
pub(super) fn name(parts: &[&str], hash: &str, repetition: u32) -> String {
    let mut name = String::new();
    for part in parts {
        let mut word = String::new();
        for char in part.chars().take(40) {
            let char = char.to_ascii_lowercase();
            match char.is_ascii_alphanumeric() || char == '.' {
                true => word.push(char),
                false if word.ends_with('-') => {}
                false => word.push('-'),
            }
        }
        // A name that begins with a dot is hidden.
        let word = word.trim_matches(['-', '.']);
        if !word.is_empty() {
            name.push_str(word);
            name.push('-');
        }
    }
    match repetition {
        0 | 1 => format!("{name}{hash}{END}"),
        again => format!("{name}{hash}-{again}{END}"),
    }
}

/// Which repetition of its request a file of this [name] records.
#[cfg(feature = "testing")]
pub(super) fn repetition(name: &str) -> u32 {
    let name = name.strip_suffix(END).unwrap_or(name);
    match name.rsplit_once('-') {
        // The last part of any other name is the hash.
        Some((_, last)) if last.len() < HASH => last.parse().unwrap_or(1),
        _ => 1,
    }
}

/// What a file is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It outlives a power failure, and other users may read it.
    Recording,
    /// A power failure may lose it, and only the current user may read it (mode 0600).
    Cache,
}

/// Writes a file so that others see all of it or nothing, even if this process is killed: it is
/// written under another name and renamed (POSIX `rename` is atomic; `std` does the same on
/// Windows).
pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8], purpose: Purpose) -> io::Result<()> {
    let unfinished =
        format!(".{name}.{}-{:016x}{UNFINISHED}", std::process::id(), fastrand::u64(..));
    let unfinished = folder.join(unfinished);
    let written = (|| {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if purpose == Purpose::Cache {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        let mut file = options.open(&unfinished)?;
        file.write_all(bytes)?;
        if purpose == Purpose::Recording {
            file.sync_all()?;
        }
        drop(file);
        fs::rename(&unfinished, folder.join(name))
    })();
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written
}

/// Makes the folder, and removes what killed processes left in it.
pub(crate) fn prepare(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let now = SystemTime::now();
    for entry in fs::read_dir(folder)?.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let changed = entry.metadata().and_then(|data| data.modified());
        let is_old = changed
            .is_ok_and(|changed| now.duration_since(changed).is_ok_and(|age| age >= ABANDONED));
        if name.starts_with('.') && name.ends_with(UNFINISHED) && is_old {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// The names of all recordings, sorted. A folder that does not exist has none.
pub(super) fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(END) && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Reads a file; `None` if there is none.
pub(super) fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "testing")]
    fn a_name_says_which_repetition_it_is() {
        for again in [1, 2, 10] {
            let name = name(&["openai", "completions", "gpt-5-2"], "0123456789012345", again);
            assert_eq!(repetition(&name), again, "{name}");
        }
    }

    #[test]
    fn a_name_is_readable_and_safe_on_every_system() {
        for (parts, repetition, expected) in [
            (
                &["openai", "completions", "gpt-4o-mini"][..],
                1,
                "openai-completions-gpt-4o-mini-7f.json",
            ),
            (&["openai", "models", ""], 1, "openai-models-7f.json"),
            (&["a", "meta-llama/Llama-3.3:free"], 2, "a-meta-llama-llama-3.3-free-7f-2.json"),
            (&["../..", "\\", "é"], 1, "7f.json"),
            (&["..x"], 1, "x-7f.json"),
            (&[], 3, "7f-3.json"),
        ] {
            assert_eq!(name(parts, "7f", repetition), expected);
        }
        let long = "a".repeat(300);
        assert!(name(&[&long, &long], "7f", 1).len() < 100);
    }
}
