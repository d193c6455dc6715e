//! Parses a credentials file.

use serde_json::{Map, Value};
use std::fmt;

use super::signing_key::SigningKey;

/// Where tokens come from.
pub(super) enum Source {
    ServiceAccount(Box<ServiceAccount>),
    User(Box<User>),
    /// The metadata server at this host, with or without a port.
    Metadata {
        host: String,
    },
}

/// A service account, which signs its requests for tokens.
pub(super) struct ServiceAccount {
    pub(super) email: String,
    pub(super) key_id: Option<String>,
    pub(super) key: SigningKey,
    pub(super) token_uri: String,
    pub(super) project: Option<String>,
}

/// A person's login, made by gcloud.
pub(super) struct User {
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) refresh_token: String,
    pub(super) token_uri: String,
    pub(super) quota_project: Option<String>,
}

/// Google's token endpoint (developers.google.com/identity/protocols/oauth2/service-account).
pub(super) const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// The address of the metadata server. It has a name too, `metadata.google.internal`, but looking
/// it up takes long on other machines, so Google's Go library uses the address
/// (googleapis/google-cloud-go `compute/metadata/metadata.go`).
const METADATA_HOST: &str = "169.254.169.254";

impl Source {
    pub(super) fn metadata(host: Option<String>) -> Self {
        Self::Metadata { host: host.unwrap_or_else(|| METADATA_HOST.to_owned()) }
    }

    /// Returns the project that the file names.
    pub(super) fn project(&self) -> Option<&str> {
        match self {
            Self::ServiceAccount(account) => account.project.as_deref(),
            Self::User(user) => user.quota_project.as_deref(),
            Self::Metadata { .. } => None,
        }
    }

    /// Returns the project that pays for a person's quota, as google-auth sends it.
    pub(super) fn quota_project(&self) -> Option<&str> {
        match self {
            Self::User(user) => user.quota_project.as_deref(),
            _ => None,
        }
    }

    /// Calls `take` with every secret in the file that a request may contain.
    pub(super) fn secrets(&self, mut take: impl FnMut(&str)) {
        if let Self::User(user) = self {
            take(&user.client_secret);
            take(&user.refresh_token);
        }
    }
}

/// Shows who it is for, and no secret.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServiceAccount(account) => write!(f, "ServiceAccount({})", account.email),
            Self::User(_) => f.write_str("User([hidden])"),
            Self::Metadata { host } => write!(f, "Metadata({host})"),
        }
    }
}

/// Parses the text of a file. The error continues a sentence that names the file, and shows none of
/// its secrets.
pub(super) fn parse(text: &str) -> Result<Source, String> {
    const FRESH: &str = "download the key again, or run `gcloud auth application-default login`";
    let text = text.trim_start_matches('\u{feff}');
    let Ok(Value::Object(file)) = serde_json::from_str(text) else {
        let what = match text.trim_start() {
            "" => "are empty",
            start if start.starts_with("-----BEGIN") => {
                "are a bare key, not the JSON file around it"
            }
            _ => "are not a JSON object",
        };
        return Err(format!("{what}; {FRESH}"));
    };
    let kind = member(&file, "type").unwrap_or_default();
    let needed = |name: &str| {
        member(&file, name)
            .ok_or_else(|| format!("are of type {kind:?} but have no {name:?}; {FRESH}"))
    };
    if let Some(universe) = member(&file, "universe_domain") {
        if universe != "googleapis.com" {
            return Err(format!(
                "are for the universe {universe:?}, but only googleapis.com is supported; pass \
                 tokens to .credentials(…) and the address to .base_url(…)"
            ));
        }
    }
    let token_uri = member(&file, "token_uri").unwrap_or_else(|| TOKEN_URI.to_owned());
    check_token_uri(&token_uri)?;
    match kind.as_str() {
        "service_account" => Ok(Source::ServiceAccount(Box::new(ServiceAccount {
            email: needed("client_email")?,
            key_id: member(&file, "private_key_id"),
            key: SigningKey::from_pem(&needed("private_key")?)?,
            token_uri,
            project: member(&file, "project_id"),
        }))),
        "authorized_user" => Ok(Source::User(Box::new(User {
            client_id: needed("client_id")?,
            client_secret: needed("client_secret")?,
            refresh_token: needed("refresh_token")?,
            token_uri,
            quota_project: member(&file, "quota_project_id"),
        }))),
        "" if file.contains_key("installed") || file.contains_key("web") => {
            Err(format!("are an OAuth client, which is not a login; {FRESH}"))
        }
        "" => Err(format!("have no \"type\"; {FRESH}")),
        other => Err(format!(
            "are of type {other:?}; only \"service_account\" and \"authorized_user\" are \
             supported, so pass tokens to .credentials(…) instead, for example those of \
             `gcloud auth print-access-token`"
        )),
    }
}

