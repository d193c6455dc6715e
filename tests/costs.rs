//! Every call is priced and checked against its budgets.

mod support;

use serde_json::json;
use support::costs::{ample, client, config, prices, spent, usd};
use support::loopback;
use support::stream::BOTH;
use tollgate::testing::Reply;
use tollgate::{
    Budget, ChatRequest, CostSource, ErrorKind, Money, Price, ReasoningEffort, UnreportedUsage,
    UsageSource,
};

#[test]
fn an_answer_carries_its_cost() {
    for provider in BOTH {
        let server = loopback();
        server.default_reply(Reply::text("Paris").usage(1_000, 500).cached(200));
        let client = client(&server, provider, config([]));
        let cost = client.chat("hi").unwrap().cost.unwrap();
        assert_eq!((cost.total, cost.source), (usd("0.002"), CostSource::Priced), "{provider}");
        assert_eq!((cost.input, cost.cached_input), (usd("0.0008"), usd("0.0002")));
        let mut stream = client.stream("hi").unwrap();
        assert_eq!(stream.finish().unwrap().cost, Some(cost));
        assert_eq!(stream.partial().cost, Some(cost));
        let report = client.costs();
        assert_eq!((report.total.calls, report.total.cost.total), (2, usd("0.004")));
        // No budget applies, so nothing limits the output.
        let limits = |provider| if provider == "anthropic" { Some(4_096) } else { None };
        for request in server.requests() {
            assert_eq!(request.json()["max_tokens"].as_u64(), limits(provider));
        }
    }
}

#[test]
fn a_call_that_does_not_fit_its_budget_is_not_sent() {
    let server = loopback();
    let client = client(&server, "openai", config([Budget::total(usd("0.0005"))]));
    for refused in [client.chat("hi").unwrap_err(), client.stream("hi").map(drop).unwrap_err()] {
        assert_eq!(
            (refused.kind(), refused.provider()),
            (ErrorKind::BudgetExceeded, Some("openai"))
        );
        let refusal = refused.budget().unwrap();
        assert_eq!((refusal.limit, refusal.spent), (usd("0.0005"), Money::ZERO));
        assert!(refused.attempts().len() <= 1 && !refused.is_retryable());
    }
    assert_eq!((server.request_count(), client.costs().refused), (0, 2));
    assert_eq!(spent(&client), Money::ZERO);
}

#[test]
fn the_output_limit_is_what_the_budget_allows() {
    for provider in BOTH {
        let server = loopback();
        server.default_reply(Reply::text("Paris").usage(100, 10));
        let client = client(&server, provider, config([Budget::total(usd("0.0015"))]));
        client.chat("hi").unwrap();
        let sent = server.requests()[0].json()["max_tokens"].as_u64().unwrap();
        assert!((256..1_000).contains(&sent), "{sent}");
        assert_eq!(spent(&client), usd("0.00012"));
        // A request with its own limit is sent unchanged or not at all.
        client.chat(ChatRequest::from("hi").max_output_tokens(300)).unwrap();
        assert_eq!(server.requests()[1].json()["max_tokens"], 300);
        client.chat(ChatRequest::from("hi").max_output_tokens(900)).unwrap_err();
        client.chat(ChatRequest::from("hi").extra("max_tokens", 900)).unwrap_err();
        assert_eq!(server.request_count(), 2);
    }
}

#[test]
fn the_output_limit_uses_the_member_that_the_model_knows() {
    let server = loopback();
    server.default_reply(Reply::text("Paris").usage(100, 10));
    let budget = Budget::per_request(usd("0.0015"));
    let client = client(&server, "openai", config([budget]));
    client.chat(ChatRequest::from("hi").model("gpt-5")).unwrap();
    client.complete(ChatRequest::from("hi").model("gpt-3.5-turbo-instruct")).unwrap();
    let requests = server.requests();
    let sent: Vec<_> = requests.iter().map(|request| request.json()).collect();
    assert!(sent[0]["max_completion_tokens"].as_u64().unwrap() < 1_000, "{}", sent[0]);
    assert!(sent[0].get("max_tokens").is_none());
    assert!(sent[1]["max_tokens"].as_u64().unwrap() < 1_000, "{}", sent[1]);
}

