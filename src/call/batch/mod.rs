//! Batches: submits them, watches them, and reads their results.

mod decode;
mod download;
mod drafts;
mod encode;
mod exchange;
mod jobs;
mod results;
mod submission;
mod submit;
mod upload;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Caller;
use super::endpoint::Endpoint;
use super::target::{self, Asked};
use crate::batch::{Batch, BatchProfile};
use crate::cancel::CancelToken;
use crate::chat::Provider;
use crate::error::Error;
use crate::provider::{self, Format, Profile};
use crate::wire::batch::{Interface, interface};
pub use jobs::BatchSummary;
pub(crate) use jobs::WaitTimes;
pub use results::BatchResults;
pub(crate) use submission::Submission;
pub(crate) use submit::Sent;

/// What every request about batches has in common.
#[derive(Clone)]
pub(crate) struct BatchOptions {
    /// The provider; `None` for the client's own.
    pub(crate) provider: Option<Provider>,
    /// The longest each request to the provider may take.
    pub(crate) timeout: Option<Duration>,
    pub(crate) cancel: Option<CancelToken>,
    /// Labels the requests to the provider.
    pub(crate) tags: BTreeMap<String, String>,
    /// The most requests and bytes of each job, if fewer than the provider allows.
    pub(crate) most: (Option<usize>, Option<usize>),
}

/// How a provider's batches are called.
///
/// # Errors
///
/// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if it has none, or none that can be called.
fn batches_of(profile: &Profile) -> Result<BatchProfile, Error> {
    if let Some(batches) = profile.batches {
        return Ok(batches);
    }
    let id = &profile.id;
    let message = match profile.format {
        // docs.aws.amazon.com/bedrock/latest/userguide/batch-inference.html
        Some(Format::Bedrock) => format!(
            "the batches of {id} read and write S3 buckets, which this library does not do; send the \
             requests as calls with Client::bulk, or submit them to the provider of the model, such as \
             Client::batches(\"anthropic\")"
        ),
        // docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/batch-prediction-gemini
        Some(Format::Vertex) => format!(
            "the batches of {id} read and write Cloud Storage or BigQuery, which this library does not \
             do; send the requests as calls with Client::bulk, or submit them with a Gemini API key and \
             Client::batches(\"gemini\")"
        ),
        _ => format!(
            "no batches are known for {id}; send the requests as calls with Client::bulk, or submit them \
             to a provider with batches, such as \"openai\" or \"anthropic\"; if {id} shares the \
             interface of one, set Profile::batches"
        ),
    };
    Err(Error::invalid_request(message))
}

/// A provider whose batches are known.
#[derive(Clone)]
struct Service {
    caller: Arc<Caller>,
    options: BatchOptions,
    endpoint: Arc<Endpoint>,
    profile: BatchProfile,
    interface: &'static dyn Interface,
}

impl Service {
    /// Finds the provider.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if it has no batches.
    fn new(caller: &Arc<Caller>, options: &BatchOptions) -> Result<Self, Error> {
        let Caller { endpoints, settings, transport, .. } = &**caller;
        // Before anyone asks for a key that would not help.
        let named = options.provider.as_ref();
        if let Some(profile) =
            named.and_then(|name| provider::find(name.as_str(), &settings.profiles))
        {
            batches_of(&profile)?;
        }
        let asked = Asked::Provider(options.provider.as_ref(), "");
        let endpoint = target::resolve(asked, endpoints, settings, transport)?.endpoint;
        let profile = batches_of(&endpoint.settings.profile)?;
        Ok(Self {
            caller: Arc::clone(caller),
            options: options.clone(),
            endpoint,
            profile,
            interface: interface(profile.format),
        })
    }

    /// The same for a handle.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new), and if the handle is damaged or another provider's.
    fn of(caller: &Arc<Caller>, options: &BatchOptions, batch: &Batch) -> Result<Self, Error> {
        let service = Self::new(caller, options)?;
        if batch.items.iter().any(|item| item.part >= batch.parts.len()) {
            return Err(Error::invalid_request(
                "the stored handle of the batch is damaged: a request belongs to no job; find the \
                 batch by its id with Batches::find",
            ));
        }
        if service.endpoint.id() == batch.provider() {
            return Ok(service);
        }
        Err(Error::invalid_request(format!(
            "the batch belongs to {}, not to {}; call Client::batches({:?})",
            batch.provider(),
            service.endpoint.id(),
            batch.provider().as_str()
        )))
    }

    /// Whether the caller has cancelled.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](crate::ErrorKind::Cancelled) if so.
    fn check_cancelled(&self) -> Result<(), Error> {
        match &self.options.cancel {
            Some(cancel) if cancel.is_cancelled() => Err(Error::cancelled()),
            _ => Ok(()),
        }
    }

    /// Waits, or until the caller cancels.
    ///
    /// # Errors
    ///
    /// As for [`check_cancelled`](Self::check_cancelled).
    fn sleep(&self, wait: Duration) -> Result<(), Error> {
        self.caller.settings.sleeper.sleep(wait, self.options.cancel.as_ref());
        self.check_cancelled()
    }
}
