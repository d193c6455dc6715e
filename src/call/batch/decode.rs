//! Decodes one result of a batch, and settles what was reserved for it.

use std::time::{Duration, SystemTime};

use super::Service;
use crate::answer_source::AnswerSource;
use crate::batch::{Batch, BatchEndpoint, BatchFormat, BatchOutcome, Item, Part};
use crate::call::chat::{self, into_text};
use crate::call::embed;
use crate::call::input_only;
use crate::call::target::Target;
use crate::cost::{Bill, CallPlan, Charge, Cost, ParkedCharge};
use crate::embed::{EmbedBatch, Embeddings};
use crate::error::Error;
use crate::tags::Tags;
use crate::usage::Usage;
use crate::wire::batch::{self, Line, Outcome, reply};
use crate::wire::{self, Failure, HeaderFields, Wire};

/// A request of a batch, as far as its handle knows it.
pub(super) struct Known<'a> {
    pub(super) batch: &'a Batch,
    pub(super) part: &'a Part,
    /// `None` if the batch was found by its id.
    pub(super) item: Option<&'a Item>,
    /// The place of the request.
    pub(super) place: usize,
    /// How many requests there are.
    pub(super) count: usize,
}

/// What a request is charged.
enum Owed {
    /// What its answer used.
    Answer(Box<Bill>),
    /// Nothing: no provider bills a request that failed, expired or was cancelled.
    Nothing,
    /// Unknown: the answer cannot be read.
    Unknown,
}

impl Service {
    /// Decodes a result and settles it.
    pub(super) fn outcome(&self, line: Line, known: &Known<'_>) -> Result<BatchOutcome, Error> {
        let (mut outcome, owed) = match line.outcome {
            Outcome::Expired => (BatchOutcome::Expired, Owed::Nothing),
            Outcome::Cancelled => (BatchOutcome::Cancelled, Owed::Nothing),
            Outcome::Failed(failure) => (BatchOutcome::Failed(self.error(failure)), Owed::Nothing),
            Outcome::Response { status, body, request_id } => {
                self.response(status, body, request_id, known)
            }
        };
        let cost = self.settle(owed, known)?;
        match &mut outcome {
            BatchOutcome::Answered(response) => response.cost = cost,
            BatchOutcome::Embedded(embeddings) => {
                embeddings.cost = cost;
                embeddings.batches.iter_mut().for_each(|batch| batch.cost = cost);
            }
            BatchOutcome::Failed(_) | BatchOutcome::Expired | BatchOutcome::Cancelled => {}
        }
        Ok(outcome)
    }

    /// Settles a request without a result.
    pub(super) fn without_result(
        &self,
        outcome: BatchOutcome,
        known: &Known<'_>,
    ) -> Result<BatchOutcome, Error> {
        let owed = match outcome {
            BatchOutcome::Failed(_) => Owed::Unknown,
            _ => Owed::Nothing,
        };
        self.settle(owed, known)?;
        Ok(outcome)
    }

    /// Settles a request of a job that the provider refused.
    pub(super) fn refused(
        &self,
        failure: Failure,
        known: &Known<'_>,
    ) -> Result<BatchOutcome, Error> {
        self.settle(Owed::Nothing, known)?;
        Ok(BatchOutcome::Failed(self.error(failure)))
    }

    fn error(&self, failure: Failure) -> Error {
        let error = batch::error(failure, &self.endpoint.settings.secrets);
        error.with_provider(self.endpoint.id().as_str())
    }

    fn response(
        &self,
        status: u16,
        body: Vec<u8>,
        request_id: Option<String>,
        known: &Known<'_>,
    ) -> (BatchOutcome, Owed) {
        let (secrets, now) = (&self.endpoint.settings.secrets, SystemTime::now());
        let headers = HeaderFields::default();
        let is_answer = (200..300).contains(&status);
        let failed = |failure| {
            let error = wire::error(failure, reply(status, &body, &headers), now, secrets);
            let error = error.with_request_id(request_id.clone());
            let owed = if is_answer { Owed::Unknown } else { Owed::Nothing };
            (BatchOutcome::Failed(error.with_provider(self.endpoint.id().as_str())), owed)
        };
        if known.part.endpoint == BatchEndpoint::Embeddings {
            return match self.embeddings(status, &body, known) {
                Ok((embeddings, bill)) => {
                    (BatchOutcome::Embedded(Box::new(embeddings)), Owed::Answer(Box::new(bill)))
                }
                Err(failure) => failed(failure),
            };
        }
        let wire = self.wire(known.part.endpoint);
        let decoded = match is_answer {
            true => wire.decode(reply(status, &body, &headers), self.endpoint.id()),
            false => Err(Failure::of(reply(status, &body, &headers))),
        };
        let mut decoded = match decoded {
            Ok(decoded) => decoded,
            Err(failure) => return failed(failure),
        };
        let asked = known.part.model.as_str();
        decoded.complete(asked, secrets);
        let mut response = decoded.into_response(self.endpoint.id().clone());
        response.request_id = request_id;
        let text_bytes = known.item.map_or(0, |item| item.text_bytes);
        response.usage = response.usage.completed(&chat::estimate(&response, text_bytes));
        let mut bill = chat::bill(&response, asked, text_bytes);
        // Batches have a price of their own, whatever tier the answer names.
        bill.forget_tier();
        response.raw = into_text(body);
        (BatchOutcome::Answered(Box::new(response)), Owed::Answer(Box::new(bill)))
    }

