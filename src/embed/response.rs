//! `Embeddings`: the vectors of the texts, and what they cost.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::Index;
use std::time::Duration;

use super::rows;
use crate::answer_source::AnswerSource;
use crate::chat::Provider;
use crate::cost::Cost;
use crate::error::{Attempt, RateLimit};
use crate::usage::Usage;

/// The vectors of the texts, in their order, and what they cost.
///
/// ```
/// # fn show(embeddings: &tollgate::Embeddings) {
/// println!("{} vectors of {} components", embeddings.len(), embeddings.dimension());
/// for vector in embeddings {
///     println!("{:?}", &vector[..3]);
/// }
/// let first: &[f32] = &embeddings[0];
/// # let _ = first;
/// # }
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Embeddings {
    #[serde(rename = "vectors", serialize_with = "write", deserialize_with = "read")]
    pub(crate) rows: rows::Rows,
    /// The model that made them, as the provider names it.
    pub model: String,
    /// The provider.
    pub provider: Provider,
    /// The tokens of all requests together. Counts that the provider did not report are estimates;
    /// [`source`](Usage::source) says so.
    pub usage: Usage,
    /// What all requests cost together; `None` if the price of one of them is not known.
    pub cost: Option<Cost>,
    /// The time from the call to the last answer.
    pub latency: Duration,
    /// The requests that were sent, in the order of the texts.
    pub batches: Vec<EmbedBatch>,
}

/// One of the requests that the texts were split into.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EmbedBatch {
    /// How many texts it had.
    pub texts: usize,
    /// The tokens it used.
    pub usage: Usage,
    /// What it cost, if the price is known.
    pub cost: Option<Cost>,
    /// The id of the answer in its body, if it has one.
    pub id: Option<String>,
    /// The provider's id of the HTTP request, if it names one.
    pub request_id: Option<String>,
    /// What the provider reported about its rate limits.
    pub rate_limit: RateLimit,
    /// The time this request took, retries included.
    pub latency: Duration,
    /// The attempts in order; the last one got the answer.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    #[serde(default, skip_serializing_if = "AnswerSource::is_live")]
    pub(crate) source: AnswerSource,
}

impl EmbedBatch {
    /// What answered: the provider, the [cache](crate::Cache) or a [recording](crate::Replay). If the
    /// provider did not, the [`cost`](Self::cost) is what its answer would have cost.
    pub fn source(&self) -> AnswerSource {
        self.source
    }
}

/// The rows of [`Embeddings`], from [`Embeddings::rows`].
#[derive(Debug, Clone)]
pub struct Rows<'a>(std::slice::ChunksExact<'a, f32>);

impl<'a> Iterator for Rows<'a> {
    type Item = &'a [f32];

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }

    fn nth(&mut self, place: usize) -> Option<Self::Item> {
        self.0.nth(place)
    }
}

impl DoubleEndedIterator for Rows<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back()
    }
}

impl ExactSizeIterator for Rows<'_> {}

impl Embeddings {
    /// What answered: the provider, the [cache](crate::Cache) or [recordings](crate::Replay). A call
    /// that was split is live if the provider answered any of its requests; [`EmbedBatch::source`]
    /// says which. If the provider did not answer, the [`cost`](Self::cost) is what its answer would
    /// have cost.
    pub fn source(&self) -> AnswerSource {
        let sources = || self.batches.iter().map(EmbedBatch::source);
        let live = sources().find(|source| source.is_live());
        live.or_else(|| sources().next()).unwrap_or_default()
    }

    /// Returns how many vectors there are: one for each text.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns true if there is no vector. A call never returns that.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many components each vector has.
    pub fn dimension(&self) -> usize {
        self.rows.dimension()
    }

