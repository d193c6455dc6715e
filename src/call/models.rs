//! A provider's list of models: one page of it.

use std::time::Instant;

use super::Caller;
use super::cached::Gate;
use super::operation::{Operation, Options};
use super::prepared::Prepared;
use super::target::{Asked, Target};
use super::unpriced::Decode;
use super::url;
use crate::config::TimeLimits;
use crate::error::Error;
use crate::metrics;
use crate::models::ModelsRequest;
use crate::provider::Format;
use crate::tags::Tags;
use crate::transport::Method;
use crate::wire::Delivery;
use crate::wire::models::{self, ModelList, Page};

/// A page of a provider's list of models.
pub(super) struct Models<'a> {
    pub(super) request: &'a ModelsRequest,
    /// Where the page starts; `None` for the first.
    pub(super) page: Option<String>,
    /// When the whole call began; its time limit covers all pages.
    pub(super) begun: Instant,
}

impl Operation for Models<'_> {
    type Content = Decode<Page>;
    type Reserved = ();

    fn delivery(&self) -> Delivery {
        Delivery::Whole
    }

    fn options(&self) -> Options<'_> {
        let request = self.request;
        Options {
            asked: Asked::Provider(request.provider.as_ref(), ""),
            tags: (&request.tags).into(),
            limits: TimeLimits { call: request.timeout, ..TimeLimits::default() },
            since: Some(self.begun),
            cancel: request.cancel_token.as_ref(),
            idempotency_key: None,
        }
    }

    fn name(&self, _target: Option<&Target>) -> &'static str {
        metrics::LIST_MODELS
    }

    fn prepare(
        &self,
        _caller: &Caller,
        target: Target,
        _tags: &Tags,
        _gate: &mut Gate<'_>,
    ) -> Result<(Prepared<Self::Content>, ()), Error> {
        let settings = &target.endpoint.settings;
        if url::holds_model(&settings.base) {
            return Err(Error::invalid_request(format!(
                "the base URL of {} contains {{model}}, so it has no address for a list of models; \
                 name another provider for it, such as \"azure\" for \"azure-deployments\"",
                settings.profile.id
            )));
        }
        // Servers with only embeddings follow OpenAI.
        let format = settings.profile.format.unwrap_or(Format::OpenAiChat);
        let path = ModelList::of(format)?.path(self.page.as_deref());
        let uri = url::at(&settings.base, &path, "")?;
        let (method, body, content) = (Method::Get, Vec::new(), models::decode as Decode<Page>);
        Ok((Prepared { target, method, uri, body, betas: None, content }, ()))
    }

    fn reserve_again(&self, _: &Caller, _: &Prepared<Self::Content>) -> Result<(), Error> {
        Ok(())
    }
}
