//! What bulk chats and bulk embeddings differ in.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

use crate::Money;
use crate::batch::{BatchOutcome, RequestRef};
use crate::call::Caller;
use crate::cancel::CancelToken;
use crate::chat::{ChatRequest, ChatResponse};
use crate::embed::{EmbedRequest, Embeddings};
use crate::error::{Attempt, Error, ErrorKind};
use crate::fingerprint::Fingerprint;

/// A kind of call that a run makes.
pub(super) trait Task: 'static {
    type Request: Send + Serialize + 'static;
    type Answer: Clone + Send + Sync + Serialize + DeserializeOwned + 'static;

    /// Its name in a journal.
    const NAME: &'static str;

    fn call(caller: &Arc<Caller>, request: &Self::Request) -> Result<Self::Answer, Error>;

    /// Where a request keeps its cancel token.
    fn token(request: &mut Self::Request) -> &mut Option<CancelToken>;

    /// The fingerprint of what decides the answer: without time limits, tags and keys.
    fn fingerprint(request: &Self::Request) -> Fingerprint;

    fn facts(answer: &Self::Answer) -> Facts;

    /// The request as one of a batch.
    fn in_batch(request: &Self::Request) -> RequestRef<'_>;

    /// The answer to a request of a batch.
    fn of_batch(outcome: BatchOutcome) -> Result<Self::Answer, Error>;

    /// Takes the response's body away, which repeats the answer in the provider's own format.
    fn take_raw(_: &mut Self::Answer) -> String {
        String::new()
    }

    fn set_raw(_: &mut Self::Answer, _: String) {}
}

/// What progress and pace need of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) tokens: u64,
    /// `None` if no price is known.
    pub(super) cost: Option<Money>,
    /// Whether an attempt met a rate limit or an overloaded server.
    pub(super) limited: bool,
}

impl Facts {
    /// Those of a call without an answer.
    pub(super) const UNANSWERED: Self = Self { tokens: 0, cost: Some(Money::ZERO), limited: false };
}

/// Whether any of these attempts met a rate limit or an overloaded server.
pub(super) fn is_limited<'a>(attempts: impl IntoIterator<Item = &'a Attempt>) -> bool {
    let kinds = attempts.into_iter().filter_map(|attempt| Some(attempt.failure.as_ref()?.kind));
    kinds.into_iter().any(|kind| matches!(kind, ErrorKind::RateLimited | ErrorKind::Overloaded))
}

/// Whole chats.
#[derive(Debug)]
pub(super) enum Chats {}

impl Task for Chats {
    type Request = ChatRequest;
    type Answer = ChatResponse;

    const NAME: &'static str = "chat";

    fn call(caller: &Arc<Caller>, request: &ChatRequest) -> Result<ChatResponse, Error> {
        caller.whole(request, (&request.tags).into(), false)
    }

    fn token(request: &mut ChatRequest) -> &mut Option<CancelToken> {
        &mut request.cancel_token
    }

    fn fingerprint(request: &ChatRequest) -> Fingerprint {
        // Every field is here, so that a new one cannot be forgotten.
        let ChatRequest {
            messages,
            model,
            provider,
            wire_format,
            tools,
            tool_choice,
            parallel_tool_calls,
            response_format,
            max_output_tokens,
            max_input_tokens: _,
            n,
            logprobs,
            temperature,
            top_p,
            stop,
            seed,
            reasoning_effort,
            tags: _,
            routing_key: _,
            max_price: _,
            timeout: _,
            attempt_timeout: _,
            first_token_timeout: _,
            idle_timeout: _,
            stream_timeout: _,
            cache: _,
            cancel_token: _,
            idempotency_key: _,
            betas,
            extra,
            omit,
        } = request;
        // Two tuples, because serde stops at 16 members.
        Fingerprint::of_json(&(
            (messages, model, provider, wire_format, tools, tool_choice, parallel_tool_calls),
            (response_format, max_output_tokens, n, logprobs, temperature, top_p, stop, seed),
            (reasoning_effort, betas, extra, omit),
        ))
    }

    fn facts(answer: &ChatResponse) -> Facts {
        Facts {
            tokens: answer.usage.total_tokens,
            cost: answer.cost.map(|cost| cost.total),
            limited: is_limited(&answer.attempts),
        }
    }

    fn in_batch(request: &ChatRequest) -> RequestRef<'_> {
        RequestRef::Chat(request)
    }

    fn of_batch(outcome: BatchOutcome) -> Result<ChatResponse, Error> {
        outcome.into_chat()
    }

    fn take_raw(answer: &mut ChatResponse) -> String {
        std::mem::take(&mut answer.raw)
    }

    fn set_raw(answer: &mut ChatResponse, raw: String) {
        answer.raw = raw;
    }
}

/// Embeddings.
#[derive(Debug)]
pub(super) enum Embeds {}

impl Task for Embeds {
    type Request = EmbedRequest;
    type Answer = Embeddings;

    const NAME: &'static str = "embed";

    fn call(caller: &Arc<Caller>, request: &EmbedRequest) -> Result<Embeddings, Error> {
        caller.embed(request)
    }

    fn token(request: &mut EmbedRequest) -> &mut Option<CancelToken> {
        &mut request.cancel_token
    }

    fn fingerprint(request: &EmbedRequest) -> Fingerprint {
        let EmbedRequest {
            texts,
            model,
            provider,
            dimensions,
            input_type,
            truncation,
            batch_size: _,
            parallel_requests: _,
            tags: _,
            timeout: _,
            attempt_timeout: _,
            cache: _,
            cancel_token: _,
            idempotency_key: _,
            extra,
            omit,
        } = request;
        Fingerprint::of_json(&(
            (texts, model, provider, dimensions, input_type, truncation),
            (extra, omit),
        ))
    }

    fn facts(answer: &Embeddings) -> Facts {
        Facts {
            tokens: answer.usage.total_tokens,
            cost: answer.cost.map(|cost| cost.total),
            limited: is_limited(answer.batches.iter().flat_map(|batch| &batch.attempts)),
        }
    }

    fn in_batch(request: &EmbedRequest) -> RequestRef<'_> {
        RequestRef::Embed(request)
    }

    fn of_batch(outcome: BatchOutcome) -> Result<Embeddings, Error> {
        outcome.into_embeddings()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_fingerprint_follows_what_decides_the_answer() {
        let request = ChatRequest::from("Hello").model("m");
        let print = Chats::fingerprint(&request);
        let limited = request.clone().timeout(Duration::from_secs(9)).tag("customer", "acme");
        assert_eq!(Chats::fingerprint(&limited), print);
        for other in [
            ChatRequest::from("Hello!").model("m"),
            ChatRequest::from("Hello").model("n"),
            request.clone().temperature(0.0),
            request.stop("x"),
        ] {
            assert_ne!(Chats::fingerprint(&other), print, "{other:?}");
        }
        let texts = EmbedRequest::new(["a", "b"]);
        let print = Embeds::fingerprint(&texts);
        assert_eq!(Embeds::fingerprint(&texts.clone().batch_size(1)), print);
        assert_ne!(Embeds::fingerprint(&texts.dimensions(8)), print);
        // A changed value would refuse all journals that exist.
        let stored = Chats::fingerprint(&ChatRequest::from("Hello"));
        assert_eq!(format!("{stored:?}"), "7a422caf0a45d61caf337fa412f77ad6");
    }
}
