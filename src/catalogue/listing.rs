//! What a provider's own list adds to the catalogue.

use super::{Catalogue, Model, ModelDate, ModelStatus, names};
use crate::chat::Provider;
use crate::models::ModelInfo;

/// What a provider's own list of models showed, compared with the catalogue before.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refreshed {
    /// The provider.
    pub provider: Provider,
    /// How many models it lists.
    pub listed: usize,
    /// The models in its list that the catalogue did not have, in the order of the list.
    pub new: Vec<String>,
    /// The models in the catalogue that are not in its list, in the order of the catalogue. A list
    /// can be incomplete: some providers leave out aliases, and others what an account may not use.
    /// So they stay in the catalogue.
    pub gone: Vec<String>,
}

impl Catalogue {
    /// Returns the models in a provider's list, with what the list says of them over what is known.
    /// `is_input` says that its windows count the input alone.
    pub(crate) fn read_list(
        &self,
        provider: &Provider,
        list: &[ModelInfo],
        is_input: bool,
    ) -> Vec<Model> {
        list.iter().map(|info| self.of_list(provider, info, is_input)).collect()
    }

    /// Compares the models in a provider's list with those that are known.
    pub(crate) fn compare_list(&self, provider: Provider, models: &[Model]) -> Refreshed {
        let id = provider.as_str();
        let is_new = |model: &&Model| {
            let known = self.find(id, &model.id);
            known.is_none_or(|known| !known.id.eq_ignore_ascii_case(&model.id))
        };
        let new = models.iter().filter(is_new).map(|model| model.id.to_string()).collect();
        let is_listed = |known: &Model| {
            models.iter().any(|one| names(&one.id).any(|name| name.eq_ignore_ascii_case(&known.id)))
        };
        let is_retired = |known: &Model| known.capabilities.status == Some(ModelStatus::Retired);
        let gone = self.models(id).filter(|known| !is_retired(known) && !is_listed(known));
        let gone = gone.map(|known| known.id.to_string()).collect();
        Refreshed { listed: models.len(), new, gone, provider }
    }

    fn of_list(&self, provider: &Provider, info: &ModelInfo, is_input: bool) -> Model {
        let name = info.id.strip_prefix("models/").unwrap_or(&info.id).to_owned();
        let known = self.find(provider.as_str(), &name);
        let mut model = Model::new(provider.clone(), name);
        let can = &mut model.capabilities;
        match is_input {
            true => can.max_input = info.context_window,
            false => can.context_window = info.context_window,
        }
        can.max_output = info.max_output_tokens;
        if let Some(known) = known {
            let id = model.id.clone();
            model = Model { id, ..model.over(known) };
        }
        // Better than nothing: a window is at least as large as the input.
        model.capabilities.context_window =
            model.capabilities.context_window.max(info.context_window);
        model.released = model.released.or(info.created.map(ModelDate::on));
        model
    }

    /// Adds the models of a list. What the program has set goes before it.
    pub(crate) fn with_list(self, models: &[Model]) -> Self {
        models.iter().fold(self, |catalogue, listed| {
            let own = catalogue.own(listed.provider.as_str(), &listed.id).cloned();
            let model = own.map_or_else(|| listed.clone(), |own| own.over(listed.clone()));
            catalogue.set(model)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Capabilities;

    fn info(id: &str) -> ModelInfo {
        ModelInfo { id: id.to_owned(), ..ModelInfo::default() }
    }

    fn known(id: &'static str) -> Model {
        let can = Capabilities::default().context_window(1_000).max_output(10).tools(true);
        Model::new("acme", id).capabilities(can)
    }

    fn catalogue() -> Catalogue {
        Catalogue::empty().set(known("a")).set(known("b")).set(known("c"))
    }

    #[test]
    fn a_list_shows_what_is_new_and_what_is_gone() {
        let list = ["models/A", "b-2031-01-31", "d"].map(info);
        let models = catalogue().read_list(&"acme".into(), &list, false);
        let refreshed = catalogue().compare_list("acme".into(), &models);
        assert_eq!((refreshed.listed, &refreshed.gone[..]), (3, &["c".to_owned()][..]));
        assert_eq!(refreshed.new, ["b-2031-01-31", "d"]);
        let after = catalogue().with_list(&models);
        // A dated name is known by the name that it is made from.
        let dated = after.find("acme", "b-2031-01-31").unwrap();
        assert_eq!((&*dated.id, dated.capabilities), ("b-2031-01-31", known("b").capabilities));
        assert_eq!(after.find("acme", "d").unwrap().capabilities, Capabilities::default());
        assert!(after.find("acme", "c").is_some(), "it stays");
        assert_eq!(after.compare_list("acme".into(), &models).new, [""; 0]);
    }

    #[test]
    fn a_list_changes_what_it_states_and_nothing_else() {
        let base = Catalogue::builtin();
        let before = base.find("openai", "gpt-4o").unwrap();
        for (context_window, is_input, expected) in [
            (Some(256_000), false, before.capabilities.context_window(256_000)),
            (Some(100_000), true, before.capabilities.max_input(100_000)),
            (None, false, before.capabilities),
        ] {
            let list = [ModelInfo { context_window, ..info("gpt-4o") }];
            let models = base.read_list(&"openai".into(), &list, is_input);
            let after = base.clone().with_list(&models).find("openai", "gpt-4o").unwrap();
            assert_eq!(after.capabilities, expected);
            assert_eq!((after.released, &after.family), (before.released, &before.family));
        }
        let own =
            Model::new("openai", "gpt-4o").capabilities(Capabilities::default().context_window(9));
        let list = [ModelInfo { context_window: Some(256_000), ..info("gpt-4o") }];
        let own = Catalogue::builtin().set(own);
        let models = own.read_list(&"openai".into(), &list, false);
        let after = own.with_list(&models).find("openai", "gpt-4o").unwrap();
        assert_eq!(after.capabilities.context_window, Some(9), "the program knows better");
    }
}
