//! Lists of models, `GET /models` in its forms.
//!
//! The path and the paging depend on the format. The entries are [read](entry) in the same way for
//! all, because gateways and servers mix their members.
//!
//! | format | path | next page |
//! |---|---|---|
//! | OpenAI (developers.openai.com/api/reference/resources/models) | `/models` | `after`, only if the body says `has_more` |
//! | Anthropic (platform.claude.com/docs/en/api/models/list) | `/v1/models?limit=1000` | `after_id` |
//! | Cohere (docs.cohere.com/reference/list-models) | `/v1/models?page_size=1000` | `page_token` |
//! | Gemini (ai.google.dev/api/models) | `/models?pageSize=1000` | `pageToken` |
//! | Ollama (docs.ollama.com/api/tags) | `/api/tags` | none |

mod entry;

use serde_json::{Map, Value};

use crate::chat::Format;
use crate::error::Error;
use crate::models::ModelInfo;
use crate::path_segment;
use crate::wire::json::bounded::Content;
use crate::wire::reply::is_markup;
use crate::wire::{Failure, failed, json};

/// The most pages that are read. The largest known list has about 500 models, and a page up to
/// 1,000.
pub(crate) const MAX_PAGES: usize = 100;

/// The form of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ModelList {
    OpenAi,
    Anthropic,
    Cohere,
    Gemini,
    Ollama,
}

/// One page of a list.
#[derive(Debug, PartialEq)]
pub(crate) struct Page {
    pub(crate) models: Vec<ModelInfo>,
    /// Where the next page starts; `None` after the last.
    pub(crate) next: Option<String>,
}

impl ModelList {
    /// Returns the form of the list of a provider that speaks `format`.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if it has no list below its base URL.
    pub(crate) fn of(format: Format) -> Result<Self, Error> {
        match format {
            Format::OpenAiChat | Format::OpenAiResponses => Ok(Self::OpenAi),
            Format::Anthropic => Ok(Self::Anthropic),
            Format::Cohere => Ok(Self::Cohere),
            Format::Gemini => Ok(Self::Gemini),
            Format::Ollama => Ok(Self::Ollama),
            Format::Bedrock => Err(Error::invalid_request(
                "Bedrock's runtime has no list of models; run `aws bedrock list-foundation-models` \
                 and `aws bedrock list-inference-profiles`",
            )),
            Format::Vertex => Err(Error::invalid_request(
                "Vertex AI has no list of the models of a project; look them up in the Model \
                 Garden, or list those of the Gemini API with the provider \"gemini\"",
            )),
        }
    }

    /// Returns the path of a page, below the base URL; `None` is the first.
    pub(crate) fn path(self, page: Option<&str>) -> String {
        let (path, size, start) = match self {
            Self::OpenAi => ("/models", None, "after"),
            Self::Anthropic => ("/v1/models", Some("limit=1000"), "after_id"),
            Self::Cohere => ("/v1/models", Some("page_size=1000"), "page_token"),
            Self::Gemini => ("/models", Some("pageSize=1000"), "pageToken"),
            // Always one page.
            Self::Ollama => ("/api/tags", None, "page"),
        };
        let start = page.map(|page| format!("{start}={}", path_segment::encode(page)));
        let query: Vec<_> = size.map(str::to_owned).into_iter().chain(start).collect();
        match query.is_empty() {
            true => path.to_owned(),
            false => format!("{path}?{}", query.join("&")),
        }
    }
}

