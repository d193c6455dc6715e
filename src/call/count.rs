//! Counting the tokens of a chat.

use super::Caller;
use super::cached::Gate;
use super::chat::{self, Chat};
use super::operation::{Operation, Options};
use super::prepared::Prepared;
use super::target::Target;
use super::unpriced::Decode;
use super::url;
use crate::chat::ChatRequest;
use crate::error::Error;
use crate::metrics;
use crate::tags::Tags;
use crate::transport::Method;
use crate::wire::Delivery;
use crate::wire::token_count::{self, Decoded};

/// Counts the tokens of a chat instead of sending it.
pub(super) struct Count<'a>(pub(super) &'a ChatRequest);

impl Count<'_> {
    fn chat(&self) -> Chat<'_> {
        Chat {
            request: self.0,
            tags: Tags::default(),
            completion: false,
            delivery: Delivery::Whole,
        }
    }
}

impl Operation for Count<'_> {
    type Content = Decode<Decoded>;
    type Reserved = ();

    fn delivery(&self) -> Delivery {
        Delivery::Whole
    }

    fn options(&self) -> Options<'_> {
        // The request's key belongs to the chat, which is often sent next.
        Options { idempotency_key: None, ..chat::options(self.0, (&self.0.tags).into()) }
    }

    fn name(&self, _target: Option<&Target>) -> &'static str {
        metrics::COUNT_TOKENS
    }

    fn prepare(
        &self,
        _caller: &Caller,
        target: Target,
        _tags: &Tags,
        _gate: &mut Gate<'_>,
    ) -> Result<(Prepared<Self::Content>, ()), Error> {
        let wire = self.chat().wire(&target)?;
        let settings = &target.endpoint.settings;
        let betas = wire.betas(self.0, settings.betas.as_ref())?;
        let encoded = token_count::encode(wire, self.0, target.as_wire())?;
        let uri = url::at(&settings.base, &encoded.path, &target.model)?;
        let (method, body, content) =
            (Method::Post, encoded.body, encoded.decode as Decode<Decoded>);
        Ok((Prepared { target, method, uri, body, betas, content }, ()))
    }

    fn reserve_again(&self, _: &Caller, _: &Prepared<Self::Content>) -> Result<(), Error> {
        Ok(())
    }
}
