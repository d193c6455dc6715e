//! The spans and events that the observer for `tracing` makes.

mod support;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::costs;
use support::routes::{Servers, touchy};
use support::stream::whole;
use support::{KEY, builder, loopback, quick_retries};
use tollgate::observe::TracingObserver;
use tollgate::route::Hedge;
use tollgate::testing::Reply;
use tollgate::{Budget, ChatRequest, Client, ClientBuilder, Money};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

#[derive(Debug, Clone, Default)]
struct Recorded {
    name: String,
    level: String,
    parent: Option<u64>,
    fields: BTreeMap<String, String>,
    closed: bool,
}

#[derive(Default)]
struct Book {
    /// The one with id 1 comes first.
    spans: Vec<Recorded>,
    /// How many handles there are of each.
    handles: Vec<usize>,
    events: Vec<Recorded>,
}

/// Writes down all spans and events up to a level.
#[derive(Clone)]
struct Collector(Arc<Mutex<Book>>, Level);

thread_local! {
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

fn current() -> Option<u64> {
    ENTERED.with(|entered| entered.borrow().last().copied())
}

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

fn index(id: &Id) -> usize {
    usize::try_from(id.into_u64()).unwrap() - 1
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_ours = metadata.target() == "tollgate" || metadata.target() == "spans";
        is_ours && *metadata.level() <= self.1
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut recorded = Recorded {
            name: span.metadata().name().to_owned(),
            level: span.metadata().level().to_string(),
            parent: span.parent().map(Id::into_u64),
            ..Recorded::default()
        };
        if span.is_contextual() {
            recorded.parent = current();
        }
        span.record(&mut Fields(&mut recorded.fields));
        let mut book = self.0.lock().unwrap();
        book.spans.push(recorded);
        book.handles.push(1);
        Id::from_u64(book.spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        values.record(&mut Fields(&mut self.0.lock().unwrap().spans[index(span)].fields));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut recorded = Recorded {
            level: event.metadata().level().to_string(),
            parent: event.parent().map(Id::into_u64),
            ..Recorded::default()
        };
        if event.is_contextual() {
            recorded.parent = current();
        }
        event.record(&mut Fields(&mut recorded.fields));
        recorded.name = recorded.fields.remove("message").unwrap_or_default();
        self.0.lock().unwrap().events.push(recorded);
    }

    fn enter(&self, span: &Id) {
        ENTERED.with(|entered| entered.borrow_mut().push(span.into_u64()));
    }

    fn exit(&self, _: &Id) {
        ENTERED.with(|entered| entered.borrow_mut().pop());
    }

    fn clone_span(&self, span: &Id) -> Id {
        self.0.lock().unwrap().handles[index(span)] += 1;
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        let mut book = self.0.lock().unwrap();
        let at = index(&span);
        book.handles[at] -= 1;
        let closed = book.handles[at] == 0;
        book.spans[at].closed |= closed;
        closed
    }
}

impl Collector {
    /// The spans and events of a program that ran with this subscriber.
    fn run(program: impl FnOnce()) -> (Vec<Recorded>, Vec<Recorded>) {
        Self::run_at(Level::TRACE, program)
    }

    fn run_at(level: Level, program: impl FnOnce()) -> (Vec<Recorded>, Vec<Recorded>) {
        let collector = Self(Arc::default(), level);
        tracing::subscriber::with_default(collector.clone(), program);
        let book = collector.0.lock().unwrap();
        (book.spans.clone(), book.events.clone())
    }
}

impl Recorded {
    fn has(&self, fields: &[(&str, &str)]) {
        for (name, value) in fields {
            let found = self.fields.get(*name).map(String::as_str);
            assert_eq!(found, Some(*value), "{name} in {self:#?}");
        }
    }

    fn lacks(&self, names: &[&str]) {
        for name in names {
            assert!(!self.fields.contains_key(*name), "{name} in {self:#?}");
        }
    }
}

fn shown(events: &[Recorded]) -> Vec<(&str, Option<u64>)> {
    events.iter().map(|event| (event.name.as_str(), event.parent)).collect()
}

#[test]
fn a_call_is_a_span_below_the_callers_with_its_attempts_below_it() {
    let server = loopback();
    server.reply(Reply::error(500, "no", "not now").header("x-request-id", "req_1"));
    server.reply(Reply::text("fine").usage(12, 3).cached(4).model("gpt-4o-mini-2024"));
    let port = server.address().port().to_string();
    let (spans, events) = Collector::run(|| {
        let client = builder(&server, "openai")
            .retry(quick_retries(1))
            .costs(costs::config([]))
            .price_provider("openai")
            .observer(TracingObserver::new())
            .build()
            .unwrap();
        let callers = tracing::info_span!("callers");
        callers.in_scope(|| client.chat(ChatRequest::from("hi").tag("customer", "acme")).unwrap());
    });
    let [_, call, first, second] = &spans[..] else { panic!("{spans:#?}") };
    assert_eq!((&*call.name, &*call.level, call.parent), ("call", "INFO", Some(1)));
    call.has(&[
        ("otel.name", "chat gpt-4o-mini"),
        ("otel.kind", "client"),
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", "gpt-4o-mini"),
        ("gen_ai.response.model", "gpt-4o-mini-2024"),
        ("gen_ai.response.finish_reasons", "[\"stop\"]"),
        ("gen_ai.usage.input_tokens", "12"),
        ("gen_ai.usage.cache_read.input_tokens", "4"),
        ("gen_ai.usage.output_tokens", "3"),
        ("server.address", "127.0.0.1"),
        ("server.port", &port),
        ("tollgate.outcome", "answered"),
        ("tollgate.attempts", "2"),
    ]);
    assert!(call.fields.contains_key("gen_ai.response.id"), "{call:#?}");
    let cost: f64 = call.fields["tollgate.cost"].parse().unwrap();
    assert!((cost - 0.000_018).abs() < 1e-9, "{cost}");
    call.lacks(&["error.type", "otel.status_code", "gen_ai.request.stream", "tollgate.tags"]);
    assert_eq!((&*first.name, first.parent, second.parent), ("attempt", Some(2), Some(2)));
    first.has(&[
        ("error.type", "server"),
        ("http.response.status_code", "500"),
        ("tollgate.request_id", "req_1"),
    ]);
    first.lacks(&["http.request.resend_count", "error.message"]);
    second.has(&[("http.request.resend_count", "1")]);
    second.lacks(&["error.type"]);
    assert!(spans.iter().all(|span| span.closed), "{spans:#?}");
    let wanted = [
        ("connection opened", Some(3)),
        ("connection leased", Some(3)),
        ("retry scheduled", Some(2)),
        ("connection leased", Some(4)),
        ("call answered", Some(2)),
        // With the client, when there was no attempt.
        ("connection closed", None),
    ];
    assert_eq!(shown(&events), wanted);
    events[2].has(&[("tollgate.wait", "backoff")]);
    events[3].has(&[("tollgate.connection.reused", "true")]);
}

#[test]
fn the_span_of_a_stream_ends_with_the_stream() {
    let server = loopback();
    server.reply(Reply::text("one two three"));
    server.reply(Reply::text("one two three").chunk_delay(Duration::from_millis(20)));
    let (spans, events) = Collector::run(|| {
        let client =
            builder(&server, "anthropic").observer(TracingObserver::new()).build().unwrap();
        whole(&mut client.stream("hi").unwrap());
        drop(client.stream("hi").unwrap());
    });
    let [whole, first, dropped, second] = &spans[..] else { panic!("{spans:#?}") };
    whole.has(&[("gen_ai.request.stream", "true"), ("tollgate.outcome", "answered")]);
    assert!(whole.fields.contains_key("gen_ai.response.time_to_first_chunk"));
    first.lacks(&["error.type"]);
    dropped.has(&[("tollgate.outcome", "cancelled"), ("error.type", "cancelled")]);
    dropped.lacks(&["otel.status_code", "gen_ai.response.finish_reasons"]);
    second.has(&[("error.type", "cancelled"), ("tollgate.phase", "next_token")]);
    assert!(spans.iter().all(|span| span.closed), "{spans:#?}");
    let tokens: Vec<_> =
        shown(&events).into_iter().filter(|(name, _)| *name == "first token").collect();
    assert_eq!(tokens, [("first token", Some(2)), ("first token", Some(4))]);
}

/// The events that end calls, under a subscriber of this level.
fn outcomes(level: Level, program: impl FnOnce()) -> Vec<Recorded> {
    let (_, events) = Collector::run_at(level, program);
    events.into_iter().filter(|event| event.name.starts_with("call ")).collect()
}

/// Calls and streams that end in every way.
fn every_ending() {
    let server = loopback();
    let budget = Budget::total(Money::cents(1));
    let observed = |builder: ClientBuilder| {
        builder.retry(quick_retries(1)).observer(TracingObserver::new()).build().unwrap()
    };
    let client = observed(builder(&server, "openai"));
    client.chat("hi").unwrap();
    whole(&mut client.stream("hi").unwrap());
    drop(client.stream("hi").unwrap());
    server.reply(Reply::status(401));
    client.chat("hi").unwrap_err();
    server.reply(Reply::status(429));
    server.reply(Reply::status(503).header("x-request-id", "req_9"));
    client.stream("hi").unwrap_err();
    server.reply(Reply::text("one two three").stream_error(2, "overloaded", "kubla"));
    let _ = client.stream("hi").unwrap().finish();
    // Nothing is sent of these.
    client.chat(ChatRequest::default()).unwrap_err();
    let poor = observed(builder(&server, "openai").costs(costs::config([budget])));
    poor.chat("x".repeat(500_000)).unwrap_err();
}

#[test]
fn each_call_makes_one_event_that_says_how_it_ended() {
    let events = outcomes(Level::TRACE, every_ending);
    let ends: Vec<_> = events.iter().map(|event| (&*event.level, &*event.name)).collect();
    let expected = [
        ("DEBUG", "call answered"),
        ("DEBUG", "call answered"),
        ("DEBUG", "call cancelled"),
        ("WARN", "call failed"),
        ("WARN", "call failed"),
        ("WARN", "call failed"),
        ("WARN", "call failed"),
        ("WARN", "call refused"),
    ];
    assert_eq!(ends, expected, "{events:#?}");
    for (at, event) in events.iter().enumerate() {
        assert!(event.parent.is_some(), "{event:#?}");
        event.has(&[
            ("gen_ai.provider.name", "openai"),
            ("gen_ai.request.model", "gpt-4o-mini"),
            ("gen_ai.operation.name", "chat"),
        ]);
        assert!(event.fields["tollgate.duration"].parse::<f64>().unwrap() >= 0.0);
        assert_eq!(event.fields.contains_key("error.type"), at >= 2, "{event:#?}");
    }
    events[0].has(&[("tollgate.outcome", "answered"), ("tollgate.attempts", "1")]);
    events[3].has(&[
        ("error.type", "authentication"),
        ("http.response.status_code", "401"),
        ("tollgate.attempts", "1"),
    ]);
    events[4].has(&[
        ("error.type", "overloaded"),
        ("http.response.status_code", "503"),
        ("tollgate.attempts", "2"),
        ("tollgate.request_id", "req_9"),
    ]);
    events[6].has(&[("error.type", "invalid_request"), ("tollgate.attempts", "0")]);
    events[7].has(&[("error.type", "budget_exceeded"), ("tollgate.attempts", "0")]);
}

#[test]
fn a_default_subscriber_sees_failed_calls() {
    // `tracing_subscriber::fmt()` takes INFO and above; a filter such as "warn" drops spans.
    for level in [Level::INFO, Level::WARN] {
        let events = outcomes(level, every_ending);
        assert_eq!(events.len(), 5, "{events:#?}");
        assert!(events.iter().all(|event| event.level == "WARN"));
        assert!(events.iter().all(|event| event.parent.is_some() == (level == Level::INFO)));
    }
    assert_eq!(outcomes(Level::ERROR, every_ending).len(), 0);
}

#[test]
fn tags_and_messages_are_recorded_only_on_request() {
    let program = |observer: fn() -> TracingObserver| {
        let server = loopback();
        let budget = Budget::total(Money::cents(10)).per_tag("customer").soft().alert_at([50]);
        let costs = costs::config([budget]);
        server.reply(Reply::text("xanadu").usage(60_000, 1));
        server.reply(Reply::error(400, "bad", "\"kubla\" is no question"));
        Collector::run(|| {
            let client: Client =
                builder(&server, "openai").costs(costs).observer(observer()).build().unwrap();
            let request = ChatRequest::from("kubla").tag("customer", "acme").tag("team", "crimson");
            client.chat(request.clone()).unwrap();
            client.chat(request).unwrap_err();
        })
    };
    let (spans, events) = program(TracingObserver::new);
    let mut all = String::new();
    for recorded in spans.iter().chain(&events) {
        let _ = writeln!(all, "{recorded:?}");
    }
    for secret in ["kubla", "xanadu", KEY, "acme", "crimson"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    spans[2].has(&[("error.type", "invalid_request"), ("otel.status_code", "ERROR")]);
    let alert = events.iter().find(|event| event.name == "budget alert").unwrap();
    alert.has(&[("tollgate.budget.threshold", "50"), ("tollgate.budget.limit", "0.1")]);
    assert_eq!(alert.level, "WARN");

    let (spans, events) =
        program(|| TracingObserver::new().tag("customer").accounts(true).error_messages(true));
    spans[0].has(&[("tollgate.tags", "{\"customer\":\"acme\"}")]);
    spans[2].has(&[("error.message", "\"kubla\" is no question")]);
    spans[3].has(&[("error.message", "\"kubla\" is no question")]);
    let failed = events.iter().find(|event| event.name == "call failed").unwrap();
    failed.has(&[("error.message", "\"kubla\" is no question")]);
    let alert = events.iter().find(|event| event.name == "budget alert").unwrap();
    alert.has(&[("tollgate.account", "customer=acme")]);
}

#[test]
fn a_key_that_a_server_repeats_is_in_no_span() {
    let server = loopback();
    let echo = |reply: Reply| reply.header("x-request-id", KEY).header("request-id", KEY);
    for _ in 0..2 {
        server.reply(echo(Reply::text("fine").model(format!("gpt-{KEY}"))));
        server.reply(echo(Reply::error(500, KEY, format!("bad key {KEY}"))));
        let fault = Reply::text("one two").stream_error(1, KEY, format!("bad key {KEY}"));
        server.reply(echo(fault.model(format!("gpt-{KEY}"))));
    }
    let (spans, events) = Collector::run(|| {
        for provider in ["openai", "anthropic"] {
            let observer = TracingObserver::new().error_messages(true);
            let client = builder(&server, provider).observer(observer).build().unwrap();
            client.chat("hi").unwrap();
            client.chat("hi").unwrap_err();
            let _ = client.stream("hi").map(|mut stream| stream.finish());
        }
    });
    let recorded: Vec<_> = spans.iter().chain(&events).map(|span| format!("{span:?}")).collect();
    assert!(recorded.iter().all(|span| !span.contains(KEY)), "{recorded:#?}");
    assert!(recorded.iter().filter(|span| span.contains("[key]")).count() >= 6, "{recorded:#?}");
}

#[test]
fn a_finished_call_leaves_nothing_behind() {
    let server = loopback();
    let observer = Arc::new(TracingObserver::new());
    Collector::run(|| {
        let client = builder(&server, "openai").shared_observer(observer.clone()).build().unwrap();
        let stream = client.stream("hi").unwrap();
        client.chat("hi").unwrap();
        assert!(format!("{observer:?}").contains("open: 1"), "{observer:?}");
        drop(stream);
        assert!(format!("{observer:?}").contains("open: 0"), "{observer:?}");
    });
}

#[test]
fn spans_and_events_name_the_route_and_its_targets() {
    let servers = Servers::start();
    servers.0[0].reply(Reply::error(500, "no", "not now"));
    let (spans, events) = Collector::run_at(Level::INFO, || {
        let builder = servers.builder(|route| route.breaker(touchy()));
        builder.observer(TracingObserver::new()).build().unwrap().chat("hi").unwrap();
    });
    let [call, first, second] = &spans[..] else { panic!("{spans:#?}") };
    call.has(&[
        ("otel.name", "chat all"),
        ("tollgate.route", "all"),
        ("tollgate.target", "anthropic/claude-haiku-4-5"),
        ("gen_ai.provider.name", "anthropic"),
        ("server.address", "127.0.0.1"),
    ]);
    for (attempt, name, provider) in [
        (first, "openai/gpt-4o-mini", "openai"),
        (second, "anthropic/claude-haiku-4-5", "anthropic"),
    ] {
        attempt.has(&[("tollgate.target", name), ("gen_ai.provider.name", provider)]);
    }
    let [rests, failed_over] = &events[..] else { panic!("{events:#?}") };
    let of = [("tollgate.route", "all"), ("tollgate.target", "openai/gpt-4o-mini")];
    rests.has(&of);
    rests.has(&[("tollgate.reason", "failures")]);
    failed_over.has(&of);
    failed_over.has(&[("error.type", "server")]);
    assert_eq!(shown(&events), [("target rests", Some(2)), ("failed over", Some(1))]);
}

#[test]
fn the_attempts_of_a_hedged_call_are_spans_of_their_own() {
    let servers = Servers::start();
    servers.0[0].default_reply(Reply::hang());
    let (spans, events) = Collector::run(|| {
        let client = servers
            .builder(|route| route.hedge(Hedge::after(Duration::from_millis(2))))
            .observer(TracingObserver::new())
            .build()
            .unwrap();
        client.chat("hi").unwrap();
    });
    let of = |name: &str| {
        let target = format!("{name}/");
        let is_it = |span: &&Recorded| {
            span.fields.get("tollgate.target").is_some_and(|field| field.starts_with(&target))
        };
        spans.iter().filter(|span| span.name == "attempt").find(is_it).expect("an attempt there")
    };
    let (silent, answered) = (of("openai"), of("anthropic"));
    silent.has(&[("error.type", "cancelled")]);
    answered.has(&[("http.request.resend_count", "1")]);
    answered.lacks(&["error.type"]);
    assert!(spans.iter().all(|span| span.closed), "{spans:#?}");
    assert!([silent, answered].iter().all(|span| span.parent == Some(1)));
    let named = |name: &str| events.iter().filter(|event| event.name == name).collect::<Vec<_>>();
    named("hedged")[0].has(&[("tollgate.target", "anthropic/claude-haiku-4-5")]);
    let parents: Vec<_> = named("connection leased").iter().map(|event| event.parent).collect();
    assert!(parents.iter().all(|parent| parent.is_some_and(|parent| parent > 1)), "{parents:?}");
}

#[test]
fn a_deprecated_model_is_a_warning_in_the_span_of_its_first_call() {
    let server = loopback();
    let (_, events) = Collector::run(|| {
        let builder = builder(&server, "openai").model("gpt-4o").check_models(true);
        let client = builder.observer(TracingObserver::new()).build().unwrap();
        client.chat("hi").unwrap();
        client.chat("hi").unwrap();
    });
    let warnings: Vec<_> = events.iter().filter(|event| event.name == "model deprecated").collect();
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].level, "WARN");
    warnings[0].has(&[
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", "gpt-4o"),
        ("tollgate.model.retires", "2027-01-14"),
        ("tollgate.model.successor", "gpt-6-luna"),
    ]);
}
