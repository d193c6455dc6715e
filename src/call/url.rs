//! The address of a wire format below a base URL.

use std::borrow::Cow;

use crate::config::PROJECT;
use crate::error::{Error, ErrorKind};
use crate::path_segment;
use crate::url::Url;
use crate::wire::{Delivery, Wire};

/// The part of a base URL that stands for the request's model.
const MODEL: &str = "{model}";

/// Whether a base URL contains the model, so that each model has its own address.
pub(super) fn holds_model(base: &Url) -> bool {
    base.path().contains(MODEL)
}

/// Whether the address lacks the project of the credentials.
pub(super) fn lacks_project(uri: &Url) -> bool {
    uri.path().contains(PROJECT)
}

/// The address with the project of the credentials.
///
/// # Errors
///
/// [`Configuration`](ErrorKind::Configuration) if the result is not a URL.
pub(super) fn with_project(uri: &Url, project: &str) -> Result<Url, Error> {
    let project = path_segment::encode(project).replace("%3A", ":");
    let whole = uri.as_str().replacen(PROJECT, &project, 1);
    whole.parse().map_err(|cause| {
        let message = "the address with the credentials' project is not a valid URL; set the \
                       project with .project(…)";
        Error::new(ErrorKind::Configuration, message).with_source(cause)
    })
}

/// The address of a wire format below a base URL. `{model}` in it stands for the model, as in
/// Azure's older form `/openai/deployments/{model}?api-version=2024-10-21`.
pub(super) fn endpoint(
    base: &Url,
    wire: Wire,
    model: &str,
    delivery: Delivery,
) -> Result<Url, Error> {
    at(base, &wire.path(model, delivery), model)
}

/// A path of a wire format below a base URL, with `{model}` replaced as by [`endpoint`]. If the
/// base URL already ends with the first part of the path, that part is not repeated.
pub(super) fn at(base: &Url, path: &str, model: &str) -> Result<Url, Error> {
    let above = match holds_model(base) {
        true => Cow::Owned(base.path().replace(MODEL, &path_segment::encode(model))),
        false => Cow::Borrowed(base.path()),
    };
    let above = above.trim_end_matches('/');
    let (endpoint, query) = path.split_once('?').unwrap_or((path, ""));
    // Anthropic's base URL has no version, but many people add it.
    let above = match endpoint.get(1..).and_then(|rest| rest.find('/')) {
        Some(end) => above.strip_suffix(&endpoint[..=end]).unwrap_or(above),
        None => above,
    };
    base.with_target(&format!("{above}{endpoint}{}", queries(base, query))).map_err(|cause| {
        Error::new(
            ErrorKind::Configuration,
            "the base URL with the endpoint's path is not a valid URL; correct .base_url(…)",
        )
        .with_source(cause)
    })
}

/// A path below a base URL, with or without a query. The base URL's own query is kept.
///
/// # Errors
///
/// [`InvalidRequest`](ErrorKind::InvalidRequest) if it is not a path: a key must never go to
/// another host.
pub(super) fn below(base: &Url, path: &str) -> Result<Url, Error> {
    let refused = || {
        Error::invalid_request(
            "the path is not below the base URL; write one such as \"/models\", without the \
             host",
        )
    };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    if path.contains("://") || path.starts_with("//") || path.split('/').any(|part| part == "..") {
        return Err(refused());
    }
    let query = queries(base, query);
    let (above, path) = (base.path().trim_end_matches('/'), path.trim_start_matches('/'));
    base.with_target(&format!("{above}/{path}{query}")).map_err(|_| refused())
}

/// A path below a service of Google's that is beside the base URL: `/upload/v1beta/files` for the service
/// `upload`, the path `/files` and a base URL that ends with `/v1beta`.
///
/// # Errors
///
/// As for [`at`].
pub(super) fn beside(base: &Url, service: &str, path: &str) -> Result<Url, Error> {
    let above = base.path().trim_end_matches('/');
    let (prefix, version) = above.rsplit_once('/').unwrap_or(("", above));
    let version = if version.is_empty() { "" } else { &above[prefix.len()..] };
    named(base, &format!("{prefix}/{service}{version}{path}"))
}

/// A path and query at the base URL's host. The base URL's own query is kept.
///
/// # Errors
///
/// [`Protocol`](ErrorKind::Protocol) if it is not a path.
pub(super) fn named(base: &Url, target: &str) -> Result<Url, Error> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    base.with_target(&format!("{path}{}", queries(base, query))).map_err(|cause| {
        Error::new(ErrorKind::Protocol, "the provider named an address that is not a valid URL")
            .with_source(cause)
    })
}

