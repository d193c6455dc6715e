//! Cascades: a call moves up until an answer is accepted, and pays for every answer once.

mod support;

use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::cascades::{cascade, costs, priced, reasons, usd};
use support::routes::{Servers, names};
use tollgate::chat::FinishReason;
use tollgate::observe::{Call, CallEnd};
use tollgate::route::{Check, Route, TargetStep};
use tollgate::testing::Reply;
use tollgate::{Attempt, ChatRequest, Decision, ErrorKind, GiveUp, Observer};

#[test]
fn an_accepted_answer_ends_the_call_at_the_cheapest_target() {
    let servers = Servers::start();
    let client = priced(&servers, cascade()).build().unwrap();
    let response = client.chat("hi").unwrap();
    assert_eq!((response.text().as_str(), response.not_accepted()), ("from openai", None));
    assert_eq!(servers.counts(), [1, 0, 0]);
    assert_eq!(response.cost.unwrap().total, usd(costs()[0]));
    let trace = response.route().unwrap();
    assert_eq!(trace.strategy, "cascade");
    assert_eq!(trace.targets[0].steps, [TargetStep::Answered]);
}

#[test]
fn a_call_moves_up_for_each_ready_made_check() {
    let schema = json!({
        "type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"],
        "additionalProperties": false,
    });
    let json = ChatRequest::from("hi").json_schema("s", schema);
    let bad = Reply::text("{\"a\": \"secret\"}");
    let good = Reply::text("{\"a\": 1}").usage(100, 10);
    for (request, reply, reason) in [
        (ChatRequest::from("hi"), Reply::refusal("no"), "the model declined to answer"),
        (
            ChatRequest::from("hi"),
            Reply::text("Once").finish_reason(FinishReason::Length),
            "it was cut off at the output limit",
        ),
        (ChatRequest::from("hi"), Reply::text(""), "it is empty"),
        (json, bad, "it does not match the requested format: /a is not of the type integer"),
    ] {
        let servers = Servers::start();
        servers.0[0].reply(reply.usage(100, 10));
        servers.0[1].default_reply(good.clone());
        let client = priced(&servers, cascade()).build().unwrap();
        let response = client.chat(request).unwrap();
        assert_eq!(response.provider.as_str(), "anthropic", "{reason}");
        assert_eq!((servers.counts(), response.not_accepted()), ([1, 1, 0], None));
        assert_eq!(reasons(&response), [Some(reason.to_owned()), None, None]);
        assert_eq!(response.cost.unwrap().total, usd(costs()[0] + costs()[1]));
        let decisions: Vec<_> = response.attempts().iter().map(|one| one.decision).collect();
        assert_eq!(decisions, [Some(Decision::MoveUp), None]);
        assert!(response.attempts().iter().all(|attempt| attempt.failure.is_none()));
    }
}

#[test]
fn checks_of_the_program_come_after_the_ready_made_ones_and_must_all_accept() {
    let servers = Servers::start();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let route = cascade()
        .accept(move |answer| {
            log.lock().unwrap().push(answer.text());
            answer.text() != "from openai"
        })
        .accept(|answer| match answer.text().as_str() {
            "from anthropic" => Err("it names no source"),
            _ => Ok(()),
        });
    servers.0[0].reply(Reply::text(""));
    let client = priced(&servers, route).build().unwrap();
    for (first, counts) in
        [("it is empty", [1, 1, 1]), ("the program's check did not accept it", [2, 2, 2])]
    {
        let response = client.chat("hi").unwrap();
        assert_eq!((response.text().as_str(), servers.counts()), ("from groq", counts));
        let second = "it names no source";
        assert_eq!(reasons(&response), [Some(first.into()), Some(second.into()), None]);
        assert_eq!(response.attempts().len(), 3);
    }
    let texts = seen.lock().unwrap().clone();
    assert_eq!(
        texts,
        ["from anthropic", "from groq", "from openai", "from anthropic", "from groq"]
    );
}

