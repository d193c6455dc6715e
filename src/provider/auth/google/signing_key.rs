//! The key that a service account signs with.

use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use std::fmt;

use crate::base64;

/// An RSA key.
pub(super) struct SigningKey(RsaKeyPair);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey([hidden])")
    }
}

impl SigningKey {
    /// Parses a key in PEM format (RFC 7468): PKCS #8 as Google writes it, or PKCS #1. The error
    /// continues a sentence that names the file.
    pub(super) fn from_pem(pem: &str) -> Result<Self, String> {
        const ADVICE: &str = "download the key again";
        // In some places the line breaks of the JSON text stay escaped.
        let pem = pem.replace("\\n", "\n");
        let der = |label: &str| {
            let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
            let (text, _) = rest.split_once(&format!("-----END {label}-----"))?;
            let text: String = text.chars().filter(|char| !char.is_whitespace()).collect();
            base64::decode(&text).filter(|der| !der.is_empty())
        };
        let key = match (der("PRIVATE KEY"), der("RSA PRIVATE KEY")) {
            (Some(der), _) => RsaKeyPair::from_pkcs8(&der),
            (None, Some(der)) => RsaKeyPair::from_der(&der),
            (None, None) => {
                return Err(format!("have a private_key that is not in PEM format; {ADVICE}"));
            }
        };
        key.map(Self).map_err(|_| format!("have a private_key that is not an RSA key; {ADVICE}"))
    }

    /// Signs a message with RS256 (RFC 7515); `None` if the random numbers of the system fail.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        let signed = self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
        signed.is_ok().then_some(signature)
    }

    /// The public key, in DER.
    #[cfg(test)]
    pub(super) fn public(&self) -> &[u8] {
        self.0.public().as_ref()
    }
}
