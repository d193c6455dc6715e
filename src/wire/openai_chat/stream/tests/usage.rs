//! Tests of the usage that the chunks of a stream report.

use serde_json::{Value, json};

use super::chunks_to_end;
use crate::chat::{StreamEvent, Usage, UsageSource};
use crate::wire::stream::tests::lines;
use crate::wire::{Decoder, Wire};

#[test]
fn the_last_reported_usage_wins_wherever_it_is() {
    let usage = |prompt: u64, completion: u64| json!({"prompt_tokens": prompt, "completion_tokens": completion});
    let said = |content: &str, usage: Value| json!({"choices": [{"index": 0, "delta": {"content": content}}], "usage": usage});
    let ended = |content: &str, usage: Value| {
        let choice = json!({"index": 0, "delta": {"content": content}, "finish_reason": "stop"});
        json!({"choices": [choice], "usage": usage})
    };
    let estimated =
        |prompt, completion, source| Usage { source, ..Usage::reported(prompt, completion) };
    for (chunks, expected) in [
        // OpenAI's.
        (
            vec![said("a", json!(null)), json!({"choices": [], "usage": usage(5, 2)})],
            Usage::reported(5, 2),
        ),
        // vLLM's `continuous_usage_stats`.
        (vec![said("a", usage(5, 1)), said("b", usage(5, 2))], Usage::reported(5, 2)),
        // With more text after it.
        (
            vec![said("a", usage(5, 1)), said("b", usage(5, 2)), said("c", json!(null))],
            Usage { source: UsageSource::EstimatedOutput, ..Usage::reported(5, 2) },
        ),
        // Groq's.
        (
            vec![
                json!({"choices": [{"delta": {}}], "x_groq": {"id": "r"}}),
                json!({"choices": [{"delta": {"content": "a"}}], "x_groq": {"usage": usage(5, 2)}}),
            ],
            Usage::reported(5, 2),
        ),
        // Moonshot's.
        (
            vec![
                said("a", json!(null)),
                json!({"choices": [{"delta": {}, "finish_reason": "stop", "usage": usage(5, 2)}]}),
            ],
            Usage::reported(5, 2),
        ),
        (vec![said("a", usage(5, 2)), said("", json!({}))], Usage::reported(5, 2)),
        // Zeros for an answer with content mean nothing: 40 bytes of request, and one of answer.
        (vec![said("a", usage(0, 0))], estimated(10, 1, UsageSource::Estimated)),
        (vec![said("a", usage(5, 0))], estimated(5, 1, UsageSource::EstimatedOutput)),
        (vec![said("a", usage(0, 2))], estimated(10, 2, UsageSource::EstimatedInput)),
        (vec![ended("", usage(5, 0))], Usage::reported(5, 0)),
        // Zeros do not replace counts either; MiniMax sends them in most chunks.
        (vec![said("a", usage(5, 2)), said("", usage(0, 0))], Usage::reported(5, 2)),
        (vec![said("", usage(0, 0)), said("a", usage(5, 2))], Usage::reported(5, 2)),
        (vec![said("", usage(5, 0)), said("a", usage(0, 2))], Usage::reported(5, 2)),
    ] {
        let run = chunks_to_end(&chunks);
        assert_eq!(run.decoded.usage, expected, "{chunks:?}");
        let told = run.events.iter().filter(|event| matches!(event, StreamEvent::Usage(_)));
        assert_eq!(told.count(), 1);
    }
}

#[test]
fn usage_is_final_only_at_the_end_of_the_answer() {
    let usage = |prompt: u64, completion: u64| json!({"prompt_tokens": prompt, "completion_tokens": completion});
    let chunk = |index: u64, content: &str, finish: Option<&str>, usage: Value| {
        json!({
            "choices": [{"index": index, "delta": {"content": content}, "finish_reason": finish}],
            "usage": usage,
        })
    };
    let last = |usage: Value| json!({"choices": [], "usage": usage});
    let null = || json!(null);
    // Truncated there: 40 bytes of request and 12 of answer per piece.
    let piece = "x".repeat(12);
    let piece = piece.as_str();
    for (chunks, (prompt, completion), source, covers) in [
        (vec![chunk(0, piece, None, null())], (10, 3), UsageSource::Estimated, false),
        // vLLM's `continuous_usage_stats`, Perplexity.
        (vec![chunk(0, piece, None, usage(5, 2))], (5, 2), UsageSource::EstimatedOutput, true),
        (
            vec![chunk(0, piece, None, usage(5, 2)), chunk(0, piece, None, null())],
            (5, 6),
            UsageSource::EstimatedOutput,
            false,
        ),
        (
            vec![chunk(0, "", None, usage(5, 0)), chunk(0, piece, None, null())],
            (5, 3),
            UsageSource::EstimatedOutput,
            false,
        ),
        // With the finish reason, and after it.
        (vec![chunk(0, piece, Some("stop"), usage(5, 2))], (5, 2), UsageSource::Reported, true),
        (
            vec![chunk(0, piece, Some("stop"), null()), last(usage(5, 2))],
            (5, 2),
            UsageSource::Reported,
            true,
        ),
        (
            vec![chunk(0, piece, None, usage(5, 2)), chunk(0, "", Some("stop"), null())],
            (5, 2),
            UsageSource::EstimatedOutput,
            true,
        ),
        // Another choice continues.
        (
            vec![chunk(1, piece, None, null()), chunk(0, piece, Some("stop"), usage(5, 4))],
            (5, 4),
            UsageSource::EstimatedOutput,
            true,
        ),
        (
            vec![chunk(0, piece, Some("stop"), null()), chunk(1, piece, None, usage(5, 4))],
            (5, 4),
            UsageSource::EstimatedOutput,
            true,
        ),
        (
            vec![
                chunk(0, piece, Some("stop"), null()),
                chunk(1, piece, Some("stop"), null()),
                last(usage(5, 6)),
            ],
            (5, 6),
            UsageSource::Reported,
            true,
        ),
    ] {
        for wire in [Wire::OpenAiChat, Wire::OpenAiCompletions] {
            let mut chunks = chunks.clone();
            for choice in chunks.iter_mut().filter_map(|chunk| chunk["choices"].get_mut(0)) {
                choice["text"] = choice["delta"]["content"].clone();
            }
            let mut decoder = Decoder::new(wire, 40, usize::MAX);
            let came = lines(&chunks);
            decoder.push(came.as_bytes(), &mut Vec::new()).unwrap();
            let found = decoder.usage();
            let expected = Usage { source, ..Usage::reported(prompt, completion) };
            assert_eq!(found, expected, "{wire:?} {chunks:?}");
            // With the end marker, a count of the whole text is final.
            decoder.push(b"data: [DONE]\n\n", &mut Vec::new()).unwrap();
            let ended = decoder.usage();
            assert_eq!(ended.source == UsageSource::Reported, covers, "{chunks:?}");
        }
    }
}