#[test]
fn an_output_limit_is_sent_only_if_wanted_and_if_a_budget_applies() {
    let server = loopback();
    server.default_reply(Reply::text("Paris").usage(100, 10));
    let free = client(&server, "openai", config([ample()]).limit_output(false));
    let other = client(&server, "openai", config([ample().model("another")]));
    for client in [free, other] {
        client.chat("hi").unwrap();
    }
    assert!(server.requests().iter().all(|request| request.json().get("max_tokens").is_none()));
    // Then the model's maximum output is reserved.
    let tight = config([Budget::total(usd("0.0015"))]).limit_output(false);
    let tight = client(&server, "openai", tight);
    assert_eq!(tight.chat("hi").unwrap_err().kind(), ErrorKind::BudgetExceeded);
}

#[test]
fn without_an_output_limit_the_model_maximum_is_reserved() {
    let window = Price::per_million(Money::dollars(1), Money::dollars(2)).context_window(2_000);
    let bare = Price::per_million(Money::dollars(1), Money::dollars(2));
    let prices =
        || prices().set("openai", "window", window.clone()).set("openai", "bare", bare.clone());
    let server = loopback();
    server.default_reply(Reply::text("Paris").usage(100, 10));
    // Less than a tenth of the model's maximum output.
    let small = |budget: &str| config([Budget::per_request(usd(budget))]).prices(prices());
    let small = |budget| small(budget).min_output_tokens(50).default_output_tokens(50);
    let hi = || ChatRequest::from("hi");
    for (costs, request) in [
        (small("0.0015").limit_output(false), hi()),
        (small("0.0015").limit_output(false), hi().extra("max_tokens", json!(null))),
        (small("0.0015"), hi().extra("max_tokens", -1)),
        (small("0.0015"), hi().extra("max_completion_tokens", -1)),
        (small("0.0015"), hi().max_output_tokens(50).extra("max_tokens", -1)),
        (small("0.0035"), hi().model("window").extra("max_tokens", -1)),
        (small("1000"), hi().model("bare").extra("max_tokens", -1)),
    ] {
        let client = client(&server, "openai", costs);
        for streamed in [false, true] {
            let error = match streamed {
                true => client.stream(request.clone()).map(drop).unwrap_err(),
                false => client.chat(request.clone()).unwrap_err(),
            };
            let expected = match request.model.as_deref() {
                Some("bare") => ErrorKind::CostUnknown,
                _ => ErrorKind::BudgetExceeded,
            };
            assert_eq!(error.kind(), expected, "{error}");
        }
    }
    assert_eq!(server.request_count(), 0);
    // A null counts as left out.
    for provider in BOTH {
        let client = client(&server, provider, small("0.0015"));
        client.chat(hi().extra("max_tokens", json!(null))).unwrap();
        assert_eq!(server.requests().pop().unwrap().json()["max_tokens"], 50);
        client.chat(hi().max_output_tokens(60).extra("max_tokens", json!(null))).unwrap();
        assert_eq!(server.requests().pop().unwrap().json()["max_tokens"], 60);
    }
}

#[test]
fn a_default_limit_of_the_format_is_not_the_callers_limit() {
    let server = loopback();
    server.default_reply(Reply::text("Paris").usage(100, 10));
    let costs = || config([ample()]).default_output_tokens(300);
    client(&server, "anthropic", costs()).chat("hi").unwrap();
    let text = ChatRequest::from("hi").model("gpt-3.5-turbo-instruct");
    client(&server, "openai", costs()).complete(text).unwrap();
    assert!(server.requests().iter().all(|request| request.json()["max_tokens"] == 300));
}

