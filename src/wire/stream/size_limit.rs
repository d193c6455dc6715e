//! Limits how much of a stream is kept in memory.

use serde_json::Value;

use crate::chat::{Usage, UsageSource};
use crate::wire::{Failure, MAX_PARTS};

/// The most JSON values kept of an answer beside its texts, as of one that comes at
/// once; see [`Content`](crate::wire::json::bounded::Content).
const MAX_VALUES: usize = 250_000;

/// How much of a stream may still be kept.
///
/// What comes is bounded by no length known ahead, so whatever is kept of it is
/// counted here first.
#[derive(Debug, Clone)]
pub(in crate::wire) struct SizeLimit {
    limit: usize,
    bytes: usize,
    values: usize,
    /// The bytes the model wrote, for an estimate of its tokens.
    written: usize,
}

impl SizeLimit {
    pub(in crate::wire) fn new(limit: usize) -> Self {
        Self { limit, bytes: limit, values: MAX_VALUES, written: 0 }
    }

    /// Counts what the model wrote.
    pub(in crate::wire) fn write(&mut self, text: &str) -> Result<(), Failure> {
        self.written = self.written.saturating_add(text.len());
        self.keep(text.len())
    }

    /// What is left of it, in bytes and values: it changes with all that is kept.
    pub(in crate::wire) fn left(&self) -> (usize, usize) {
        (self.bytes, self.values)
    }

    /// Counts what stands beside it: ids, signatures.
    pub(in crate::wire) fn keep(&mut self, bytes: usize) -> Result<(), Failure> {
        match self.bytes.checked_sub(bytes) {
            Some(left) => {
                self.bytes = left;
                Ok(())
            }
            None => Err(self.full()),
        }
    }

    /// Counts a value with all in it.
    pub(in crate::wire) fn keep_value(&mut self, value: &Value) -> Result<(), Failure> {
        self.values = self.values.checked_sub(1).ok_or_else(Failure::too_many_parts)?;
        match value {
            Value::String(text) => self.keep(text.len()),
            Value::Array(items) => items.iter().try_for_each(|item| self.keep_value(item)),
            Value::Object(members) => members.iter().try_for_each(|(name, member)| {
                self.keep(name.len())?;
                self.keep_value(member)
            }),
            _ => Ok(()),
        }
    }

    /// Fails when there are so many parts that no other may come.
    pub(in crate::wire) fn one_more(parts: usize) -> Result<(), Failure> {
        if parts < MAX_PARTS { Ok(()) } else { Err(Failure::too_many_parts()) }
    }

    /// The failure of an answer that is larger than is kept.
    pub(in crate::wire) fn full(&self) -> Failure {
        Failure::protocol(format!(
            "the answer that was streamed is larger than the {} bytes allowed",
            self.limit
        ))
    }

    /// The bytes that the model has written so far.
    pub(in crate::wire) fn written(&self) -> usize {
        self.written
    }

    /// The tokens that the model has written so far, estimated.
    pub(in crate::wire) fn written_tokens(&self) -> u64 {
        tokens(self.written)
    }

    /// The usage so far where none was reported.
    pub(in crate::wire) fn estimate(&self, prompt_tokens: u64) -> Usage {
        let usage = Usage::reported(prompt_tokens, self.written_tokens());
        Usage { source: UsageSource::Estimated, ..usage }
    }
}

/// The tokens of so many bytes, estimated: "one token generally corresponds to ~4
/// characters of text for common English text" (platform.openai.com/tokenizer). Not
/// a token is free.
pub(in crate::wire) fn tokens(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bytes_and_values_run_out() {
        let mut size_limit = SizeLimit::new(10);
        assert!(
            size_limit.write("12345").is_ok()
                && size_limit.keep(5).is_ok()
                && size_limit.write("").is_ok()
        );
        let failure = size_limit.keep(1).unwrap_err();
        assert!(failure.message.contains("larger than the 10 bytes allowed"));
        assert!(SizeLimit::new(10).keep_value(&json!({"abc": ["defg", "hij"]})).is_ok());
        assert!(SizeLimit::new(9).keep_value(&json!({"abc": ["defg", "hij"]})).is_err());
        let mut size_limit = SizeLimit::new(usize::MAX);
        let tenth = json!(vec![0; MAX_VALUES / 10 - 1]);
        for _ in 0..10 {
            assert!(size_limit.keep_value(&tenth).is_ok());
        }
        assert!(size_limit.keep_value(&json!(0)).unwrap_err().message.contains("more parts"));
    }

    #[test]
    fn only_what_the_model_wrote_is_estimated() {
        let mut size_limit = SizeLimit::new(100);
        assert_eq!(size_limit.written_tokens(), 0);
        size_limit.write("12345").unwrap();
        size_limit.keep(50).unwrap();
        size_limit.keep_value(&json!("12345")).unwrap();
        assert_eq!(size_limit.written_tokens(), 2);
        assert_eq!((tokens(0), tokens(1), tokens(4), tokens(5)), (0, 1, 1, 2));
    }
}
