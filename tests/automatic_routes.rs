//! Automatic routes: each call goes to the best models that meet its needs, and the answer says why.

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;
use support::routes::{Servers, config, touchy};
use support::{eventually, quick_retries};
use tollgate::catalogue::{Catalogue, Needs};
use tollgate::route::{Hedge, Route, RouteTarget, TargetStep};
use tollgate::testing::Reply;
use tollgate::{
    Budget, ChatRequest, Client, ClientBuilder, CostConfig, Decision, ErrorKind, GiveUp, Image,
    MaxPrice, Message, Money, Prices,
};

/// Three providers, whose cheapest model is groq's, then openai's, then anthropic's.
const MODELS: &str = r#"{
  "openai": {
    "gpt-mini": { "context_window": 128000, "max_output": 16000, "images": true, "tools": true },
    "gpt-large": { "context_window": 400000, "max_output": 64000, "images": true, "quality": 80 }
  },
  "anthropic": {
    "claude-small": { "context_window": 200000, "max_output": 64000, "images": true }
  },
  "groq": {
    "llama-small": { "context_window": 32000, "max_output": 8000, "images": false, "tools": true },
    "llama-large": { "context_window": 32000, "max_output": 8000, "images": false }
  },
  "mistral": {
    "mistral-tiny": { "context_window": 128000, "max_output": 16000, "images": true }
  }
}"#;

const PRICES: &str = r#"{
  "openai": {
    "gpt-mini": { "input": 0.2, "output": 0.2 }, "gpt-large": { "input": 2, "output": 2 }
  },
  "anthropic": { "claude-small": { "input": 0.3, "output": 0.3 } },
  "groq": {
    "llama-small": { "input": 0.1, "output": 0.1 }, "llama-large": { "input": 0.9, "output": 0.9 }
  },
  "mistral": { "mistral-tiny": { "input": 0.01, "output": 0.01 } }
}"#;

fn prices() -> CostConfig {
    CostConfig::default().prices(Prices::empty().parse(PRICES).unwrap())
}

/// A client of three providers with one automatic route; it has no key for mistral.
fn builder(servers: &Servers, route: Route) -> ClientBuilder {
    let mut builder = Client::builder().model("best").retry(quick_retries(2));
    for (server, provider) in servers.0.iter().zip(["openai", "anthropic", "groq"]) {
        builder = builder.add_provider(config(server, provider));
    }
    let catalogue = Catalogue::empty().parse(MODELS).unwrap();
    builder.catalogue(catalogue).costs(prices()).route(route)
}

fn client(servers: &Servers, change: impl FnOnce(Route) -> Route) -> Client {
    builder(servers, change(Route::auto("best"))).build().unwrap()
}

fn with_image() -> ChatRequest {
    Message::user("What is this?").with(Image::from_bytes("image/png", b"\x89PNG\r\n\x1a\n")).into()
}

#[test]
fn each_call_goes_to_the_cheapest_model_that_meets_its_needs() {
    for (request, provider, model) in [
        (ChatRequest::from("hi"), "groq", "llama-small"),
        (with_image(), "openai", "gpt-mini"),
        (ChatRequest::from("word ".repeat(90_000)), "anthropic", "claude-small"),
        (ChatRequest::from("hi").max_output_tokens(20_000), "anthropic", "claude-small"),
        (ChatRequest::from("word ".repeat(200_000)), "openai", "gpt-large"),
    ] {
        let servers = Servers::start();
        let client = client(&servers, |route| route);
        let response = client.chat(&request).unwrap();
        assert_eq!(response.provider.as_str(), provider);
        let at = ["openai", "anthropic", "groq"].iter().position(|one| *one == provider).unwrap();
        assert_eq!(servers.0[at].requests()[0].model(), Some(model));
        let stream = client.stream(&request).unwrap().finish().unwrap();
        assert_eq!(stream.provider.as_str(), provider);
    }
}