#[test]
fn a_soft_budget_refuses_nothing_and_limits_nothing() {
    let server = loopback();
    server.default_reply(Reply::text("Paris").usage(100, 10));
    let soft = || Budget::total(usd("0.0001")).soft();
    let client = client(&server, "openai", config([soft()]));
    client.chat("hi").unwrap();
    client.chat(ChatRequest::from("hi").extra("max_tokens", -1)).unwrap();
    client.chat(ChatRequest::from("hi").model("new")).unwrap();
    let search = json!([{"type": "web_search_20250305", "name": "web_search"}]);
    client.chat(ChatRequest::from("hi").extra("tools", search)).unwrap();
    let sent = server.requests();
    let limits = sent.iter().filter_map(|request| request.json().get("max_tokens").cloned());
    assert_eq!(limits.collect::<Vec<_>>(), [json!(-1)]);
    assert_eq!((sent.len(), client.costs().refused, spent(&client)), (4, 0, usd("0.00036")));
}

#[test]
fn the_limit_leaves_room_for_the_prompt_in_the_context_window() {
    let whole = Price::per_million(Money::dollars(1), Money::dollars(2))
        .context_window(8_192)
        .max_output(8_192);
    let prices = || prices().set("openai", "gpt-4o-mini", whole.clone());
    let server = loopback();
    server.default_reply(Reply::text("Paris").usage(100, 10));
    let client = client(&server, "openai", config([ample()]).prices(prices()));
    for (prompt, least, most) in [(4, 8_000, 8_188), (4_000, 5_900, 6_200), (9_000, 4_096, 4_096)] {
        client.chat("x".repeat(prompt)).unwrap();
        let sent = server.requests().pop().unwrap();
        let limit = sent.json()["max_tokens"].as_u64().unwrap();
        assert!((least..=most).contains(&limit), "{prompt}: {limit}");
    }
    assert_eq!(spent(&client), usd("0.00036"));
}

#[test]
fn all_choices_together_stay_within_the_limit() {
    let server = loopback();
    server.default_reply(Reply::text("Paris").usage(100, 10));
    let budget = Budget::per_request(usd("0.004"));
    let client = client(&server, "openai", config([budget]));
    client.chat(ChatRequest::from("hi").extra("n", 3)).unwrap();
    let text = ChatRequest::from("hi").model("gpt-3.5-turbo-instruct");
    client.complete(text.clone().extra("best_of", 4).extra("n", 2)).unwrap();
    for (request, answers) in server.requests().iter().zip([3, 4]) {
        let each = request.json()["max_tokens"].as_u64().unwrap();
        let most = Money::picos(2_000_000) * (each * answers);
        assert!(most < usd("0.004") && most > usd("0.003"), "{answers} of {each}");
    }
    client.complete(text.extra("best_of", 20)).unwrap_err();
}

#[test]
fn reasoning_that_does_not_fit_the_limit_is_refused_as_too_expensive() {
    let server = loopback();
    let thinking = || {
        let budget = json!({"type": "enabled", "budget_tokens": 2_000});
        [
            ChatRequest::from("hi").reasoning_effort(ReasoningEffort::Low),
            ChatRequest::from("hi").extra("thinking", budget),
        ]
    };
    for request in thinking() {
        // Allows some output, but less than the reasoning alone.
        let tight = client(&server, "anthropic", config([Budget::total(usd("0.002"))]));
        let error = tight.chat(request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BudgetExceeded, "{error}");
    }
    assert_eq!(server.request_count(), 0);
    for request in thinking() {
        let client = client(&server, "anthropic", config([Budget::total(usd("0.006"))]));
        client.chat(request).unwrap();
        let sent = server.requests().pop().unwrap();
        let sent = sent.json();
        let thoughts = sent["thinking"]["budget_tokens"].as_u64().unwrap();
        assert!(thoughts < sent["max_tokens"].as_u64().unwrap(), "{sent}");
    }
}

#[test]
fn a_stream_is_stopped_at_the_limit_per_request() {
    for provider in BOTH {
        let server = loopback();
        server.default_reply(Reply::pieces(vec!["word "; 2_000]).usage(100, 2_500));
        // This server ignores the limit and writes more than was reserved.
        let costs = config([Budget::per_request(usd("0.001")), ample()]);
        let client = client(&server, provider, costs.default_output_tokens(300));
        let mut stream = client.stream("hi").unwrap();
        assert!(server.requests()[0].json()["max_tokens"].as_u64().unwrap() <= 300);
        let error = stream.finish().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BudgetExceeded, "{error}");
        assert!(error.message().contains("$0.001"), "{error}");
        let partial = stream.partial();
        assert!((1_000..5_000).contains(&partial.text().len()), "{}", partial.text().len());
        assert!(partial.cost.unwrap().total > usd("0.001"));
        assert_eq!(spent(&client), partial.cost.unwrap().total);
        assert!(stream.next().is_none());
        support::stream::at_rest(&client);
    }
}

