//! Adapts tool calls to what servers accept: arguments that are an object, and ids with the allowed
//! characters and length.

use serde::Deserialize;
use serde_json::{Map, Value};
use std::borrow::Cow;

use crate::wire::call_id::fingerprint;
use crate::wire::json::exact;
use crate::wire::json::object::{Members, Object};

/// The member for arguments that are not a JSON object.
const INVALID: &str = "invalid_arguments";

/// Returns the arguments of a call as a JSON object.
///
/// Anthropic requires an object (`tool_use_block_param.py`). Servers that render a prompt from a
/// conversation parse the arguments and iterate over their members (vLLM's
/// `vllm/entrypoints/chat_utils.py`). But a model can write something else, or hit the output limit
/// midway, and its answer must still be valid input. So the text becomes the only member of an
/// object: `{"invalid_arguments": "{\"city\": \"Os"}`. The model sees what it wrote, and the tool's
/// result tells it what is wrong. Empty arguments become `{}`. Numbers stay [exact].
pub(super) fn object(arguments: &str) -> Map<String, Value> {
    match exact::read(arguments.trim()) {
        Ok(Value::Object(object)) => object,
        _ if arguments.trim().is_empty() => Map::new(),
        _ => Map::from_iter([(INVALID.to_owned(), arguments.into())]),
    }
}

/// Like [`object`], but returns text. Arguments that already are an object are not copied.
pub(super) fn text(arguments: &str) -> Cow<'_, str> {
    let trimmed = arguments.trim();
    if trimmed.is_empty() {
        Cow::Borrowed("{}")
    } else if trimmed.starts_with('{') && is_json(trimmed) {
        Cow::Borrowed(arguments)
    } else {
        Cow::Owned(Value::Object(object(arguments)).to_string())
    }
}

fn is_json(text: &str) -> bool {
    #[derive(Default)]
    struct Nothing;

    impl<'de> Members<'de> for Nothing {
        fn take<A: serde::de::MapAccess<'de>>(
            &mut self,
            _: &str,
            _: &mut A,
        ) -> Result<bool, A::Error> {
            Ok(false)
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(text);
    Object::<Nothing>::deserialize(&mut deserializer).is_ok() && deserializer.end().is_ok()
}

/// The ids that a server accepts for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ids {
    /// Letters, digits, `_` and `-`: "String should match pattern '^[a-zA-Z0-9_-]+$'" (Anthropic,
    /// in RooCodeInc/Roo-Code #10649).
    Word,
    /// At most 40 bytes: "string too long. Expected a string with maximum length 40" (OpenAI).
    UpTo40,
    /// Nine letters and digits: "must be a-z, A-Z, 0-9, with a length of 9" (Mistral).
    Nine,
}

/// Returns an id that the server accepts, the same for a call and for its result.
///
/// An id that the server rejects, such as Moonshot's `functions.weather:0` at Anthropic, is
/// replaced by one derived from it. The replacement is only in the request; the conversation keeps
/// its own id.
pub(super) fn id(id: &str, ids: Ids) -> Cow<'_, str> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let fits = match ids {
        Ids::Word => id.bytes().all(is_word),
        Ids::UpTo40 => id.len() <= 40,
        Ids::Nine => id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
    };
    if fits {
        return Cow::Borrowed(id);
    }
    let hash = format!("{:016x}", fingerprint(id.as_bytes()));
    Cow::Owned(match ids {
        Ids::Word | Ids::UpTo40 => format!("call_{hash}"),
        // The upper bits of the hash are mixed better.
        Ids::Nine => hash[..9].to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arguments_become_an_object_without_loss() {
        for (arguments, expected) in [
            ("", json!({})),
            (" \n", json!({})),
            ("{}", json!({})),
            (" {\"a\": [1]} ", json!({"a": [1]})),
            ("{\"a\": 12345678901234567890123}", Value::Null),
            ("{\"city\": \"Os", json!({"invalid_arguments": "{\"city\": \"Os"})),
            ("{} {}", json!({"invalid_arguments": "{} {}"})),
            ("[1]", json!({"invalid_arguments": "[1]"})),
            ("\"x\"", json!({"invalid_arguments": "\"x\""})),
            ("null", json!({"invalid_arguments": "null"})),
            ("Oslo", json!({"invalid_arguments": "Oslo"})),
        ] {
            let text = text(arguments);
            let is_own = matches!(text, Cow::Borrowed(_));
            assert_eq!(is_own, expected.get("invalid_arguments").is_none(), "{arguments}");
            if !expected.is_null() {
                assert_eq!(Value::Object(object(arguments)), expected, "{arguments}");
                let read: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(read, expected, "{arguments}");
            }
        }
    }

    #[test]
    fn rejected_ids_are_replaced_by_distinct_valid_ones() {
        let long = "call_1__thought__".to_owned() + &"A".repeat(100);
        for (own, ids, fits) in [
            ("toolu_01-Ab", Ids::Word, true),
            ("functions.weather:0", Ids::Word, false),
            ("a b", Ids::Word, false),
            ("é", Ids::Word, false),
            ("functions.weather:0", Ids::UpTo40, true),
            (&long, Ids::UpTo40, false),
            ("abcDEF123", Ids::Nine, true),
            ("call_1234", Ids::Nine, false),
            ("call_abc", Ids::Nine, false),
        ] {
            let sent = id(own, ids);
            assert_eq!(sent == own, fits, "{own} {ids:?}");
            assert_eq!(id(&sent, ids), sent, "{own} {ids:?}");
            let other = format!("{own}.");
            assert_ne!(id(&other, ids), sent);
        }
    }
}