#[test]
fn the_answer_says_why_each_target_has_its_place_and_why_models_are_left_out() {
    let servers = Servers::start();
    let client = client(&servers, |route| route);
    let response = client.chat(with_image()).unwrap();
    let trace = response.route().unwrap();
    assert_eq!((trace.route.as_str(), trace.strategy.as_str()), ("best", "auto"));
    let names: Vec<_> = trace.targets.iter().map(|target| target.name.as_str()).collect();
    assert_eq!(names, ["openai/gpt-mini", "anthropic/claude-small", "openai/gpt-large"]);
    assert_eq!(trace.targets[0].steps, [TargetStep::Answered]);
    assert_eq!(
        trace.targets[0].reasons,
        [
            "$0.061 for 1,000 such calls (4 tokens of prompt, 300 of answer)",
            "context window 128000"
        ]
    );
    assert!(trace.targets[2].reasons.contains(&"quality 80".to_owned()));
    assert_eq!(trace.left_out, ["2 models: it does not support images"]);
    let shown = trace.to_string();
    assert!(shown.starts_with("route best (auto)\n  openai/gpt-mini: answered ($0.061 for"));
    assert!(shown.ends_with("\n  left out: 2 models: it does not support images"), "{shown}");
    let stored = serde_json::to_string(&response).unwrap();
    let again: tollgate::ChatResponse = serde_json::from_str(&stored).unwrap();
    assert_eq!(again.route(), Some(trace));
}

#[test]
fn a_failure_moves_the_call_down_the_ranking_and_a_resting_model_comes_last() {
    let servers = Servers::start();
    let client = client(&servers, |route| route.breaker(touchy()));
    servers.0[2].default_reply(Reply::status(503));
    let response = client.chat("hi").unwrap();
    assert_eq!(response.text(), "from openai");
    let trace = response.route().unwrap();
    assert_eq!(trace.targets[0].steps, [TargetStep::Failed(ErrorKind::Overloaded)]);
    assert_eq!(trace.targets[1].steps, [TargetStep::Answered]);
    assert_eq!(servers.counts(), [1, 0, 1]);
    // The model that rests is the last one now, so nothing is sent to it.
    let trace = client.chat("hi").unwrap().route().unwrap().clone();
    let last = trace.targets.last().unwrap();
    assert_eq!(last.name, "groq/llama-small");
    assert!(last.reasons.last().unwrap().starts_with("it rests after failures"));
    assert_eq!(servers.counts(), [2, 0, 1]);
    let statuses = client.targets();
    let resting = statuses.iter().find(|one| one.name == "groq/llama-small").unwrap();
    assert_eq!((resting.failed, resting.failovers, resting.route.as_str()), (1, 1, "best"));
    assert!(resting.rests.is_some());
}

#[test]
fn what_the_client_measures_changes_the_ranking() {
    let servers = Servers::start();
    // Its answers are so long that it costs more than the next one, once both are measured.
    servers.0[2].default_reply(Reply::text("from groq").usage(10, 4_000));
    let plain = Route::new("plain").target("openai/gpt-mini");
    let client = builder(&servers, Route::auto("best")).route(plain).build().unwrap();
    assert_eq!(client.chat("hi").unwrap().text(), "from groq");
    assert_eq!(client.chat("hi").unwrap().text(), "from groq");
    client.chat(ChatRequest::from("hi").model("plain")).unwrap();
    let response = client.chat("hi").unwrap();
    assert_eq!(response.text(), "from openai");
    let trace = response.route().unwrap();
    let groq = trace.targets.iter().find(|one| one.name == "groq/llama-small").unwrap();
    assert!(groq.reasons[0].contains("4000 of answer"), "{groq}");
    let selection = client.select(&Needs::new());
    assert_eq!(selection.best().unwrap().name(), "openai/gpt-mini");
}

