//! The parts of a streamed answer whose format numbers neither parts nor calls.

use super::{Failure, call_id};
use crate::chat::{Part, StreamEvent, ToolCall};
use crate::wire::stream::SizeLimit;

/// Parts in the order in which they arrive.
#[derive(Debug, Default, Clone)]
pub(in crate::wire) struct PartList {
    parts: Vec<Part>,
    /// How many of them are tool calls.
    calls: usize,
}

impl PartList {
    pub(in crate::wire) fn add(&mut self, part: Part) -> Result<(), Failure> {
        SizeLimit::one_more(self.parts.len())?;
        self.parts.push(part);
        Ok(())
    }

    /// Adds a call that arrived whole. If it has no id, it gets one made from `seed`.
    pub(in crate::wire) fn add_call(
        &mut self,
        call: ToolCall,
        seed: u64,
        room: &mut SizeLimit,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), Failure> {
        room.keep(call.id.len())?;
        let index = self.calls;
        self.calls += 1;
        let call = ToolCall { id: call_id::or_new(call.id, || seed, index), ..call };
        tell_call(index, &call, room, events)?;
        self.add(Part::ToolCall(call))
    }

    pub(in crate::wire) fn last_mut(&mut self) -> Option<&mut Part> {
        self.parts.last_mut()
    }

    pub(in crate::wire) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub(in crate::wire) fn has_calls(&self) -> bool {
        self.calls > 0
    }

    pub(in crate::wire) fn into_parts(self) -> Vec<Part> {
        self.parts
    }
}

/// Appends the events of a call that arrived whole.
pub(in crate::wire) fn tell_call(
    index: usize,
    call: &ToolCall,
    room: &mut SizeLimit,
    events: &mut Vec<StreamEvent>,
) -> Result<(), Failure> {
    room.write(&call.name)?;
    room.write(&call.arguments)?;
    let (id, name) = (call.id.clone(), call.name.clone());
    events.push(StreamEvent::ToolCallStarted { index, id, name });
    let delta = call.arguments.clone();
    events.push(StreamEvent::ToolArgumentsDelta { index, delta });
    events.push(StreamEvent::ToolCallComplete { index, call: call.clone().into() });
    Ok(())
}
