//! Cohere's count: `POST /v1/tokenize` returns the tokens of one text (docs.cohere.com/reference/tokenize).

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Map;

use super::{Decoded, Encoded};
use crate::chat::{ChatRequest, Part, Role};
use crate::error::Error;
use crate::wire::{Failure, Target, json, write};

/// The most characters that Cohere's `/v1/tokenize` accepts.
const MAX_CHARS: usize = 65_536;

pub(super) fn encode(request: &ChatRequest, target: Target<'_>) -> Result<Encoded, Error> {
    let mut body = Map::with_capacity(2);
    body.insert("model".to_owned(), target.model.into());
    body.insert("text".to_owned(), single_text(request)?.into());
    Ok(Encoded { path: "/v1/tokenize".to_owned(), body: write(&body)?, decode })
}

/// Returns the text of a request that has nothing else to count.
fn single_text(request: &ChatRequest) -> Result<String, Error> {
    let message = match &request.messages[..] {
        [message] if message.role == Role::User && request.tools.is_empty() => message,
        _ => {
            return Err(Error::invalid_request(
                "Cohere counts the tokens of a text, not of a conversation; count one user message \
                 without tools at a time, or send the request and read the usage of its answer",
            ));
        }
    };
    let texts: Option<Vec<_>> = message.content.iter().map(Part::as_text).collect();
    let text = texts.ok_or_else(|| {
        Error::invalid_request(
            "Cohere counts the tokens of text alone, but the message has other parts; remove them, \
             or send the request and read the usage of its answer",
        )
    })?;
    let text = text.concat();
    match text.chars().count() {
        0 => Err(Error::invalid_request("the message is empty; there is nothing to count")),
        1..=MAX_CHARS => Ok(text),
        length => Err(Error::invalid_request(format!(
            "the message has {length} characters, but Cohere counts the tokens of at most \
             {MAX_CHARS}; split it"
        ))),
    }
}

/// Counts the tokens that Cohere lists. The tokens themselves are not kept.
fn decode(body: &[u8]) -> Result<Decoded, Failure> {
    #[derive(Deserialize)]
    struct Body {
        tokens: Option<Vec<IgnoredAny>>,
    }
    let mut repaired = None;
    match json::read::<Body>(body, &mut repaired)?.tokens {
        Some(tokens) => Ok(Decoded {
            input_tokens: u64::try_from(tokens.len()).unwrap_or(u64::MAX),
            cached_tokens: None,
            extra: Map::new(),
        }),
        // An error, or nothing that is known.
        None => super::decode(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Image, Message, Provider, Tool};
    use serde_json::json;

    #[test]
    fn cohere_counts_one_text() {
        let cohere = Target { provider: &Provider::COHERE, ..Target::openai("command-a-03-2025") };
        let encoded = encode(&ChatRequest::from("hi"), cohere).unwrap();
        assert_eq!(encoded.path, "/v1/tokenize");
        assert_eq!(encoded.body, br#"{"model":"command-a-03-2025","text":"hi"}"#);
        let answer = br#"{"tokens":[10002,2261],"token_strings":["h","i"],"meta":{}}"#;
        assert_eq!((encoded.decode)(answer).unwrap().input_tokens, 2);
        let failure = (encoded.decode)(br#"{"message":"invalid api token"}"#).unwrap_err();
        assert_eq!(failure.message, "invalid api token");
        let conversation = ChatRequest::new([Message::system("Be brief."), Message::user("hi")]);
        let tool = Tool::function("now", "Tells the time", json!({"type": "object"}));
        let image = Message::user("hi").with(Image::from_url("https://a.example/a.png"));
        for (request, expected) in [
            (conversation, "not of a conversation"),
            (ChatRequest::from("hi").tool(tool), "not of a conversation"),
            (ChatRequest::new([Message::system("hi")]), "not of a conversation"),
            (ChatRequest::new([image]), "other parts"),
            (ChatRequest::from(""), "nothing to count"),
            (ChatRequest::from("x".repeat(65_537)), "at most 65536"),
        ] {
            let error = encode(&request, cohere).unwrap_err();
            assert!(error.message().contains(expected), "{error}");
        }
    }
}
