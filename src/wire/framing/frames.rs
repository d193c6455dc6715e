//! The frames of a stream, however a format marks where one ends.

#[cfg(feature = "bedrock")]
use super::{aws_event_stream, aws_frame};
use super::{ndjson, sse};
use crate::wire::Failure;

/// How a format's streams mark where one event ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire) enum Framing {
    /// Server-sent events.
    Events,
    /// JSON texts, one per line.
    Lines,
    /// AWS's binary frames.
    Binary,
}

/// One event of a stream, before its data is read.
#[derive(Clone, Copy)]
pub(in crate::wire) struct Frame<'a> {
    /// The event's name, if the framing has names and the server sent one.
    pub(in crate::wire) name: Option<&'a str>,
    pub(in crate::wire) data: &'a str,
}

impl<'a> From<sse::Event<'a>> for Frame<'a> {
    fn from(event: sse::Event<'a>) -> Self {
        Self { name: event.name, data: event.data }
    }
}

/// Splits a stream into frames as its bytes are pushed.
pub(in crate::wire) enum Frames {
    Events(sse::Parser),
    Lines(ndjson::Parser),
    #[cfg(feature = "bedrock")]
    Binary(aws_event_stream::Parser),
}

/// What came after the last complete frame.
pub(in crate::wire) enum Rest {
    /// Nothing that matters.
    Nothing,
    /// The start of a frame without data.
    NoData,
    /// A frame that lacks only its end.
    Frame { name: Option<String>, data: String },
}

impl Frames {
    /// Creates a parser for frames of up to `longest` bytes.
    pub(in crate::wire) fn new(framing: Framing, longest: usize) -> Self {
        match framing {
            Framing::Events => {
                let limits = sse::Limits { line: longest, event: longest };
                Self::Events(sse::Parser::with_limits(limits))
            }
            #[cfg(feature = "bedrock")]
            Framing::Binary => Self::Binary(aws_event_stream::Parser::with_limit(longest)),
            // Without the feature, the client refuses a provider with binary frames.
            #[cfg(not(feature = "bedrock"))]
            Framing::Binary => Self::Lines(ndjson::Parser::with_limit(longest)),
            Framing::Lines => Self::Lines(ndjson::Parser::with_limit(longest)),
        }
    }

    /// Calls `on_frame` for every frame that ends in these bytes.
    ///
    /// # Errors
    ///
    /// If a frame is too long, and the error of `on_frame`. No frame comes after either.
    pub(in crate::wire) fn push(
        &mut self,
        bytes: &[u8],
        mut on_frame: impl FnMut(Frame<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match self {
            Self::Events(parser) => parser.push(bytes, |event| on_frame(event.into())),
            Self::Lines(parser) => parser.push(bytes, |data| on_frame(Frame { name: None, data })),
            #[cfg(feature = "bedrock")]
            Self::Binary(parser) => {
                parser.push(bytes, |message| aws_frame::read(message, &mut on_frame))
            }
        }
    }

    /// Ends the stream, and returns what came after the last complete frame.
    ///
    /// # Errors
    ///
    /// If the last frame is too long.
    pub(in crate::wire) fn finish(self) -> Result<Rest, Failure> {
        match self {
            Self::Events(parser) => Ok(match parser.finish()? {
                None => Rest::Nothing,
                Some(unfinished) => match unfinished.event() {
                    None => Rest::NoData,
                    Some(event) => Rest::Frame {
                        name: event.name.map(str::to_owned),
                        data: event.data.to_owned(),
                    },
                },
            }),
            Self::Lines(parser) => {
                let mut rest = Rest::Nothing;
                parser.finish(|line| {
                    rest = Rest::Frame { name: None, data: line.to_owned() };
                    Ok::<_, Failure>(())
                })?;
                Ok(rest)
            }
            #[cfg(feature = "bedrock")]
            Self::Binary(parser) => Ok(if parser.finish()? { Rest::Nothing } else { Rest::NoData }),
        }
    }
}
