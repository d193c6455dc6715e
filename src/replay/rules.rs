//! What the key of a request leaves out or normalises.
//!
//! | part | rule |
//! |---|---|
//! | provider, method, host, path, body | in the key, unchanged |
//! | `anthropic-beta` | in the key |
//! | query of the address | in the key, except for [credentials](CREDENTIALS) |
//! | user and password of the address | left out |
//! | all other headers: keys, idempotency keys, user agents, the number of the attempt | left out |
//! | timeouts, retries, tags, budgets, cancel tokens | left out: none of them is sent |
//! | members named by [`Replay::ignore`](super::Replay::ignore) | left out |
//! | texts changed by [`Replay::rewrite`](super::Replay::rewrite) | in the key, as changed |
//! | the boundary of a multipart body, which only servers record | `boundary` in its place |
//! | texts named by [`Replay::hide`](super::Replay::hide) | `[key]` in their place |

use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::key::Secrets;
use crate::url::Url;

/// The parameters of a query that carry credentials, in lower case.
const CREDENTIALS: [&str; 13] = [
    "access_token",
    "api-key",
    "api_key",
    "apikey",
    "auth",
    "key",
    "ocp-apim-subscription-key",
    "password",
    "sig",
    "signature",
    "subscription-key",
    "token",
    "x-api-key",
];

/// A body of this content type without its boundary (RFC 2046 section 5.1.1), which is a new one in
/// each request.
#[cfg(feature = "testing")]
pub(crate) fn without_boundary(content_type: &str, body: &[u8]) -> Option<Vec<u8>> {
    let (media_type, parameters) = content_type.split_once(';')?;
    let is_multipart = media_type.trim().to_ascii_lowercase().starts_with("multipart/");
    let boundary = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"').as_bytes();
        name.trim().eq_ignore_ascii_case("boundary").then_some(value)
    });
    let boundary = boundary.filter(|boundary| is_multipart && !boundary.is_empty())?;
    let mut replaced = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.windows(boundary.len()).position(|window| window == boundary) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(b"boundary");
        rest = &rest[at + boundary.len()..];
    }
    replaced.extend_from_slice(rest);
    Some(replaced)
}

type Rewrite = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// The program's own rules.
#[derive(Clone, Default)]
pub(crate) struct Rules {
    /// Paths of members (RFC 6901), where `*` stands for any one.
    ignored: Vec<Vec<String>>,
    rewrites: Vec<Rewrite>,
    pub(crate) hidden: Secrets,
}

impl Rules {
    /// Whether the program has set none.
    pub(crate) fn is_empty(&self) -> bool {
        self.ignored.is_empty() && self.rewrites.is_empty() && self.hidden.is_empty()
    }

    pub(crate) fn ignore(&mut self, pointer: &str) {
        let parts = pointer.strip_prefix('/').unwrap_or(pointer).split('/');
        let parts = parts.map(|part| part.replace("~1", "/").replace("~0", "~"));
        self.ignored.push(parts.collect());
    }

    pub(crate) fn rewrite(&mut self, rewrite: impl Fn(&str) -> String + Send + Sync + 'static) {
        self.rewrites.push(Arc::new(rewrite));
    }

    /// Hides a text, and returns what is wrong with it. `setter` names what the program called.
    pub(crate) fn hide(&mut self, setter: &str, text: &str) -> Option<String> {
        self.hidden.add(text);
        let (length, least) = (text.len(), Secrets::LEAST);
        (length < least).then(|| {
            format!(
                "{setter} got a text of {length} bytes, which may be part of other words; hide at \
                 least {least}"
            )
        })
    }

    /// The address without credentials.
    pub(crate) fn url<'a>(&self, url: &'a Url) -> Cow<'a, str> {
        let may_hold_secrets = url.query().is_some() || url.has_user();
        if !may_hold_secrets && self.hidden.is_empty() {
            return url.as_str().into();
        }
        let authority = url.authority().rsplit('@').next().unwrap_or_default();
        let mut text = format!("{}://{authority}{}", url.scheme(), url.path());
        let is_kept = |pair: &&str| {
            let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
            !CREDENTIALS.contains(&&*name)
        };
        let pairs = url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        for (at, pair) in pairs.filter(is_kept).enumerate() {
            text.push(if at == 0 { '?' } else { '&' });
            text.push_str(pair);
        }
        self.hidden.hide_in(&mut text);
        text.into()
    }

    /// Applies the program's rules to a body. Returns whether that changed it.
    pub(super) fn apply(&self, body: &mut Value) -> bool {
        let mut changed = false;
        for path in &self.ignored {
            changed |= remove(body, path);
        }
        for rewrite in &self.rewrites {
            changed |= each_text(body, &mut |text| {
                let new = rewrite(text);
                (new != text).then_some(new)
            });
        }
        changed | hide(body, &self.hidden)
    }
}

