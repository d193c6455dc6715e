//! Google Cloud's credentials.
//!
//! ```text
//! find.rs          where to look for them: variables, gcloud's file, the metadata server
//! file.rs          a credentials file → its source of tokens
//!   signing_key.rs   the key in a service account's file
//! request.rs       a source → the request for a token, and the answer to it
//!   jwt.rs           a service account's signed request
//! shared.rs        a value that one thread refreshes for all
//! ```
//!
//! `file.rs`, `signing_key.rs`, `request.rs` and `jwt.rs` do no I/O.

mod file;
mod find;
mod jwt;
mod request;
mod shared;
mod signing_key;

use std::error::Error as StdError;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::error::{Error, ErrorKind};
use crate::key::{ApiKey, Secrets};
use crate::provider::auth::variable;
use crate::provider::{Credentials, Unsigned};
use file::Source;
pub(crate) use find::find;
use request::Token;
pub(crate) use request::{TokenReply, TokenRequest, TokenServer};
use shared::Shared;

/// The credentials of Google Cloud, for Vertex AI. Feature `vertex`.
///
/// A client of Vertex AI without a key [finds](Self::find) them itself. Create them to name a file,
/// or to share them between clients: all clones share one token.
///
/// Calls refresh the token before it expires, and after the provider rejected it. All threads share
/// one refresh: the first caller makes it, within its own deadline, and the others wait, each within
/// its own. A refresh starts 225 seconds before the token expires; until then, the others keep using
/// the old token. After a failed refresh, callers get its error until the next attempt is due: after
/// 250 ms, doubling up to 30 s, or after 10 s if a retry cannot help.
///
/// ```no_run
/// use tollgate::provider::GoogleCredentials;
/// use tollgate::Client;
///
/// let google = GoogleCredentials::from_file("service-account.json")?;
/// let client = Client::builder()
///     .provider("vertex")
///     .credentials(google)
///     .location("us-central1")
///     .model("gemini-2.5-flash")
///     .build()?;
/// # let _ = client;
/// # Ok::<(), tollgate::Error>(())
/// ```
#[derive(Clone)]
pub struct GoogleCredentials {
    inner: Arc<Inner>,
}

struct Inner {
    source: Source,
    token: Shared<Token>,
    project: Shared<Arc<str>>,
    /// Where credentials were looked for and not found, for errors.
    looked_at: Vec<String>,
    /// The project whose quota the calls use, if it is not the one in the URL.
    quota_project: Option<String>,
}

impl GoogleCredentials {
    /// Finds Google's application default credentials
    /// (docs.cloud.google.com/docs/authentication/application-default-credentials): the file in
    /// `GOOGLE_APPLICATION_CREDENTIALS`, otherwise the login of
    /// `gcloud auth application-default login`, otherwise the metadata server of the machine. A
    /// file is read at once; only calls ask the metadata server.
    ///
    /// # Errors
    ///
    /// [`Configuration`](crate::ErrorKind::Configuration) if a file cannot be used, or if there is
    /// none and `NO_GCE_CHECK` is `true`.
    pub fn find() -> Result<Self, Error> {
        find(&|name| Ok(variable(name)))
            .map_err(|problem| Error::new(ErrorKind::Configuration, problem))
    }

