//! Assembles the tool calls of a streamed chat completion.

mod belongs;

use serde_json::json;
use std::borrow::Cow;
use std::collections::BTreeMap;

use super::answer::{other, tool_call};
use super::chunk::{CallDelta, FunctionDelta};
use super::opaque::Unknown;
use crate::chat::{Part, StreamEvent, ToolCall};
use crate::wire::Failure;
use crate::wire::json::exact;
use crate::wire::json::halves::Halves;
use crate::wire::json::object::Object;
use crate::wire::json::string::Written;
use crate::wire::stream::SizeLimit;
use crate::wire::stream::arguments::{Arguments, State, is_complete};
use belongs::{Open, Piece, begins_another};

/// The tool calls of a stream.
///
/// OpenAI's first delta of a call has its `index`, id and name; later ones have the index and a
/// piece of the arguments. Other servers send the id or name late, omit the index, use the same one
/// for every call, or send a call at once; [`belongs`] has the rule. Only the end of the stream
/// shows that OpenAI's calls are complete.
#[derive(Debug, Default, Clone)]
pub(super) struct Calls {
    calls: Vec<Call>,
    by_index: BTreeMap<u64, usize>,
    /// The call of the last delta.
    last: usize,
    /// The number of the current chunk.
    chunk: u64,
    /// True if the texts of this chunk can have marks of halves.
    marked: bool,
    /// The number of function calls.
    functions: usize,
}

#[derive(Debug, Default, Clone)]
struct Call {
    /// Its index among the function calls; `None` for the call of a `custom` tool.
    function: Option<usize>,
    id: String,
    name: String,
    /// The arguments, or the input of a custom tool.
    arguments: Arguments,
    halves: Halves,
    /// The last chunk that named it.
    named_in: u64,
    /// Its unmodelled members, such as a signature.
    unknown: Unknown,
    /// True once its start event was sent.
    begun: bool,
    /// True if it came in `function_call`, where it has no id.
    legacy: bool,
}

/// Which call a delta belongs to.
enum Place {
    Of(usize),
    /// The call with this id, which already has these arguments.
    Repeats(usize),
    Another,
    /// Another call, although a known one has the same id.
    SameId,
}

impl Calls {
    /// Adds a delta to its call. Calls without an id get one made from `seed`.
    pub(super) fn take(
        &mut self,
        delta: CallDelta<'_>,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let Object(function) = delta.function;
        let is_custom = delta.kind.0 == "custom" || delta.custom.is_some();
        let custom = delta.custom.map(|Object(custom)| *custom).unwrap_or_default();
        let FunctionDelta { name, arguments, unknown: inner } =
            if is_custom { custom } else { function };
        let mut unknown = delta.unknown;
        unknown.nest(if is_custom { "custom" } else { "function" }, inner);
        let arguments = text(arguments)?;
        let (id, name) = (delta.id.0, name.0);
        let adds_nothing = id.is_empty() && name.is_empty() && arguments.is_empty();
        if adds_nothing && unknown.is_empty() {
            return Ok(());
        }
        let piece = Piece { id: &id, name: &name, arguments: &arguments };
        let place = self.find(delta.index.0, piece);
        let at = match place {
            Place::Of(at) | Place::Repeats(at) => at,
            Place::Another if adds_nothing => return Ok(()),
            Place::Another | Place::SameId => self.add(delta.index.0, is_custom)?,
        };
        let (id, arguments) = match place {
            Place::Repeats(_) => (&*id, Cow::Borrowed("")),
            // Results could not be assigned to two calls with the same id.
            Place::SameId => ("", arguments),
            _ => (&*id, arguments),
        };
        if !unknown.is_empty() {
            self.calls[at].unknown.extend(unknown, room)?;
        }
        self.extend(at, id, &name, arguments, room, events)
    }

    /// Starts another chunk. Two calls that one chunk names are different calls.
    pub(super) fn next_chunk(&mut self, marked: bool) {
        self.chunk += 1;
        self.marked = marked;
    }

    /// Adds a delta of `function_call`, the predecessor of `tool_calls`. If a stream has both,
    /// `tool_calls` wins.
    pub(super) fn take_legacy(
        &mut self,
        delta: FunctionDelta<'_>,
        seed: u64,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        let arguments = text(delta.arguments)?;
        let name = delta.name.0;
        if name.is_empty() && arguments.is_empty() {
            return Ok(());
        }
        if self.calls.is_empty() {
            let at = self.add(None, false)?;
            let id = tool_call(at, String::new(), String::new(), String::new(), || seed).id;
            self.calls[at] = Call { legacy: true, id, ..std::mem::take(&mut self.calls[at]) };
        }
        match self.calls.as_slice() {
            [call] if call.legacy => self.extend(0, "", &name, arguments, room, events),
            _ => Ok(()),
        }
    }

