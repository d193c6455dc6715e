//! The price table: built-in prices, the user's own, and lookups by model.

use parking_lot::RwLock;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::custom::CustomPrices;
use super::{Price, overrides, pattern, table};
use crate::error::{Error, ErrorKind};

/// How many lookups are remembered.
const REMEMBERED: usize = 1_000;

/// The longest name that is remembered, in bytes; servers choose the names of models.
const NAME: usize = 200;

/// What models cost: the built-in table, and what is set over it.
///
/// Clones are cheap and share what they remember of past lookups.
///
/// The table is made of the data of genai-prices (github.com/pydantic/genai-prices, MIT)
/// and, for maximum outputs, of LiteLLM's (github.com/BerriAI/litellm, MIT). It is as
/// good as these and as old as its [date](Self::date), so set what you know better.
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
    /// Guards nothing but itself: what is in it can be found again at any time.
    found: RwLock<Found>,
}

/// The outcomes of lookups, by the names as they were asked for.
#[derive(Default)]
struct Found {
    models: HashMap<Box<str>, Outcomes>,
    count: usize,
}

/// By the model's name.
type Outcomes = HashMap<Box<str>, Option<Arc<Price>>>;

impl Prices {
    /// The built-in table.
    pub fn builtin() -> Self {
        Self::new(true, CustomPrices::default())
    }

    /// No prices at all.
    pub fn empty() -> Self {
        Self::new(false, CustomPrices::default())
    }

    fn new(builtin: bool, custom: CustomPrices) -> Self {
        Self { inner: Arc::new(Inner { builtin, custom, found: RwLock::default() }) }
    }

    /// The date of the built-in table's data, such as `2026-10-21`.
    pub fn date(&self) -> &'static str {
        table::date()
    }

    /// Sets the price of a model, instead of the one in the table or beside them.
    ///
    /// It holds for the model of that name, whatever the case of its letters, and for
    /// every name that the table knows that model by. It holds for its dated snapshots
    /// (`name-2026-12-01`, `name-20261201`, `name@20261201`) too, except where the table
    /// has one apart. `provider` is one of the table's names or any other that
    /// [`find`](Self::find) is asked for.
    #[must_use]
    pub fn set(self, provider: &str, model: &str, price: Price) -> Self {
        let (provider, model) = (pattern::fold(provider.trim()), pattern::fold(model));
        let mut one = CustomPrices::default();
        one.set(provider.into_owned(), model.into_owned(), Arc::new(price));
        self.with(one)
    }

    /// Sets the prices in a JSON file, as [`parse`](Self::parse) does.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) where the file cannot be read, and
    /// those of [`parse`](Self::parse).
    pub fn load(self, path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let message = format!("cannot read the file of prices {path:?}: {error}");
            Error::new(ErrorKind::Configuration, message).with_source(error)
        })?;
        let custom = overrides::read(&text).map_err(|problem| {
            Error::new(
                ErrorKind::Configuration,
                format!("in the file of prices {path:?}, {problem}"),
            )
        })?;
        Ok(self.with(custom))
    }

    /// Sets prices that are written as JSON: an object with a member for each provider,
    /// that with one for each model, and that a price.
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
    /// Amounts are dollars, as numbers or as strings: for a million tokens `input` and
    /// `output`, which must be there, and `cached_input`, `cache_write`,
    /// `cache_write_1h`, `reasoning`, `input_audio`, `output_audio`, `input_image`,
    /// `output_image`; apiece `request` and `web_search`. `above` has prices by numbers
    /// of tokens, `service_tiers` by names of tiers, `since` by dates and `daily` by hours
    /// of the day in UTC (`"01:00-04:00"`); all of these mean what the setters of
    /// [`Price`] do.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) with the place, for what is no JSON,
    /// names that are unknown, missing or there twice, and amounts that are none.
    pub fn parse(self, json: &str) -> Result<Self, Error> {
        let custom = overrides::read(json).map_err(|problem| {
            Error::new(ErrorKind::Configuration, format!("in the prices, {problem}"))
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

    /// The price of a model by the name that is asked for or, better, the one that the
    /// answer names ([`ChatResponse::model`](crate::ChatResponse::model)). `None` where
    /// it is not known.
    ///
    /// `provider` is one of the table's names or another that is usual for it, such as
    /// `xai`; [`provider_of`](Self::provider_of) tells it from a base URL. The case of
    /// letters does not matter.
    pub fn find(&self, provider: &str, model: &str) -> Option<Arc<Price>> {
        if let Some(found) = self.inner.found.read().get(provider, model) {
            return found.clone();
        }
        let price = self.look_up(&pattern::fold(provider.trim()), &pattern::fold(model));
        if provider.len() <= NAME && model.len() <= NAME {
            self.inner.found.write().insert(provider, model, price.clone());
        }
        price
    }

    /// Names in lower case.
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
        set(pattern::without_date(model)?)
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        let found = self.inner.found.read();
        let entries = found.models.values().map(HashMap::len).sum();
        assert_eq!(found.count, entries);
        entries
    }

    /// The table's name of the provider whose API lies below a base URL.
    ///
    /// ```
    /// # use tollgate::Prices;
    /// assert_eq!(Prices::provider_of("https://api.groq.com/openai/v1"), Some("groq"));
    /// assert_eq!(Prices::provider_of("http://localhost:8000/v1"), None);
    /// ```
    pub fn provider_of(base_url: &str) -> Option<&'static str> {
        table::provider_of(base_url)
    }

    /// The table's names of its providers.
    pub fn providers() -> impl Iterator<Item = &'static str> {
        table::sections().iter().map(|section| section.name)
    }

    /// The names of a provider's models with a price: the table's, then those that are
    /// set beside it, in lower case.
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
    /// Whether any price is set for a provider, by its name in lower case.
    pub(crate) fn has_custom(&self, provider: &str) -> bool {
        self.inner.custom.models(provider).next().is_some()
    }

    /// What is wrong with the prices that are set, a sentence each.
    pub(crate) fn problems(&self) -> impl Iterator<Item = String> + '_ {
        self.inner.custom.iter().filter_map(|(provider, model, price)| {
            let problem = price.problem()?;
            Some(format!("the price of {model:?} of {provider:?} {problem}"))
        })
    }

    /// The prompt sizes above which a price that is set ever changes.
    pub(crate) fn custom_borders(&self) -> impl Iterator<Item = u64> + '_ {
        self.inner.custom.iter().flat_map(|(_, _, price)| price.all_borders())
    }
}

impl Price {
    /// The prompt sizes above which it ever changes, in any service tier.
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

impl Found {
    fn get(&self, provider: &str, model: &str) -> Option<&Option<Arc<Price>>> {
        self.models.get(provider)?.get(model)
    }

    fn insert(&mut self, provider: &str, model: &str, price: Option<Arc<Price>>) {
        if self.count >= REMEMBERED {
            *self = Self::default();
        }
        let models = self.models.entry(provider.into()).or_default();
        self.count += usize::from(models.insert(model.into(), price).is_none());
    }
}