#[test]
fn an_answer_beyond_the_limit_is_charged_and_returned() {
    let server = loopback();
    server.default_reply(Reply::text("Paris").usage(1_000, 5_000));
    let budgets = [Budget::per_request(usd("0.001")), Budget::total(usd("0.005"))];
    let client = client(&server, "openai", config(budgets));
    // Too late to stop it: it arrived all at once, or its usage came with the end.
    assert_eq!(client.chat("hi").unwrap().cost.unwrap().total, usd("0.011"));
    assert_eq!(spent(&client), usd("0.011"));
    assert_eq!(client.chat("hi").unwrap_err().budget().unwrap().spent, usd("0.011"));
}

#[test]
fn an_unknown_model_is_refused_once_there_is_a_budget() {
    let server = loopback();
    let held = client(&server, "openai", config([ample()]));
    let new = || ChatRequest::from("hi").model("new");
    let error = held.chat(new()).unwrap_err();
    assert_eq!((error.kind(), server.request_count()), (ErrorKind::CostUnknown, 0), "{error}");
    let free = client(&server, "openai", config([]));
    assert_eq!(free.chat(new()).unwrap().cost, None);
    assert_eq!(free.stream(new()).unwrap().finish().unwrap().cost, None);
    assert_eq!(free.costs().total.unpriced, 2);
}

#[test]
fn the_model_and_the_tier_that_served_decide_the_price() {
    let dear = Price::per_million(Money::dollars(10), Money::dollars(20));
    let tiered = Price::per_million(Money::dollars(1), Money::dollars(2))
        .service_tier("priority", Price::per_million(Money::dollars(3), Money::dollars(6)));
    let prices = || {
        prices().set("openai", "gpt-4o-mini", tiered.clone()).set("openai", "dear", dear.clone())
    };
    for streamed in [false, true] {
        let server = loopback();
        let client = client(&server, "openai", config([ample()]).prices(prices()));
        let ask = |reply: Reply| {
            server.reply(reply);
            let answer = match streamed {
                true => client.stream("hi").unwrap().finish().unwrap(),
                false => client.chat("hi").unwrap(),
            };
            answer.cost.unwrap().total
        };
        let reply = || Reply::text("Paris").usage(1_000, 500);
        assert_eq!(ask(reply()), usd("0.002"));
        assert_eq!(ask(reply().model("dear")), usd("0.02"));
        assert_eq!(ask(reply().model("gpt-4o-mini-2024-07-18")), usd("0.002"));
        assert_eq!(ask(reply().model("never heard of")), usd("0.002"));
        if !streamed {
            let served = json!({
                "model": "gpt-4o-mini", "service_tier": "priority",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris"}}],
                "usage": {"prompt_tokens": 1_000, "completion_tokens": 500},
            });
            let tier = Reply::raw(200, "application/json", served.to_string());
            assert_eq!(ask(tier), usd("0.006"));
        }
        let report = client.costs();
        assert_eq!(report.last[1].served_model, "dear");
        assert_eq!(report.by_model.len(), 1, "by the model that was asked for");
    }
}

#[test]
fn a_cost_reported_by_the_provider_is_used_if_trusted() {
    let answer = json!({
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris"}}],
        "usage": {"prompt_tokens": 1_000, "completion_tokens": 500, "cost": 0.0125},
    });
    for (believe, total, source) in
        [(true, "0.0125", CostSource::Reported), (false, "0.002", CostSource::Priced)]
    {
        let server = loopback();
        server.reply(Reply::raw(200, "application/json", answer.to_string()));
        let costs = config([ample()]).trust_reported_costs(believe);
        let client = client(&server, "openai", costs);
        let cost = client.chat("hi").unwrap().cost.unwrap();
        assert_eq!((cost.total, cost.source), (usd(total), source));
        assert_eq!(spent(&client), usd(total));
    }
}