    /// Reads a credentials file: the key of a service account, or a login of gcloud.
    ///
    /// # Errors
    ///
    /// [`Configuration`](crate::ErrorKind::Configuration) if the file cannot be read, or holds
    /// other credentials.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        find::read_file(path.as_ref())
            .map(|source| Self::new(source, Vec::new(), None))
            .map_err(|problem| Error::new(ErrorKind::Configuration, problem))
    }

    /// Reads the text of a credentials file, for a key that is kept elsewhere.
    ///
    /// # Errors
    ///
    /// [`Configuration`](crate::ErrorKind::Configuration) if it holds other credentials.
    pub fn from_json(text: impl AsRef<str>) -> Result<Self, Error> {
        file::parse(text.as_ref()).map(|source| Self::new(source, Vec::new(), None)).map_err(
            |problem| {
                let problem = format!("the Google credentials {problem}");
                Error::new(ErrorKind::Configuration, problem)
            },
        )
    }

    /// Gets tokens from the machine's metadata server, on Compute Engine, Cloud Run, GKE and
    /// others. The address is in `GCE_METADATA_HOST`, otherwise 169.254.169.254.
    pub fn metadata_server() -> Self {
        Self::new(Source::metadata(variable("GCE_METADATA_HOST")), Vec::new(), None)
    }

    /// Gets tokens from the metadata server at this host, with or without a port, such as an
    /// emulator.
    pub fn metadata_server_at(host: impl Into<String>) -> Self {
        Self::new(Source::metadata(Some(host.into())), Vec::new(), None)
    }

    /// `quota_project` takes precedence over the one that the file names.
    fn new(source: Source, looked_at: Vec<String>, quota_project: Option<String>) -> Self {
        let quota_project = quota_project.or_else(|| source.quota_project().map(str::to_owned));
        Self {
            inner: Arc::new(Inner {
                source,
                token: Shared::default(),
                project: Shared::default(),
                looked_at,
                quota_project,
            }),
        }
    }

    /// Returns the project in the credentials file, if it names one.
    pub(crate) fn known_project(&self) -> Option<&str> {
        self.inner.source.project()
    }
}

impl Inner {
    /// Asks for a new token.
    fn token(&self, unsigned: &Unsigned<'_>) -> Result<Token, Error> {
        self.token.get(unsigned.bounds, |bounds| {
            let request = self.source.token_request(SystemTime::now())?;
            let reply = unsigned.tokens.send(&request, bounds);
            let now = (Instant::now(), SystemTime::now());
            let token = reply.and_then(|reply| request::token(&self.source, &reply, now));
            token.map_err(|error| self.explained(error, &request))
        })
    }

    fn project(&self, unsigned: &Unsigned<'_>) -> Result<Option<Arc<str>>, Error> {
        let Some(request) = self.source.project_request() else {
            return Ok(self.source.project().map(Arc::from));
        };
        let project = self.project.get(unsigned.bounds, |bounds| {
            let reply = unsigned.tokens.send(&request, bounds);
            let project = reply.and_then(|reply| request::project(&reply));
            project.map_err(|error| self.explained(error, &request))
        });
        project.map(Some)
    }

    /// Adds where the error happened, and hides the secrets that were sent.
    fn explained(&self, error: Error, request: &TokenRequest) -> Error {
        let mut secrets = Secrets::default();
        self.source.secrets(|secret| secrets.add(secret));
        request.secrets(|secret| secrets.add(secret));
        request::explain(error, &self.source, &self.looked_at).hide(&secrets).bounded()
    }
}

impl Credentials for GoogleCredentials {
    fn headers(
        &self,
        request: &Unsigned<'_>,
    ) -> Result<Vec<(String, ApiKey)>, Box<dyn StdError + Send + Sync>> {
        let token = self.inner.token(request)?;
        let mut headers = vec![("authorization".to_owned(), token.bearer())];
        if let Some(project) = &self.inner.quota_project {
            headers.push(("x-goog-user-project".to_owned(), project.as_str().into()));
        }
        Ok(headers)
    }

    fn project(
        &self,
        request: &Unsigned<'_>,
    ) -> Result<Option<String>, Box<dyn StdError + Send + Sync>> {
        Ok(self.inner.project(request)?.map(|project| project.to_string()))
    }

    /// Drops the token, unless it is new: then a new one would be rejected too.
    fn rejected(&self) {
        let now = Instant::now();
        self.inner.token.forget(|token| token.may_be_revoked(now));
    }
}

/// Shows the kind of credentials, and no secret.
impl fmt::Debug for GoogleCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoogleCredentials").field("source", &self.inner.source).finish()
    }
}