    fn embeddings(
        &self,
        status: u16,
        body: &[u8],
        known: &Known<'_>,
    ) -> Result<(Embeddings, Bill), Failure> {
        let headers = HeaderFields::default();
        let reply = reply(status, body, &headers);
        let secrets = &self.endpoint.settings.secrets;
        let settings = &self.caller.settings;
        let target = Target::new(self.endpoint.clone(), &known.part.model, settings);
        let format = embed::format(&target)
            .map_err(|error| Failure::protocol(error.message().to_owned()))?;
        let (texts, dimensions) = known.item.and_then(|item| item.texts).unwrap_or_else(|| {
            let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
            (body["data"].as_array().map_or(1, Vec::len), None)
        });
        let wire::embeddings::Decoded { rows, usage, mut model, mut id } =
            format.decode(reply, texts, dimensions)?;
        input_only::show_names(&mut model, &mut id, &known.part.model, secrets);
        let text_bytes = known.item.map_or(0, |item| item.text_bytes);
        let usage = usage.or_estimate(|| Usage::estimated(text_bytes, 0));
        let bill = Bill::new(usage).served_model(&*model);
        let batch = EmbedBatch {
            texts,
            usage,
            cost: None,
            id,
            request_id: None,
            rate_limit: <_>::default(),
            latency: Duration::ZERO,
            attempts: Vec::new(),
            source: AnswerSource::Live,
        };
        let embeddings = Embeddings {
            rows,
            model,
            provider: self.endpoint.id().clone(),
            usage,
            cost: None,
            latency: Duration::ZERO,
            batches: vec![batch],
        };
        Ok((embeddings, bill))
    }

    /// The wire format of a job's answers.
    fn wire(&self, endpoint: BatchEndpoint) -> Wire {
        match (self.profile.format, endpoint) {
            (BatchFormat::Anthropic, _) => Wire::Anthropic,
            (BatchFormat::Gemini, _) => Wire::Gemini,
            (_, BatchEndpoint::Completions) => Wire::OpenAiCompletions,
            (_, BatchEndpoint::Responses) => Wire::OpenAiResponses,
            _ => Wire::OpenAiChat,
        }
    }

    /// Settles a request, unless this process has settled it before. Returns its cost.
    fn settle(&self, owed: Owed, known: &Known<'_>) -> Result<Option<Cost>, Error> {
        let Known { batch, part, item, place, count } = known;
        if !batch.settled.mark(*place, *count) {
            return Ok(match owed {
                Owed::Answer(bill) => {
                    let plan = self.plan(batch, part, *item);
                    self.caller.settings.costs.appraise(plan, *bill)
                }
                Owed::Nothing | Owed::Unknown => None,
            });
        }
        let charge = self.charge(batch, part, *item)?;
        Ok(match owed {
            Owed::Answer(bill) => charge.settle(*bill),
            Owed::Nothing => {
                charge.release();
                None
            }
            // Dropped, it is charged by the rule for calls without an answer.
            Owed::Unknown => None,
        })
    }

    /// Takes up what was reserved for a request.
    ///
    /// # Errors
    ///
    /// [`Ledger`](crate::ErrorKind::Ledger) if the ledger cannot be written.
    pub(super) fn charge(
        &self,
        batch: &Batch,
        part: &Part,
        item: Option<&Item>,
    ) -> Result<Charge, Error> {
        let unreserved;
        let parked = match item {
            Some(item) => &item.charge,
            None => {
                unreserved = ParkedCharge::unreserved(SystemTime::now());
                &unreserved
            }
        };
        let plan = self.plan(batch, part, item);
        self.caller.settings.costs.take_up(plan, parked, &batch.ledger)
    }

    fn plan(&self, batch: &Batch, part: &Part, item: Option<&Item>) -> CallPlan {
        let settings = &self.endpoint.settings;
        let tags = item.and_then(|item| item.tags).and_then(|place| batch.tags.get(place));
        self.caller.settings.costs.plan_in_batch(
            settings.profile.id.as_str(),
            &settings.price_provider,
            &part.model,
            self.profile.price_percent,
            tags.map(Tags::from).unwrap_or_default(),
        )
    }
}
