//! The body of a request, on its way from the encoder to bytes.

use serde::Serialize;
use serde_json::{Map, Value};

use super::json::{self, exact};
use crate::chat::{Message, Part, Role};
use crate::error::Error;

/// The body of a request.
///
/// Most requests are a model and messages of plain text. Those are written straight from the
/// request; building JSON values for them first takes longer than all the rest of the encoding.
pub(in crate::wire) struct Body<'a> {
    /// The members that come before the others, if they are plain.
    opening: Option<Opening<'a>>,
    /// The other members, in the order in which they are sent.
    pub(super) members: Map<String, Value>,
}

/// The members `model` and `messages`, where every message is a single text.
pub(in crate::wire) struct Opening<'a> {
    model: &'a str,
    messages: &'a [Message],
    /// The role of system messages.
    system: &'static str,
}

impl<'a> Opening<'a> {
    /// Returns `None` if a message is anything but a single text.
    pub(in crate::wire) fn new(
        model: &'a str,
        messages: &'a [Message],
        system: &'static str,
    ) -> Option<Self> {
        let opening = Self { model, messages, system };
        messages.iter().all(|message| opening.text(message).is_some()).then_some(opening)
    }

    /// Returns the role and the text of each message.
    fn texts(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        self.messages.iter().filter_map(|message| self.text(message))
    }

    fn text(&self, message: &'a Message) -> Option<(&'static str, &'a str)> {
        let role = match message.role {
            Role::System => self.system,
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => return None,
        };
        match (&*message.content, &message.name, &message.opaque) {
            ([Part::Text(text)], None, None) => Some((role, &text.text)),
            _ => None,
        }
    }
}

impl From<Map<String, Value>> for Body<'_> {
    fn from(members: Map<String, Value>) -> Self {
        Self { opening: None, members }
    }
}

impl<'a> Body<'a> {
    /// A body with `members` after an opening.
    pub(in crate::wire) fn new(opening: Opening<'a>, members: Map<String, Value>) -> Self {
        Self { opening: Some(opening), members }
    }

    /// Returns the role and the text of each message that is not in the members.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        self.opening.iter().flat_map(Opening::texts)
    }

    /// Returns all members as JSON values.
    pub(super) fn into_members(self) -> Map<String, Value> {
        let Some(opening) = self.opening else { return self.members };
        let message = |(role, text): (&str, &str)| json::object_of!("role": role.into(), "content": text.into());
        let messages: Vec<Value> = opening.texts().map(message).collect();
        let first = [("model", opening.model.into()), ("messages", messages.into())];
        let first = first.map(|(name, value)| (name.to_owned(), value));
        first.into_iter().chain(self.members).collect()
    }

    /// Serializes the body.
    pub(super) fn write(&self) -> Result<Vec<u8>, Error> {
        let Some(opening) = &self.opening else { return json::write(&self.members) };
        let mut written = json::buffer();
        self.write_after(opening, &mut written).map_err(json::unwritable)?;
        Ok(exact::unmarked_bytes(written))
    }

    fn write_after(
        &self,
        opening: &Opening<'_>,
        written: &mut Vec<u8>,
    ) -> Result<(), serde_json::Error> {
        fn write(value: &(impl Serialize + ?Sized), to: &mut Vec<u8>) -> serde_json::Result<()> {
            serde_json::to_writer(to, value)
        }
        written.extend_from_slice(b"{\"model\":");
        write(opening.model, written)?;
        written.extend_from_slice(b",\"messages\":[");
        for (place, (role, text)) in opening.texts().enumerate() {
            for part in [if place > 0 { "," } else { "" }, "{\"role\":\"", role, "\",\"content\":"]
            {
                written.extend_from_slice(part.as_bytes());
            }
            write(text, written)?;
            written.push(b'}');
        }
        written.push(b']');
        for (name, value) in &self.members {
            written.push(b',');
            write(name, written)?;
            written.push(b':');
            write(value, written)?;
        }
        written.push(b'}');
        Ok(())
    }
}
