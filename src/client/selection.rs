//! Which models a client can call, and which of them suit a call.

use super::Client;
use crate::catalogue::{Needs, Selection};

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
        self.catalogue().select(needs, &self.caller.conditions())
    }
}
