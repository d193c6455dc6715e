//! Decodes a streamed text completion.

use crate::chat::{Message, Part, Role, StreamEvent, Usage};
use crate::wire::finish_reason::finish_reason;
use crate::wire::format::Fold;
use crate::wire::json::halves::Halves;
use crate::wire::json::string::Written;
use crate::wire::openai_chat::{LEAST_REPEATED, Outline, Read};
use crate::wire::stream::{SizeLimit, Step};
use crate::wire::{Decoded, Failure};

/// The state of a streamed text completion. Its events have the same form as a complete one.
#[derive(Clone)]
pub(in crate::wire) struct Stream {
    outline: Outline,
    text: String,
    halves: Halves,
    limit: SizeLimit,
}

impl Stream {
    pub(in crate::wire) fn new(limit: SizeLimit) -> Self {
        Self { outline: Outline::default(), text: String::new(), halves: Halves::default(), limit }
    }

    fn chunk(
        &mut self,
        name: Option<&str>,
        data: &str,
        events: &mut Vec<StreamEvent>,
    ) -> Result<Step, Failure> {
        let mut repaired = None;
        let Read { step, choice, finishes, marked, .. } =
            self.outline.read(name, data, &mut repaired)?;
        let Some(choice) = choice else { return Ok(step) };
        match choice.text {
            // A last frame that repeats the whole text.
            Written::Text(text)
                if finishes && text.len() >= LEAST_REPEATED && *text == self.text =>
            {
                Ok(step)
            }
            Written::Text(text) => {
                let has_more = self.outline.keep_logprobs(choice.logprobs, &mut self.limit)?;
                let text = self.halves.join(text, marked);
                if text.is_empty() {
                    return Ok(if has_more { Step::Progress } else { step });
                }
                self.limit.write(&text)?;
                self.text.push_str(&text);
                events.push(StreamEvent::TextDelta(text.into_owned()));
                if !finishes {
                    self.outline.resume();
                }
                Ok(Step::Progress)
            }
            Written::Value(_) => {
                let has_more = self.outline.keep_logprobs(choice.logprobs, &mut self.limit)?;
                Ok(if has_more { Step::Progress } else { step })
            }
        }
    }
}

impl Fold for Stream {
    fn event(
        &mut self,
        name: Option<&str>,
        data: &str,
        events: &mut Vec<StreamEvent>,
    ) -> Result<Step, Failure> {
        let step = self.chunk(name, data, events);
        self.outline.wrote(self.limit.written());
        step
    }

    fn has_finished(&self) -> bool {
        self.outline.finished
    }

    fn is_no_answer(&self) -> bool {
        self.outline.finish_reason().is_none() && self.text.is_empty()
    }

    fn close(&mut self, events: &mut Vec<StreamEvent>) {
        if let Some(lost) = self.halves.end().filter(|lost| self.limit.write(lost).is_ok()) {
            self.text.push_str(lost);
            events.push(StreamEvent::TextDelta(lost.to_owned()));
        }
        self.outline.close();
    }

    fn served(&self) -> (&str, Option<&str>) {
        self.outline.served()
    }

    fn usage(&self, prompt_tokens: u64) -> Usage {
        self.outline.usage(&self.limit, prompt_tokens, self.limit.written() > 0)
    }

    fn decoded(self: Box<Self>, prompt_tokens: u64) -> Decoded {
        let usage = self.usage(prompt_tokens);
        let Self { text, outline, .. } = *self;
        let content = (!text.is_empty()).then(|| Part::text(text));
        let message = Message::new(Role::Assistant, content);
        let finish_reason = finish_reason(outline.finish_reason());
        outline.decoded(message, finish_reason, usage)
    }

    fn end_marker(&self) -> &'static str {
        "[DONE]"
    }

    fn boxed_clone(&self) -> Box<dyn Fold> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode;
    use super::*;
    use crate::chat::UsageSource;
    use crate::error::ErrorKind;
    use crate::wire::Wire;
    use crate::wire::stream::tests::{lines, run};
    use serde_json::{Value, json};

    fn chunk(text: &str, finish: Value) -> Value {
        json!({"id": "cmpl-1", "object": "text_completion", "model": "davinci-002",
            "choices": [{"text": text, "index": 0, "logprobs": null, "finish_reason": finish}]})
    }

    #[test]
    fn a_stream_yields_the_same_answer_as_one_body() {
        let chunks = [
            chunk("\n\n", json!(null)),
            json!({"choices": [{"index": 1, "text": "no"}]}),
            chunk(" there", json!(null)),
            chunk("", json!("length")),
            json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
        ];
        let mut body = chunk("\n\n there", json!("length"));
        body["usage"] = json!({"prompt_tokens": 1, "completion_tokens": 2});
        let whole = decode(body.to_string().as_bytes().into()).unwrap();
        let run = run(Wire::OpenAiCompletions, &(lines(&chunks) + "data: [DONE]\n\n"));
        assert_eq!(run.end, Ok(()));
        assert_eq!(run.decoded.message, whole.message);
        assert_eq!(run.decoded.finish_reason, whole.finish_reason);
        assert_eq!(run.decoded.finish_reason_raw, whole.finish_reason_raw);
        assert_eq!(run.decoded.usage, whole.usage);
        assert_eq!((run.decoded.model, run.decoded.id), (whole.model, whole.id));
        assert_eq!(
            run.events,
            [
                StreamEvent::TextDelta("\n\n".into()),
                StreamEvent::TextDelta(" there".into()),
                StreamEvent::Usage(whole.usage.into()),
                StreamEvent::Finished(whole.finish_reason),
            ]
        );
    }

    #[test]
    fn minimal_truncated_and_failed_streams_are_distinguished() {
        let wire = Wire::OpenAiCompletions;
        let ended = json!({"choices": [{"text": null, "finish_reason": "stop"}]});
        let thin = run(wire, &(lines(&[ended]) + "data: [DONE]\n\n"));
        assert_eq!(thin.end, Ok(()));
        assert_eq!(thin.decoded.message.content, []);
        assert_eq!(thin.decoded.usage.source, UsageSource::Estimated);
        let came = lines(&[chunk("a", json!(null))]);
        for (tail, kind) in [
            ("", ErrorKind::Truncated),
            (
                "data: {\"error\": {\"code\": 503, \"message\": \"busy\"}}\n\n",
                ErrorKind::Overloaded,
            ),
            ("data: {\n\n", ErrorKind::Protocol),
        ] {
            let run = run(wire, &(came.clone() + tail));
            assert_eq!(run.end.unwrap_err().kind, kind, "{tail}");
            assert_eq!(run.decoded.message, Message::assistant("a"));
        }
    }
}
