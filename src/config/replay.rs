//! Which recordings a client uses, by its settings and the environment.

use super::Environment;
use crate::replay::{FOLDER, MODE, Mode, Replay};

/// The recordings of a client; `None` if it has none, or if they are off. The environment can turn
/// them on for a program that sets none.
///
/// # Errors
///
/// A sentence for each mistake.
pub(crate) fn ready(
    set: Option<Replay>,
    environment: &Environment<'_>,
) -> Result<Option<Replay>, Vec<String>> {
    let one = |problem: String| vec![problem];
    let mode = environment.read(MODE).map_err(one)?;
    let mode = mode.map(|name| Mode::named(&name)).transpose().map_err(one)?;
    let replay = match (set, mode) {
        (Some(replay), _) => replay,
        (None, Some(_)) => Replay::unnamed(),
        (None, None) => return Ok(None),
    };
    let folder = environment.path(FOLDER).map_err(one)?;
    let is_set = |name: &str| {
        let value = environment.path(name).ok().flatten();
        value.is_some_and(|value| value.to_str().is_none_or(|text| !["0", "false"].contains(&text)))
    };
    replay.ready(folder, mode, Mode::usual(is_set))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready_with(
        set: Option<Replay>,
        variables: &[(&str, &str)],
    ) -> Result<Option<Replay>, Vec<String>> {
        let value = |name: &str| {
            variables.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned())
        };
        ready(set, &Environment::new(value))
    }

    #[test]
    fn the_environment_turns_recordings_on_and_off() {
        assert!(ready_with(None, &[]).unwrap().is_none());
        assert!(ready_with(None, &[("CI", "true")]).unwrap().is_none());
        let set = || Some(Replay::dir("llm"));
        assert!(ready_with(set(), &[(MODE, "off")]).unwrap().is_none());
        assert!(ready_with(None, &[(MODE, "replay")]).unwrap().unwrap().is_offline());
        assert!(ready_with(set(), &[("CI", "true")]).unwrap().unwrap().is_offline());
        let record = || set().map(|replay| replay.mode(Mode::Record));
        assert!(ready_with(record(), &[(MODE, "replay")]).unwrap().unwrap().is_offline());
        let problem = ready_with(None, &[(MODE, "yes")]).unwrap_err().concat();
        assert!(problem.starts_with("TOLLGATE_REPLAY is \"yes\""), "{problem}");
    }

    #[test]
    fn a_folder_that_the_program_names_is_used() {
        let variables = [(MODE, "replay"), (FOLDER, "/elsewhere")];
        let shown = |replay: Option<Replay>| format!("{replay:?}");
        let set = ready_with(Some(Replay::dir("llm")), &variables).unwrap();
        assert!(shown(set).contains("\"llm\""));
        assert!(shown(ready_with(None, &variables).unwrap()).contains("\"/elsewhere\""));
    }
}