#[test]
fn a_route_that_has_the_same_model_shares_its_health() {
    let servers = Servers::start();
    let plain = Route::new("plain").target("groq/llama-small").breaker(touchy());
    let client = builder(&servers, Route::auto("best")).route(plain).build().unwrap();
    servers.0[2].reply(Reply::status(503));
    let error = client.chat(ChatRequest::from("hi").model("plain").timeout(LIMIT)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    let sent = servers.counts()[2];
    assert_eq!(client.chat("hi").unwrap().text(), "from openai");
    assert_eq!(servers.counts()[2], sent);
}

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn needs_of_the_route_apply_to_every_call() {
    let cheap = MaxPrice::of_input("0.15".parse().unwrap());
    for (needs, provider) in [
        (Needs::new().providers(["acme", "anthropic"]), None),
        (Needs::new().providers(["anthropic", "openai"]), Some("openai")),
        (Needs::new().models(["claude-small", "groq/llama-large"]), Some("anthropic")),
        (Needs::new().quality(50.0), Some("openai")),
        (Needs::new().context(150_000), Some("anthropic")),
        (Needs::new().max_price(cheap), Some("groq")),
    ] {
        let servers = Servers::start();
        let built = builder(&servers, Route::auto("best").needs(needs.clone())).build();
        match provider {
            Some(provider) => {
                let response = built.unwrap().chat("hi").unwrap();
                assert_eq!(response.provider.as_str(), provider, "{needs:?}");
            }
            None => {
                let error = built.unwrap_err();
                assert!(error.message().contains("needs name an unknown provider \"acme\""));
            }
        }
    }
}

#[test]
fn if_no_model_meets_the_needs_the_error_says_why_and_nothing_is_sent() {
    let servers = Servers::start();
    let most = MaxPrice::per_million(Money::cents(1), Money::cents(1));
    let client = client(&servers, |route| route.max_price(most));
    let error = client.chat(with_image()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(
        error.message(),
        "the automatic route \"best\" knows no model that meets the needs of this call: 3 models: \
         it costs more than $0.01 per million input tokens; 2 models: it does not support images"
    );
    assert_eq!(client.chat("hi").unwrap_err().kind(), ErrorKind::BudgetExceeded);
    let endless = ChatRequest::from("word ".repeat(400_000));
    let error = builder(&servers, Route::auto("best")).build().unwrap().chat(endless).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ContextWindowExceeded);
    assert_eq!(servers.counts(), [0, 0, 0]);

    let nothing = Catalogue::empty().parse(r#"{"acme-ai": {"m": {}}}"#).unwrap();
    let client = Client::builder().route(Route::auto("best")).catalogue(nothing).build().unwrap();
    let error = client.chat(ChatRequest::from("hi").model("best")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("no key for any of these providers: acme-ai"), "{error}");
}

#[test]
fn mistakes_in_an_automatic_route_are_found_when_the_client_is_built() {
    for (route, problem) in [
        (Route::auto("r").target("openai/gpt-4o"), "it is automatic and has targets"),
        (Route::auto("r").shortlist(0), "its shortlist has 0 targets; set 1 to 20"),
        (Route::new("r").target("openai/gpt-4o").needs(Needs::new()), "it has needs"),
        (Route::new("r"), "it has no targets"),
    ] {
        let error = Client::builder().route(route).build().unwrap_err();
        assert!(error.message().contains(problem), "{error}");
    }
}

#[test]
fn a_shortlist_is_as_long_as_it_is_set() {
    let servers = Servers::start();
    let client = client(&servers, |route| route.shortlist(2));
    let response = client.chat("hi").unwrap();
    assert_eq!(response.route().unwrap().targets.len(), 2);
    servers.0.iter().for_each(|server| server.default_reply(Reply::status(404)));
    client.chat("hi").unwrap_err();
    assert_eq!(servers.counts(), [1, 0, 2]);
}

#[test]
fn many_threads_share_the_targets() {
    let servers = Servers::start();
    let client = client(&servers, |route| route);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..20).for_each(|_| drop(client.chat("hi").unwrap())));
        }
    });
    let used: Vec<_> = client.targets().into_iter().filter(|one| one.answered > 0).collect();
    let [target] = &used[..] else { panic!("{used:?}") };
    assert_eq!((target.answered, target.in_flight), (160, 0));
}

#[test]
fn a_client_selects_among_the_providers_it_has_keys_for() {
    let servers = Servers::start();
    let client = builder(&servers, Route::new("best").target(RouteTarget::new("openai/gpt-mini")))
        .build()
        .unwrap();
    let selection = client.select(&Needs::new());
    let names: Vec<_> = selection.ranked.iter().map(|one| one.name()).collect();
    assert_eq!(
        names,
        [
            "groq/llama-small",
            "openai/gpt-mini",
            "anthropic/claude-small",
            "groq/llama-large",
            "openai/gpt-large"
        ]
    );
    if std::env::var_os("MISTRAL_API_KEY").is_none() {
        assert_eq!(selection.unreachable, ["mistral"]);
        let any = client.select(&Needs::new().any_provider());
        assert_eq!(any.best().unwrap().name(), "mistral/mistral-tiny");
    }
    let best = selection.best().unwrap().name();
    assert_eq!(client.chat(ChatRequest::from("hi").model(best)).unwrap().text(), "from groq");
}

