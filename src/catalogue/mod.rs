//! Models and what they can do, as data.
//!
//! [`Catalogue`] knows the models of the providers that the crate knows by name: how much they read
//! and write, whether they call tools or look at images, when they retire. A program can correct it
//! and add its own models. A client looks up there what a request must look like and which calls a
//! model cannot serve: it refuses them, and [routes](crate::route) skip such targets.
//!
//! `table.txt` holds the data, and `table.rs` reads it. The crate in `prices/` writes the table and
//! documents its sources.

mod capabilities;
mod date;
mod listing;
mod model;
mod needs;
mod overrides;
mod request;
mod selection;
mod table;
#[cfg(test)]
mod tests;
mod wishes;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};
pub use crate::family::{ModelApi, Thinking};
use crate::provider::canonical;
use crate::settings_file;
use crate::snapshot::without_date;
pub use capabilities::{Capabilities, ModelStatus};
pub use date::ModelDate;
pub use listing::Refreshed;
pub use model::{Modality, Model};
pub use needs::Needs;
pub(crate) use needs::Unfit;
pub(crate) use request::{count_text, dense_bytes, text_bytes};
pub(crate) use selection::{Call, Grounds, Lack, Offer, Shortlist};
pub use selection::{Conditions, LeftOut, Measured, Selected, Selection};
use table::Section;

/// What is known of models: the built-in table, and what the program sets on top of it.
///
/// The table is made from the data of models.dev (github.com/sst/models.dev, MIT) and LiteLLM
/// (github.com/BerriAI/litellm, MIT). Where they differ, the larger limit and the wider capability
/// count. It is only as good as these and as recent as its [date](Self::date), so set what you know
/// better.
///
/// Clones are cheap.
///
/// ```
/// use tollgate::catalogue::{Capabilities, Catalogue, Model};
///
/// let catalogue = Catalogue::builtin();
/// let model = catalogue.find("openai", "gpt-4o-mini").expect("a known model");
/// assert_eq!(model.capabilities.context_window, Some(128_000));
/// assert_eq!(model.capabilities.images, Some(true));
///
/// let own = Model::new("vllm", "our-7b").capabilities(
///     Capabilities::default().context_window(32_768).tools(true).images(false),
/// );
/// let catalogue = catalogue.set(own);
/// assert!(catalogue.find("vllm", "our-7b").is_some());
/// ```
#[derive(Clone)]
pub struct Catalogue {
    builtin: bool,
    /// By provider, then by the name in lower case.
    custom: Arc<BTreeMap<String, BTreeMap<String, Model>>>,
}

impl Catalogue {
    /// Returns the built-in table.
    pub fn builtin() -> Self {
        Self { builtin: true, custom: Arc::default() }
    }

    /// Returns a catalogue without any models.
    pub fn empty() -> Self {
        Self { builtin: false, custom: Arc::default() }
    }

