//! Reads answers: `{"id", "model", "results": [{"flagged", "categories", "category_scores"}]}`.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;
use std::marker::PhantomData;

use super::Decoded;
use crate::moderation::{ModerationCategory, ModerationResult};
use crate::usage::{Usage, UsageSource};
use crate::wire::json::bounded::Detail;
use crate::wire::json::number::Number;
use crate::wire::{Failure, failed, json};

#[derive(Deserialize)]
struct Body {
    id: Option<String>,
    model: Option<String>,
    results: Option<Vec<Item>>,
    #[serde(default)]
    usage: Option<Counts>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Item {
    /// OpenAI only.
    flagged: Option<bool>,
    categories: Option<Members<bool>>,
    category_scores: Option<Members<f64>>,
    /// OpenAI only.
    category_applied_input_types: Option<Members<Vec<String>>>,
}

#[derive(Deserialize)]
struct Counts {
    #[serde(default)]
    prompt_tokens: Number,
    #[serde(default)]
    total_tokens: Number,
}

/// The members of an object in their order. Null is none.
struct Members<T>(Vec<(String, Option<T>)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Members<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader(PhantomData))
    }
}

struct Reader<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
    type Value = Members<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a member for each category")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<T>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

impl<T> Members<T> {
    /// Takes the value of a member. The members of all objects have the same order, so it is
    /// usually the first that is left.
    fn take(&mut self, name: &str) -> Option<T> {
        let place = self.0.iter().position(|(own, _)| own == name)?;
        self.0.remove(place).1
    }
}

/// Decodes the body of a successful response.
pub(super) fn decode(body: &[u8]) -> Result<Decoded, Failure> {
    let mut repaired = None;
    let read: Body = json::read(body, &mut repaired)?;
    if let Some(error) = read.error.filter(|error| !error.is_null()) {
        return Err(Failure::inside(&error));
    }
    let Some(results) = read.results else { return Err(missing(body)) };
    let results = results.into_iter().enumerate();
    Ok(Decoded {
        results: results.map(|(place, item)| result(place, item)).collect::<Result<_, _>>()?,
        usage: read.usage.map(usage).unwrap_or_default(),
        model: read.model.unwrap_or_default(),
        id: read.id,
    })
}

/// Puts together what the body says about the input at `place`. Without a verdict it is a failure,
/// because nobody may take it for harmless.
fn result(place: usize, item: Item) -> Result<ModerationResult, Failure> {
    let mut scores = item.category_scores.unwrap_or(Members(Vec::new()));
    let mut types = item.category_applied_input_types.unwrap_or(Members(Vec::new()));
    let flags = match (item.categories, item.flagged) {
        (Some(flags), _) => flags.0,
        (None, Some(_)) => scores.0.iter().map(|(name, _)| (name.clone(), None)).collect(),
        (None, None) => {
            return Err(Failure::protocol(format!(
                "the result {place} says neither whether the input is flagged nor in which \
                 categories"
            )));
        }
    };
    let mut categories = Vec::with_capacity(flags.len());
    for (name, flagged) in flags {
        let score = scores.take(&name);
        let applied_input_types = types.take(&name).unwrap_or_default();
        let flagged = flagged.unwrap_or(false);
        categories.push(ModerationCategory { name, flagged, score, applied_input_types });
    }
    let any = categories.iter().any(|category| category.flagged);
    Ok(ModerationResult { flagged: item.flagged.unwrap_or(any), categories })
}

/// Counts every token that the provider reports: no page says whether Mistral bills its
/// classifier's own instructions, which are in the total alone.
fn usage(counts: Counts) -> Usage {
    let count = |number: Number| number.count().unwrap_or(0);
    match count(counts.prompt_tokens).max(count(counts.total_tokens)) {
        0 => Usage { source: UsageSource::Missing, ..Usage::default() },
        tokens => Usage::reported(tokens, 0),
    }
}

/// The failure of a body without results: the one that it reports, if any.
fn missing(body: &[u8]) -> Failure {
    let mut repaired = None;
    match json::read::<Detail>(body, &mut repaired) {
        Ok(read) => failed::report(&read.value)
            .unwrap_or_else(|| Failure::protocol("the response has no \"results\"")),
        Err(failure) => failure,
    }
}
