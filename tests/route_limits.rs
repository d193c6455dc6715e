//! Limits of a route's targets: a call goes where there is room, and waits only if there is none.

mod support;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use support::eventually;
use support::routes::{MODELS, Servers, names};
use tollgate::route::{Balanced, Hedge, Route, RouteTarget, TargetStep};
use tollgate::testing::Reply;
use tollgate::{Budget, ChatRequest, Client, ErrorKind, LimitStatus, Limits, Money, Phase};

/// A route whose targets have these limits.
fn client(servers: &Servers, limits: [Option<Limits>; 3]) -> Client {
    let targets = || {
        names().into_iter().zip(limits.clone()).map(|(name, limits)| match limits {
            Some(limits) => RouteTarget::new(name).limits(limits),
            None => RouteTarget::new(name),
        })
    };
    servers.builder(|_| Route::new("all").targets(targets())).build().unwrap()
}

fn per_minute(requests: u64) -> Option<Limits> {
    Some(Limits::new().requests_per_minute(requests))
}

fn in_flight(calls: u32) -> Option<Limits> {
    Some(Limits::new().max_in_flight(calls))
}

#[test]
fn a_call_goes_to_another_target_if_one_has_no_room() {
    let servers = Servers::start();
    let client = client(&servers, [per_minute(1), per_minute(1), None]);
    let texts = [(); 3].map(|()| client.chat("hi").unwrap().text());
    assert_eq!(texts, ["from openai", "from anthropic", "from groq"]);
    let response = client.chat("hi").unwrap();
    let trace = response.route().unwrap();
    let [TargetStep::NoRoom(why)] = &trace.targets[0].steps[..] else { panic!("{trace}") };
    assert!(
        why.starts_with("the limit \"openai/gpt-4o-mini\" allows 1 request per minute"),
        "{why}"
    );
    assert!(trace.to_string().contains("openai/gpt-4o-mini: no room: the limit"), "{trace}");
    assert_eq!(trace.targets[2].steps, [TargetStep::Answered]);
    assert_eq!((servers.counts(), response.attempts().len()), ([1, 1, 2], 1));
}

#[test]
fn a_call_waits_if_no_target_has_room_and_takes_the_first() {
    let servers = Servers::start();
    let client = client(&servers, [in_flight(1), in_flight(1), in_flight(1)]);
    let streams = [(); 3].map(|()| client.stream("hi").unwrap());
    let [first, second, third] = streams;
    thread::scope(|scope| {
        let waiting = scope.spawn(|| client.chat("hi").unwrap());
        eventually("it stands in all lines", || {
            client.limits().iter().all(|limit| limit.waiting == 1)
        });
        drop(second);
        let response = waiting.join().unwrap();
        assert_eq!(response.text(), "from anthropic");
        let trace = response.route().unwrap();
        let no_room = |at: usize| matches!(trace.targets[at].steps[0], TargetStep::NoRoom(_));
        assert!((0..3).all(no_room), "{trace}");
        assert_eq!(trace.targets[1].steps.last(), Some(&TargetStep::Answered));
    });
    drop((first, third));
    assert!(client.limits().iter().all(|limit| limit.waiting == 0 && limit.in_flight == 0));
}

#[test]
fn if_no_target_has_room_before_the_deadline_nothing_is_sent() {
    let servers = Servers::start();
    let client = client(&servers, [per_minute(1), per_minute(2), per_minute(1)]);
    for _ in 0..4 {
        client.chat("hi").unwrap();
    }
    let error = client.chat(ChatRequest::from("hi").timeout(Duration::from_secs(10))).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::RateLimited, Some(Phase::LimitWait)));
    // The one that has room first.
    assert!(error.message().contains("\"anthropic/claude-haiku-4-5\" allows 2"), "{error}");
    let wait = error.retry_after().unwrap();
    assert!(wait > Duration::from_secs(10) && wait <= Duration::from_secs(30), "{wait:?}");
    assert_eq!(servers.counts(), [1, 2, 1]);
}

#[test]
fn a_failure_moves_on_to_a_target_with_room() {
    let servers = Servers::start();
    let client = client(&servers, [None, in_flight(1), None]);
    let _stream = {
        servers.0[0].reply(Reply::status(500));
        client.stream("hi").unwrap()
    };
    servers.0[0].reply(Reply::status(500));
    let response = client.chat("hi").unwrap();
    assert_eq!(response.text(), "from groq");
    assert_eq!(servers.counts(), [2, 1, 1]);
    assert!(matches!(response.route().unwrap().targets[1].steps[..], [TargetStep::NoRoom(_)]));
}

#[test]
fn a_request_too_large_for_one_target_goes_to_another() {
    let servers = Servers::start();
    let small = Some(Limits::new().name("small").tokens_per_minute(1_000));
    let client = client(&servers, [small, None, None]);
    let response = client.chat(ChatRequest::from("hi").max_output_tokens(3_000)).unwrap();
    assert_eq!((response.text(), servers.counts()), ("from anthropic".into(), [0, 1, 0]));
    let step = &response.route().unwrap().targets[0].steps[0];
    assert!(matches!(step, TargetStep::CannotServe(why) if why.contains("\"small\"")), "{step}");
}

