//! callgrind: how it is run, and what is in its profile.
//! (valgrind.org/docs/manual/cl-manual.html, cl-format.html)

use std::collections::HashMap;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::{env, fs, io};

use crate::paths::Path;

/// Where the profiles are left, for `callgrind_annotate` and the like.
pub(crate) const DIRECTORY: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/instructions");

/// The instructions of one turn.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Count {
    pub(crate) total: u64,
    /// Those that each function has itself, the most first.
    pub(crate) functions: Vec<(String, u64)>,
}

/// Where callgrind ends a part of its profile and begins the next.
#[inline(never)]
pub(crate) fn mark() {
    black_box(());
}

pub(crate) fn is_installed() -> bool {
    let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// Counts the instructions of a path.
pub(crate) fn count(path: &Path, address: &str) -> io::Result<Count> {
    fs::create_dir_all(DIRECTORY)?;
    let profile = format!("{DIRECTORY}/{}", path.name);
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--dump-before=*callgrind::mark*"])
        .args(["--compress-strings=no", "--compress-pos=no", "--dump-line=no"])
        .arg(format!("--callgrind-out-file={profile}"))
        .arg(env::current_exe()?)
        .args(["turns", path.name, address])
        // Memory is then mostly had from the thread's own cache. What glibc does beyond it
        // depends on where things happen to lie, and differs by a twentieth from run to run.
        .env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=4096")
        .output()?;
    if !run.status.success() {
        let said = String::from_utf8_lossy(&run.stderr);
        return Err(io::Error::other(format!("{} could not be counted:\n{said}", path.name)));
    }
    // The first part ends at the first mark, the second at the second.
    let part = fs::read_to_string(format!("{profile}.2")).unwrap_or_default();
    let count = read(&part, path.turns.into());
    match count.total {
        0 => Err(io::Error::other(format!("nothing of {} was counted", path.name))),
        _ => Ok(count),
    }
}

/// Reads a profile of so many turns.
fn read(profile: &str, turns: u64) -> Count {
    let mut functions: HashMap<String, u64> = HashMap::new();
    let mut name = String::new();
    let mut is_call = false;
    for line in profile.lines() {
        if let Some(function) = line.strip_prefix("fn=") {
            name = plain(function);
        } else if line.starts_with("calls=") {
            // The next line is what was called, which is counted there.
            is_call = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit())
            && !std::mem::take(&mut is_call)
        {
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse::<u64>().ok());
            *functions.entry(name.clone()).or_default() += cost.unwrap_or_default();
        }
    }
    let total = functions.values().sum::<u64>() / turns;
    let mut functions: Vec<_> =
        functions.into_iter().map(|(name, cost)| (name, cost / turns)).collect();
    functions.sort_by(|(one, cost), (other, most)| (most, one).cmp(&(cost, other)));
    Count { total, functions }
}

/// A function's name without what callgrind adds for its recursions, `'2`, and without the
/// hashes of crates that Rust's newer symbols have, `serde[1f2e3d4c5b6a7980]`.
fn plain(function: &str) -> String {
    let name = function.rsplit_once('\'').map_or(function, |(name, recursion)| {
        if recursion.bytes().all(|byte| byte.is_ascii_digit()) { name } else { function }
    });
    let mut parts = name.split('[');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(']') {
            Some((hash, rest)) if is_hash(hash) => plain.push_str(rest),
            _ => plain.extend(["[", part]),
        }
    }
    plain
}

fn is_hash(text: &str) -> bool {
    text.len() >= 10 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
