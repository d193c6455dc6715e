//! What the clients need that are no blocking ones.

use reqwest::{Certificate, ClientBuilder};
use rustls::crypto::ring;
use tokio::runtime::{Builder, Runtime};

use super::TIMEOUT;
use crate::failure::Failure;
use crate::server::AUTHORITY;

/// A runtime whose only thread is the one that calls.
///
/// On tokio's own default, that of many threads, the connection is on one of its workers, and
/// the caller and it wake each other for every packet: on two cores a call then took
/// async-openai 90 to 150 µs of processor time where it takes 30 so, and a stream 6 to 11 ms
/// where it takes 2.5; genai likewise. With 256 calls at once the two are alike.
pub fn new() -> Result<Runtime, Failure> {
    encryption();
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// Has reqwest encrypt as all others do.
pub fn encryption() {
    // Fails where it was done before.
    let _ = ring::default_provider().install_default();
}

/// A client of reqwest with the deadline and the authority of all.
pub fn http() -> Result<ClientBuilder, Failure> {
    let authority = Certificate::from_pem(AUTHORITY)?;
    Ok(reqwest::Client::builder().timeout(TIMEOUT).tls_certs_only([authority]))
}