/// While the first attempt is in progress, the budget leaves its hedge only a shorter answer. Once
/// it has failed, that money is back.
#[test]
fn a_target_with_too_little_money_for_a_hedge_later_reserves_all_its_tokens() {
    let servers = Servers::start();
    let [first, second, _] = names();
    let client = |budget: Money| {
        let limits = Limits::new().tokens_per_minute(6_000);
        let limited = RouteTarget::new(second.as_str()).limits(limits);
        let route = Route::new("all").target(first.as_str()).target(limited);
        let route = route.hedge(Hedge::after(Duration::from_millis(2)));
        let builder = servers.builder(|_| route.clone());
        builder.budget(Budget::total(budget)).build().unwrap()
    };
    let reserved = |name: &str| {
        let client = client(Money::dollars(100));
        let _stream = client.stream(ChatRequest::from("hi").model(name)).unwrap();
        client.costs().budgets[0].reserved
    };
    let part = Money::picos(reserved(&second).as_picos() / 10 * 6);
    let client = client(reserved(&first) + part);
    let failure = Reply::error(500, "x", "it broke").delay(Duration::from_millis(40));
    servers.0[0].reply(failure);
    let _stream = client.stream("hi").unwrap();
    let requests = servers.0[1].requests();
    assert_eq!(requests.last().unwrap().json()["max_tokens"], 4_096);
    let left = client.limits()[0].tokens.unwrap().available;
    assert!(left < 2_500, "{left}");
}

#[test]
fn the_limits_of_the_client_apply_to_routed_calls_too() {
    let servers = Servers::start();
    let limits = Limits::new().provider(MODELS[0].0).requests_per_minute(1);
    let client = servers.builder(|route| route).limits(limits).build().unwrap();
    let texts = [(); 2].map(|()| client.chat("hi").unwrap().text());
    assert_eq!(texts, ["from openai", "from anthropic"]);
}

#[test]
fn threads_on_a_route_keep_the_limits_of_all_targets() {
    let servers = Servers::start();
    for server in &servers.0 {
        server.default_reply(Reply::text("ok").delay(Duration::from_millis(1)));
    }
    let limits = [in_flight(1), in_flight(2), in_flight(1)];
    let targets = || {
        let targets = names().into_iter().zip(limits.clone());
        targets.map(|(name, limits)| RouteTarget::new(name).limits(limits.unwrap()))
    };
    let route = || Route::new("all").targets(targets()).strategy(Balanced);
    let client = Arc::new(servers.builder(|_| route()).build().unwrap());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..6 {
                    client.chat("hi").unwrap();
                    let streamed = client.stream("hi").unwrap().finish().unwrap();
                    assert_eq!(streamed.text(), "ok");
                    let kept = |limit: &LimitStatus| Some(limit.in_flight) <= limit.max_in_flight;
                    assert!(client.limits().iter().all(kept));
                }
            });
        }
    });
    assert_eq!(servers.counts().iter().sum::<u64>(), 96);
    assert!(client.limits().iter().all(|limit| limit.waiting == 0 && limit.in_flight == 0));
    assert!(client.targets().iter().all(|target| target.in_flight == 0));
}

#[test]
fn the_same_target_in_two_routes_has_one_limit() {
    let servers = Servers::start();
    let [name, ..] = names();
    let limits = |requests| Limits::new().requests_per_minute(requests);
    let build = |other: u64| {
        let first = Route::new("all").target(name.as_str());
        let one = RouteTarget::new(name.clone()).limits(limits(2));
        let two = RouteTarget::new(name.clone()).limits(limits(other));
        servers
            .builder(|_| first.clone())
            .route(Route::new("one").target(one))
            .route(Route::new("two").target(two))
            .build()
    };
    let client = build(2).unwrap();
    client.chat("hi").unwrap();
    client.chat(ChatRequest::from("hi").model("two")).unwrap();
    assert_eq!(client.limits()[0].requests.map(|level| level.available), Some(0));
    let error = build(3).unwrap_err();
    assert!(error.message().contains("two different limits"), "{error}");
}

#[test]
fn routes_in_a_file_can_have_limits() {
    let servers = Servers::start();
    let json = r#"[{"name": "all", "targets": [
        {"model": "openai/gpt-4o-mini", "limits": {"requests_per_minute": 1, "burst": 1}},
        "anthropic/claude-haiku-4-5"
    ]}]"#;
    let route = || Route::from_json(json).unwrap().remove(0);
    let client = servers.builder(|_| route()).build().unwrap();
    let texts = [(); 2].map(|()| client.chat("hi").unwrap().text());
    assert_eq!(texts, ["from openai", "from anthropic"]);
    for (limits, problem) in [
        (r#"{"rpm": 1}"#, "unknown field `rpm`"),
        (r#"{"burst": -1}"#, "-1 is not a number of seconds"),
    ] {
        let json =
            format!(r#"[{{"name": "r", "targets": [{{"model": "a/b", "limits": {limits}}}]}}]"#);
        let error = Route::from_json(&json).unwrap_err();
        assert!(
            error.message().contains("an object with a model") || error.message().contains(problem),
            "{error}"
        );
    }
    let scoped =
        RouteTarget::new(names()[0].clone()).limits(Limits::new().tag("a", "b").adaptive());
    let error = servers.builder(|_| Route::new("all").target(scoped.clone())).build().unwrap_err();
    assert!(error.message().contains("use ClientBuilder::limits"), "{error}");
}
