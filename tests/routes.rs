//! Routes: several targets under one name. A failure of one does not reach the caller while
//! another can serve the call.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{KEY, loopback, quick_retries};
use tollgate::route::{
    BreakerConfig, Candidate, Cheapest, RestReason, Route, RouteTarget, RoutedCall, Sticky,
    Strategy, TargetStep,
};
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    Attempt, Budget, ChatRequest, Client, ClientBuilder, Decision, ErrorKind, GiveUp, Money,
    NextEvent, Observer, ProviderConfig, RetryConfig, observe::Call,
};

const MODELS: [(&str, &str); 3] = [
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-haiku-4-5"),
    ("groq", "llama-3.3-70b-versatile"),
];

/// Three servers, each of another provider.
struct Servers([Loopback; 3]);

impl Servers {
    fn start() -> Self {
        let servers = Self([loopback(), loopback(), loopback()]);
        for (server, (provider, _)) in servers.0.iter().zip(MODELS) {
            server.default_reply(Reply::text(format!("from {provider}")).usage(100, 10));
        }
        servers
    }

    /// A client with a route over all three, in their order.
    fn builder(&self, change: impl Fn(Route) -> Route) -> ClientBuilder {
        let mut builder = Client::builder().model("all").retry(quick_retries(2));
        for (server, (provider, _)) in self.0.iter().zip(MODELS) {
            builder = builder.add_provider(config(server, provider));
        }
        builder.route(change(Route::new("all").targets(names())))
    }

    fn client(&self) -> Client {
        self.builder(|route| route).build().unwrap()
    }

    fn counts(&self) -> [u64; 3] {
        [0, 1, 2].map(|at| self.0[at].request_count())
    }
}

fn config(server: &Loopback, provider: &str) -> ProviderConfig {
    ProviderConfig::new(provider)
        .api_key(KEY)
        .base_url(server.base_url(provider))
        .connect_timeout(Duration::from_secs(30))
}

fn names() -> [String; 3] {
    MODELS.map(|(provider, model)| format!("{provider}/{model}"))
}

/// A breaker that opens with the first failure.
fn touchy() -> BreakerConfig {
    BreakerConfig::default().min_calls(1)
}

#[test]
fn every_failure_of_a_target_moves_the_call_on() {
    for (reply, kind) in [
        (Reply::error(401, "invalid_api_key", "wrong key"), ErrorKind::Authentication),
        (Reply::error(403, "forbidden", "not allowed"), ErrorKind::Permission),
        (Reply::error(404, "model_not_found", "no such model"), ErrorKind::NotFound),
        (Reply::error(429, "insufficient_quota", "no credit"), ErrorKind::QuotaExhausted),
        (
            Reply::error(429, "rate_limit", "slow down").header("retry-after", "60"),
            ErrorKind::RateLimited,
        ),
        (Reply::error(500, "server_error", "it broke"), ErrorKind::Server),
        (Reply::error(503, "overloaded", "too busy"), ErrorKind::Overloaded),
        (Reply::disconnect(), ErrorKind::Connection),
        (Reply::text("x").malformed(), ErrorKind::Protocol),
    ] {
        for streamed in [false, true] {
            let servers = Servers::start();
            servers.0[0].reply(reply.clone());
            let client = servers.client();
            let response = match streamed {
                false => client.chat("hi").unwrap(),
                true => client.stream("hi").unwrap().finish().unwrap(),
            };
            assert_eq!(response.text(), "from anthropic", "{kind}");
            assert_eq!((response.provider.as_str(), response.attempts().len()), ("anthropic", 2));
            let first = &response.attempts()[0];
            assert_eq!(first.failure.as_ref().map(|failure| failure.kind), Some(kind));
            assert_eq!(first.decision, Some(Decision::FailOver), "{kind}");
            let trace = response.route().unwrap();
            let steps: Vec<_> = trace.targets.iter().map(|target| &target.steps[..]).collect();
            assert_eq!(
                steps,
                [&[TargetStep::Failed(kind)][..], &[TargetStep::Answered], &[]],
                "{kind}"
            );
        }
    }
}