/// Removes the members at a path. Returns whether there were any.
fn remove(value: &mut Value, path: &[String]) -> bool {
    let Some((name, rest)) = path.split_first() else { return false };
    match (value, rest) {
        (Value::Object(members), []) if name == "*" => {
            let any = !members.is_empty();
            members.clear();
            any
        }
        (Value::Object(members), []) => members.shift_remove(name).is_some(),
        (Value::Object(members), rest) => {
            let members = members.iter_mut().filter(|(own, _)| name == "*" || *own == name);
            members.fold(false, |any, (_, member)| remove(member, rest) | any)
        }
        (Value::Array(items), rest) => {
            let (place, all) = (name.parse::<usize>().ok(), name == "*");
            let is_meant = |at: usize| all || place == Some(at);
            if !rest.is_empty() {
                let items = items.iter_mut().enumerate().filter(|(at, _)| is_meant(*at));
                return items.fold(false, |any, (_, item)| remove(item, rest) | any);
            }
            let (before, mut at) = (items.len(), 0);
            items.retain(|_| {
                at += 1;
                !is_meant(at - 1)
            });
            items.len() < before
        }
        _ => false,
    }
}

/// Changes the texts in a value, names of members too. Returns whether any changed.
fn each_text(value: &mut Value, change: &mut dyn FnMut(&str) -> Option<String>) -> bool {
    match value {
        Value::String(text) => match change(text) {
            Some(new) => {
                *text = new;
                true
            }
            None => false,
        },
        Value::Array(items) => {
            items.iter_mut().fold(false, |any, item| each_text(item, change) | any)
        }
        Value::Object(members) => {
            let mut changed = false;
            if members.keys().any(|name| change(name).is_some()) {
                let old = std::mem::take(members);
                members.extend(old.into_iter().map(|(name, member)| {
                    let name = change(&name).unwrap_or(name);
                    (name, member)
                }));
                changed = true;
            }
            members.values_mut().fold(changed, |any, member| each_text(member, change) | any)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Hides secrets in the texts of a value. Returns whether there were any.
pub(super) fn hide(value: &mut Value, secrets: &Secrets) -> bool {
    each_text(value, &mut |text| {
        let hidden = || secrets.hide(Cow::Borrowed(text)).into_owned();
        secrets.are_in(text.as_bytes()).then(hidden)
    })
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("ignored", &self.ignored)
            .field("rewrites", &self.rewrites.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn credentials_in_an_address_are_left_out() {
        for (url, expected) in [
            ("https://a.b/v1/x", "https://a.b/v1/x"),
            ("https://a.b:8443/v1/x?alt=sse", "https://a.b:8443/v1/x?alt=sse"),
            ("https://a.b/x?key=secret", "https://a.b/x"),
            ("https://a.b/x?Key=secret&alt=sse&api_key=1&b=2", "https://a.b/x?alt=sse&b=2"),
            ("https://user:secret@a.b/x?monkey=1", "https://a.b/x?monkey=1"),
        ] {
            assert_eq!(Rules::default().url(&url.parse().unwrap()), expected);
        }
    }

    #[test]
    #[cfg(feature = "testing")]
    fn a_multipart_body_has_the_same_boundary_in_every_request() {
        for boundary in ["a-random-one", "another-one"] {
            let body = format!("--{boundary}\r\n\r\nx\r\n--{boundary}--\r\n");
            for quoted in [boundary.to_owned(), format!("\"{boundary}\"; charset=utf-8")] {
                let content_type = format!("multipart/form-data; boundary={quoted}");
                let found = without_boundary(&content_type, body.as_bytes()).unwrap();
                assert_eq!(found, b"--boundary\r\n\r\nx\r\n--boundary--\r\n");
            }
        }
        for content_type in ["application/json", "multipart/form-data", "text/x; boundary=a"] {
            assert_eq!(without_boundary(content_type, b"a"), None, "{content_type}");
        }
    }

    #[test]
    fn members_are_ignored_by_their_path() {
        let body = || {
            json!({
                "user": "u", "messages": [{"role": "system", "at": 1}, {"role": "user", "at": 2}],
                "a/b": 1,
            })
        };
        for (pointer, expected) in [
            ("/user", json!({"messages": body()["messages"], "a/b": 1})),
            (
                "/messages/*/at",
                json!({"user": "u", "messages": [{"role": "system"}, {"role": "user"}], "a/b": 1}),
            ),
            (
                "/messages/0",
                json!({"user": "u", "messages": [{"role": "user", "at": 2}], "a/b": 1}),
            ),
            ("/a~1b", json!({"user": "u", "messages": body()["messages"]})),
            ("/messages/*", json!({"user": "u", "messages": [], "a/b": 1})),
            ("/*", json!({})),
            ("/unknown/0", body()),
            ("/messages/7/at", body()),
        ] {
            let mut rules = Rules::default();
            rules.ignore(pointer);
            let mut found = body();
            assert_eq!(rules.apply(&mut found), expected != body(), "{pointer}");
            assert_eq!(found, expected, "{pointer}");
        }
    }

    #[test]
    fn texts_are_rewritten_and_hidden_wherever_they_are() {
        let mut rules = Rules::default();
        rules.rewrite(|text| text.replace("2026-11-27", "[date]"));
        rules.hidden.add("customer-77");
        let mut body =
            json!({"customer-77": ["today is 2026-11-27", 7], "x": {"y": "customer-77"}});
        assert!(rules.apply(&mut body));
        assert_eq!(body, json!({"[key]": ["today is [date]", 7], "x": {"y": "[key]"}}));
        assert!(!rules.apply(&mut json!({"x": ["nothing", null, 1.5, true]})));
    }
}
