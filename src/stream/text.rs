//! An iterator over the text of a stream.

use std::iter::FusedIterator;

use super::ChatStream;
use crate::chat::StreamEvent;
use crate::error::Error;

/// The text of a stream, piece by piece; see [`ChatStream::text`].
#[derive(Debug)]
#[must_use = "iterators are lazy"]
pub struct TextDeltas<'a> {
    stream: &'a mut ChatStream,
    /// The error of a stream that failed earlier, so that it does not look like an empty answer.
    broken: Option<Error>,
}

impl<'a> TextDeltas<'a> {
    pub(super) fn new(stream: &'a mut ChatStream) -> Self {
        let broken = match &stream.end {
            Some(Err(error)) => Some(error.clone()),
            _ => None,
        };
        Self { stream, broken }
    }
}

impl Iterator for TextDeltas<'_> {
    type Item = Result<String, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.broken.take() {
            return Some(Err(error));
        }
        self.stream.find_map(|event| match event {
            Ok(StreamEvent::TextDelta(text)) => Some(Ok(text)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }
}

impl FusedIterator for TextDeltas<'_> {}
