//! Requests to endpoints that the crate does not model.

use serde_json::Value;

use super::Client;
use crate::error::Error;
use crate::raw::{RawRequest, RawResponse};

impl Client {
    /// Sends a request to any endpoint of a provider, such as one the crate does not model. It uses
    /// this client's connections, retries, deadlines, cancelling, errors and metrics.
    ///
    /// The request is not priced and does not appear in [`costs`](Self::costs). If a budget applies
    /// that is not soft, a `POST` is refused. A `GET` is assumed to be free.
    ///
    /// ```no_run
    /// # use tollgate::{Client, RawRequest};
    /// let client = Client::builder().provider("openai").build()?;
    /// let models = client.send(RawRequest::get("/models").provider("groq"))?;
    /// println!("{}", models.text());
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`chat`](Self::chat), and [`CostUnknown`](crate::ErrorKind::CostUnknown) if a budget
    /// applies.
    pub fn send(&self, request: RawRequest) -> Result<RawResponse, Error> {
        self.caller.raw(&request)
    }

    /// [Sends](Self::send) a `GET` to a path below the base URL of the client's own provider.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub fn get(&self, path: impl Into<String>) -> Result<RawResponse, Error> {
        self.send(RawRequest::get(path))
    }

    /// [Sends](Self::send) a `POST` of JSON to a path below the base URL of the client's own
    /// provider.
    ///
    /// ```no_run
    /// # use serde_json::{Value, json};
    /// # let client = tollgate::Client::openai("gpt-4o-mini")?;
    /// let body = json!({"model": "gpt-4o-mini", "input": "some text"});
    /// let answer: Value = client.post("/responses/input_tokens", body)?.json()?;
    /// println!("{}", answer["input_tokens"]);
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub fn post(
        &self,
        path: impl Into<String>,
        body: impl Into<Value>,
    ) -> Result<RawResponse, Error> {
        self.send(RawRequest::post(path, body))
    }
}
