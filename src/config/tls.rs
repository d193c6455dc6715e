//! Which TLS library a client uses and whose certificates it trusts.

#[cfg(any(feature = "rustls", feature = "native-tls"))]
use std::fmt;

/// Whose certificates are trusted, and by which TLS.
///
/// The default is the first of these that the crate is built with: `Platform`,
/// `Bundled`, `Native`.
#[derive(Clone, PartialEq, Eq)]
// Without TLS there is nothing to choose from.
#[cfg_attr(not(any(feature = "rustls", feature = "native-tls")), derive(Debug))]
#[non_exhaustive]
pub enum Tls {
    /// rustls with Mozilla's root certificates, compiled in. Feature `rustls`.
    #[cfg(feature = "rustls")]
    Bundled,
    /// rustls with the operating system's verifier, which knows a company's own
    /// certificate authorities. Feature `platform-verifier`.
    #[cfg(feature = "platform-verifier")]
    Platform,
    /// The operating system's own TLS. Feature `native-tls`.
    #[cfg(feature = "native-tls")]
    Native,
    /// Only these root certificates, in PEM.
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    Roots(Vec<u8>),
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
