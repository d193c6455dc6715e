//! `Prices`: built-in prices, the caller's own, and lookups by model.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::custom::CustomPrices;
use super::{Price, overrides, pattern, table};
use crate::error::{Error, ErrorKind};
use crate::memo::Memo;
use crate::settings_file;
use crate::snapshot::without_date;

/// What models cost: the built-in table, and the prices set on top of it.
///
/// Clones are cheap and share their cache of lookups.
///
/// The table is made from the data of genai-prices (github.com/pydantic/genai-prices, MIT) and,
/// for maximum outputs, of LiteLLM (github.com/BerriAI/litellm, MIT). It is only as good as these
/// and as recent as its [date](Self::date), so set prices that you know better.
///
/// ```
/// use tollgate::{Money, Price, Prices};
///
/// let prices = Prices::builtin().set("openai", "gpt-7", Price::per_million(
///     Money::dollars(2),
///     Money::dollars(12),
/// ));
/// assert!(prices.find("openai", "gpt-7-2027-01-01").is_some());
/// assert!(prices.find("openai", "gpt-4o-mini").is_some());
/// assert!(prices.find("openai", "my-own").is_none());
/// ```
#[derive(Clone)]
pub struct Prices {
    inner: Arc<Inner>,
}

struct Inner {
    builtin: bool,
    custom: CustomPrices,
    /// What was found for a model and a provider, by their names as given. Everything in it can
    /// be looked up again.
    found: Memo<2, Option<Arc<Price>>>,
}

impl Prices {
    /// Returns the built-in table.
    pub fn builtin() -> Self {
        Self::new(true, CustomPrices::default())
    }

    /// Returns a table without any prices.
    pub fn empty() -> Self {
        Self::new(false, CustomPrices::default())
    }

    fn new(builtin: bool, custom: CustomPrices) -> Self {
        Self { inner: Arc::new(Inner { builtin, custom, found: Memo::default() }) }
    }

