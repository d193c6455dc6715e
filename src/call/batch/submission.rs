//! `Submission`: a batch that a bulk run submits, whose items may fail one by one.

use std::sync::Arc;

use super::drafts::Drafts;
use super::submit::{BEFORE_LOOKUP, Sent};
use super::{BatchOptions, Service, batches_of};
use crate::batch::{Batch, Mark, RequestRef, SubmissionLog};
use crate::call::target::{self, Asked};
use crate::call::{Caller, embed};
use crate::chat::Provider;
use crate::error::Error;
use crate::wire::models::MAX_PAGES;

/// A batch that a bulk run submits.
pub(crate) struct Submission {
    service: Service,
    drafts: Drafts,
}

impl Submission {
    /// Starts without requests.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if the provider has no batches.
    pub(crate) fn new(caller: &Arc<Caller>, options: &BatchOptions) -> Result<Self, Error> {
        Ok(Self { service: Service::new(caller, options)?, drafts: Drafts::default() })
    }

    /// Adds a request and reserves what it can cost. If the provider does not allow its id, it gets
    /// another one in the batch.
    ///
    /// # Errors
    ///
    /// If the provider's batches cannot serve it, or a budget refuses it. The batch goes on without
    /// it.
    pub(crate) fn add(&mut self, id: &str, request: RequestRef<'_>) -> Result<(), Error> {
        let Self { service, drafts } = self;
        let is_usable = |id: &str, drafts: &Drafts| {
            service.interface.ids().check(id).is_ok() && !drafts.ids.contains(id)
        };
        let mut own = id.to_owned();
        let mut number = drafts.requests.len();
        while !is_usable(&own, drafts) {
            own = format!("item-{number}");
            number += 1;
        }
        drafts.add(service, own, request).map_err(|error| service.endpoint.explain(error))
    }

    /// Creates the jobs. The requests in the batch have the order in which they were added.
    pub(crate) fn send(self, log: &mut dyn SubmissionLog) -> Sent {
        self.service.send(self.drafts, log)
    }
}

impl Caller {
    /// The provider whose batches take a request.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if there is none for it.
    pub(crate) fn batch_provider(&self, request: RequestRef<'_>) -> Result<Provider, Error> {
        let asked = match request {
            RequestRef::Chat(chat) => Asked::Model(chat.provider.as_ref(), chat.model.as_deref()),
            RequestRef::Embed(request) => embed::asked(request),
        };
        let model = self.settings.model.as_deref();
        if matches!(request, RequestRef::Chat(_)) && self.routes.find(asked, model).is_some() {
            return Err(Error::invalid_request(
                "the request goes over a route, but a batch goes to one provider; name a provider's \
                 model in the request",
            ));
        }
        let target = target::resolve(asked, &self.endpoints, &self.settings, &self.transport)?;
        batches_of(&target.endpoint.settings.profile)?;
        Ok(target.endpoint.id().clone())
    }

    /// Looks for the jobs of a batch whose submission broke off, by their marks. Those that were not
    /// created stay without an id.
    ///
    /// # Errors
    ///
    /// As for any request about batches.
    pub(crate) fn recover_batch(
        self: &Arc<Self>,
        options: &BatchOptions,
        batch: &mut Batch,
        marks: &[Option<Mark>],
    ) -> Result<(), Error> {
        let service = Service::of(self, options, batch)?;
        let mut has_waited = false;
        for (part, mark) in batch.parts.iter_mut().zip(marks) {
            let Some(mark) = mark.as_ref().filter(|_| part.id.is_empty()) else { continue };
            // The process may have ended a moment ago.
            if !std::mem::replace(&mut has_waited, true) {
                service.sleep(BEFORE_LOOKUP)?;
            }
            if let Some(id) = service.look_up(mark, MAX_PAGES)? {
                part.id = id;
            }
        }
        Ok(())
    }

    /// Releases what was reserved for requests of a batch whose job was not created.
    ///
    /// # Errors
    ///
    /// [`Ledger`](crate::ErrorKind::Ledger) if the ledger cannot be written.
    pub(crate) fn release_batch(
        self: &Arc<Self>,
        options: &BatchOptions,
        batch: &Batch,
        places: &[usize],
    ) -> Result<(), Error> {
        let service = Service::of(self, options, batch)?;
        for item in places.iter().filter_map(|place| batch.items.get(*place)) {
            service.charge(batch, &batch.parts[item.part], Some(item))?.release();
        }
        Ok(())
    }
}