    /// Finds the call of a delta. A known id decides; for the rest see [`begins_another`].
    fn find(&mut self, index: Option<u64>, piece: Piece<'_>) -> Place {
        let known = |call: &Call| !piece.id.is_empty() && call.id == piece.id;
        if let Some(at) = self.calls.iter().position(known) {
            let (call, arguments) = (&self.calls[at], piece.arguments.trim());
            if call.arguments.state() == State::Complete && is_complete(arguments) {
                return match call.arguments.as_str().trim() == arguments {
                    true => Place::Repeats(at),
                    false if piece.name.is_empty() => Place::Of(at),
                    false => Place::SameId,
                };
            }
            if let Some(index) = index {
                self.by_index.entry(index).or_insert(at);
            }
            return Place::Of(at);
        }
        let at = match index {
            Some(index) => self.by_index.get(&index).copied(),
            None => Some(self.last),
        };
        let Some((at, call)) = at.and_then(|at| Some((at, self.calls.get(at)?))) else {
            return Place::Another;
        };
        let open = Open {
            id: &call.id,
            name: &call.name,
            state: call.arguments.state(),
            named_here: call.named_in == self.chunk,
        };
        if begins_another(open, piece) { Place::Another } else { Place::Of(at) }
    }

    fn add(&mut self, index: Option<u64>, custom: bool) -> Result<usize, Failure> {
        let at = self.calls.len();
        SizeLimit::one_more(at)?;
        let function = (!custom).then_some(self.functions);
        self.functions += usize::from(!custom);
        self.calls.push(Call { function, ..Call::default() });
        if let Some(index) = index {
            self.by_index.insert(index, at);
        }
        Ok(at)
    }

    fn extend(
        &mut self,
        at: usize,
        id: &str,
        name: &str,
        arguments: Cow<'_, str>,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        self.last = at;
        let call = &mut self.calls[at];
        let arguments = call.halves.join(arguments, self.marked);
        room.write(&arguments)?;
        call.arguments.push(arguments);
        if !name.is_empty() {
            call.named_in = self.chunk;
        }
        if call.id.is_empty() {
            room.keep(id.len())?;
            call.id.push_str(id);
        }
        // The first name counts; some servers repeat it in every chunk.
        if call.name.is_empty() {
            room.write(name)?;
            call.name.push_str(name);
        }
        let Some(index) = call.function else { return Ok(()) };
        if call.begun {
            let delta = call.arguments.next_delta();
            events.extend(delta.map(|delta| StreamEvent::ToolArgumentsDelta { index, delta }));
        } else if !call.id.is_empty() && !call.name.is_empty() {
            call.begin(index, events);
        }
        Ok(())
    }

    /// Completes all calls.
    pub(super) fn close(&mut self, seed: u64, events: &mut Vec<StreamEvent>) {
        for (at, call) in self.calls.iter_mut().enumerate() {
            if let Some(lost) = call.halves.end() {
                call.arguments.push(lost.into());
            }
            let Some(index) = call.function else { continue };
            let whole = call.whole(at, seed);
            if !call.begun {
                call.id.clone_from(&whole.id);
                call.begin(index, events);
            }
            let delta = call.arguments.last_delta();
            events.extend(delta.map(|delta| StreamEvent::ToolArgumentsDelta { index, delta }));
            events.push(StreamEvent::ToolCallComplete { index, call: whole.into() });
        }
    }

    /// Returns the calls in order. Before the end of the stream they are as received.
    pub(super) fn parts(self, seed: u64, closed: bool) -> Vec<Part> {
        let part = |(at, call): (usize, Call)| match call.function {
            None => {
                let mut value = json!({
                    "id": call.id, "type": "custom",
                    "custom": {"name": call.name, "input": call.arguments.into_text()},
                });
                call.unknown.write_into(&mut value);
                other(value)
            }
            Some(_) if closed => Part::ToolCall(call.whole(at, seed)),
            Some(_) => Part::ToolCall(ToolCall {
                opaque: call.unknown.streamed(),
                ..ToolCall::new(call.id, call.name, call.arguments.into_text())
            }),
        };
        self.calls.into_iter().enumerate().map(part).collect()
    }
}

impl Call {
    fn begin(&mut self, index: usize, events: &mut Vec<StreamEvent>) {
        self.begun = true;
        let (id, name) = (self.id.clone(), self.name.clone());
        events.push(StreamEvent::ToolCallStarted { index, id, name });
        let delta = self.arguments.next_delta();
        events.extend(delta.map(|delta| StreamEvent::ToolArgumentsDelta { index, delta }));
    }

    fn whole(&self, at: usize, seed: u64) -> ToolCall {
        let (id, name) = (self.id.clone(), self.name.clone());
        let call = tool_call(at, id, name, self.arguments.as_str().to_owned(), || seed);
        ToolCall { opaque: self.unknown.clone().streamed(), ..call }
    }
}

/// Converts arguments that are a JSON value to text.
fn text(arguments: Written<'_>) -> Result<Cow<'_, str>, Failure> {
    match arguments {
        Written::Text(text) => Ok(text),
        Written::Value(None) => Ok(Cow::Borrowed("")),
        Written::Value(Some(value)) if value.exceeded => Err(Failure::too_many_parts()),
        Written::Value(Some(value)) => Ok(Cow::Owned(exact::unmarked(value.value.to_string()))),
    }
}

#[cfg(test)]
mod tests;
