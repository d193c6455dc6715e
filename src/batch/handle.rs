//! `Batch`: the handle of a submitted batch, which any process can store and use.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::chat::Provider;
use crate::cost::ParkedCharge;
use crate::error::Error;

/// The handle of a submitted batch.
///
/// It can be stored with serde, and read by any process that has a client for the provider. It
/// names the provider's jobs and every request's id in the order of submission, and it carries what
/// budgets have reserved. It has no prompt and no key. With its [`id`](Self::id) alone,
/// [`Batches::find`](crate::Batches::find) finds a batch again, but then the results have the
/// provider's order, and their cost is recorded without a reservation.
#[derive(Clone, Serialize, Deserialize)]
pub struct Batch {
    pub(crate) provider: Provider,
    pub(crate) parts: Vec<Part>,
    /// In the order of submission; empty if the batch was found by its id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) items: Vec<Item>,
    /// The tags of the requests, each set once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<BTreeMap<String, String>>,
    /// The name of the ledger that holds the reservations.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) ledger: String,
    /// Which items this process has settled.
    #[serde(skip)]
    pub(crate) settled: Settled,
}

/// One job of the provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Part {
    /// The provider's id; empty if the job does not exist yet.
    pub(crate) id: String,
    pub(crate) endpoint: BatchEndpoint,
    /// Empty if not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) model: String,
}

/// One request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) id: String,
    /// The index of its part.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) part: usize,
    /// The index of its tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tags: Option<usize>,
    /// How many texts it embeds, and how long each vector should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) texts: Option<(usize, Option<u32>)>,
    /// How many bytes of text it has, to estimate its tokens.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) text_bytes: usize,
    pub(crate) charge: ParkedCharge,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What all requests of a job ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BatchEndpoint {
    /// Chats in the provider's own format.
    Chat,
    /// OpenAI's text completions.
    Completions,
    /// OpenAI's Responses.
    Responses,
    Embeddings,
}

impl Batch {
    /// The provider's id of the batch. If the batch was split into several jobs, their ids, joined
    /// with commas.
    pub fn id(&self) -> String {
        let ids: Vec<_> = self.job_ids().collect();
        ids.join(",")
    }

    /// The provider's id of each job that the batch was split into.
    pub fn job_ids(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| &*part.id)
    }

    /// The provider that answers it.
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// The handle without the jobs that do not exist, and the places of the requests in these.
    pub(crate) fn created(&self) -> (Self, Vec<usize>) {
        let mut batch = Self { items: Vec::new(), settled: Settled::default(), ..self.clone() };
        let mut numbers = Vec::new();
        batch.parts.retain(|part| {
            let number = numbers.iter().flatten().count();
            numbers.push((!part.id.is_empty()).then_some(number));
            !part.id.is_empty()
        });
        let mut left = Vec::new();
        for (place, item) in self.items.iter().enumerate() {
            match numbers.get(item.part).copied().flatten() {
                Some(part) => batch.items.push(Item { part, ..item.clone() }),
                None => left.push(place),
            }
        }
        (batch, left)
    }

    /// The ids of its requests in the order of submission; empty if the batch was found by its id
    /// alone.
    pub fn request_ids(&self) -> impl ExactSizeIterator<Item = &str> {
        self.items.iter().map(|item| &*item.id)
    }
}

impl Error {
    /// The handle of the jobs that were created before
    /// [`Batches::submit`](crate::Batches::submit) failed; `None` if there are none, and for every
    /// other call.
    ///
    /// You pay for these jobs. Keep the handle, and submit only the other requests again.
    pub fn submitted(&self) -> Option<&Batch> {
        self.answered()?.downcast_ref()
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("provider", &self.provider)
            .field("id", &self.id())
            .field("requests", &self.items.len())
            .finish_non_exhaustive()
    }
}

/// Which items this process has settled. Clones of a handle share it, so that reading the results
/// twice records their cost once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settled(Arc<SettledBits>);

#[derive(Debug, Default)]
struct SettledBits(std::sync::OnceLock<Box<[AtomicU64]>>);

impl Settled {
    /// Marks one of `count` items. Returns whether it was not marked before.
    pub(crate) fn mark(&self, item: usize, count: usize) -> bool {
        let bits = self.0.0.get_or_init(|| {
            (0..count.div_ceil(64)).map(|_| AtomicU64::new(0)).collect::<Vec<_>>().into()
        });
        let Some(word) = bits.get(item / 64) else { return false };
        let bit = 1 << (item % 64);
        word.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_that_do_not_exist_are_left_out_with_their_requests() {
        let part = |id: &str| serde_json::json!({"id": id, "endpoint": "chat"});
        let item =
            |id: &str, part: u32| serde_json::json!({"id": id, "part": part, "charge": {"at": 0}});
        let batch: Batch = serde_json::from_value(serde_json::json!({
            "provider": "openai",
            "parts": [part("one"), part(""), part("three")],
            "items": [item("a", 2), item("b", 1), item("c", 0), item("d", 1)],
        }))
        .unwrap();
        let (created, left) = batch.created();
        assert_eq!((created.id().as_str(), left), ("one,three", vec![1, 3]));
        let items: Vec<_> = created.items.iter().map(|item| (&*item.id, item.part)).collect();
        assert_eq!(items, [("a", 1), ("c", 0)]);
    }

    #[test]
    fn an_item_is_settled_once_by_all_clones_of_a_handle() {
        let settled = Settled::default();
        let clone = settled.clone();
        assert!(settled.mark(0, 130) && settled.mark(129, 130) && settled.mark(64, 130));
        assert!(!clone.mark(0, 130) && !clone.mark(129, 130));
        assert!(clone.mark(1, 130));
    }
}
