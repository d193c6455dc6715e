//! The log probabilities of a stream's tokens.

use serde_json::Value;

use crate::wire::Failure;
use crate::wire::json::bounded::Content;
use crate::wire::stream::SizeLimit;

/// The most members to keep. OpenAI has two (`content`, `refusal`), text completions four.
const MAX_MEMBERS: usize = 64;

/// The longest name, in bytes, of a member that is kept although it is empty.
const LONGEST_NAME: usize = 32;

/// The log probabilities so far, as JSON text. As values, those of a long answer with 20
/// alternatives per token would take far more memory.
///
/// Each chunk has an object for its own tokens. Arrays are appended, and everything else is
/// replaced ("Log probability information for the choice", `Choice.logprobs` of
/// `chat_completion_chunk.py` and `completion_choice.py` in openai-python).
#[derive(Debug, Default, Clone)]
pub(in crate::wire) struct Logprobs(Vec<Member>);

#[derive(Debug, Clone)]
struct Member {
    name: String,
    /// For an array: its elements, separated by commas.
    json: String,
    is_array: bool,
}

impl Logprobs {
    /// Adds the log probabilities of a chunk.
    ///
    /// # Errors
    ///
    /// If the answer then exceeds the size limit.
    pub(in crate::wire) fn add(
        &mut self,
        piece: Content,
        room: &mut SizeLimit,
    ) -> Result<(), Failure> {
        if piece.exceeded {
            return Err(Failure::too_many_parts());
        }
        let Value::Object(piece) = piece.value else { return Ok(()) };
        for (name, value) in piece {
            let elements = match &value {
                Value::Array(elements) => Some(elements),
                _ => None,
            };
            let json = match elements {
                Some(elements) => {
                    elements.iter().map(Value::to_string).collect::<Vec<_>>().join(",")
                }
                None => value.to_string(),
            };
            let is_array = elements.is_some();
            let Some(known) = self.0.iter_mut().find(|member| member.name == name) else {
                if self.0.len() == MAX_MEMBERS {
                    return Err(Failure::too_many_parts());
                }
                // An empty member is not progress, so it takes no room.
                match json.is_empty() || value.is_null() {
                    true if name.len() > LONGEST_NAME => continue,
                    true => {}
                    false => room.keep(name.len() + json.len())?,
                }
                self.0.push(Member { name, json, is_array });
                continue;
            };
            match (known.is_array, is_array) {
                (true, true) if json.is_empty() => {}
                (true, true) => {
                    room.keep(json.len() + 1)?;
                    if !known.json.is_empty() {
                        known.json.push(',');
                    }
                    known.json.push_str(&json);
                }
                _ if value.is_null() || known.json == json => {}
                _ => {
                    room.keep(json.len())?;
                    (known.json, known.is_array) = (json, is_array);
                }
            }
        }
        Ok(())
    }

    /// Returns them all as one JSON object, or an empty string if there are none.
    pub(in crate::wire) fn into_json(self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let members = self.0.iter().map(|Member { name, json, is_array }| {
            let (open, close) = if *is_array { ("[", "]") } else { ("", "") };
            format!("{}:{open}{json}{close}", Value::from(name.as_str()))
        });
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn joined(pieces: &[Value]) -> Value {
        let mut logprobs = Logprobs::default();
        let mut room = SizeLimit::new(1000);
        for piece in pieces {
            let content = Content { value: piece.clone(), exceeded: false };
            logprobs.add(content, &mut room).unwrap();
        }
        serde_json::from_str(&logprobs.into_json()).unwrap_or_default()
    }

    #[test]
    fn arrays_are_appended_and_everything_else_is_replaced() {
        let token = |token: &str| {
            json!({"token": token, "logprob": -0.062_126_159_667_968_75,
            "bytes": [72], "top_logprobs": []})
        };
        for (pieces, expected) in [
            (
                vec![
                    json!({"content": [], "refusal": null}),
                    json!({"content": [token("a")], "refusal": null}),
                    json!({"content": [token("b"), token("\"é")], "refusal": null}),
                    json!({"content": null, "refusal": null}),
                ],
                json!({"content": [token("a"), token("b"), token("\"é")], "refusal": null}),
            ),
            (
                vec![
                    json!({"tokens": ["a"], "token_logprobs": [-1.5], "top_logprobs": null}),
                    json!({"tokens": ["b"], "token_logprobs": [null], "top_logprobs": [{"b": 0}]}),
                ],
                json!({"tokens": ["a", "b"], "token_logprobs": [-1.5, null],
                    "top_logprobs": [{"b": 0}]}),
            ),
            (
                vec![json!({"content": null, "refusal": [token("no")]})],
                json!({"content": null, "refusal": [token("no")]}),
            ),
            (vec![json!({"odd": 1}), json!({"odd": 2})], json!({"odd": 2})),
            (vec![json!(null), json!([1]), json!("x")], json!(null)),
        ] {
            assert_eq!(joined(&pieces), expected, "{pieces:?}");
        }
    }

    #[test]
    fn log_probabilities_are_bounded() {
        let mut logprobs = Logprobs::default();
        let mut room = SizeLimit::new(1000);
        let piece = || Content { value: json!({"content": ["x".repeat(90)]}), exceeded: false };
        let kept = (0..100).take_while(|_| logprobs.add(piece(), &mut room).is_ok()).count();
        assert_eq!(kept, 10);
        let many: Value = (0..65).map(|name| (name.to_string(), Value::Null)).collect();
        let many = Content { value: many, exceeded: false };
        assert!(Logprobs::default().add(many, &mut SizeLimit::new(1000)).is_err());
        let exceeded = Content { value: Value::Null, exceeded: true };
        assert!(logprobs.add(exceeded, &mut room).is_err());
    }
}