/// Reads a page: an object with the list in `data` or `models`, or a bare array as Together sends
/// it (docs.together.ai/reference/models-1).
pub(crate) fn decode(body: &[u8]) -> Result<Page, Failure> {
    if is_markup(body) {
        return Err(Failure::protocol("the response body is not JSON but an HTML page"));
    }
    let mut repaired = None;
    let read = match body.trim_ascii_start().first() {
        Some(b'[') => serde_json::from_slice(body).map_err(|_| {
            Failure::protocol("the response body is an array that is not valid JSON")
        })?,
        _ => json::read::<Content>(body, &mut repaired)?,
    };
    if read.exceeded {
        return Err(Failure::protocol("the list of models is longer than any provider's"));
    }
    let mut body = match read.value {
        Value::Array(entries) => return Ok(Page { models: models(entries), next: None }),
        Value::Object(body) => body,
        _ => Map::new(),
    };
    let entries = ["data", "models"].iter().find_map(|name| match body.get_mut(*name) {
        Some(Value::Array(entries)) => Some(std::mem::take(entries)),
        _ => None,
    });
    let next = next(&body);
    let Some(entries) = entries else {
        // Gemini omits empty lists, as protobuf's JSON does.
        if body.is_empty() || next.is_some() {
            return Ok(Page { models: Vec::new(), next });
        }
        let missing = || Failure::protocol("the response has no list of models");
        return Err(failed::report(&Value::Object(body)).unwrap_or_else(missing));
    };
    Ok(Page { models: models(entries), next })
}

/// Reads the entries, and skips those without a name.
fn models(entries: Vec<Value>) -> Vec<ModelInfo> {
    entries.into_iter().filter_map(entry::read).collect()
}

/// Returns where the next page starts.
fn next(body: &Map<String, Value>) -> Option<String> {
    let text = |name| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let after = || match body.get("has_more") {
        Some(Value::Bool(true)) => text("last_id"),
        _ => None,
    };
    text("nextPageToken").or_else(|| text("next_page_token")).or_else(after).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn page(body: &Value) -> (Vec<String>, Option<String>) {
        let page = decode(body.to_string().as_bytes()).unwrap();
        (page.models.into_iter().map(|model| model.id).collect(), page.next)
    }

    #[test]
    fn the_path_names_the_page() {
        for (list, first, second) in [
            (ModelList::OpenAi, "/models", "/models?after=a%2Fb"),
            (ModelList::Anthropic, "/v1/models?limit=1000", "/v1/models?limit=1000&after_id=a%2Fb"),
            (
                ModelList::Cohere,
                "/v1/models?page_size=1000",
                "/v1/models?page_size=1000&page_token=a%2Fb",
            ),
            (ModelList::Gemini, "/models?pageSize=1000", "/models?pageSize=1000&pageToken=a%2Fb"),
            (ModelList::Ollama, "/api/tags", "/api/tags?page=a%2Fb"),
        ] {
            assert_eq!(
                (list.path(None).as_str(), list.path(Some("a/b")).as_str()),
                (first, second)
            );
        }
    }

    #[test]
    fn every_form_of_list_is_read_in_its_order() {
        let two = json!([{"id": "b"}, {"id": "a"}]);
        for body in [
            two.clone(),
            json!({"object": "list", "data": two}),
            json!({"models": [{"name": "models/b"}, {"name": "models/a"}]}),
            json!({"models": [{"name": "b", "model": "b"}, {"name": "a", "model": "a"}]}),
            json!({"data": two, "has_more": false, "first_id": "b", "last_id": "a"}),
            json!({"data": two, "models": null, "next_page_token": ""}),
        ] {
            assert_eq!(page(&body), (vec!["b".to_owned(), "a".to_owned()], None), "{body}");
        }
        for (body, next) in [
            (json!({"data": two, "has_more": true, "last_id": "a"}), "a"),
            (json!({"models": two, "nextPageToken": "t"}), "t"),
            (json!({"models": two, "next_page_token": "t"}), "t"),
        ] {
            assert_eq!(page(&body).1.as_deref(), Some(next), "{body}");
        }
        assert_eq!(page(&json!({})), (vec![], None));
    }

    #[test]
    fn a_body_without_a_list_is_an_error() {
        for (body, expected) in [
            (r#"{"error": {"message": "no such key"}}"#, "no such key"),
            (r#"{"detail": "Not Found"}"#, "Not Found"),
            (r#"{"object": "list"}"#, "has no list of models"),
            ("<!doctype html><html></html>", "an HTML page"),
            ("", "is empty"),
            ("[{", "not valid JSON"),
        ] {
            let failure = decode(body.as_bytes()).unwrap_err();
            assert!(failure.message.contains(expected), "{body}: {}", failure.message);
        }
    }
}
