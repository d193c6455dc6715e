//! Which models a client can call, and which of them suit a call.

use super::Client;
use crate::catalogue::{Needs, Refreshed, Selection};
use crate::error::Error;
use crate::models::ModelsRequest;

impl Client {
    /// Ranks the models that meet the needs of a call, the best first, and says why each of the
    /// others is left out. [`Catalogue::select`](crate::catalogue::Catalogue::select) states the
    /// order.
    ///
    /// It considers the providers that the client has settings for, and those whose key is in the
    /// environment; with [`Needs::any_provider`], all of them. It uses the client's prices, and what
    /// its [routes](crate::ClientBuilder::route) have measured in the last five minutes. Nothing is
    /// sent.
    ///
    /// ```no_run
    /// use tollgate::catalogue::Needs;
    /// use tollgate::{ChatRequest, Client};
    ///
    /// # fn main() -> Result<(), tollgate::Error> {
    /// let client = Client::builder().build()?;
    /// let request = ChatRequest::from("What is the capital of France?");
    /// let selection = client.select(&Needs::of(&request).context(100_000));
    /// if let Some(best) = selection.best() {
    ///     println!("{}: {}", best.name(), best.reasons.join("; "));
    ///     println!("{}", client.chat(request.model(best.name()))?.text());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn select(&self, needs: &Needs) -> Selection {
        let catalogue = self.catalogue();
        catalogue.select(needs, &self.caller.conditions(&catalogue))
    }

    /// Reads a provider's own [list of models](Self::models) and adds what it contains to the
    /// client's [catalogue](Self::catalogue), for [`select`](Self::select) and automatic routes.
    /// Returns what is new and what is gone.
    ///
    /// Of a model that the catalogue knows, only the limits that the list states change. What your
    /// program has [set](crate::ClientBuilder::catalogue) goes before the list. A later call for the
    /// same provider replaces what the earlier one added.
    ///
    /// ```no_run
    /// # let client = tollgate::Client::openai("gpt-4o-mini")?;
    /// let refreshed = client.refresh_models("openai")?;
    /// println!("new: {}; gone: {}", refreshed.new.join(", "), refreshed.gone.join(", "));
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`models`](Self::models). The catalogue then stays as it was.
    pub fn refresh_models(&self, request: impl Into<ModelsRequest>) -> Result<Refreshed, Error> {
        self.caller.refresh(&request.into())
    }

    /// [Refreshes](Self::refresh_models) the models of every provider that the client has settings
    /// for or whose key is in the environment, one after the other. Returns one result for each; an
    /// [`Error`] names its [provider](Error::provider).
    pub fn refresh_all_models(&self) -> Vec<Result<Refreshed, Error>> {
        let reached = self.caller.reached();
        reached.iter().map(|provider| self.refresh_models(provider)).collect()
    }
}