/// Lets openai answer only after groq has got as many requests, and `ahead` more: a hedge may be
/// answered before the silent request has been sent.
fn in_order(servers: &Servers, ahead: u64) {
    let arrivals = Arc::new((Mutex::new(0), Condvar::new()));
    let (seen, answered) = (Arc::clone(&arrivals), AtomicU64::new(0));
    servers.0[2].respond(move |_| {
        *seen.0.lock().unwrap() += 1;
        seen.1.notify_all();
        None
    });
    servers.0[0].respond(move |_| {
        let needed = answered.fetch_add(1, Ordering::Relaxed);
        let arrived = arrivals.0.lock().unwrap();
        drop(arrivals.1.wait_while(arrived, |arrived| *arrived <= needed + ahead).unwrap());
        None
    });
}

#[test]
fn a_silent_model_is_hedged_by_the_next_in_the_ranking() {
    for streamed in [false, true] {
        let servers = Servers::start();
        in_order(&servers, 0);
        servers.0[2].default_reply(Reply::hang());
        let route = Route::auto("best").hedge(Hedge::after(Duration::from_millis(2)));
        let budget = Budget::total(Money::dollars(100));
        let client = builder(&servers, route).budget(budget).timeout(LIMIT).build().unwrap();
        let mut wasted = Money::ZERO;
        for call in 1..=2_u64 {
            let response = match streamed {
                false => client.chat("hi").unwrap(),
                true => client.stream("hi").unwrap().finish().unwrap(),
            };
            assert_eq!(response.text(), "from openai");
            let [lost, won] = response.attempts() else { panic!("{:?}", response.attempts()) };
            assert_eq!((lost.provider.as_str(), won.provider.as_str()), ("groq", "openai"));
            assert_eq!(lost.decision, Some(Decision::GiveUp(GiveUp::Superseded)));
            assert!(won.failure.is_none());
            let trace = response.route().unwrap();
            assert!(matches!(trace.targets[0].steps[..], [TargetStep::Superseded]), "{trace}");
            assert!(matches!(
                trace.targets[1].steps[..],
                [TargetStep::Hedged(_), TargetStep::Answered]
            ));
            assert!(trace.targets[1].reasons[0].contains("for 1,000 such calls"), "{trace}");

            // The loser is settled like any request that is cancelled before it is answered.
            eventually("every attempt has ended", || {
                let reserved = client.costs().budgets[0].reserved;
                let silent = client.targets().iter().all(|target| target.in_flight == 0);
                reserved.is_zero() && silent && client.pool().total.active == 0
            });
            let spent = |provider: &str| {
                let rows = client.costs().by_provider;
                let row = rows.into_iter().find(|row| row.key == provider);
                row.map_or(Money::ZERO, |row| row.tally.cost.total)
            };
            let cost = response.cost.unwrap().total;
            assert_eq!(spent("openai"), Money::picos(cost.as_picos() * i128::from(call)));
            assert!(spent("groq") > wasted);
            wasted = spent("groq");
            let targets = client.targets();
            let of = |name: &str| targets.iter().find(|target| target.name == name).unwrap();
            let (silent, other) = (of("groq/llama-small"), of("openai/gpt-mini"));
            assert_eq!((silent.hedged, silent.failed, silent.answered), (call, 0, 0));
            assert_eq!((other.hedged, other.failed, other.answered), (0, 0, call));
        }
        assert_eq!(servers.counts(), [2, 0, 2]);
    }
}

#[test]
fn a_model_of_an_automatic_route_is_hedged_at_its_percentile_once_that_is_known() {
    let servers = Servers::start();
    in_order(&servers, 20);
    let route = Route::auto("best").hedge(Hedge::at_p95());
    let client = builder(&servers, route).timeout(LIMIT).build().unwrap();
    for _ in 0..20 {
        assert_eq!(client.chat("hi").unwrap().text(), "from groq");
    }
    servers.0[2].reply(Reply::hang());
    assert_eq!(client.chat("hi").unwrap().text(), "from openai");
    let targets = client.targets();
    let groq = targets.iter().find(|target| target.name == "groq/llama-small").unwrap();
    assert_eq!((groq.answered, groq.hedged), (20, 1));
}

#[test]
fn the_only_model_that_meets_the_needs_is_not_hedged() {
    let servers = Servers::start();
    let slow = Reply::text("slow").delay(Duration::from_millis(40));
    servers.0[2].default_reply(slow);
    let route = Route::auto("best").hedge(Hedge::after(Duration::from_millis(2)));
    let route = route.needs(Needs::new().models(["llama-small"]));
    let client = builder(&servers, route).build().unwrap();
    let response = client.chat("hi").unwrap();
    assert_eq!((response.text().as_str(), response.attempts().len()), ("slow", 1));
    assert_eq!(client.targets()[0].hedged, 0);
}
