//! A service account's signed request for a token: a JSON Web Token (RFC 7519) with an RS256
//! signature (RFC 7515), by the rules of
//! developers.google.com/identity/protocols/oauth2/service-account, "Preparing to make an authorized
//! API call", HTTP/REST.

use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::file::{ServiceAccount, TOKEN_URI};
use crate::base64;

/// What the token allows: everything that the account may do. Google recommends it for Google Cloud.
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// How long the request is valid, "a maximum of 1 hour".
const LIFETIME: Duration = Duration::from_secs(3600);

/// Returns the header and the claims of a request made at `now`.
fn claims(account: &ServiceAccount, now: SystemTime) -> (Value, Value) {
    let issued = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut header = json!({"alg": "RS256", "typ": "JWT"});
    if let Some(id) = &account.key_id {
        header["kid"] = id.as_str().into();
    }
    // The audience is Google's endpoint even if the file has an older address (google-auth
    // `service_account.py`, `_GOOGLE_OAUTH2_TOKEN_ENDPOINT`).
    let claims = json!({
        "iss": account.email,
        "scope": SCOPE,
        "aud": TOKEN_URI,
        "iat": issued,
        "exp": issued.saturating_add(LIFETIME.as_secs()),
    });
    (header, claims)
}

/// Returns the signed request; `None` if the random numbers of the system fail.
pub(super) fn assertion(account: &ServiceAccount, now: SystemTime) -> Option<String> {
    let (header, claims) = claims(account, now);
    let mut text = format!("{}.{}", url_safe(header.to_string()), url_safe(claims.to_string()));
    let signature = account.key.sign(text.as_bytes())?;
    text.push('.');
    text.push_str(&url_safe(signature));
    Some(text)
}

/// Base64 with the alphabet for URLs, without padding (RFC 7515 section 2).
fn url_safe(bytes: impl AsRef<[u8]>) -> String {
    let text = base64::encode(bytes.as_ref());
    text.trim_end_matches('=').replace('+', "-").replace('/', "_")
}

#[cfg(test)]
mod tests {
    use super::super::file::{self, Source, tests::service_account};
    use super::*;
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    fn account() -> ServiceAccount {
        match file::parse(&service_account().to_string()) {
            Ok(Source::ServiceAccount(account)) => *account,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_claims_are_those_that_google_asks_for() {
        let mut account = account();
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let (header, claims_at) = claims(&account, now);
        assert_eq!(header, json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}));
        assert_eq!(
            claims_at,
            json!({
                "iss": "me@p-1.iam.gserviceaccount.com",
                "scope": "https://www.googleapis.com/auth/cloud-platform",
                "aud": "https://oauth2.googleapis.com/token",
                "iat": 1_700_000_000,
                "exp": 1_700_003_600,
            })
        );
        account.key_id = None;
        assert_eq!(claims(&account, now).0, json!({"alg": "RS256", "typ": "JWT"}));
        // A clock before 1970 is wrong, and the server says so.
        let early = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(claims(&account, early).1["iat"], 0);
    }

    #[test]
    fn the_signature_is_valid() {
        let account = account();
        let text = assertion(&account, UNIX_EPOCH + Duration::from_secs(9)).unwrap();
        let parts: Vec<_> = text.split('.').collect();
        assert_eq!(parts.len(), 3);
        let decoded = |part: &str| {
            let mut text = part.replace('-', "+").replace('_', "/");
            while text.len() % 4 != 0 {
                text.push('=');
            }
            base64::decode(&text).unwrap()
        };
        let claims: Value = serde_json::from_slice(&decoded(parts[1])).unwrap();
        assert_eq!(claims["iat"], 9);
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, account.key.public());
        let message = format!("{}.{}", parts[0], parts[1]);
        key.verify(message.as_bytes(), &decoded(parts[2])).unwrap();
        assert!(key.verify(b"another", &decoded(parts[2])).is_err());
    }
}