    /// The date of the newest source of the built-in table, such as `2026-11-26`.
    pub fn date(&self) -> &'static str {
        table::date()
    }

    /// Reads the built-in table again, and returns how many models it has.
    #[cfg(feature = "internals")]
    pub(crate) fn load_table() -> usize {
        table::load()
    }

    /// Adds a model, or corrects one. What `model` leaves unknown stays as the built-in table has
    /// it.
    #[must_use]
    pub fn set(mut self, model: Model) -> Self {
        let provider = model.provider.as_str().to_ascii_lowercase();
        let models = Arc::make_mut(&mut self.custom).entry(provider).or_default();
        models.insert(model.id.to_ascii_lowercase(), model);
        self
    }

    /// Adds and corrects models from JSON: an object with a member per provider, each an object
    /// with a member per model.
    ///
    /// ```
    /// # use tollgate::catalogue::Catalogue;
    /// let catalogue = Catalogue::builtin().parse(r#"{
    ///   "vllm": {
    ///     "our-7b": {"context_window": 32768, "tools": true, "images": false}
    ///   },
    ///   "openai": {
    ///     "gpt-4o": {"status": "deprecated", "successor": "gpt-6-luna"}
    ///   }
    /// }"#)?;
    /// # let _ = catalogue;
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    ///
    /// The members of a model are the fields of [`Model`] and of its [`Capabilities`]. Dates are
    /// written `2026-11-27`, `2026-11` or `2026`.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration), with the place in the text, for invalid JSON,
    /// unknown or repeated names, and values of the wrong type.
    pub fn parse(self, json: &str) -> Result<Self, Error> {
        let models = overrides::read(json).map_err(|problem| {
            Error::new(ErrorKind::Configuration, format!("models: {problem}"))
        })?;
        Ok(models.into_iter().fold(self, Self::set))
    }

    /// Adds and corrects models from a JSON file, in the form that [`parse`](Self::parse) reads.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) if the file cannot be read, or for the reasons
    /// given at [`parse`](Self::parse).
    pub fn load(self, path: impl AsRef<Path>) -> Result<Self, Error> {
        let read = |text: &str| {
            let refuse = |problem| Error::new(ErrorKind::Configuration, problem);
            overrides::read(text).map_err(refuse)
        };
        let models = settings_file::load(path.as_ref(), read)?;
        Ok(models.into_iter().fold(self, Self::set))
    }

    /// The model of this name at a provider; `None` if it is not known.
    ///
    /// Names match in upper or lower case. A dated name (`gpt-4o-2031-01-31`), a fine-tuned one
    /// (`ft:gpt-4o:acme::abc`), one with a variant (`deepseek/deepseek-r1:free`), and an inference
    /// profile of Bedrock (`eu.anthropic.claude-opus-5`) find the model that they are made from,
    /// unless they are listed themselves. `provider` is an id or alias of the registry.
    pub fn find(&self, provider: &str, model: &str) -> Option<Model> {
        let (provider, section) = self.place(provider);
        names(model).find_map(|name| self.exactly(&provider, section, name))
    }

    /// The model of this name at a provider, as far as the program has set what is known of it.
    pub(crate) fn find_own(&self, provider: &str, model: &str) -> Option<Model> {
        let provider = self.id_of(provider);
        names(model).find_map(|name| self.own(&provider, name)).cloned()
    }

    /// The id of a provider under which its models are listed.
    fn id_of<'a>(&self, provider: &'a str) -> Cow<'a, str> {
        self.place(provider).0
    }

    /// The id of a provider under which its models are listed, and its section of the table.
    fn place<'a>(&self, provider: &'a str) -> (Cow<'a, str>, Option<&'static Section>) {
        let section = table::section(provider);
        let (id, section) = if section.is_some() || self.custom.contains_key(provider) {
            (Cow::Borrowed(provider), section)
        } else if let Some(id) = canonical(provider) {
            (Cow::Borrowed(id), table::section(id))
        } else {
            let id = provider.to_ascii_lowercase();
            let section = table::section(&id);
            (Cow::Owned(id), section)
        };
        (id, section.filter(|_| self.builtin))
    }

    /// The models of a provider: those of the table, then those set on top of it.
    pub fn models(&self, provider: &str) -> impl Iterator<Item = Model> + use<> {
        let (provider, listed) = self.place(provider);
        let own = self.custom.get(&*provider).cloned().unwrap_or_default();
        let listed: Vec<Model> =
            listed.into_iter().flat_map(|section| section.models(&provider)).collect();
        let is_listed = |name: &str| listed.iter().any(|model| model.id.eq_ignore_ascii_case(name));
        let beside: Vec<Model> =
            own.iter().filter(|(name, _)| !is_listed(name)).map(|(_, own)| own.clone()).collect();
        listed
            .into_iter()
            .map(move |model| match own.get(&model.id.to_ascii_lowercase()) {
                Some(own) => own.clone().over(model),
                None => model,
            })
            .chain(beside)
    }

    /// The ids of the providers that it has models of.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        let mut ids: Vec<&str> = table::providers().filter(|_| self.builtin).collect();
        let own = self.custom.keys().map(String::as_str);
        ids.extend(own.filter(|own| !self.builtin || table::section(own).is_none()));
        ids.into_iter()
    }

    /// Looks up a name as it is.
    fn exactly(&self, provider: &str, section: Option<&Section>, model: &str) -> Option<Model> {
        let listed = || section?.find(provider, model);
        match self.own(provider, model) {
            Some(own) => Some(match listed() {
                Some(listed) => own.clone().over(listed),
                None => own.clone(),
            }),
            None => listed(),
        }
    }

    fn own(&self, provider: &str, model: &str) -> Option<&Model> {
        if self.custom.is_empty() {
            return None;
        }
        self.custom.get(provider)?.get(&model.to_ascii_lowercase())
    }
}

impl Default for Catalogue {
    fn default() -> Self {
        Self::builtin()
    }
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set: usize = self.custom.values().map(BTreeMap::len).sum();
        f.debug_struct("Catalogue").field("builtin", &self.builtin).field("set", &set).finish()
    }
}

/// The names under which a model may be listed, best first: its own, and what it is made from.
fn names(model: &str) -> impl Iterator<Item = &str> {
    // Most names are listed as they are.
    std::iter::once(model).chain(std::iter::once(model).flat_map(other_names))
}

/// The names under which a model may be listed if its own is not.
fn other_names(model: &str) -> impl Iterator<Item = &str> {
    let after = model.strip_prefix("models/").unwrap_or(model);
    let tuned = after.strip_prefix("ft:").map(|rest| rest.split(':').next().unwrap_or(rest));
    let plain = tuned.unwrap_or(after);
    let regional = REGIONS.iter().find_map(|region| plain.strip_prefix(region));
    let base = regional.unwrap_or(plain);
    let variant = base.split_once(':').map(|(base, _)| base);
    let undated = [Some(base), variant].into_iter().flatten().filter_map(without_date);
    [Some(after), Some(plain), regional, variant].into_iter().flatten().chain(undated)
}

/// What Bedrock's inference profiles put before the name of a model
/// (docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html).
const REGIONS: [&str; 8] = ["us.", "eu.", "apac.", "global.", "jp.", "au.", "ca.", "us-gov."];
