//! Runs callgrind and reads its profile.
//! (valgrind.org/docs/manual/cl-manual.html, cl-format.html)

use std::collections::HashMap;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::{env, fs, io};

use crate::paths::Path;

/// Where the profiles stay, for tools such as `callgrind_annotate`.
pub(crate) const DIRECTORY: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/instructions");

/// The instructions of one turn.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Count {
    pub(crate) total: u64,
    /// The largest first.
    pub(crate) functions: Vec<Function>,
}

/// The instructions of a function.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) own: u64,
    /// Including callees.
    pub(crate) whole: u64,
}

impl Function {
    pub(crate) fn is_tollgates(&self) -> bool {
        self.name.contains("tollgate::")
    }
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
    // The first part ends at the first mark, the second at the second.
    let part = format!("{profile}.2");
    // Remove the profiles of earlier runs.
    let _ = fs::remove_file(&part);
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--dump-before=*callgrind::mark*"])
        .args(["--compress-strings=no", "--compress-pos=no", "--dump-line=no"])
        .arg(format!("--callgrind-out-file={profile}"))
        .arg(env::current_exe()?)
        .args(["turns", path.name, address])
        // Most memory then comes from the thread's own cache. Beyond it, glibc's work depends on
        // addresses and varies by 5 % from run to run.
        .env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=4096")
        .output()?;
    if !run.status.success() {
        let said = String::from_utf8_lossy(&run.stderr);
        return Err(io::Error::other(format!("{} could not be counted:\n{said}", path.name)));
    }
    let count = read(&fs::read_to_string(part).unwrap_or_default(), path.turns.into());
    match count.total {
        0 => Err(io::Error::other(format!("nothing of {} was counted", path.name))),
        _ => Ok(count),
    }
}

/// Reads a profile of so many turns.
fn read(profile: &str, turns: u64) -> Count {
    let mut functions: HashMap<String, Function> = HashMap::new();
    let (mut name, mut is_outermost) = (String::new(), true);
    let mut is_call = false;
    for line in profile.lines() {
        if let Some(function) = line.strip_prefix("fn=") {
            (name, is_outermost) = plain(function);
        } else if line.starts_with("calls=") {
            // The next line is what was called.
            is_call = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit()) {
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse::<u64>().ok());
            let cost = cost.unwrap_or_default();
            let function = functions.entry(name.clone()).or_default();
            if !std::mem::take(&mut is_call) {
                function.own += cost;
            }
            // A recursive call is part of the outermost one.
            if is_outermost {
                function.whole += cost;
            }
        }
    }
    let total = functions.values().map(|function| function.own).sum::<u64>() / turns;
    let mut functions: Vec<_> = functions
        .into_iter()
        .map(|(name, Function { own, whole, .. })| Function {
            name,
            own: own / turns,
            whole: whole / turns,
        })
        .collect();
    functions.sort_by(|one, other| {
        (other.own, other.whole, &one.name).cmp(&(one.own, one.whole, &other.name))
    });
    Count { total, functions }
}

/// A function's name without callgrind's suffix for recursions (`'2`) and without the crate hashes
/// of newer Rust symbols (`serde[1f2e3d4c5b6a7980]`); and whether this is the outermost recursion.
fn plain(function: &str) -> (String, bool) {
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let recursion = function.rsplit_once('\'').filter(|(_, number)| is_number(number));
    let name = recursion.map_or(function, |(name, _)| name);
    let mut parts = name.split('[');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(']') {
            Some((hash, rest)) if is_hash(hash) => plain.push_str(rest),
            _ => plain.extend(["[", part]),
        }
    }
    (plain, recursion.is_none())
}

fn is_hash(text: &str) -> bool {
    text.len() >= 10 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
