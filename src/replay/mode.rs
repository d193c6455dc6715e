//! What a client with recordings does with a call.

use std::time::Duration;

/// The environment variable that names the mode. It takes precedence over what the program sets.
pub(crate) const MODE: &str = "TOLLGATE_REPLAY";

/// The environment variable that names the folder, if the program names none.
pub(crate) const FOLDER: &str = "TOLLGATE_REPLAY_DIR";

/// The folder if neither the program nor the environment names one.
pub(crate) const USUAL_FOLDER: &str = "llm";

/// What a client with recordings does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Answers from recordings only. A call without a recording fails with
    /// [`NotRecorded`](crate::ErrorKind::NotRecorded). The client never opens a connection.
    /// `TOLLGATE_REPLAY=replay`.
    Replay,
    /// Answers from recordings, and records what is missing. `TOLLGATE_REPLAY=record`.
    Record,
    /// Records every request again, once for each run of the program. `TOLLGATE_REPLAY=refresh`.
    Refresh,
    /// Records again what is older than this, by the date in the file
    /// ([`Replay::dates`](super::Replay::dates)), otherwise by the time of its last change.
    RefreshOlderThan(Duration),
    /// Neither replays nor records. `TOLLGATE_REPLAY=off`.
    Off,
}

impl Mode {
    /// The mode that [`MODE`] names.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "replay" => Ok(Self::Replay),
            "record" => Ok(Self::Record),
            "refresh" => Ok(Self::Refresh),
            "off" => Ok(Self::Off),
            _ => Err(format!(
                "{MODE} is {name:?}; set it to \"replay\", \"record\", \"refresh\" or \"off\""
            )),
        }
    }

    /// The mode if none is set: in continuous integration and in build scripts nobody is there to
    /// check a new recording. `is_set` says whether a variable is set, and not to `false` or `0`.
    pub(crate) fn usual(is_set: impl Fn(&str) -> bool) -> Self {
        // Cargo sets these for build scripts
        // (doc.rust-lang.org/cargo/reference/environment-variables.html). `OUT_DIR` alone is also
        // set for the tests of a package that has one.
        let is_build_script = ["OUT_DIR", "HOST", "NUM_JOBS"].into_iter().all(&is_set);
        match is_build_script || is_set("CI") {
            true => Self::Replay,
            false => Self::Record,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_a_mode() {
        for (name, expected) in [
            ("replay", Some(Mode::Replay)),
            ("Record", Some(Mode::Record)),
            ("refresh", Some(Mode::Refresh)),
            ("OFF", Some(Mode::Off)),
            ("on", None),
            ("", None),
        ] {
            assert_eq!(Mode::named(name).ok(), expected, "{name}");
        }
        assert_eq!(
            Mode::named("on").unwrap_err(),
            "TOLLGATE_REPLAY is \"on\"; set it to \"replay\", \"record\", \"refresh\" or \"off\""
        );
    }

    #[test]
    fn nothing_is_recorded_in_ci_or_in_a_build_script_unless_asked_for() {
        for (set, expected) in [
            (&["CI"][..], Mode::Replay),
            (&["OUT_DIR", "HOST", "NUM_JOBS", "CARGO"], Mode::Replay),
            (&["OUT_DIR", "CARGO"], Mode::Record),
            (&["CARGO", "HOST"], Mode::Record),
            (&[], Mode::Record),
        ] {
            assert_eq!(Mode::usual(|name| set.contains(&name)), expected, "{set:?}");
        }
    }
}
