//! The members of a response that are read: of a whole body, or of a stream's chunk, which has the
//! same form. Texts are borrowed.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess};
use serde_json::{Map, Value};
use std::borrow::Cow;

use crate::wire::json::array::{self, Array, Each};
use crate::wire::json::bounded::{Content, Detail};
use crate::wire::json::number::Number;
use crate::wire::json::object::{Object, members};
use crate::wire::json::string::{Count, LooseString};

/// `GenerateContentResponse`. Gateways imitate the format, so any member can be missing, null or
/// malformed.
#[derive(Default)]
pub(super) struct Chunk<'a> {
    pub(super) candidates: Candidates<'a>,
    pub(super) prompt_feedback: Option<Box<Detail>>,
    pub(super) usage: Option<Box<Detail>>,
    pub(super) model: LooseString<'a>,
    pub(super) id: LooseString<'a>,
    pub(super) error: Option<Box<Detail>>,
    /// Other members beside the answer.
    pub(super) beside: Beside,
}

members!(impl [] Chunk<'de> {
    "candidates" => candidates,
    "promptFeedback" => prompt_feedback,
    "usageMetadata" => usage,
    "modelVersion" => model,
    "responseId" => id,
    "error" => error,
    _ => |chunk: &mut Self, name, members| chunk.beside.take(name, members),
});

impl<'a> Chunk<'a> {
    /// Returns the text of the candidate, and whether it is a thought, if that is all that the chunk
    /// adds and the chunk has it unescaped.
    pub(super) fn only_text(&self) -> Option<(&'a str, bool)> {
        let candidate = self.candidates.chosen.as_ref()?;
        let [Object(part)] = &*candidate.content.0.parts.items else { return None };
        let LooseString(Cow::Borrowed(text)) = part.text.as_ref()? else { return None };
        let alone = part.signature.0.is_empty()
            && part.function_call.is_none()
            && part.rest.is_empty()
            && !part.exceeded
            && candidate.finish_reason.0.is_empty()
            && candidate.beside.is_time_only()
            && self.beside.is_time_only()
            && self.prompt_feedback.is_none();
        alone.then(|| (*text, part.thought.is_yes()))
    }
}

/// The candidate with index 0 or without an index; otherwise the first.
#[derive(Default)]
pub(super) struct Candidates<'a> {
    pub(super) chosen: Option<Box<Candidate<'a>>>,
}

impl<'de> Deserialize<'de> for Candidates<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let is_first = |candidate: &Candidate<'_>| matches!(candidate.index.0, None | Some(0));
        let take = |made: &mut Self, Object(candidate): Object<Candidate<'de>>| {
            let is_better = match &made.chosen {
                None => true,
                Some(chosen) => !is_first(chosen) && is_first(&candidate),
            };
            if is_better {
                made.chosen = Some(candidate.into());
            }
        };
        let Each { made, .. } = array::each(deserializer, take)?;
        Ok(made)
    }
}

#[derive(Default)]
pub(super) struct Candidate<'a> {
    pub(super) index: Count,
    pub(super) content: Object<Said<'a>>,
    pub(super) finish_reason: LooseString<'a>,
    /// Other members: the sources of a search, safety ratings.
    pub(super) beside: Beside,
}

members!(impl [] Candidate<'de> {
    "index" => index,
    "content" => content,
    "finishReason" => finish_reason,
    _ => |candidate: &mut Self, name, members| candidate.beside.take(name, members),
});

/// The finish reasons by number, which `$alt=json;enum-encoding=int` asks for
/// (googleapis/googleapis `google/cloud/aiplatform/v1/content.proto`, `Candidate.FinishReason`).
const FINISH_REASONS: [&str; 10] = [
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
];

/// Returns the word of a finish reason that may be a number.
pub(super) fn finish_word(reason: Cow<'_, str>) -> Cow<'_, str> {
    match reason.parse::<usize>().ok().and_then(|number| FINISH_REASONS.get(number)) {
        Some(word) => Cow::Borrowed(word),
        None => reason,
    }
}

/// `Content`; its role is always `model`.
#[derive(Default)]
pub(super) struct Said<'a> {
    pub(super) parts: Array<Object<Part<'a>>>,
}

members!(impl [] Said<'de> {
    "parts" => parts,
});

/// `Part`: one kind of data, with its metadata.
#[derive(Default)]
pub(super) struct Part<'a> {
    pub(super) text: Option<LooseString<'a>>,
    pub(super) thought: Number,
    pub(super) signature: LooseString<'a>,
    pub(super) function_call: Option<Box<Content>>,
    /// All other members, data of other kinds included.
    pub(super) rest: Map<String, Value>,
    /// True if it had more than the limit of what is kept.
    pub(super) exceeded: bool,
}

members!(impl [] Part<'de> {
    "text" => text,
    "thought" => thought,
    "thoughtSignature" => signature,
    "functionCall" => function_call,
    _ => |part: &mut Self, name, members| part.take_other(name, members),
});

impl Part<'_> {
    #[cold]
    fn take_other<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        members: &mut A,
    ) -> Result<bool, A::Error> {
        let Content { value, exceeded } = members.next_value()?;
        self.exceeded |= exceeded;
        if !value.is_null() {
            self.rest.insert(name.to_owned(), value);
        }
        Ok(true)
    }
}

/// Unmodelled members, without nulls.
#[derive(Default)]
pub(super) struct Beside(pub(super) Option<Box<Map<String, Value>>>);

impl Beside {
    /// Returns true if it has nothing but the time, which is not kept.
    fn is_time_only(&self) -> bool {
        self.0.as_ref().is_none_or(|members| members.keys().all(|name| name == "createTime"))
    }

    #[cold]
    fn take<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        members: &mut A,
    ) -> Result<bool, A::Error> {
        let Content { value, .. } = members.next_value()?;
        if !value.is_null() {
            self.0.get_or_insert_default().insert(name.to_owned(), value);
        }
        Ok(true)
    }
}
