//! The life of a call. [`run`] reads from top to bottom.

mod admission;
mod advice;
mod automatic;
mod batch;
mod cached;
mod certain;
mod chat;
mod count;
mod embed;
mod embed_all;
mod endpoint;
mod fitness;
mod input_only;
mod known;
mod lists;
mod misspelt;
mod models;
mod moderate;
mod one_target;
mod operation;
mod prepared;
mod raw;
mod reach;
mod replayed;
mod room;
mod routed;
mod routes;
mod run;
mod target;
mod time_limits;
#[cfg(feature = "vertex")]
mod token_requests;
mod unpriced;
mod url;

use std::sync::Arc;
use std::time::Instant;

use crate::chat::{ChatRequest, ChatResponse};
use crate::config::Settings;
use crate::error::{Error, ErrorKind};
use crate::memo::Memo;
use crate::models::{ModelInfo, ModelsRequest};
use crate::moderation::{Moderation, ModerationRequest};
use crate::observed::{Answer, Ended, ObservedCalls};
use crate::raw::{RawRequest, RawResponse};
use crate::retry::Bucket;
use crate::stream::ChatStream;
use crate::tags::Tags;
use crate::throttle::Limiter;
use crate::token_count::TokenCount;
use crate::transport::Transport;
use crate::wire::models::MAX_PAGES;
use crate::wire::{Delivery, showable, token_count};
pub(crate) use batch::{BatchOptions, Sent, Submission, WaitTimes};
pub use batch::{BatchResults, BatchSummary};
use chat::Chat;
use count::Count;
pub(crate) use endpoint::{Endpoint, Endpoints};
pub(crate) use lists::Lists;
use models::Models;
use moderate::Moderate;
use raw::Raw;
pub(crate) use routes::Routes;
use run::{Completed, run, run_chat};

/// What all calls of a client share.
pub(crate) struct Caller {
    pub(crate) settings: Settings,
    pub(crate) transport: Transport,
    pub(crate) endpoints: Endpoints,
    pub(crate) routes: Routes,
    /// The catalogue with the lists of providers that were read.
    pub(crate) lists: Lists,
    /// The deprecated models that observers have heard of, by provider and name.
    pub(crate) warned: Memo<2, ()>,
    /// The retry budget of all calls together.
    pub(crate) bucket: Bucket,
    /// The limits on requests, tokens and calls in flight; `None` if there are none.
    pub(crate) limiter: Option<Arc<Limiter>>,
    pub(crate) observed: Arc<ObservedCalls>,
}

impl Caller {
    /// Sends a request and waits for the whole answer; uses text completions if `completion`.
    /// `tags` are those of the request.
    pub(crate) fn whole(
        self: &Arc<Self>,
        request: &ChatRequest,
        tags: Tags,
        completion: bool,
    ) -> Result<ChatResponse, Error> {
        let begun = Instant::now();
        let chat = Chat { request, tags, completion, delivery: Delivery::Whole };
        let (observed, Completed { tried, routed, source, .. }) =
            run_chat(self, &chat, chat::whole, begun)?;
        let mut response = tried.value;
        response.source = source;
        response.route = routed.map(|(trace, _)| trace);
        response.attempts = tried.attempts;
        response.latency = observed.end(&Ended {
            answer: Some(Answer::from(&*response)),
            attempts: &response.attempts,
            ..Ended::default()
        });
        Ok(*response)
    }

    /// Sends a request unchanged and waits for the whole response.
    pub(crate) fn raw(self: &Arc<Self>, request: &RawRequest) -> Result<RawResponse, Error> {
        let begun = Instant::now();
        let (observed, Completed { tried, source, .. }) =
            run(self, &Raw(request), raw::sent, begun)?;
        let latency = begun.elapsed();
        let response = RawResponse { latency, attempts: tried.attempts, source, ..tried.value };
        observed.end(&Ended { attempts: &response.attempts, ..Ended::default() });
        Ok(response)
    }

    /// Reads all pages of a provider's list of models.
    pub(crate) fn models(
        self: &Arc<Self>,
        request: &ModelsRequest,
    ) -> Result<Vec<ModelInfo>, Error> {
        let begun = Instant::now();
        let (mut models, mut page) = (Vec::new(), None);
        for number in 1.. {
            let operation = Models { request, page, begun };
            let (observed, Completed { target, mut tried, .. }) =
                run(self, &operation, unpriced::answered, Instant::now())?;
            observed.end(&Ended { attempts: &tried.attempts, ..Ended::default() });
            let secrets = &target.endpoint.settings.secrets;
            for ModelInfo { id, display_name, .. } in &mut tried.value.models {
                showable(id, secrets);
                display_name.iter_mut().for_each(|name| showable(name, secrets));
            }
            models.extend(tried.value.models);
            let what = match tried.value.next {
                None => break,
                next if next == operation.page => "repeats a page",
                _ if number == MAX_PAGES => "does not end",
                next => {
                    page = next;
                    continue;
                }
            };
            let provider = target.endpoint.id();
            let message = format!("the list of models of {provider} {what}; check the base URL");
            return Err(Error::new(ErrorKind::Protocol, message).with_provider(provider.as_str()));
        }
        Ok(models)
    }

    /// Counts the tokens of a chat without sending it.
    pub(crate) fn count_tokens(
        self: &Arc<Self>,
        request: &ChatRequest,
    ) -> Result<TokenCount, Error> {
        let begun = Instant::now();
        let (observed, Completed { target, tried, .. }) =
            run(self, &Count(request), unpriced::answered, begun)?;
        observed.end(&Ended { attempts: &tried.attempts, ..Ended::default() });
        let token_count::Decoded { input_tokens, cached_tokens, extra } = tried.value;
        let (provider, model) = (target.endpoint.id().clone(), target.model.to_string());
        Ok(TokenCount { input_tokens, cached_tokens, provider, model, extra })
    }

    /// Asks a provider to judge content.
    pub(crate) fn moderate(
        self: &Arc<Self>,
        request: &ModerationRequest,
    ) -> Result<Moderation, Error> {
        let begun = Instant::now();
        let operation = Moderate::new(self, request);
        let (observed, Completed { tried, source, .. }) =
            run(self, &operation, moderate::sent, begun)?;
        let latency = begun.elapsed();
        let moderation = Moderation { latency, attempts: tried.attempts, source, ..tried.value };
        observed.end(&Ended {
            answer: Some(Answer::from(&moderation)),
            attempts: &moderation.attempts,
            ..Ended::default()
        });
        Ok(moderation)
    }

    /// Sends a request and waits for the first event of the answer; uses text completions if
    /// `completion`. `tags` are those of the request.
    pub(crate) fn stream(
        self: &Arc<Self>,
        request: &ChatRequest,
        tags: Tags,
        completion: bool,
    ) -> Result<ChatStream, Error> {
        let begun = Instant::now();
        let chat = Chat { request, tags, completion, delivery: Delivery::Stream };
        let (observed, Completed { target, tried, routed, source }) =
            run_chat(self, &chat, chat::streamed, begun)?;
        let (provider, cancel) = (target.endpoint.id().clone(), request.cancel_token.clone());
        let routed = routed.and_then(|(trace, ticket)| Some((trace, ticket?)));
        let model = target.model.to_string();
        ChatStream::new(tried, provider, model, routed, source, cancel, begun, observed)
    }
}