/// Returns a member that is a text and not blank.
fn member(file: &Map<String, Value>, name: &str) -> Option<String> {
    let text = file.get(name)?.as_str()?;
    Some(text).filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

/// The file decides where secrets go, so at least nobody on the way may read them.
fn check_token_uri(uri: &str) -> Result<(), String> {
    let host = uri.strip_prefix("http://").map(|rest| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority.rsplit_once(':').map_or(authority, |(host, _)| host)
    });
    let is_local = host.is_some_and(|host| ["127.0.0.1", "localhost", "[::1]"].contains(&host));
    match uri.starts_with("https://") || is_local {
        true => Ok(()),
        false => Err(format!("have the token_uri {uri:?}, which is not https; correct it")),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    /// A key made for these tests with `openssl genpkey -algorithm RSA`.
    pub(in crate::provider::auth::google) const KEY: &str = include_str!("test_key.pem");

    pub(in crate::provider::auth::google) fn service_account() -> Value {
        json!({
            "type": "service_account",
            "project_id": "p-1",
            "private_key_id": "k1",
            "private_key": KEY,
            "client_email": "me@p-1.iam.gserviceaccount.com",
            "client_id": "1",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": TOKEN_URI,
            "universe_domain": "googleapis.com",
        })
    }

    pub(in crate::provider::auth::google) fn user() -> Value {
        json!({
            "type": "authorized_user",
            "account": "",
            "client_id": "c",
            "client_secret": "the-client-secret",
            "refresh_token": "the-refresh-token",
            "quota_project_id": "q-1",
            "universe_domain": "googleapis.com",
        })
    }

    #[test]
    fn both_kinds_of_file_are_read() {
        let Source::ServiceAccount(account) = parse(&service_account().to_string()).unwrap() else {
            panic!("another kind")
        };
        assert_eq!(account.email, "me@p-1.iam.gserviceaccount.com");
        assert_eq!(
            (account.key_id.as_deref(), account.project.as_deref()),
            (Some("k1"), Some("p-1"))
        );
        assert_eq!(account.token_uri, TOKEN_URI);
        let source = parse(&format!("\u{feff}{}", user())).unwrap();
        assert_eq!((source.project(), source.quota_project()), (Some("q-1"), Some("q-1")));
        let Source::User(user) = &source else { panic!("another kind") };
        assert_eq!(user.token_uri, TOKEN_URI);
        assert!(!format!("{source:?}").contains("the-"), "{source:?}");
    }

    #[test]
    fn malformed_files_are_refused_with_the_reason() {
        let with = |mut file: Value, name: &str, value: Value| {
            file[name] = value;
            file.to_string()
        };
        let account = |name: &str, value: Value| with(service_account(), name, value);
        for (text, expected) in [
            (String::new(), "are empty; download the key again"),
            ("{".to_owned(), "are not a JSON object"),
            ("[]".to_owned(), "are not a JSON object"),
            ("null".to_owned(), "are not a JSON object"),
            (KEY.to_owned(), "are a bare key, not the JSON file around it"),
            ("{}".to_owned(), "have no \"type\""),
            (json!({"installed": {"client_id": "c"}}).to_string(), "are an OAuth client"),
            (account("type", json!(7)), "have no \"type\""),
            (account("type", json!("external_account")), "are of type \"external_account\"; only"),
            (
                account("type", json!("impersonated_service_account")),
                "pass tokens to .credentials(…) instead",
            ),
            (account("client_email", Value::Null), "but have no \"client_email\""),
            (account("client_email", json!(" ")), "but have no \"client_email\""),
            (account("private_key", Value::Null), "but have no \"private_key\""),
            (account("private_key", json!("secret")), "private_key that is not in PEM format"),
            (
                account(
                    "private_key",
                    json!("-----BEGIN PRIVATE KEY-----\nsecret!\n-----END PRIVATE KEY-----"),
                ),
                "private_key that is not in PEM format",
            ),
            (
                account(
                    "private_key",
                    json!("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"),
                ),
                "private_key that is not an RSA key",
            ),
            (
                account(
                    "private_key",
                    json!("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----"),
                ),
                "private_key that is not in PEM format",
            ),
            (account("token_uri", json!("http://oauth2.evil.test/token")), "which is not https"),
            (account("token_uri", json!("http://localhost.evil.test/")), "which is not https"),
            (account("universe_domain", json!("x.test")), "are for the universe \"x.test\""),
            (with(user(), "refresh_token", Value::Null), "but have no \"refresh_token\""),
            (with(user(), "client_secret", json!([])), "but have no \"client_secret\""),
        ] {
            let problem = parse(&text).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
            assert!(!problem.contains("secret!") && !problem.contains("the-"), "{problem}");
        }
    }

    #[test]
    fn a_pasted_key_is_read_whatever_its_line_ends() {
        for key in [
            KEY.replace('\n', "\r\n"),
            KEY.replace('\n', "\\n"),
            KEY.trim().to_owned(),
            format!("  {KEY}\n\n"),
        ] {
            let mut file = service_account();
            file["private_key"] = key.into();
            assert!(parse(&file.to_string()).is_ok());
        }
    }
}