#[test]
fn a_wrong_request_is_not_sent_elsewhere() {
    let servers = Servers::start();
    servers.0[0].reply(Reply::error(400, "invalid_request_error", "no such parameter"));
    let error = servers.client().chat("hi").unwrap_err();
    assert_eq!((error.kind(), error.provider()), (ErrorKind::InvalidRequest, Some("openai")));
    assert_eq!(servers.counts(), [1, 0, 0]);
}

#[test]
fn if_all_targets_fail_the_last_error_lists_every_attempt() {
    let servers = Servers::start();
    servers.0.iter().for_each(|server| server.default_reply(Reply::error(500, "x", "it broke")));
    let error = servers.client().chat("hi").unwrap_err();
    // Each target once, and then as many as `max_retries` allows.
    assert_eq!(servers.counts().iter().sum::<u64>(), 5, "{:?}", error.attempts());
    assert!(servers.counts().iter().all(|count| *count >= 1));
    assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::Server, 5));
}

#[test]
fn a_target_that_fails_rests_and_returns_after_one_served_call() {
    let servers = Servers::start();
    let rest = Duration::from_millis(200);
    let client = servers.builder(|route| route.breaker(touchy().rest(rest))).build().unwrap();
    servers.0[0].reply(Reply::error(500, "x", "it broke"));
    assert_eq!(client.chat("hi").unwrap().text(), "from anthropic");
    let response = client.chat("hi").unwrap();
    let step = &response.route().unwrap().targets[0].steps;
    assert!(
        matches!(step[..], [TargetStep::Resting { reason: RestReason::Failures, .. }]),
        "{step:?}"
    );
    assert_eq!(servers.counts(), [1, 2, 0], "nothing is sent to a target that rests");
    let resting = &client.targets()[0];
    assert_eq!((resting.rests, resting.failed), (Some(RestReason::Failures), 1));
    while client.targets()[0].returns_in.is_some_and(|left| !left.is_zero()) {
        std::thread::yield_now();
    }
    assert_eq!(client.chat("hi").unwrap().text(), "from openai");
    assert_eq!(client.targets()[0].rests, None);
}

#[test]
fn a_rate_limit_is_waited_for_if_it_is_short() {
    let servers = Servers::start();
    let limited =
        |ms: &str| Reply::error(429, "rate_limit_exceeded", "slow").header("retry-after-ms", ms);
    servers.0[0].reply(limited("20"));
    let response = servers.client().chat("hi").unwrap();
    assert_eq!((response.text(), servers.counts()), ("from openai".into(), [2, 0, 0]));

    let client = servers.client();
    servers.0[0].reply(limited("30000"));
    assert_eq!(client.chat("hi").unwrap().text(), "from anthropic");
    let left = client.targets()[0].returns_in.unwrap();
    assert!(left > Duration::from_secs(20) && left <= Duration::from_secs(30), "{left:?}");
}

#[test]
fn when_all_targets_rest_the_error_says_when_the_first_returns() {
    let servers = Servers::start();
    let client = servers.client();
    for (server, seconds) in servers.0.iter().zip(["90", "50", "70"]) {
        let limited = Reply::error(429, "rate_limit_exceeded", "slow");
        server.reply(limited.header("retry-after", seconds));
    }
    let first = client.chat("hi").unwrap_err();
    assert_eq!((first.kind(), first.attempts().len()), (ErrorKind::RateLimited, 3));
    let last = first.attempts()[2].decision;
    assert_eq!(last, Some(Decision::GiveUp(GiveUp::TargetsRest)));
    let error = client.chat("hi").unwrap_err();
    assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::RateLimited, 0));
    let left = error.retry_after().unwrap();
    assert!(left > Duration::from_secs(40) && left <= Duration::from_secs(50), "{left:?}");
    let message = error.to_string();
    assert!(message.contains("all targets of the route \"all\" rest"), "{message}");
    assert!(message.contains("groq/llama-3.3-70b-versatile: rests for"), "{message}");
    assert_eq!(servers.counts(), [1, 1, 1]);
}

