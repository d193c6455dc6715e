//! Which TLS library a client uses, and which certificates it trusts.

#[cfg(any(feature = "rustls", feature = "native-tls"))]
use std::fmt;
use std::path::PathBuf;

use super::Environment;

/// Which certificates the client trusts, and through which TLS library.
///
/// Default: the root certificates in `SSL_CERT_FILE` (a PEM file) and `SSL_CERT_DIR` (folders of
/// PEM files, separated as in `PATH`), if either is set. They replace all others, whatever the
/// crate is built with, as in OpenSSL and `rustls-native-certs`. Set one of them behind a company
/// proxy that inspects traffic; add the public root certificates to the file if you reach some
/// hosts without that proxy. A file that cannot be used is an error when the client is built.
/// OpenSSL finds only files named by a hash in such folders; this client reads all of them.
///
/// Otherwise, the default is the first of these that the crate is built with: `Platform`,
/// `Bundled`, `Native`.
///
/// A value set here overrides the environment.
#[derive(Clone, PartialEq, Eq)]
// Without TLS, there is nothing to choose.
#[cfg_attr(not(any(feature = "rustls", feature = "native-tls")), derive(Debug))]
#[non_exhaustive]
pub enum Tls {
    /// rustls with Mozilla's root certificates, compiled in. Feature `rustls`.
    #[cfg(feature = "rustls")]
    Bundled,
    /// rustls with the operating system's verifier, which knows a company's own certificate
    /// authorities. Feature `platform-verifier`.
    #[cfg(feature = "platform-verifier")]
    Platform,
    /// The operating system's own TLS. Feature `native-tls`.
    #[cfg(feature = "native-tls")]
    Native,
    /// Only these root certificates, in PEM format.
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    Roots(Vec<u8>),
}

/// The paths of the root certificates that the environment names. They are read later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(not(any(feature = "rustls", feature = "native-tls")), allow(dead_code))]
pub(crate) struct RootFiles {
    pub(crate) file: Option<PathBuf>,
    pub(crate) folders: Vec<PathBuf>,
}

impl RootFiles {
    /// Reads OpenSSL's variables (SSL_CTX_load_verify_locations(3)).
    pub(super) fn find(environment: &Environment<'_>) -> Result<Self, String> {
        let file = environment.path("SSL_CERT_FILE")?;
        Ok(Self { file, folders: environment.paths("SSL_CERT_DIR")? })
    }

    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    pub(crate) fn is_empty(&self) -> bool {
        self.file.is_none() && self.folders.is_empty()
    }
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
impl Default for Tls {
    fn default() -> Self {
        #[cfg(feature = "platform-verifier")]
        let tls = Self::Platform;
        #[cfg(all(feature = "rustls", not(feature = "platform-verifier")))]
        let tls = Self::Bundled;
        #[cfg(not(feature = "rustls"))]
        let tls = Self::Native;
        tls
    }
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            #[cfg(feature = "rustls")]
            Self::Bundled => f.write_str("Bundled"),
            #[cfg(feature = "platform-verifier")]
            Self::Platform => f.write_str("Platform"),
            #[cfg(feature = "native-tls")]
            Self::Native => f.write_str("Native"),
            #[cfg(any(feature = "rustls", feature = "native-tls"))]
            Self::Roots(ref pem) => write!(f, "Roots([{} bytes])", pem.len()),
        }
    }
}
