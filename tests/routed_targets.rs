//! The targets of a route: which of them serves a call, and what is reported of each.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::routes::{MODELS, Servers, config, names, touchy};
use support::{builder, loopback};
use tollgate::route::{
    BreakerConfig, Candidate, Cheapest, RestReason, Route, RouteTarget, RoutedCall, Sticky,
    Strategy, TargetStep,
};
use tollgate::testing::Reply;
use tollgate::{
    Attempt, Budget, ChatRequest, Client, EmbedRequest, ErrorKind, Money, Observer, observe::Call,
};

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
fn a_model_that_its_provider_does_not_know_may_be_a_misspelled_route() {
    let not_found = |model: &str, provider: &str| {
        let server = loopback();
        server.default_reply(Reply::error(404, "model_not_found", "model 'it' not found"));
        let target = format!("{provider}/x");
        let routes = ["cheap", "clever"].map(|name| Route::new(name).target(target.as_str()));
        let client = builder(&server, provider).routes(routes).build().unwrap();
        let request = ChatRequest::from("hi").model(model);
        let error = client.chat(&request).unwrap_err();
        let streamed = client.stream(&request).unwrap_err();
        assert_eq!((error.kind(), server.request_count()), (ErrorKind::NotFound, 2));
        let embedding = client.embed(EmbedRequest::from("hi").model(model)).unwrap_err();
        assert!(!embedding.to_string().contains("did you mean"), "{embedding}");
        [error, streamed].map(|error| error.to_string())
    };
    let both = "ollama pull\"; did you mean the route \"cheap\"? (";
    let cheap = "not found; did you mean the route \"cheap\"? (";
    for (provider, advice) in [("openai", cheap), ("ollama", both)] {
        for error in not_found("cheep", provider) {
            assert!(error.contains(advice), "{error}");
        }
    }
    // It names its provider, or is like no route.
    for model in ["openai/cheep", "sonnet"] {
        for error in not_found(model, "openai") {
            assert!(!error.contains("did you mean"), "{error}");
        }
    }
}

#[test]
fn a_model_of_the_catalogue_is_no_misspelled_route() {
    let server = loopback();
    server.default_reply(Reply::error(404, "model_not_found", "no access"));
    let route = Route::new("gpt-4o-max").target("openai/x");
    let client = builder(&server, "openai").route(route).build().unwrap();
    let error = client.chat(ChatRequest::from("hi").model("gpt-4o-mini")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(!error.to_string().contains("did you mean"), "{error}");
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