#[test]
fn the_last_answer_comes_back_marked_or_is_an_error() {
    let servers = Servers::start();
    let never = |route: Route| route.accept(|_| Err::<(), _>("no"));
    let client = priced(&servers, never(cascade())).build().unwrap();
    let response = client.chat("hi").unwrap();
    assert_eq!((response.text().as_str(), response.not_accepted()), ("from groq", Some("no")));
    assert_eq!(response.attempts().len(), 3);
    assert_eq!(response.attempts()[2].decision, None);
    assert_eq!(response.cost.unwrap().total, usd(costs().iter().sum()));
    let last = &response.route().unwrap().targets[2];
    assert!(last.to_string().ends_with("not accepted: no; returned all the same"), "{last}");
    let stored = serde_json::to_string(&response).unwrap();
    let read: tollgate::ChatResponse = serde_json::from_str(&stored).unwrap();
    assert_eq!(read.not_accepted(), Some("no"));

    let strict = never(cascade()).require_accepted(true);
    let client = priced(&servers, strict).build().unwrap();
    let error = client.chat("hi").unwrap_err();
    assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::NotAccepted, 3));
    assert_eq!((error.provider(), error.is_retryable()), (Some("groq"), false));
    let decision = error.attempts()[2].decision;
    assert_eq!(decision, Some(Decision::GiveUp(GiveUp::NotAccepted)));
    let message = error.to_string();
    assert!(
        message.contains("groq/llama-3.3-70b-versatile, was not accepted because no"),
        "{message}"
    );
    assert_eq!(servers.counts(), [2, 2, 2]);
}

#[test]
fn the_checks_can_be_chosen_and_loaded_from_json() {
    let servers = Servers::start();
    let cut = Reply::text("Once").finish_reason(FinishReason::Length);
    let [first, second, _] = names();
    let text = json!([{
        "name": "all", "targets": [first, second],
        "cascade": {"checks": ["refusal"], "require_accepted": true},
    }]);
    let loaded = Route::from_json(&text.to_string()).unwrap().remove(0);
    for route in [loaded, cascade().checks([Check::Refusal])] {
        servers.0[0].reply(cut.clone());
        let client = priced(&servers, route).build().unwrap();
        assert_eq!(client.chat("hi").unwrap().text(), "Once");
    }
    assert_eq!(servers.counts(), [2, 0, 0]);
}

#[test]
fn the_cheapest_target_comes_first_if_asked() {
    let servers = Servers::start();
    let [first, second, third] = names();
    for (by_price, expected) in [(true, "from openai"), (false, "from groq")] {
        let route = Route::cascade("all", [&third, &second, &first].map(String::as_str));
        let route = route.cheapest_first(by_price).accept(|answer| answer.text() != "from openai");
        let client = priced(&servers, route).build().unwrap();
        let response = client.chat("hi").unwrap();
        let tried: Vec<_> = response.attempts().iter().map(|one| one.provider.as_str()).collect();
        let order: &[&str] = if by_price { &["openai", "anthropic"] } else { &["groq"] };
        assert_eq!(tried, order, "{expected}");
    }
}

#[test]
fn a_step_has_an_idempotency_key_of_its_own() {
    let servers = Servers::start();
    servers.0[0].reply(Reply::text(""));
    let client = priced(&servers, cascade()).build().unwrap();
    client.chat(ChatRequest::from("hi").idempotency_key("mine")).unwrap();
    let key = |at: usize| {
        let request = servers.0[at].requests().remove(0);
        request.header("idempotency-key").map(str::to_owned)
    };
    assert_eq!((key(0).as_deref(), key(1).as_deref()), (Some("mine"), Some("mine-2")));
}

/// What observers see of a cascade.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    fn note(&self, event: String) {
        self.0.lock().unwrap().push(event);
    }
}

impl Observer for Log {
    fn attempt_begun(&self, call: &Call<'_>, number: u32) {
        self.note(format!("attempt {number} at {}", call.provider));
    }