    /// The date of the built-in table's data, such as `2026-10-21`.
    pub fn date(&self) -> &'static str {
        table::date()
    }

    /// Sets the price of a model, replacing the one in the table if there is one.
    ///
    /// It applies to the model of that name, in upper or lower case, and to every name by which
    /// the table knows that model. It also applies to the model's dated snapshots
    /// (`name-2026-12-01`, `name-20261201`, `name@20261201`), unless the table lists one
    /// separately. `provider` is one of the table's names, or any other name under which
    /// [`find`](Self::find) will look it up.
    #[must_use]
    pub fn set(self, provider: &str, model: &str, price: Price) -> Self {
        let (provider, model) = (pattern::fold(provider.trim()), pattern::fold(model));
        let mut one = CustomPrices::default();
        one.set(provider.into_owned(), model.into_owned(), Arc::new(price));
        self.with(one)
    }

    /// Sets the prices in a JSON file, in the form that [`parse`](Self::parse) reads.
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
        let custom = settings_file::load(path.as_ref(), read)?;
        Ok(self.with(custom))
    }

    /// Sets prices from JSON: an object with a member per provider, each an object with a price
    /// per model.
    ///
    /// ```
    /// # use tollgate::Prices;
    /// let prices = Prices::builtin().parse(r#"{
    ///   "openai": {
    ///     "gpt-7": {
    ///       "input": 1.25, "output": 10,
    ///       "cached_input": 0.125, "web_search": 0.01,
    ///       "above": { "272000": { "input": 2.5, "output": 15 } },
    ///       "service_tiers": { "batch": { "input": 0.625, "output": 5 } },
    ///       "since": { "2027-01-01": { "input": 1, "output": 8 } },
    ///       "context_window": 400000, "max_output": 128000
    ///     }
    ///   }
    /// }"#)?;
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    ///
    /// Amounts are in dollars, as numbers or strings. Per million tokens: `input` and `output`
    /// (both required), `cached_input`, `cache_write`, `cache_write_1h`, `reasoning`,
    /// `input_audio`, `output_audio`, `input_image` and `output_image`. Per piece: `request` and
    /// `web_search`. Nested prices: `above` by number of tokens, `service_tiers` by tier, `since`
    /// by date, and `daily` by time of day in UTC (`"01:00-04:00"`). Each means what the setter of
    /// the same name on [`Price`] does.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration), with the place in the text, for invalid JSON,
    /// unknown, missing or repeated names, and values that are not amounts.
    pub fn parse(self, json: &str) -> Result<Self, Error> {
        let custom = overrides::read(json).map_err(|problem| {
            Error::new(ErrorKind::Configuration, format!("prices: {problem}"))
        })?;
        Ok(self.with(custom))
    }

    fn with(self, more: CustomPrices) -> Self {
        let builtin = self.inner.builtin;
        let mut custom = match Arc::try_unwrap(self.inner) {
            Ok(inner) => inner.custom,
            Err(shared) => shared.custom.clone(),
        };
        custom.extend(more);
        Self::new(builtin, custom)
    }

    /// The price of a model. `None` if it is not known.
    ///
    /// `model` is the requested name or, better, the one in the answer
    /// ([`ChatResponse::model`](crate::ChatResponse::model)). `provider` is one of the table's
    /// names or another usual name for it, such as `xai`; [`provider_of`](Self::provider_of) finds
    /// it for a base URL. Names match in upper or lower case.
    pub fn find(&self, provider: &str, model: &str) -> Option<Arc<Price>> {
        // The model first: it differs most.
        let names = [model, provider];
        if let Some(found) = self.inner.found.get(names) {
            return found;
        }
        let price = self.look_up(&pattern::fold(provider.trim()), &pattern::fold(model));
        self.inner.found.insert(names, price.clone());
        price
    }

    /// The price that the program has set for a model, without the built-in table.
    pub(crate) fn find_set(&self, provider: &str, model: &str) -> Option<Arc<Price>> {
        let price = self.find(provider, model)?;
        let set = Self::new(false, self.inner.custom.clone()).find(provider, model);
        let builtin = || Self::builtin().find(provider, model);
        // It may have been set under another of the model's names.
        set.or_else(|| (builtin().as_ref() != Some(&price)).then_some(price))
    }

    /// Looks up names that are already in lower case.
    fn look_up(&self, provider: &str, model: &str) -> Option<Arc<Price>> {
        let custom = |provider: &str, model: &str| self.inner.custom.get(provider, model).cloned();
        let section = table::section(provider);
        let providers =
            || [Some(provider), section.map(|section| section.name)].into_iter().flatten();
        let set = |model: &str| providers().find_map(|provider| custom(provider, model));
        if let Some(price) = set(model) {
            return Some(price);
        }
        let entry = section
            .filter(|_| self.inner.builtin)
            .and_then(|section| Some((section, section.find(model)?)));
        if let Some((section, entry)) = entry {
            if let Some(price) = set(&pattern::fold(entry.name)) {
                return Some(price);
            }
            let mut price = entry.price()?;
            if entry.provider != section.name {
                price.forget_tiers();
            }
            return Some(Arc::new(price));
        }
        set(without_date(model)?)
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.inner.found.len()
    }

    /// The table's name for the provider with this base URL.
    ///
    /// ```
    /// # use tollgate::Prices;
    /// assert_eq!(Prices::provider_of("https://api.groq.com/openai/v1"), Some("groq"));
    /// assert_eq!(Prices::provider_of("http://localhost:8000/v1"), None);
    /// ```
    pub fn provider_of(base_url: &str) -> Option<&'static str> {
        table::provider_of(base_url)
    }

    /// The table's names for its providers.
    pub fn providers() -> impl Iterator<Item = &'static str> {
        table::sections().iter().map(|section| section.name)
    }

    /// The names of a provider's models that have a price: first the table's, then those set on
    /// top of it, in lower case.
    pub fn models(&self, provider: &str) -> impl Iterator<Item = &str> {
        let provider = pattern::fold(provider.trim());
        let section = table::section(&provider);
        let listed = section.filter(|_| self.inner.builtin).into_iter();
        let names =
            listed.flat_map(|section| section.entries()).filter(|entry| entry.price().is_some());
        let custom = match section {
            Some(section) if !self.has_custom(&provider) => self.inner.custom.models(section.name),
            _ => self.inner.custom.models(&provider),
        };
        let beside = custom.filter(move |name| {
            let listed = section.filter(|_| self.inner.builtin);
            !listed.is_some_and(|section| {
                section.entries().any(|entry| pattern::fold(entry.name) == *name)
            })
        });
        names.map(|entry| entry.name).chain(beside)
    }
}

impl Prices {
    /// Whether any price is set for a provider, given by its name in lower case.
    pub(crate) fn has_custom(&self, provider: &str) -> bool {
        self.inner.custom.models(provider).next().is_some()
    }

    /// What is wrong with the prices that were set, one sentence each.
    pub(crate) fn problems(&self) -> impl Iterator<Item = String> + '_ {
        self.inner.custom.iter().filter_map(|(provider, model, price)| {
            let problem = price.problem()?;
            Some(format!("the price of {model:?} of {provider:?} {problem}"))
        })
    }

    /// All prompt sizes above which a price that was set changes, at any time.
    pub(crate) fn custom_borders(&self) -> impl Iterator<Item = u64> + '_ {
        self.inner.custom.iter().flat_map(|(_, _, price)| price.all_borders())
    }
}

impl Price {
    /// All prompt sizes above which it changes, at any time and in any service tier.
    pub(crate) fn all_borders(&self) -> impl Iterator<Item = u64> + '_ {
        let sheets = self.periods.iter().flat_map(|period| {
            period.tiers.iter().map(|(_, sheet)| sheet).chain([&period.standard])
        });
        sheets.flat_map(|sheet| sheet.above.keys().copied())
    }
}

impl Default for Prices {
    fn default() -> Self {
        Self::builtin()
    }
}

impl fmt::Debug for Prices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = self.inner.custom.iter().count();
        f.debug_struct("Prices").field("builtin", &self.inner.builtin).field("set", &set).finish()
    }
}