/// The query of the base URL joined with another one, with its question mark if not empty.
fn queries(base: &Url, other: &str) -> String {
    match (base.query().unwrap_or_default(), other) {
        ("", "") => String::new(),
        (one, "") | ("", one) => format!("?{one}"),
        (one, other) => format!("?{one}&{other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_below_the_base_url() {
        for (base, wire, expected) in [
            (
                "https://api.openai.com/v1",
                Wire::OpenAiChat,
                "https://api.openai.com/v1/chat/completions",
            ),
            ("http://[::1]:8080", Wire::OpenAiCompletions, "http://[::1]:8080/completions"),
            ("https://api.anthropic.com", Wire::Anthropic, "https://api.anthropic.com/v1/messages"),
            ("http://localhost:4000/v1", Wire::Anthropic, "http://localhost:4000/v1/messages"),
            ("https://a.b/proxy/", Wire::Anthropic, "https://a.b/proxy/v1/messages"),
            (
                "https://a.openai.azure.com/openai/deployments/x?api-version=2024-10-21",
                Wire::OpenAiChat,
                "https://a.openai.azure.com/openai/deployments/x/chat/completions\
                 ?api-version=2024-10-21",
            ),
        ] {
            let uri = endpoint(&base.parse().unwrap(), wire, "gpt-4o", Delivery::Whole).unwrap();
            assert_eq!(uri, expected);
        }
    }

    #[test]
    fn a_base_url_can_contain_the_model() {
        let azure = "https://a.openai.azure.com/openai/deployments/{model}?api-version=2024-10-21";
        for (base, model, expected) in [
            (
                azure,
                "gpt-4o",
                "https://a.openai.azure.com/openai/deployments/gpt-4o/chat/completions\
                 ?api-version=2024-10-21",
            ),
            (
                azure,
                "../a b/é?x#y",
                "https://a.openai.azure.com/openai/deployments/..%2Fa%20b%2F%C3%A9%3Fx%23y\
                 /chat/completions?api-version=2024-10-21",
            ),
            ("https://a.b/{model}/v1", "m", "https://a.b/m/v1/chat/completions"),
            ("https://a.b/v1", "m", "https://a.b/v1/chat/completions"),
        ] {
            let uri =
                endpoint(&base.parse().unwrap(), Wire::OpenAiChat, model, Delivery::Whole).unwrap();
            assert_eq!(uri, expected);
        }
    }

    #[test]
    fn a_service_is_beside_the_base_url_and_a_named_path_at_its_host() {
        for (base, expected) in [
            ("https://a.b/v1beta", "https://a.b/upload/v1beta/files"),
            ("https://a.b/proxy/v1beta/", "https://a.b/proxy/upload/v1beta/files"),
            ("http://a.b:8080", "http://a.b:8080/upload/files"),
            ("https://a.b/v1beta?key=1", "https://a.b/upload/v1beta/files?key=1"),
        ] {
            assert_eq!(beside(&base.parse().unwrap(), "upload", "/files").unwrap(), expected);
        }
        let base = "https://a.b/v1beta?key=1".parse().unwrap();
        assert_eq!(named(&base, "/u/f?id=2").unwrap(), "https://a.b/u/f?key=1&id=2");
        for target in ["", "https://evil.example/", "@evil.example/", "/a b"] {
            let named = named(&base, target);
            assert!(
                named.is_err() || named.unwrap().as_str().starts_with("https://a.b"),
                "{target}"
            );
        }
    }

    #[test]
    fn every_path_stays_below_the_base_url() {
        let azure = "https://a.openai.azure.com/openai?api-version=1";
        for (base, path, expected) in [
            ("https://api.openai.com/v1", "/models", "https://api.openai.com/v1/models"),
            ("https://api.openai.com/v1/", "models", "https://api.openai.com/v1/models"),
            ("http://[::1]:8080", "/models?limit=2", "http://[::1]:8080/models?limit=2"),
            (azure, "models?a=b", "https://a.openai.azure.com/openai/models?api-version=1&a=b"),
        ] {
            assert_eq!(below(&base.parse().unwrap(), path).unwrap(), expected);
        }
        let base = "https://api.openai.com/v1".parse().unwrap();
        for path in ["https://evil.example/v1", "//evil.example", "/../admin", "/a b", "/a\nb"] {
            let error = below(&base, path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{path:?}");
        }
    }
}