    fn attempt_ended(&self, call: &Call<'_>, attempt: &Attempt) {
        self.note(format!("ended at {}: {:?}", call.provider, attempt.decision));
    }

    fn not_accepted(&self, call: &Call<'_>, attempt: &Attempt, reason: &str) {
        self.note(format!("not accepted {} of {}: {reason}", attempt.number, call.target.unwrap()));
    }

    fn failed_over(&self, call: &Call<'_>, _: &Attempt) {
        self.note(format!("failed over from {}", call.provider));
    }

    fn call_ended(&self, call: &Call<'_>, end: &CallEnd<'_>) {
        let cost = end.cost.map(|cost| cost.total);
        self.note(format!("end at {}: {} attempts, {cost:?}", call.provider, end.attempts.len()));
    }
}

#[test]
fn metrics_and_observers_count_each_step_once() {
    let servers = Servers::start();
    servers.0[0].default_reply(Reply::text("").usage(100, 10));
    servers.0[1].default_reply(Reply::error(500, "server_error", "it broke"));
    let log = Arc::new(Log::default());
    let client = priced(&servers, cascade()).shared_observer(log.clone()).build().unwrap();
    client.chat("hi").unwrap();
    let [first, ..] = names();
    let total = usd(costs()[0] + costs()[2]);
    assert_eq!(
        *log.0.lock().unwrap(),
        [
            "attempt 0 at openai".to_owned(),
            "ended at openai: Some(MoveUp)".into(),
            format!("not accepted 0 of {first}: it is empty"),
            "attempt 1 at anthropic".into(),
            "ended at anthropic: Some(FailOver)".into(),
            "failed over from anthropic".into(),
            "attempt 2 at groq".into(),
            "ended at groq: None".into(),
            format!("end at groq: 3 attempts, {:?}", Some(total)),
        ]
    );
    let metrics = client.metrics();
    assert_eq!((metrics.total.calls, metrics.total.answered, metrics.total.attempts), (1, 1, 3));
    assert_eq!((metrics.total.tokens.input, metrics.total.tokens.output), (200, 20));
    assert_eq!((metrics.total.cost, metrics.total.costs.sum()), (total, total));
    assert_eq!((metrics.total.retried(), metrics.in_flight), (1, 0));
    let of = |provider: &str| {
        let model = metrics.by_model.iter().find(|model| model.provider == provider).unwrap();
        (model.total.calls, model.total.tokens.input, model.total.cost)
    };
    assert_eq!(of("openai"), (0, 100, usd(costs()[0])));
    assert_eq!(of("groq"), (1, 100, usd(costs()[2])));
    let targets = client.targets();
    let steps: Vec<_> = targets
        .iter()
        .map(|one| (one.answered, one.not_accepted, one.failed, one.in_flight))
        .collect();
    assert_eq!(steps, [(1, 1, 0, 0), (0, 0, 1, 0), (1, 0, 0, 0)]);
    let page = metrics.prometheus();
    let line = format!(
        "tollgate_target_not_accepted_total{{tollgate_route=\"all\",tollgate_target=\"{first}\""
    );
    assert!(page.lines().any(|it| it.starts_with(&line) && it.ends_with(" 1")), "{page}");
}

#[test]
fn a_target_is_not_busy_while_the_next_one_is_asked() {
    let servers = Servers::start();
    servers.0[0].reply(Reply::text(""));
    servers.0[1].reply(Reply::text("late").delay(Duration::from_millis(1)));
    let seen = Arc::new(Mutex::new(None));
    let client = priced(&servers, cascade()).build().unwrap();
    let (watched, to) = (client.clone(), Arc::clone(&seen));
    servers.0[1].respond(move |_| {
        let targets = watched.targets();
        *to.lock().unwrap() = Some((targets[0].in_flight, targets[1].in_flight));
        None
    });
    client.chat("hi").unwrap();
    servers.0[1].clear();
    assert_eq!(*seen.lock().unwrap(), Some((0, 1)));
}
