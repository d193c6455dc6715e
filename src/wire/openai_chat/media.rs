//! Images and speech that a model generated.
//!
//! OpenRouter and LiteLLM send images in `message.images` or `delta.images`, each complete:
//! `{"type": "image_url", "image_url": {"url": "data:image/png;base64,…"}}` (OpenRouter's page
//! "Image Generation"; LiteLLM's `ImageURLListItem`, whose `index` is always 0). Other gateways put
//! the same element into the content. Speech is in `message.audio`, or in pieces in `delta.audio`
//! ([`Audio`]).

use serde_json::{Map, Value, json};

use crate::base64;
use crate::chat::{Audio, Format, Image, MediaSource, Opaque, Provenance};
use crate::wire::Failure;
use crate::wire::media::data_url;
use crate::wire::stream::SizeLimit;

/// The sender of a part; [`Wire::decode`](crate::wire::Wire::decode) names the real provider.
pub(super) const PROVENANCE: Provenance = Provenance::inventor(Format::OpenAiChat);

/// The paths to the URL in an element. Some gateways use the second (ruby_llm,
/// `lib/ruby_llm/providers/openrouter/images.rs`).
const URL_PATHS: [&str; 2] = ["/image_url/url", "/url"];

/// Reads an element of a list of images or of the content; `member` is the name of that list.
/// Everything except the URL is kept under that name, with null in place of the URL, so that the
/// element can go back unchanged.
///
/// # Errors
///
/// The element itself, if it is not an image.
pub(super) fn image(member: &str, mut element: Value) -> Result<Image, Value> {
    let address = URL_PATHS.into_iter().find(|address| {
        element.pointer(address).and_then(Value::as_str).is_some_and(|url| !url.is_empty())
    });
    let Some(Value::String(url)) =
        address.and_then(|address| element.pointer_mut(address)).map(Value::take)
    else {
        return Err(element);
    };
    let source = match data_url(&url) {
        Some(Some((media_type, data))) => {
            MediaSource::Base64 { media_type: media_type.to_owned(), data: data.to_owned() }
        }
        _ => MediaSource::Url(url),
    };
    let members = Map::from_iter([(member.to_owned(), element)]);
    let opaque = Some(Opaque::new(PROVENANCE, members).into());
    Ok(Image { opaque, ..Image::from_source(source) })
}

/// Splits a list into images and other elements.
pub(super) fn images(list: Value) -> (Vec<Image>, Vec<Value>) {
    let (mut images, mut others) = (Vec::new(), Vec::new());
    let elements = match list {
        Value::Array(elements) => elements,
        other => vec![other],
    };
    for element in elements {
        match image("images", element) {
            Ok(image) => images.push(image),
            Err(other) => others.push(other),
        }
    }
    (images, others)
}

/// Restores the element that an image came from, and the member it was in.
pub(super) fn element(image: &Image) -> (&str, Value) {
    let members = image.opaque.as_deref().map(|opaque| &opaque.members);
    let (member, mut element) = match members.and_then(|members| members.iter().next()) {
        Some((member, element)) => (member.as_str(), element.clone()),
        None => ("images", Value::Null),
    };
    let url = match &image.source {
        MediaSource::Base64 { media_type, data } => format!("data:{media_type};base64,{data}"),
        MediaSource::Url(url) => url.clone(),
        MediaSource::FileId(id) => id.clone(),
    };
    let address = URL_PATHS
        .into_iter()
        .find(|address| element.pointer(address).is_some_and(Value::is_null))
        .and_then(|address| element.pointer_mut(address));
    match address {
        Some(address) => *address = url.into(),
        None => element = json!({"type": "image_url", "image_url": {"url": url}}),
    }
    (member, element)
}

/// Counts an image against the size limit.
pub(super) fn keep(image: &Image, room: &mut SizeLimit) -> Result<(), Failure> {
    match &image.source {
        MediaSource::Base64 { media_type, data } => room.keep(media_type.len() + data.len())?,
        MediaSource::Url(text) | MediaSource::FileId(text) => room.keep(text.len())?,
    }
    let members = image.opaque.iter().flat_map(|opaque| opaque.members.values());
    members.into_iter().try_for_each(|element| room.keep_value(element))
}

/// Reads complete speech.
pub(super) fn speech(members: Map<String, Value>) -> Audio {
    let mut audio = silence();
    members.into_iter().for_each(|(name, value)| add(&mut audio, name, value));
    audio
}

/// Returns empty speech.
pub(super) fn silence() -> Audio {
    let opaque = Some(Opaque::new(PROVENANCE, Map::new()).into());
    Audio { opaque, ..Audio::default() }
}

/// Adds a member of a piece of speech: `data` and `transcript` are appended, everything else is
/// replaced.
pub(super) fn add(audio: &mut Audio, name: String, value: Value) {
    match (name.as_str(), value) {
        ("id", Value::String(id)) => audio.id = Some(id).filter(|id| !id.is_empty()),
        ("data", Value::String(data)) => base64::append(&mut audio.data, &data),
        ("transcript", Value::String(text)) => audio.transcript.push_str(&text),
        ("expires_at", value) if value.is_u64() => audio.expires_at = value.as_u64(),
        (_, value) => {
            if let (false, Some(opaque)) = (value.is_null() || value == "", &mut audio.opaque) {
                opaque.members.insert(name, value);
            }
        }
    }
}

/// Returns true if a member of a piece of speech is empty or already known.
pub(super) fn is_known(audio: &Audio, name: &str, value: &Value) -> bool {
    match (name, value) {
        (_, Value::Null) => true,
        (_, Value::String(text)) if text.is_empty() => true,
        ("data" | "transcript", Value::String(_)) => false,
        ("id", Value::String(id)) => audio.id.as_ref() == Some(id),
        ("expires_at", value) if value.is_u64() => audio.expires_at == value.as_u64(),
        (name, value) => {
            audio.opaque.as_ref().is_some_and(|opaque| opaque.members.get(name) == Some(value))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_goes_back_as_its_original_element() {
        let base64 = |media_type: &str, data: &str| MediaSource::Base64 {
            media_type: media_type.into(),
            data: data.into(),
        };
        for (given, expected) in [
            (
                json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,Zm9v"}}),
                base64("image/png", "Zm9v"),
            ),
            (
                json!({"image_url": {"url": "data:image/webp;base64,Zm9v", "detail": "auto"},
                    "index": 0, "type": "image_url"}),
                base64("image/webp", "Zm9v"),
            ),
            (
                json!({"type": "image_url", "image_url": {"url": "https://x/y.png"}}),
                MediaSource::Url("https://x/y.png".into()),
            ),
            (json!({"url": "https://x/y.png"}), MediaSource::Url("https://x/y.png".into())),
            (
                json!({"image_url": {"url": "data:image/svg+xml,<svg/>"}}),
                MediaSource::Url("data:image/svg+xml,<svg/>".into()),
            ),
        ] {
            let image = image("images", given.clone()).unwrap();
            assert_eq!(image.source, expected, "{given}");
            assert_eq!(element(&image), ("images", given));
        }
    }

    #[test]
    fn elements_that_are_not_images_are_kept_unchanged() {
        let odd = json!([{"type": "image_url"}, {"image_url": {"url": ""}}, "x", {"url": 1}, null]);
        let (images, others) = images(odd.clone());
        assert_eq!((images, Value::from(others)), (vec![], odd));
        assert_eq!(super::images(json!({"a": 1})), (vec![], vec![json!({"a": 1})]));
    }
}
