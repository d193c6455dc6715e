//! What the targets of stream decoders share.

use crate::cut::cut;
use tollgate::{ChatResponse, Error, ErrorKind, StreamDecoder, StreamEvent};

/// The most bytes that a decoder may keep here.
const LIMIT: usize = 1 << 16;

/// Checks that a stream decodes to the same events however it is cut, and that the answer equals
/// the sum of its events. The first byte says how many of the bytes after it are lengths of pieces.
/// The parts of the answer come in order unless they are numbered: then a broken server may
/// interleave them.
pub(crate) fn check(input: &[u8], decoder: fn() -> StreamDecoder, numbered: bool) {
    let Some((count, rest)) = input.split_first() else { return };
    let (lengths, stream) = rest.split_at(rest.len().min(usize::from(count % 8)));
    let whole = decoded(decoder(), [stream].into_iter());
    add_up(&whole, numbered);
    for other in
        [decoded(decoder(), cut(stream, lengths).into_iter()), decoded(decoder(), stream.chunks(1))]
    {
        assert_eq!(other.0, whole.0);
        assert_eq!(other.1.map(|error| error.to_string()), whole.1.as_ref().map(Error::to_string));
        assert_eq!(other.2, whole.2);
    }
}

type Decoded = (Vec<StreamEvent>, Option<Error>, ChatResponse);

fn decoded<'a>(decoder: StreamDecoder, pieces: impl Iterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = decoder.request_bytes(9).max_bytes(LIMIT);
    let mut events = Vec::new();
    for (number, piece) in pieces.enumerate() {
        let progress = decoder.push(piece, &mut events);
        assert!(!decoder.is_done() || progress.is_ok());
        if number % 64 == 0 {
            let _ = decoder.partial();
        }
    }
    let error = decoder.finish(&mut events).err();
    assert_eq!(decoder.is_done(), error.is_none());
    let partial = decoder.partial();
    let response = decoder.into_response();
    assert_eq!(partial, response);
    (events, error, response)
}

/// Checks that the answer holds what the events say, and that the events end as a stream must.
fn add_up((events, error, response): &Decoded, numbered: bool) {
    let (mut text, mut calls, mut kept) = (String::new(), Vec::new(), 0);
    for event in events {
        match event {
            StreamEvent::TextDelta(more) => text += more,
            StreamEvent::ReasoningDelta(more) | StreamEvent::RefusalDelta(more) => {
                kept += more.len();
            }
            StreamEvent::ToolCallStarted { index, .. } => calls.push((*index, String::new(), None)),
            StreamEvent::ToolArgumentsDelta { index, delta } => {
                let call = calls.iter_mut().find(|call| call.0 == *index);
                call.expect("a call that has begun").1 += delta;
            }
            StreamEvent::ToolCallComplete { index, call } => {
                let begun = calls.iter_mut().find(|call| call.0 == *index);
                let (_, arguments, complete) = begun.expect("a call that has begun");
                assert!(call.arguments == *arguments || arguments.trim().is_empty());
                assert!(complete.replace(call.clone()).is_none());
            }
            _ => {}
        }
    }
    if numbered {
        assert_eq!(sorted(&text), sorted(&response.text()));
    } else {
        assert_eq!(text, response.text());
    }
    calls.sort_by_key(|call| call.0);
    kept += text.len() + calls.iter().map(|call| call.1.len()).sum::<usize>();
    let finished = events.iter().filter(|event| matches!(event, StreamEvent::Finished(_)));
    match error {
        None => {
            assert_eq!(finished.count(), 1);
            let [.., StreamEvent::Usage(usage), StreamEvent::Finished(reason)] = &events[..] else {
                panic!("no end")
            };
            assert_eq!((**usage, *reason), (response.usage, response.finish_reason));
            let complete = calls.iter().map(|call| call.2.as_deref().expect("a whole call"));
            let complete: Vec<_> = complete.collect();
            let kept: Vec<_> = response.tool_calls().collect();
            if numbered {
                assert_eq!(complete.len(), kept.len());
                assert!(complete.iter().all(|call| kept.contains(call)));
            } else {
                assert_eq!(complete, kept);
            }
        }
        Some(error) => {
            assert_eq!(finished.count(), 0);
            assert!(error.kind() != ErrorKind::Cancelled);
            assert!(kept <= LIMIT);
        }
    }
}

fn sorted(text: &str) -> Vec<char> {
    let mut characters: Vec<_> = text.chars().collect();
    characters.sort_unstable();
    characters
}
