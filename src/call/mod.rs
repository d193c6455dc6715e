//! The life of a call. [`run`] reads from top to bottom.

mod admission;
mod chat;
mod endpoint;
mod limits;
mod operation;
mod prepared;
mod raw;
mod run;
mod target;
#[cfg(feature = "vertex")]
mod token_requests;
mod url;

use std::sync::Arc;
use std::time::Instant;

use crate::chat::{ChatRequest, ChatResponse};
use crate::config::Settings;
use crate::error::Error;
use crate::observed::{Answer, Ended, ObservedCalls};
use crate::raw::{RawRequest, RawResponse};
use crate::retry::Bucket;
use crate::stream::ChatStream;
use crate::transport::Transport;
use crate::wire::Delivery;
use chat::Chat;
pub(crate) use endpoint::{Endpoint, Endpoints};
use raw::Raw;
use run::{Completed, run};

/// What all calls of a client share.
pub(crate) struct Caller {
    pub(crate) settings: Settings,
    pub(crate) transport: Transport,
    pub(crate) endpoints: Endpoints,
    /// The retry budget of all calls together.
    pub(crate) bucket: Bucket,
    pub(crate) observed: Arc<ObservedCalls>,
}

impl Caller {
    /// Sends a request and waits for the whole answer; uses text completions if `completion`.
    pub(crate) fn whole(
        &self,
        request: &ChatRequest,
        completion: bool,
    ) -> Result<ChatResponse, Error> {
        let begun = Instant::now();
        let chat = Chat { request, completion, delivery: Delivery::Whole };
        let (observed, Completed { tried, .. }) = run(self, &chat, chat::whole, begun)?;
        let latency = begun.elapsed();
        let mut response = tried.value;
        (response.latency, response.attempts) = (latency, tried.attempts);
        observed.end(&Ended {
            answer: Some(Answer::from(&response)),
            attempts: &response.attempts,
            ..Ended::default()
        });
        Ok(response)
    }

    /// Sends a request unchanged and waits for the whole response.
    pub(crate) fn raw(&self, request: &RawRequest) -> Result<RawResponse, Error> {
        let begun = Instant::now();
        let (observed, Completed { tried, .. }) = run(self, &Raw(request), raw::sent, begun)?;
        let latency = begun.elapsed();
        let response = RawResponse { latency, attempts: tried.attempts, ..tried.value };
        observed.end(&Ended { attempts: &response.attempts, ..Ended::default() });
        Ok(response)
    }

    /// Sends a request and waits for the first event of the answer; uses text completions if
    /// `completion`.
    pub(crate) fn stream(
        &self,
        request: &ChatRequest,
        completion: bool,
    ) -> Result<ChatStream, Error> {
        let begun = Instant::now();
        let chat = Chat { request, completion, delivery: Delivery::Stream };
        let (observed, Completed { target, tried }) = run(self, &chat, chat::streamed, begun)?;
        let (provider, cancel) = (target.endpoint.id().clone(), request.cancel_token.clone());
        ChatStream::new(tried, provider, target.model, cancel, begun, observed)
    }
}
