//! What the clients need that are no blocking ones.

use reqwest::{Certificate, ClientBuilder};
use rustls::crypto::ring;
use tokio::runtime::{Builder, Runtime};

use super::TIMEOUT;
use crate::failure::Failure;
use crate::server::AUTHORITY;

/// The runtime that a program has by `#[tokio::main]`, as the peers' own examples do. The
/// connection is on one of its workers, and the caller and it wake each other.
pub fn of_many_threads() -> Result<Runtime, Failure> {
    encryption();
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

/// A runtime whose only thread is the one that calls: the cheapest for one call after the
/// other, for programs that make no others.
pub fn of_one_thread() -> Result<Runtime, Failure> {
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
