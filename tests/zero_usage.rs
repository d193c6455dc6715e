//! Zero usage, as gateways without token counts report it, is not accepted.

mod support;

use serde_json::{Value, json};
use support::costs::{ample, client, config, spent, usd};
use support::loopback;
use tollgate::testing::Reply;
use tollgate::{
    ChatRequest, ChatResponse, CostConfig, CostSource, Error, Money, UnreportedUsage, UsageSource,
};

/// In which format it is asked, and whether it is streamed.
const ALL: [(Wire, bool); 6] = [
    (Wire::Chat, false),
    (Wire::Chat, true),
    (Wire::Text, false),
    (Wire::Text, true),
    (Wire::Messages, false),
    (Wire::Messages, true),
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Wire {
    Chat,
    Text,
    Messages,
}

/// What the answer holds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Holds {
    Text,
    Call,
    Reasoning,
    Nothing,
}

fn events(events: &[Value]) -> Reply {
    let body: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    Reply::raw(200, "text/event-stream", body + "data: [DONE]\n\n")
}

fn whole(body: &Value) -> Reply {
    Reply::raw(200, "application/json", body.to_string())
}

/// An answer as a gateway sends it, with this usage.
fn answer(wire: Wire, streamed: bool, holds: Holds, (input, output): (u64, u64)) -> Reply {
    let usage = match wire {
        Wire::Messages => json!({"input_tokens": input, "output_tokens": output}),
        _ => json!({"prompt_tokens": input, "completion_tokens": output,
            "total_tokens": input + output}),
    };
    let text = if holds == Holds::Text { "eight by" } else { "" };
    match wire {
        Wire::Text => {
            let body = json!({"choices": [{"index": 0, "text": text, "finish_reason": "stop"}],
                "usage": usage});
            if streamed { events(&[body]) } else { whole(&body) }
        }
        Wire::Chat => {
            let message = match holds {
                Holds::Call => json!({"tool_calls": [{"index": 0, "id": "c", "type": "function",
                    "function": {"name": "f", "arguments": "{}"}}]}),
                Holds::Reasoning => json!({"reasoning_content": "eight by"}),
                _ => json!({"content": text}),
            };
            let delta = json!({"choices": [{"index": 0, "delta": message}], "usage": null});
            let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
            let last = json!({"choices": [], "usage": usage});
            match streamed {
                true => events(&[delta, end, last]),
                false => whole(&json!({"usage": usage,
                    "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})),
            }
        }
        Wire::Messages => {
            let block = match holds {
                Holds::Text => Some(json!({"type": "text", "text": text})),
                Holds::Call => {
                    Some(json!({"type": "tool_use", "id": "t", "name": "f", "input": {}}))
                }
                Holds::Reasoning => Some(json!({"type": "thinking", "thinking": "eight by"})),
                Holds::Nothing => None,
            };
            if !streamed {
                let content: Vec<_> = block.into_iter().collect();
                return whole(&json!({"type": "message", "content": content,
                    "stop_reason": "end_turn", "usage": usage}));
            }
            let mut all = vec![json!({"type": "message_start", "message":
                {"usage": {"input_tokens": input, "output_tokens": 0}}})];
            all.extend(block.map(
                |block| json!({"type": "content_block_start", "index": 0, "content_block": block}),
            ));
            all.push(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
                "usage": {"output_tokens": output}}));
            all.push(json!({"type": "message_stop"}));
            events(&all)
        }
    }
}

/// Makes a call with at most 100 output tokens and returns what was spent.
fn asked(
    wire: Wire,
    streamed: bool,
    reply: Reply,
    costs: CostConfig,
) -> Result<(ChatResponse, Money), Error> {
    let server = loopback();
    server.reply(reply);
    let provider = if wire == Wire::Messages { "anthropic" } else { "openai" };
    let client = client(&server, provider, costs);
    let mut request = ChatRequest::from("hi").max_output_tokens(100);
    if wire == Wire::Text {
        request = request.model("gpt-3.5-turbo-instruct");
    }
    let answer = match streamed {
        true => client.stream(request)?.finish()?,
        false => client.chat(request)?,
    };
    let spent = spent(&client);
    Ok((answer, spent))
}

#[test]
fn an_answer_with_zero_usage_is_not_free() {
    for (wire, streamed) in ALL {
        for holds in [Holds::Text, Holds::Call, Holds::Reasoning] {
            if wire == Wire::Text && holds != Holds::Text {
                continue;
            }
            let case = format!("{wire:?} {streamed} {holds:?}");
            let zeros = || answer(wire, streamed, holds, (0, 0));
            let (answer, spent) = asked(wire, streamed, zeros(), config([ample()])).expect(&case);
            // The whole output limit at $2 per million, and the upper bound of the input.
            let cost = answer.cost.unwrap();
            assert_eq!((cost.output, cost.source), (usd("0.0002"), CostSource::Bound), "{case}");
            assert!(cost.input > usd("0.0002") && spent == cost.total, "{case}: {cost:?}");
            let known = match streamed {
                true => UsageSource::Estimated,
                false => UsageSource::Missing,
            };
            assert_eq!(answer.usage.source, known, "{case}");
            let costs = config([ample()]).unreported_usage(UnreportedUsage::Estimate);
            let (_, estimated) = asked(wire, streamed, zeros(), costs).expect(&case);
            assert!(Money::ZERO < estimated && estimated < spent, "{case}: {estimated}");
        }
    }
}

#[test]
fn a_plausible_count_is_kept() {
    for (wire, streamed) in ALL {
        for (usage, (input, output), source) in [
            ((80, 0), (80, 2), UsageSource::EstimatedOutput),
            ((0, 7), (0, 7), UsageSource::EstimatedInput),
            ((80, 7), (80, 7), UsageSource::Reported),
        ] {
            let case = format!("{wire:?} {streamed} {usage:?}");
            let reply = answer(wire, streamed, Holds::Text, usage);
            let (answer, _) = asked(wire, streamed, reply, config([ample()])).expect(&case);
            let cost = answer.cost.unwrap();
            assert_eq!(answer.usage.source, source, "{case}");
            assert_eq!(answer.usage.completion_tokens, output, "{case}");
            match usage.0 {
                // Estimated, and charged at its bound.
                0 => assert!(answer.usage.prompt_tokens > 0 && cost.input > usd("0.0002")),
                _ => assert_eq!((answer.usage.prompt_tokens, cost.input), (input, usd("0.00008"))),
            }
            let expected = if usage.1 == 0 { "0.0002" } else { "0.000014" };
            assert_eq!(cost.output, usd(expected), "{case}");
        }
    }
}

#[test]
fn an_empty_answer_may_have_no_output_tokens() {
    for (wire, streamed) in ALL {
        let case = format!("{wire:?} {streamed}");
        let reply = answer(wire, streamed, Holds::Nothing, (80, 0));
        let (answer, spent) = asked(wire, streamed, reply, config([ample()])).expect(&case);
        assert_eq!(answer.usage.source, UsageSource::Reported, "{case}");
        assert_eq!((answer.cost.unwrap().source, spent), (CostSource::Priced, usd("0.00008")));
    }
}

#[test]
fn zero_input_from_a_cache_and_zero_output_of_a_refusal_are_accepted() {
    let cached = json!({"input_tokens": 0, "cache_read_input_tokens": 80, "output_tokens": 7});
    let refused = json!({"input_tokens": 0, "output_tokens": 0});
    for (content, stop_reason, usage, total) in [
        (json!([{"type": "text", "text": "Paris"}]), "end_turn", cached, "0.000094"),
        (json!([]), "refusal", refused, "0"),
    ] {
        let body = json!({"type": "message", "content": content, "stop_reason": stop_reason,
            "usage": usage});
        let mut stream = vec![json!({"type": "message_start", "message": {"usage": usage}})];
        stream.extend(content.as_array().unwrap().iter().map(
            |block| json!({"type": "content_block_start", "index": 0, "content_block": block}),
        ));
        stream.push(json!({"type": "message_delta", "delta": {"stop_reason": stop_reason},
            "usage": {"output_tokens": usage["output_tokens"]}}));
        stream.push(json!({"type": "message_stop"}));
        for (streamed, reply) in [(false, whole(&body)), (true, events(&stream))] {
            let costs = config([ample()]);
            let (answer, spent) = asked(Wire::Messages, streamed, reply, costs).unwrap();
            assert_eq!(answer.usage.source, UsageSource::Reported, "{stop_reason} {streamed}");
            assert_eq!(spent, usd(total), "{stop_reason} {streamed}");
        }
    }
}

#[test]
fn zeros_on_later_chunks_do_not_replace_counts() {
    let usage = |input, output| json!({"prompt_tokens": input, "completion_tokens": output});
    let chunk = |content: &str, usage: Value| json!({"choices": [{"index": 0, "delta": {"content": content}}], "usage": usage});
    let end = |usage: Value| json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage});
    for chunks in [
        vec![chunk("eight by", usage(0, 0)), end(usage(80, 7))],
        vec![chunk("eight by", usage(80, 7)), end(usage(0, 0))],
        vec![chunk("", usage(80, 0)), chunk("eight by", json!(null)), end(usage(0, 7))],
    ] {
        let (answer, spent) = asked(Wire::Chat, true, events(&chunks), config([ample()])).unwrap();
        assert_eq!(answer.usage.source, UsageSource::Reported, "{chunks:?}");
        assert_eq!(spent, usd("0.000094"), "{chunks:?}");
    }
    // Anthropic's format: the input count at the start and a zero at the end, or the reverse.
    let text = json!({"type": "content_block_start", "index": 0,
        "content_block": {"type": "text", "text": "eight by"}});
    for (first, last) in [(80, 0), (0, 80)] {
        let stream = [
            json!({"type": "message_start", "message": {"usage": {"input_tokens": first, "output_tokens": 0}}}),
            text.clone(),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
                "usage": {"input_tokens": last, "output_tokens": 7}}),
            json!({"type": "message_stop"}),
        ];
        let (answer, spent) =
            asked(Wire::Messages, true, events(&stream), config([ample()])).unwrap();
        assert_eq!(answer.usage.source, UsageSource::Reported, "{first} {last}");
        assert_eq!(spent, usd("0.000094"), "{first} {last}");
    }
}

#[test]
fn a_cost_reported_beside_zero_usage_is_used_unless_it_is_zero() {
    for (bill, total) in [(0.0125, Some("0.0125")), (0.0, None)] {
        let body = json!({
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris"}}],
            "usage": {"prompt_tokens": 0, "completion_tokens": 0, "cost": bill},
        });
        let costs = config([ample()]).trust_reported_costs(true);
        let (answer, spent) = asked(Wire::Chat, false, whole(&body), costs).unwrap();
        assert_eq!(answer.cost.unwrap().total, spent);
        match total {
            Some(total) => assert_eq!(spent, usd(total)),
            None => assert!(spent > usd("0.0002"), "{spent}"),
        }
    }
}
