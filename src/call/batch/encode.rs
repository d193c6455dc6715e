//! Encodes one request of a batch, and reserves the most it can cost.

use super::Service;
use crate::batch::{BatchEndpoint, RequestRef};
use crate::call::admission::{Admission, admit};
use crate::call::chat::Chat;
use crate::call::operation::Operation;
use crate::call::target::{self, Asked, Target};
use crate::call::{Caller, embed, fitness, input_only};
use crate::chat::ChatRequest;
use crate::cost::Reservation;
use crate::embed::EmbedRequest;
use crate::error::Error;
use crate::header::HeaderValue;
use crate::provider;
use crate::tags::Tags;
use crate::wire::{Delivery, Wire, embeddings};

/// An encoded request.
pub(super) struct Encoded {
    pub(super) endpoint: BatchEndpoint,
    pub(super) model: String,
    pub(super) body: Vec<u8>,
    pub(super) betas: Option<HeaderValue>,
    pub(super) text_bytes: usize,
    /// How many texts it embeds, and how long each vector should be.
    pub(super) texts: Option<(usize, Option<u32>)>,
    pub(super) reservation: Reservation,
}

impl Service {
    /// Encodes a request as a single call would send it.
    ///
    /// # Errors
    ///
    /// If the provider's batches cannot serve it, or a budget refuses it.
    pub(super) fn encode(&self, request: RequestRef<'_>) -> Result<Encoded, Error> {
        match request {
            RequestRef::Chat(request) => self.encode_chat(request),
            RequestRef::Embed(request) => self.encode_embed(request),
        }
    }

    fn encode_chat(&self, request: &ChatRequest) -> Result<Encoded, Error> {
        let (delivery, tags) = (Delivery::Whole, Tags::from(&request.tags));
        let chat = Chat { request, tags: tags.clone(), completion: false, delivery };
        let target = self.target(chat.options().asked)?;
        let wire = chat.wire(&target)?;
        fitness::check(&self.caller, chat.request, &target)?;
        let endpoint = match wire {
            Wire::OpenAiCompletions => BatchEndpoint::Completions,
            Wire::OpenAiResponses => BatchEndpoint::Responses,
            _ => BatchEndpoint::Chat,
        };
        let percent = Some(self.profile.price_percent);
        let Admission { body, text_bytes, betas, reservation, .. } =
            admit(&self.caller, &target, &tags, wire, request, delivery, percent, |_, _| {
                Ok(false)
            })?;
        let model = target.model.to_string();
        Ok(Encoded { endpoint, model, body, betas, text_bytes, texts: None, reservation })
    }

    fn encode_embed(&self, request: &EmbedRequest) -> Result<Encoded, Error> {
        let target = self.target(embed::asked(request))?;
        let (format, texts) = (embed::format(&target)?, &request.texts);
        let wire_target = embed::wire_target(&target);
        let mut limits = format.limits(wire_target);
        if let Some(most) = self.interface.most_texts() {
            limits.texts = limits.texts.min(most);
        }
        let sizes = embed::sizes(&self.caller, &target, texts);
        if let Some(problem) = embed::problem(request, texts, &sizes, 0, &limits) {
            return Err(problem);
        }
        let parts = embeddings::split(&sizes, &limits, None).len();
        if parts > 1 {
            return Err(Error::invalid_request(format!(
                "the request embeds {} texts, more than one request of a batch at {} may have; split it \
                 into {parts} requests, each with an id of its own",
                texts.len(),
                target.endpoint.id()
            )));
        }
        let batch = embeddings::Batch { request, texts, target: wire_target };
        let body = format.encode(&batch)?;
        let text_bytes = texts.iter().map(String::len).sum();
        let most = || {
            let tokens = sizes.iter().map(|size| limits.billed(size.tokens()));
            tokens.fold(0, u64::saturating_add)
        };
        let (percent, tags) = (Some(self.profile.price_percent), Tags::from(&request.tags));
        let plan = input_only::plan(&self.caller, &target, &tags, text_bytes, percent);
        let (reservation, _) = input_only::reserve(&self.caller, plan, most)?;
        let texts = Some((texts.len(), request.dimensions));
        let (endpoint, model) = (BatchEndpoint::Embeddings, target.model.to_string());
        Ok(Encoded { endpoint, model, body, betas: None, text_bytes, texts, reservation })
    }

    /// The target of a request.
    ///
    /// # Errors
    ///
    /// If it is another provider's.
    fn target(&self, asked: Asked<'_>) -> Result<Target, Error> {
        let Caller { endpoints, settings, transport, .. } = &*self.caller;
        let own = self.endpoint.id();
        let id = |name: &str| provider::id(name, &settings.profiles);
        let named = match asked {
            Asked::Model(Some(provider), _) | Asked::Provider(Some(provider), _) => {
                Some(id(provider.as_str()).unwrap_or_else(|| provider.clone()))
            }
            Asked::Model(None, Some(model)) => {
                model.trim().split_once('/').and_then(|(provider, _)| id(provider))
            }
            Asked::Model(None, None) | Asked::Provider(None, _) => None,
        };
        // A plain model is one of the batch's provider.
        let asked = match asked {
            Asked::Model(None, model) if named.is_none() => Asked::Model(Some(own), model),
            asked => asked,
        };
        match named.filter(|named| named != own) {
            None => target::resolve(asked, endpoints, settings, transport),
            // Before anyone asks for the other provider's key.
            Some(other) => Err(Error::invalid_request(format!(
                "the request is for {other}, but the batch goes to {own}; submit it with \
                 Client::batches({:?})",
                other.as_str()
            ))),
        }
    }
}