#[test]
fn a_call_can_wait_until_a_target_returns() {
    let servers = Servers::start();
    let builder = servers.builder(|route| {
        route.breaker(touchy().rest(Duration::from_millis(30))).wait_for_targets(true)
    });
    let client = builder.retry(quick_retries(0)).build().unwrap();
    servers.0.iter().for_each(|server| server.reply(Reply::error(500, "x", "it broke")));
    assert_eq!(client.chat("hi").unwrap_err().kind(), ErrorKind::Server);
    assert!(client.targets().iter().all(|target| target.rests.is_some()));
    assert!(client.chat("hi").unwrap().text().starts_with("from "));
}

#[test]
fn a_stream_moves_on_until_its_first_event_and_never_after() {
    let servers = Servers::start();
    servers.0[0].reply(Reply::text("").stream_error(200, "overloaded_error", "busy"));
    let client = servers.client();
    let mut stream = client.stream("hi").unwrap();
    assert_eq!(stream.finish().unwrap().text(), "from anthropic");

    servers.0[0].reply(Reply::pieces(["one ", "two "]).end_after(2));
    let mut stream = client.stream("hi").unwrap();
    let error = loop {
        match stream.next_timeout(Duration::from_secs(30)) {
            Ok(NextEvent::Event(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert!(error.is_retryable(), "{error}");
    drop(stream);
    let first = &client.targets()[0];
    assert_eq!((first.failed, first.in_flight), (2, 0), "{first:?}");
    assert_eq!(servers.counts(), [2, 1, 0]);
}

#[test]
fn keys_of_one_provider_are_targets_of_their_own() {
    let server = loopback();
    server.require_key("sk-second-0123456789");
    let keys = ["sk-first-0123456789", "sk-second-0123456789"];
    let targets = keys.map(|key| RouteTarget::new("openai/gpt-4o-mini").api_key(key));
    let client = Client::builder()
        .add_provider(config(&server, "openai"))
        .route(Route::new("keys").targets(targets))
        .build()
        .unwrap();
    let request = || ChatRequest::from("hi").model("keys");
    assert_eq!(client.chat(request()).unwrap().attempts().len(), 2);
    assert_eq!(client.chat(request()).unwrap().attempts().len(), 1, "the first key rests");
    let names: Vec<_> = client.targets().into_iter().map(|target| target.name).collect();
    assert_eq!(names, ["openai/gpt-4o-mini", "openai/gpt-4o-mini (2)"]);
    assert_eq!(client.targets()[0].rests, Some(RestReason::Unusable));
}

#[test]
fn a_target_that_cannot_express_the_request_is_skipped_with_the_reason() {
    let servers = Servers::start();
    let client = servers
        .builder(|_| {
            Route::new("all").targets(["anthropic/claude-haiku-4-5", "openai/gpt-4o-mini"])
        })
        .build()
        .unwrap();
    // Anthropic has one choice only.
    let response = client.chat(ChatRequest::from("hi").n(2)).unwrap();
    assert_eq!(response.provider.as_str(), "openai");
    let skipped = &response.route().unwrap().targets[0].steps[0];
    assert!(
        matches!(skipped, TargetStep::CannotServe(why) if why.contains("choice")),
        "{skipped:?}"
    );
    assert_eq!(servers.counts(), [1, 0, 0]);
}

#[test]
fn if_no_target_can_serve_a_call_the_error_says_why_for_each() {
    let servers = Servers::start();
    let budget = Budget::total(Money::picos(1));
    let client = servers.builder(|route| route).budget(budget).build().unwrap();
    let error = client.chat("hi").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BudgetExceeded);
    for name in names() {
        assert!(error.message().contains(&format!("{name}: skipped: ")), "{error}");
    }
    assert_eq!(servers.counts(), [0, 0, 0]);
}

#[test]
fn each_attempt_is_reserved_and_charged_at_its_own_price() {
    let servers = Servers::start();
    servers.0[0].reply(Reply::error(500, "x", "it broke"));
    let client =
        servers.builder(|route| route).budget(Budget::total(Money::dollars(1))).build().unwrap();
    let response = client.chat(ChatRequest::from("hi").max_output_tokens(50)).unwrap();
    let price = client.cost_tracker().prices().find("anthropic", "claude-haiku-4-5").unwrap();
    let expected = price.cost(&response.usage, None, std::time::SystemTime::now()).total;
    assert_eq!(response.cost.map(|cost| cost.total), Some(expected));
    let report = client.costs();
    let of = |provider: &str| {
        report.by_provider.iter().find(|row| row.key == provider).map(|row| row.tally.cost.total)
    };
    assert_eq!(of("anthropic"), Some(expected));
    assert!(report.budgets.iter().all(|budget| budget.reserved.is_zero()), "{report}");
}

#[test]
fn metrics_count_a_call_at_the_target_that_served_it() {
    let servers = Servers::start();
    servers.0[0].reply(Reply::error(500, "x", "it broke"));
    let client = servers.client();
    client.chat("hi").unwrap();
    let metrics = client.metrics();
    let calls: Vec<_> = metrics
        .by_model
        .iter()
        .map(|row| (row.provider.as_str(), row.total.calls, row.in_flight))
        .filter(|(_, calls, in_flight)| *calls > 0 || *in_flight > 0)
        .collect();
    assert_eq!(calls, [("anthropic", 1, 0)]);
}

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Observer for Log {
    fn failed_over(&self, _call: &Call<'_>, attempt: &Attempt) {
        self.0.lock().unwrap().push(format!("failed over from {}", attempt.provider));
    }

    fn target_rested(&self, route: &str, target: &str, reason: RestReason, _rest: Duration) {
        self.0.lock().unwrap().push(format!("{route}: {target} rests, because {reason}"));
    }

    fn target_returned(&self, route: &str, target: &str) {
        self.0.lock().unwrap().push(format!("{route}: {target} returned"));
    }
}

#[test]
fn observers_see_what_happens_to_targets() {
    let servers = Servers::start();
    let log = Arc::new(Log::default());
    let rest = Duration::from_millis(1);
    let client = servers
        .builder(|route| route.breaker(touchy().rest(rest)))
        .shared_observer(log.clone())
        .build()
        .unwrap();
    servers.0[0].reply(Reply::error(500, "x", "it broke"));
    client.chat("hi").unwrap();
    while client.targets()[0].returns_in.is_some_and(|left| !left.is_zero()) {
        std::thread::yield_now();
    }
    client.chat("hi").unwrap();
    assert_eq!(
        *log.0.lock().unwrap(),
        [
            "all: openai/gpt-4o-mini rests, because too many calls failed",
            "failed over from openai",
            "all: openai/gpt-4o-mini returned",
        ]
    );
}

#[test]
fn a_conversation_stays_at_its_target_and_moves_with_a_failure() {
    let servers = Servers::start();
    let client =
        servers.builder(|route| route.strategy(Sticky::default()).breaker(touchy())).build();
    let client = client.unwrap();
    let talk = |text: &str, key: &str| {
        let request = ChatRequest::from(text).routing_key(key);
        client.chat(request).unwrap().provider.as_str().to_owned()
    };
    let homes: Vec<_> = (0..20).map(|key| talk("first", &format!("c{key}"))).collect();
    for (key, home) in homes.iter().enumerate() {
        assert_eq!(talk("second", &format!("c{key}")), *home);
    }
    assert!(MODELS.iter().all(|(provider, _)| homes.iter().any(|home| home == provider)));
    let lost = homes[0].as_str();
    let server = MODELS.iter().position(|(provider, _)| *provider == lost).unwrap();
    servers.0[server].reply(Reply::error(500, "x", "it broke"));
    let second = talk("third", "c0");
    assert_ne!(second, lost);
    assert_eq!(talk("fourth", "c0"), second);
}

#[test]
fn cheapest_goes_by_what_calls_really_cost() {
    let servers = Servers::start();
    let client = servers.builder(|route| route.strategy(Cheapest)).build().unwrap();
    let cheapest = client.chat("hi").unwrap();
    let cost = |provider: &str, model: &str| {
        let price = client.cost_tracker().prices().find(provider, model).unwrap();
        price.cost(&cheapest.usage, None, std::time::SystemTime::now()).total
    };
    let least = MODELS.iter().map(|(provider, model)| cost(provider, model)).min();
    assert_eq!(cheapest.cost.map(|cost| cost.total), least);
}

/// Takes the last candidate.
struct Last;

impl Strategy for Last {
    fn name(&self) -> &str {
        "last"
    }

    fn choose(
        &self,
        candidates: &[Candidate<'_>],
        _: &RoutedCall,
        _: &mut dyn FnMut() -> f64,
    ) -> usize {
        candidates.len() - 1
    }
}

#[test]
fn a_program_can_have_a_strategy_of_its_own() {
    let servers = Servers::start();
    let client = servers.builder(|route| route.strategy(Last)).build().unwrap();
    let response = client.chat("hi").unwrap();
    assert_eq!(
        (response.text(), response.route().unwrap().strategy.as_str()),
        ("from groq".into(), "last")
    );
}

#[test]
fn mistakes_in_routes_are_found_when_the_client_is_built() {
    let target = |model: &str| Route::new("r").target(model);
    for (route, problem) in [
        (Route::new(" "), "a route has no name"),
        (Route::new("r"), "route \"r\": it has no targets"),
        (target("gpt-4o"), "names no provider"),
        (target("opanai/gpt-4o"), "did you mean openai?"),
        (
            target("openai/gpt-4o").breaker(BreakerConfig::default().failure_share(0.0)),
            "failure_share is 0",
        ),
        (
            Route::new("r").target(RouteTarget::new("openai/x").weight(-1.0)),
            "weight of openai/x is -1",
        ),
        (
            Route::new("r").target(RouteTarget::new("openai/x").weight(0.0)),
            "weights of all its targets",
        ),
        (
            Route::new("r")
                .target(RouteTarget::new("openai/x").key_variable("TOLLGATE_TEST_NO_KEY")),
            "the environment variable TOLLGATE_TEST_NO_KEY is not set",
        ),
    ] {
        let error = Client::builder().route(route).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().contains(problem), "{error}");
    }
    let twice = Client::builder().routes([target("openai/x"), target("openai/y")]).build();
    assert!(twice.unwrap_err().message().contains("two routes are named \"r\""));
}

#[test]
fn a_misspelled_route_gets_the_names_of_those_that_exist() {
    let client = Servers::start().client();
    let error = client.chat(ChatRequest::from("hi").model("al")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().ends_with("; the client's routes are \"all\""), "{error}");
}

#[test]
fn only_chats_go_along_a_route() {
    let client = Servers::start().client();
    let embedded = client.embed(["a text"]).unwrap_err();
    let counted = client.count_tokens("hi").unwrap_err();
    for error in [embedded, counted] {
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(
            error.message().contains("\"all\" is a route, and routes serve chats only"),
            "{error}"
        );
    }
}

#[test]
fn strict_mode_sends_nothing_elsewhere_that_may_have_been_billed() {
    let servers = Servers::start();
    let strict = RetryConfig { retry_ambiguous: false, ..quick_retries(2) };
    let client = servers.builder(|route| route).retry(strict).build().unwrap();
    servers.0[0].reply(Reply::error(500, "x", "it broke"));
    assert_eq!(client.chat("hi").unwrap_err().kind(), ErrorKind::Server);
    assert_eq!(servers.counts(), [1, 0, 0]);
    servers.0[0].reply(Reply::error(401, "x", "wrong key"));
    assert_eq!(client.chat("hi").unwrap().text(), "from anthropic");
}
