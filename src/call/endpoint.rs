//! The providers of a client, each prepared on its first use.

use parking_lot::RwLock;
use std::sync::Arc;

use super::known::Known;
use super::url;
use crate::config::{ProviderSettings, Settings};
use crate::error::{Error, ErrorKind};
use crate::family::ModelApi;
use crate::memo::Memo;
use crate::observed::Server;
use crate::provider::Provider;
use crate::transport::{self, Headers, Origin, OriginSettings, Transport};
use crate::url::Url;
use crate::wire::{Delivery, Wire};

/// A provider, ready for calls.
pub(crate) struct Endpoint {
    pub(crate) settings: ProviderSettings,
    pub(super) headers: Headers,
    pub(crate) origin: Origin,
    pub(super) server: Arc<Server>,
    /// Whether its time limits differ from the client's.
    pub(super) has_own_timeouts: bool,
    /// The address of its chats; `None` if that depends on the model, or if it has no chats.
    uri: Option<(Wire, Url)>,
    /// What is known of its models.
    known: Memo<1, Arc<Known>>,
}

impl Endpoint {
    pub(super) fn new(
        mut settings: ProviderSettings,
        shared: &Settings,
        transport: &Transport,
    ) -> Result<Self, Error> {
        let origin = transport.origin(&OriginSettings {
            base: &settings.base,
            connect_timeout: settings.timeouts.connect,
            proxy: settings.proxy.as_ref(),
            tls: shared.tls.as_ref(),
            root_files: &shared.root_files,
        })?;
        let headers = Headers::new(std::mem::take(&mut settings.headers), &settings.base);
        let (address, port) = transport::host_and_port(&settings.base);
        let provider = settings.profile.id.clone();
        let server = Arc::new(Server { provider, address, port });
        let wire = settings.profile.format.map(|format| Wire::chat(format, "", ModelApi::Chat));
        // An impossible address is an error of each request instead.
        let uri =
            wire.filter(|wire| wire.has_one_path() && !url::holds_model(&settings.base)).and_then(
                |wire| Some((wire, url::endpoint(&settings.base, wire, "", Delivery::Whole).ok()?)),
            );
        let has_own_timeouts = settings.timeouts != shared.timeouts;
        let known = Memo::default();
        Ok(Self { settings, headers, origin, server, has_own_timeouts, uri, known })
    }

    /// What is known of one of its models.
    pub(super) fn known(&self, model: &str, client: &Settings) -> Arc<Known> {
        let names = [model];
        self.known.get(names).unwrap_or_else(|| {
            let known = Arc::new(Known::of(&self.settings, model, client));
            self.known.insert(names, Arc::clone(&known));
            known
        })
    }

    /// The address of a wire format.
    pub(super) fn uri(&self, wire: Wire, model: &str, delivery: Delivery) -> Result<Url, Error> {
        match &self.uri {
            Some((of, uri)) if *of == wire => Ok(uri.clone()),
            _ => url::endpoint(&self.settings.base, wire, model, delivery),
        }
    }

    /// Completes an error of this provider: names it, says what to do, and drops credentials that
    /// it has rejected.
    pub(super) fn explain(&self, error: Error) -> Error {
        if error.kind() == ErrorKind::Authentication && error.status() == Some(401) {
            if let Some(credentials) = &self.settings.credentials {
                credentials.rejected();
            }
        }
        let error = error.with_provider(self.id().as_str());
        match self.settings.advice(&error) {
            Some(advice) => error.with_advice(Some(advice)),
            None => error,
        }
    }

    pub(crate) fn id(&self) -> &Provider {
        &self.settings.profile.id
    }
}

/// All providers that the client has settings for or has used.
pub(crate) struct Endpoints {
    own: Option<Arc<Endpoint>>,
    /// Guards only the list; no other lock is taken under it.
    others: RwLock<Vec<Arc<Endpoint>>>,
}

impl Endpoints {
    /// The providers that the client has settings for.
    pub(crate) fn new(
        own: Option<ProviderSettings>,
        others: Vec<ProviderSettings>,
        shared: &Settings,
        transport: &Transport,
    ) -> Result<Self, Error> {
        let prepare = |settings| Endpoint::new(settings, shared, transport).map(Arc::new);
        let others = others.into_iter().map(prepare).collect::<Result<_, _>>()?;
        Ok(Self { own: own.map(prepare).transpose()?, others: RwLock::new(others) })
    }

    /// Looks at the settings of each provider.
    pub(super) fn settings<T>(&self, look: impl Fn(&ProviderSettings) -> T) -> Vec<T> {
        let others = self.others.read();
        self.own.iter().chain(&*others).map(|endpoint| look(&endpoint.settings)).collect()
    }

    /// The provider of requests that name none.
    pub(crate) fn own(&self) -> Option<&Arc<Endpoint>> {
        self.own.as_ref()
    }

    /// Calls `read` with the settings of a provider, without preparing it. `None` if its settings
    /// are incomplete.
    pub(super) fn with_settings<T>(
        &self,
        provider: &Provider,
        shared: &Settings,
        read: impl FnOnce(&ProviderSettings) -> T,
    ) -> Option<T> {
        let others = self.others.read();
        let mut known = self.own.iter().chain(&*others);
        match known.find(|endpoint| endpoint.id() == provider) {
            Some(endpoint) => Some(read(&endpoint.settings)),
            None => shared.provider(provider).ok().map(|settings| read(&settings)),
        }
    }

    /// Finds a provider, or prepares it.
    ///
    /// # Errors
    ///
    /// [`Configuration`](crate::ErrorKind::Configuration) if the provider is unknown, or its key or
    /// address is missing. The next use tries again.
    pub(super) fn get(
        &self,
        provider: &Provider,
        shared: &Settings,
        transport: &Transport,
    ) -> Result<Arc<Endpoint>, Error> {
        if let Some(own) = self.own.as_ref().filter(|own| own.id() == provider) {
            return Ok(Arc::clone(own));
        }
        let known = |list: &[Arc<Endpoint>]| {
            list.iter().find(|endpoint| endpoint.id() == provider).map(Arc::clone)
        };
        if let Some(endpoint) = known(&self.others.read()) {
            return Ok(endpoint);
        }
        let made = Arc::new(Endpoint::new(shared.provider(provider)?, shared, transport)?);
        let mut others = self.others.write();
        // Another thread may have added it meanwhile.
        Ok(known(&others).unwrap_or_else(|| {
            others.push(Arc::clone(&made));
            made
        }))
    }
}