#[test]
fn an_answer_without_usage_is_charged_at_the_most_or_estimated() {
    for provider in BOTH {
        for streamed in [false, true] {
            let server = loopback();
            server.default_reply(Reply::text("eight by").no_usage());
            let of = |costs| {
                let client = client(&server, provider, costs);
                let request = ChatRequest::from("hi").max_output_tokens(100);
                let answer = match streamed {
                    true => client.stream(request).unwrap().finish().unwrap(),
                    false => client.chat(request).unwrap(),
                };
                (answer.cost.unwrap(), client)
            };
            // Hidden output such as reasoning may be billed, so this is the whole limit.
            let (cost, held) = of(config([ample()]));
            assert_eq!((cost.output, cost.source), (usd("0.0002"), CostSource::Bound));
            assert_eq!(spent(&held), cost.total, "{provider} {streamed}");
            // Here the tokenizer counts one token per byte.
            let (cost, _) = of(config([ample()]).unreported_usage(UnreportedUsage::Received));
            assert_eq!((cost.output, cost.source), (usd("0.000016"), CostSource::Bound));
            let (cost, _) = of(config([]));
            assert_eq!((cost.output, cost.source), (usd("0.000004"), CostSource::Estimated));
            assert!(cost.input < usd("0.0001") && !cost.input.is_zero(), "{cost:?}");
        }
    }
}

#[test]
fn a_budget_holds_however_names_are_written_and_a_misspelled_one_is_refused() {
    let server = loopback();
    let tight = |provider: &str| {
        config([Budget::total(usd("0.0001")).provider(provider).model("GPT-4o-Mini")])
    };
    let error = client(&server, "openai", tight("OpenAI")).chat("hi").unwrap_err();
    assert_eq!((error.kind(), server.request_count()), (ErrorKind::BudgetExceeded, 0), "{error}");
    let error = tight("oepnai").build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("did you mean \"openai\"?"), "{error}");
}

#[test]
fn an_answer_whose_usage_lacks_the_output_is_not_free() {
    let server = loopback();
    let client = client(&server, "openai", config([ample()]));
    let text = "x".repeat(400);
    let whole = json!({
        "model": "gpt-4o-mini", "usage": {"prompt_tokens": 1_000},
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}}],
    });
    let chunk = json!({
        "model": "gpt-4o-mini", "usage": {"prompt_tokens": 1_000.0, "completion_tokens": null},
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}],
    });
    server.reply(Reply::raw(200, "application/json", whole.to_string()));
    let streamed = format!("data: {chunk}\n\ndata: [DONE]\n\n");
    server.reply(Reply::raw(200, "text/event-stream", streamed));
    let request = ChatRequest::from("hi").max_output_tokens(500);
    let whole = client.chat(&request).unwrap();
    let streamed = client.stream(&request).unwrap().finish().unwrap();
    for answer in [whole, streamed] {
        assert_eq!(answer.usage.source, UsageSource::EstimatedOutput);
        assert_eq!((answer.usage.prompt_tokens, answer.usage.completion_tokens), (1_000, 100));
        let cost = answer.cost.unwrap();
        // As many tokens as it may have used.
        assert_eq!((cost.output, cost.source), (usd("0.001"), CostSource::Bound));
    }
}

#[test]
fn budgets_of_the_settings_and_of_the_client_hold_together() {
    let server = loopback();
    server.default_reply(Reply::text("Paris").usage(1_000, 500));
    let builder = || support::builder(&server, "openai");
    let (tight, wide) = (Budget::total(usd("0.0001")), Budget::daily(usd("100")));
    for (inner, outer) in [(tight.clone(), wide.clone()), (wide, tight)] {
        let client = builder().costs(config([inner])).budget(outer).build().unwrap();
        let error = client.chat("hi").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BudgetExceeded);
        assert_eq!(client.cost_tracker().budgets().len(), 2);
    }
}
