//! Limits how much of a stream is kept in memory.

use serde_json::Value;

use crate::chat::{Usage, UsageSource};
use crate::wire::{Failure, MAX_PARTS};

/// The most JSON values to keep of an answer besides its texts, the same as without streaming; see
/// [`Content`](crate::wire::json::bounded::Content).
const MAX_VALUES: usize = 250_000;

/// How much more of a stream may be kept.
///
/// A stream has no length known in advance, so everything to keep is counted here first.
#[derive(Debug, Clone)]
pub(in crate::wire) struct SizeLimit {
    limit: usize,
    bytes: usize,
    values: usize,
    /// The bytes that the model wrote, to estimate its tokens.
    written: usize,
}

impl SizeLimit {
    pub(in crate::wire) fn new(limit: usize) -> Self {
        Self { limit, bytes: limit, values: MAX_VALUES, written: 0 }
    }

    /// Counts text that the model wrote.
    pub(in crate::wire) fn write(&mut self, text: &str) -> Result<(), Failure> {
        self.written = self.written.saturating_add(text.len());
        self.keep(text.len())
    }

    /// Returns the remaining bytes and values. They change whenever anything is kept.
    pub(in crate::wire) fn left(&self) -> (usize, usize) {
        (self.bytes, self.values)
    }

    /// Counts metadata: ids, signatures.
    pub(in crate::wire) fn keep(&mut self, bytes: usize) -> Result<(), Failure> {
        match self.bytes.checked_sub(bytes) {
            Some(left) => {
                self.bytes = left;
                Ok(())
            }
            None => Err(self.full()),
        }
    }

    /// Counts a value and everything in it.
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

    /// Fails if the maximum number of parts is reached.
    pub(in crate::wire) fn one_more(parts: usize) -> Result<(), Failure> {
        if parts < MAX_PARTS { Ok(()) } else { Err(Failure::too_many_parts()) }
    }

    /// Returns the failure for an answer that exceeds the limit.
    pub(in crate::wire) fn full(&self) -> Failure {
        Failure::protocol(format!(
            "the streamed answer is larger than the {} bytes allowed",
            self.limit
        ))
    }

    /// Returns the bytes that the model has written.
    pub(in crate::wire) fn written(&self) -> usize {
        self.written
    }

    /// Returns the estimated tokens that the model has written.
    pub(in crate::wire) fn written_tokens(&self) -> u64 {
        tokens(self.written)
    }

    /// Returns an estimate of the usage so far, for streams that report none.
    pub(in crate::wire) fn estimate(&self, prompt_tokens: u64) -> Usage {
        let usage = Usage::reported(prompt_tokens, self.written_tokens());
        Usage { source: UsageSource::Estimated, ..usage }
    }
}

/// Estimates the tokens in this many bytes, rounded up: "one token generally corresponds to ~4
/// characters of text for common English text" (platform.openai.com/tokenizer).
pub(in crate::wire) fn tokens(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bytes_and_values_are_limited() {
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
    fn only_text_from_the_model_counts_for_the_estimate() {
        let mut size_limit = SizeLimit::new(100);
        assert_eq!(size_limit.written_tokens(), 0);
        size_limit.write("12345").unwrap();
        size_limit.keep(50).unwrap();
        size_limit.keep_value(&json!("12345")).unwrap();
        assert_eq!(size_limit.written_tokens(), 2);
        assert_eq!((tokens(0), tokens(1), tokens(4), tokens(5)), (0, 1, 1, 2));
    }
}
