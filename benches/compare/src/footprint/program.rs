//! One of the programs: fetched, built, and what is known of it then.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{self, Error};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// In whose parts the system counts processor time, on Linux wherever it runs.
const TICKS_PER_SECOND: f64 = 100.0;

/// Where the directory of an arm finds the crate that all of this is about.
const ROOT: &str = "../../../..";

pub struct Program {
    pub arm: &'static str,
    /// The crate.
    directory: PathBuf,
}

impl Program {
    /// Copies it into `scratch` and gets everything that its build needs.
    pub fn fetch(arm: &'static str, scratch: &Path) -> io::Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let source = here.join("footprint").join(arm);
        let program = Self { arm, directory: scratch.join(arm) };
        fs::create_dir(&program.directory)?;
        fs::copy(source.join("main.rs"), program.directory.join("main.rs"))?;
        let manifest = fs::read_to_string(source.join("Cargo.toml"))?;
        let root = here.join("../..").canonicalize()?;
        let manifest = manifest.replace(ROOT, &root.to_string_lossy());
        fs::write(program.directory.join("Cargo.toml"), manifest)?;
        // Without a network, of what was fetched at another time.
        program.cargo(&["fetch"]).or_else(|_| program.cargo(&["fetch", "--offline"]))?;
        Ok(program)
    }

    /// Builds it from nothing, keeps the program alone, and returns the processor time in
    /// seconds: of cargo and all that it starts, compilers of C and assemblers included.
    pub fn build(&self) -> io::Result<f64> {
        let target = self.directory.join("target");
        let before = children()?;
        self.cargo(&["build", "--release", "--locked", "--offline"])?;
        let took = children()? - before;
        fs::rename(target.join("release/smallest"), self.file())?;
        fs::remove_dir_all(target)?;
        Ok(took)
    }

    /// The built program.
    pub fn file(&self) -> PathBuf {
        self.directory.join("smallest")
    }

    pub fn bytes(&self) -> io::Result<u64> {
        Ok(fs::metadata(self.file())?.len())
    }

    /// How many crates are compiled into it, or for it as macros.
    pub fn crates(&self) -> io::Result<usize> {
        let tree =
            self.cargo(&["tree", "--locked", "--offline", "-e", "normal", "--prefix=none"])?;
        let crates: BTreeSet<_> = tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
        // The first is the program.
        Ok(crates.len() - 1)
    }

    /// Returns its output. It does not pass on this cargo run's own build settings, and uses no
    /// compiler wrapper.
    fn cargo(&self, arguments: &[&str]) -> io::Result<String> {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            let ours = ["CARGO_PROFILE_", "CARGO_BUILD_", "CARGO_TARGET_"];
            if ours.iter().any(|prefix| text.starts_with(prefix))
                || ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_INCREMENTAL"].contains(&&*text)
            {
                command.env_remove(name);
            }
        }
        let output = command
            .args(arguments)
            .current_dir(&self.directory)
            .env("RUSTC_WRAPPER", "")
            .env("RUSTC_WORKSPACE_WRAPPER", "")
            .env("CARGO_TARGET_DIR", self.directory.join("target"))
            .env("CARGO_PROFILE_RELEASE_STRIP", "true")
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Error::other(format!("{}: cargo {arguments:?}: {said}", self.arm)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Processor time in seconds of all children that have ended and theirs, as Linux counts
/// (`cutime` and `cstime` in proc_pid_stat(5)).
fn children() -> io::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    // The third field is the first of these.
    let ticks: Vec<f64> = after_name
        .split_whitespace()
        .skip(16 - 3)
        .take(2)
        .filter_map(|field| field.parse().ok())
        .collect();
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}
