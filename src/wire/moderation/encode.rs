//! Writes requests for moderation.

use serde_json::{Map, Value};

use super::Encoded;
use crate::chat::{ChatRequest, Image, MediaSource, Message, Part};
use crate::error::Error;
use crate::moderation::{ModerationFormat, ModerationInput, ModerationRequest};
use crate::wire::measure::text_tokens;
use crate::wire::{Delivery, Target, Wire, json, media, write};

/// The most tokens that a provider adds to each input. Mistral's classifier reads instructions of
/// its own: an answer to one short text counts 9 prompt tokens, but 98 tokens in all
/// (partitech/php-mistral, `LaPlateforme/moderation.md`). Newer models have more categories, so this
/// is almost three times as much.
const ADDED_TO_INPUT: u64 = 256;

/// The most tokens that separate a message from the next, as for chats.
const ADDED_TO_MESSAGE: u64 = 16;

/// Encodes a request.
///
/// # Errors
///
/// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if there is nothing to judge, or the format
/// cannot express it.
pub(crate) fn encode(
    format: ModerationFormat,
    request: &ModerationRequest,
    target: Target<'_>,
) -> Result<Encoded, Error> {
    use ModerationFormat::{Mistral, OpenAi};

    let results = request.input.results();
    let mut messages = 0;
    let (path, input) = match (&request.input, format) {
        (ModerationInput::Texts(texts), _) => {
            if texts.is_empty() {
                return Err(Error::invalid_request(
                    "the request has nothing to moderate; add at least one text",
                ));
            }
            ("/moderations", texts.iter().map(|text| Value::from(text.as_str())).collect())
        }
        (ModerationInput::Content(parts), OpenAi) => ("/moderations", content(parts, target)?),
        (ModerationInput::Content(_), Mistral) => {
            return Err(Error::invalid_request(format!(
                "{} moderates texts and conversations, but no content with images; send its texts \
                 with ModerationRequest::new, or name a provider such as \"openai\"",
                target.provider
            )));
        }
        (ModerationInput::Chats(chats), Mistral) => {
            messages = chats.iter().map(Vec::len).sum();
            ("/chat/moderations", conversations(chats, target)?)
        }
        (ModerationInput::Chats(_), OpenAi) => {
            return Err(Error::invalid_request(format!(
                "{} moderates texts and images, but no conversations; send the texts of the \
                 messages with ModerationRequest::new, or name a provider such as \"mistral\"",
                target.provider
            )));
        }
    };
    let mut text_bytes = 0;
    let mut most_tokens = saturating(results).saturating_mul(ADDED_TO_INPUT);
    most_tokens = most_tokens.saturating_add(saturating(messages).saturating_mul(ADDED_TO_MESSAGE));
    each_text(&input, &mut |text| {
        text_bytes += text.len();
        most_tokens = most_tokens.saturating_add(text_tokens(text));
    });
    let mut body = Map::with_capacity(2 + request.extra.len());
    body.insert("model".to_owned(), target.model.into());
    body.insert("input".to_owned(), input);
    for name in ["model", "input"] {
        if request.extra.get(name).is_some_and(|value| Some(value) != body.get(name)) {
            return Err(Error::invalid_request(format!(
                "the request sets {name:?} in extra, but the model and the input have fields of \
                 their own; set those"
            )));
        }
    }
    json::merge(&mut body, &request.extra);
    Ok(Encoded { path, body: write(&body)?, results, text_bytes, most_tokens })
}

fn saturating(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Builds OpenAI's list of parts, which are judged together.
fn content(parts: &[Part], target: Target<'_>) -> Result<Value, Error> {
    if parts.is_empty() {
        return Err(Error::invalid_request(
            "the request has nothing to moderate; add at least one text or image",
        ));
    }
    let part = |(index, part): (usize, &Part)| match part {
        Part::Text(text) => {
            Ok(json::object_of!("type": "text".into(), "text": text.text.as_str().into()))
        }
        Part::Image(image) => {
            let url = image_url(image)
                .map_err(|what| Error::invalid_request(format!("parts[{index}] {what}")))?;
            let url = json::object_of!("url": url.into());
            Ok(json::object_of!("type": "image_url".into(), "image_url": url))
        }
        _ => Err(Error::invalid_request(format!(
            "parts[{index}] is neither a text nor an image, and {} moderates nothing else; leave \
             it out",
            target.provider
        ))),
    };
    parts.iter().enumerate().map(part).collect()
}

/// Returns an image's URL: its address, or a data URL.
fn image_url(image: &Image) -> Result<String, String> {
    match media::image(image)?.into_owned() {
        MediaSource::Url(url) => Ok(url),
        MediaSource::Base64 { media_type, data } => Ok(media::as_data_url(&media_type, &data)),
        MediaSource::FileId(_) => Err("holds an image by file id, which moderation does not \
                                       support; use its URL or its bytes"
            .to_owned()),
    }
}

/// Builds Mistral's conversations. One alone is a list of messages, as in its documentation; several
/// are a list of lists.
fn conversations(chats: &[Vec<Message>], target: Target<'_>) -> Result<Value, Error> {
    if chats.is_empty() {
        return Err(Error::invalid_request(
            "the request has nothing to moderate; add at least one conversation",
        ));
    }
    let mut all = chats.iter().map(|messages| conversation(messages, target));
    match chats {
        [_] => all.next().unwrap_or_else(|| Ok(Value::Null)),
        _ => all.collect(),
    }
}

/// Builds the messages of a conversation, in the form that the provider's chats have.
fn conversation(messages: &[Message], target: Target<'_>) -> Result<Value, Error> {
    let chat = ChatRequest::new(messages.iter().cloned());
    let mut body = Wire::OpenAiChat.members(&chat, target, Delivery::Whole)?;
    let mut messages = body.shift_remove("messages").unwrap_or_default();
    // A last message of the assistant is the one to judge, not the start of an answer.
    let last = messages.as_array_mut().and_then(|messages| messages.last_mut());
    if let Some(Value::Object(last)) = last {
        last.shift_remove("prefix");
    }
    Ok(messages)
}

/// Visits every text in `value`, but no names of members and no data URLs of images.
fn each_text(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(values) => values.iter().for_each(|value| each_text(value, visit)),
        Value::Object(members) => {
            let texts = members.iter().filter(|(name, _)| *name != "image_url");
            texts.for_each(|(_, value)| each_text(value, visit));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
