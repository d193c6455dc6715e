//! Where a wire format is spoken below a base URL.

use ureq::http::Uri;
use ureq::http::uri::PathAndQuery;

use crate::error::{Error, ErrorKind};
use crate::wire::Wire;

/// Where a wire format is spoken below a base URL.
pub(super) fn endpoint(base: &Uri, wire: Wire) -> Result<Uri, Error> {
    let below = base.path().trim_end_matches('/');
    // Anthropic's base URL has no version, but many write it there.
    let below = match wire {
        Wire::Anthropic => below.strip_suffix("/v1").unwrap_or(below),
        Wire::OpenAiChat | Wire::OpenAiCompletions => below,
    };
    let mut parts = base.clone().into_parts();
    let query = base.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = PathAndQuery::try_from(format!("{below}{}{query}", wire.path()));
    parts.path_and_query = path.ok();
    Uri::from_parts(parts).map_err(|cause| {
        Error::new(ErrorKind::Configuration, "the base URL cannot be extended").with_source(cause)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_lie_below_the_base_url() {
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
            let uri = endpoint(&base.parse().unwrap(), wire).unwrap();
            assert_eq!(uri, expected);
        }
    }
}