    /// Returns the vectors, in the order of the texts.
    #[doc(alias("vectors", "iter"))]
    pub fn rows(&self) -> Rows<'_> {
        Rows(self.rows.iter())
    }

    /// Returns the vector of one text, by its place in the request.
    pub fn get(&self, place: usize) -> Option<&[f32]> {
        self.rows.row(place)
    }

    /// Returns all components, one vector after the other, as matrix libraries and vector stores
    /// take them.
    pub fn as_flat(&self) -> &[f32] {
        self.rows.values()
    }

    /// Returns all components, one vector after the other, without a copy.
    pub fn into_flat(self) -> Vec<f32> {
        self.rows.into_values()
    }

    /// Returns the vectors, each in its own allocation.
    pub fn to_vecs(&self) -> Vec<Vec<f32>> {
        self.rows().map(<[f32]>::to_vec).collect()
    }
}

/// The vector of a text, by its place in the request.
impl Index<usize> for Embeddings {
    type Output = [f32];

    /// # Panics
    ///
    /// If there is no such text; [`get`](Self::get) does not panic.
    fn index(&self, place: usize) -> &[f32] {
        let len = self.len();
        self.get(place).unwrap_or_else(|| {
            panic!("there are {len} vectors, but the index is {place}");
        })
    }
}

impl<'a> IntoIterator for &'a Embeddings {
    type Item = &'a [f32];
    type IntoIter = Rows<'a>;

    fn into_iter(self) -> Rows<'a> {
        self.rows()
    }
}

/// Shows the size of the vectors, not their components.
impl fmt::Debug for Embeddings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embeddings")
            .field("len", &self.len())
            .field("dimension", &self.dimension())
            .field("model", &self.model)
            .field("provider", &self.provider)
            .field("usage", &self.usage)
            .field("cost", &self.cost)
            .field("latency", &self.latency)
            .field("batches", &self.batches)
            .finish()
    }
}

fn write<S: Serializer>(rows: &rows::Rows, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rows.iter())
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<rows::Rows, D::Error> {
    let vectors = Vec::<Vec<f32>>::deserialize(deserializer)?;
    let mut rows = rows::Rows::default();
    for (place, vector) in vectors.iter().enumerate() {
        rows.push(vector)
            .map_err(|problem| D::Error::custom(format!("the vector {place} {problem}")))?;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embeddings() -> Embeddings {
        let mut rows = rows::Rows::default();
        rows.push(&[0.1, -2.5e-8]).unwrap();
        rows.push(&[f32::MAX, f32::MIN_POSITIVE]).unwrap();
        Embeddings {
            rows,
            model: "m".into(),
            provider: Provider::OPENAI,
            usage: Usage::reported(7, 0),
            cost: None,
            latency: Duration::from_millis(3),
            batches: Vec::new(),
        }
    }

    #[test]
    fn vectors_are_read_by_place_and_in_order() {
        let embeddings = embeddings();
        assert_eq!((embeddings.len(), embeddings.dimension()), (2, 2));
        assert_eq!(&embeddings[0], [0.1, -2.5e-8]);
        assert_eq!(embeddings.get(2), None);
        assert_eq!(embeddings.rows().len(), 2);
        assert_eq!(embeddings.rows().next_back(), embeddings.get(1));
        let flat = embeddings.as_flat().to_vec();
        assert_eq!(embeddings.to_vecs().concat(), flat);
        assert_eq!((&embeddings).into_iter().flatten().copied().collect::<Vec<_>>(), flat);
        assert_eq!(embeddings.into_flat(), flat);
    }

    #[test]
    fn stored_vectors_keep_every_bit() {
        let embeddings = embeddings();
        let stored = serde_json::to_string(&embeddings).unwrap();
        assert_eq!(serde_json::from_str::<Embeddings>(&stored).unwrap(), embeddings);
        let uneven = stored.replace("[0.1,", "[");
        let error = serde_json::from_str::<Embeddings>(&uneven).unwrap_err();
        assert!(error.to_string().contains("the vector 1 has 2 components"), "{error}");
    }
}
