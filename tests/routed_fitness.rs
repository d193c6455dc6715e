//! Before a call is sent, its route skips the targets that cannot serve it, and says why.

mod support;

use serde_json::json;
use std::sync::Arc;
use support::routes::{MODELS, Servers, names};
use tollgate::cost::Tokenizer;
use tollgate::route::{Capabilities, ModelStatus, Route, RouteTarget, TargetStep, Weighted};
use tollgate::{
    ChatRequest, Client, CostConfig, Document, ErrorKind, Image, MaxPrice, Message, Money, Price,
    Prices, ReasoningEffort, ResponseFormat, Tool, UnknownModel,
};

/// A client whose route has all three targets, each changed by `change`, with its place.
fn client(servers: &Servers, change: impl Fn(usize, RouteTarget) -> RouteTarget) -> Client {
    let targets = names().into_iter().enumerate();
    let targets: Vec<_> = targets.map(|(at, name)| change(at, RouteTarget::new(name))).collect();
    servers.builder(|_| Route::new("all").targets(targets.clone())).build().unwrap()
}

fn with_image() -> ChatRequest {
    Message::user("What is this?").with(Image::from_bytes("image/png", b"\x89PNG\r\n\x1a\n")).into()
}

fn with_document() -> ChatRequest {
    Message::user("Read this.").with(Document::from_bytes("application/pdf", b"%PDF-1.7")).into()
}

fn with_tool() -> ChatRequest {
    ChatRequest::from("hi").tool(Tool::function("f", "d", json!({"type": "object"})))
}

fn with_schema() -> ChatRequest {
    let schema = json!({"type": "object", "properties": {}, "additionalProperties": false});
    ChatRequest::from("hi").response_format(ResponseFormat::json_schema("answer", schema))
}

/// Why the target at a place was skipped.
fn skipped(response: &tollgate::ChatResponse, at: usize) -> String {
    match &response.route().unwrap().targets[at].steps[..] {
        [TargetStep::CannotServe(why)] => why.clone(),
        steps => panic!("{steps:?}"),
    }
}

#[test]
fn a_target_that_cannot_serve_a_request_is_skipped_and_the_answer_says_why() {
    let can = Capabilities::default;
    let long = || ChatRequest::from("word ".repeat(10_000));
    for (cannot, request, why) in [
        (can().images(false), with_image(), "has images, which the model does not support"),
        (can().documents(false), with_document(), "has documents"),
        (can().tools(false), with_tool(), "has tools"),
        (can().schema(false), with_schema(), "has a JSON schema"),
        (
            can().reasoning(false),
            ChatRequest::from("hi").reasoning_effort(ReasoningEffort::Low),
            "sets a reasoning effort",
        ),
        (
            can().max_output(100),
            ChatRequest::from("hi").max_output_tokens(101),
            "allows 101 output tokens, and the model writes at most 100",
        ),
        (
            can().context_window(8_192),
            long(),
            "at least 8333 tokens, and the context window holds 8192",
        ),
        (
            can().context_window(8_500),
            long().max_output_tokens(500),
            "at least 8333 tokens and the answer may have 500",
        ),
        (can().status(ModelStatus::Retired), "hi".into(), "the model is retired"),
    ] {
        let servers = Servers::start();
        let client = client(&servers, |at, target| match at {
            0 => target.capabilities(cannot),
            _ => target,
        });
        let response = client.chat(&request).unwrap();
        assert_eq!(response.text(), "from anthropic", "{why}");
        assert!(skipped(&response, 0).contains(why), "{}", skipped(&response, 0));
        assert_eq!(servers.counts(), [0, 1, 0], "{why}");
        // What it can do, it does.
        assert_eq!(client.chat("hi").is_ok_and(|response| response.text() == "from openai"), {
            cannot.status.is_none()
        });
    }
}

#[test]
fn a_skipped_target_takes_no_part_in_the_choice() {
    let servers = Servers::start();
    let targets = names().into_iter().zip([1e9, 1e9, 1.0]).enumerate();
    let targets: Vec<_> = targets
        .map(|(at, (name, weight))| RouteTarget::new(name).weight(weight).tools(at == 2))
        .collect();
    let client = servers
        .builder(|_| Route::new("all").targets(targets.clone()).strategy(Weighted))
        .build()
        .unwrap();
    for _ in 0..20 {
        assert_eq!(client.chat(with_tool()).unwrap().text(), "from groq");
    }
    assert_eq!(servers.counts(), [0, 0, 20]);
}

#[test]
fn if_every_target_is_skipped_the_error_lists_each_reason_and_nothing_is_sent() {
    let servers = Servers::start();
    let client = client(&servers, |at, target| match at {
        0 => target.images(false),
        1 => target.enabled(false),
        _ => target.images(false).name("the third"),
    });
    let error = client.chat(with_image()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.attempts().is_empty());
    let text = error.to_string();
    for part in [
        "no target of the route \"all\" can serve this call",
        "openai/gpt-4o-mini: skipped: the request has images, which the model does not support",
        "anthropic/claude-haiku-4-5: skipped: the target is disabled",
        "the third: skipped: the request has images",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let stream = client.stream(with_image()).err().unwrap();
    assert_eq!(stream.kind(), ErrorKind::InvalidRequest);
    assert_eq!(servers.counts(), [0, 0, 0]);
}

#[test]
fn the_error_has_the_kind_that_the_reasons_have_in_common() {
    let can = Capabilities::default;
    let long = || {
        ChatRequest::from("word ".repeat(10_000)).tool(Tool::function(
            "f",
            "d",
            json!({"type": "object"}),
        ))
    };
    let retired = can().status(ModelStatus::Retired);
    let (small, no_tools) = (can().context_window(100), can().tools(false));
    for (capabilities, kind) in [
        ([small, small, small], ErrorKind::ContextWindowExceeded),
        ([small, no_tools, small], ErrorKind::InvalidRequest),
        ([retired, retired, retired], ErrorKind::NotFound),
    ] {
        let servers = Servers::start();
        let client = client(&servers, |at, target| target.capabilities(capabilities[at]));
        let error = client.chat(long()).unwrap_err();
        assert_eq!((error.kind(), servers.counts()), (kind, [0, 0, 0]), "{error}");
    }
    let servers = Servers::start();
    let client = client(&servers, |_, target| target.enabled(false));
    assert_eq!(client.chat("hi").unwrap_err().kind(), ErrorKind::Configuration);
}

#[test]
fn the_price_table_and_the_provider_are_asked_for_what_a_target_does_not_set() {
    let servers = Servers::start();
    let prices = Prices::builtin().set(
        "openai",
        MODELS[0].1,
        Price::free().context_window(1_000).max_output(500),
    );
    let costs = || CostConfig::default().prices(prices.clone());
    let plain = servers.builder(|route| route).costs(costs()).build().unwrap();
    let long = ChatRequest::from("word ".repeat(2_000));
    let response = plain.chat(&long).unwrap();
    assert!(skipped(&response, 0).contains("the context window holds 1000"));
    let response = plain.chat(ChatRequest::from("hi").max_output_tokens(501)).unwrap();
    assert!(skipped(&response, 0).contains("writes at most 500"));

    // The program knows better.
    let set = servers
        .builder(|_| {
            let first = RouteTarget::new(names()[0].as_str());
            Route::new("all").target(first.context_window(100_000).max_output(1_000))
        })
        .costs(costs())
        .build()
        .unwrap();
    assert!(set.chat(long).is_ok());
    assert!(set.chat(ChatRequest::from("hi").max_output_tokens(501)).is_ok());

    // The profile of Inception says that its API takes no images.
    let server = support::loopback();
    let client = Client::builder()
        .add_provider(support::routes::config(&server, "inception"))
        .route(Route::new("one").target("inception/mercury"))
        .build()
        .unwrap();
    let error = client.chat(with_image().model("one")).unwrap_err();
    assert!(error.message().contains("skipped: the request has images"), "{error}");
}

/// Every word is a token.
struct Words;

impl Tokenizer for Words {
    fn count(&self, _: &str, _: &str, text: &str) -> Option<u64> {
        Some(text.split_whitespace().count() as u64)
    }
}

#[test]
fn a_tokenizer_decides_whether_a_prompt_fits() {
    let servers = Servers::start();
    let client = servers
        .builder(|_| {
            let first = RouteTarget::new(names()[0].as_str()).context_window(1_000);
            Route::new("all").target(first).target(names()[1].as_str())
        })
        .costs(CostConfig::default().tokenizer(Words))
        .build()
        .unwrap();
    let long_words = |count: usize| ChatRequest::from("extraordinarily ".repeat(count));
    assert_eq!(client.chat(long_words(1_000)).unwrap().text(), "from openai");
    let response = client.chat(long_words(1_001)).unwrap();
    assert_eq!(response.text(), "from anthropic");
    assert!(skipped(&response, 0).starts_with("the prompt has 1001 tokens"));
}

fn priced(dollars: [i64; 3]) -> Prices {
    MODELS.iter().zip(dollars).fold(Prices::builtin(), |prices, ((provider, model), dollars)| {
        let price = Price::per_million(Money::dollars(dollars), Money::dollars(dollars * 4));
        prices.set(provider, model, price)
    })
}

fn at_most(dollars: i64) -> MaxPrice {
    MaxPrice::per_million(Money::dollars(dollars), Money::dollars(dollars * 4))
}

#[test]
fn a_price_ceiling_skips_targets_that_cost_more() {
    let servers = Servers::start();
    let costs = || CostConfig::default().prices(priced([10, 5, 1]));
    let client = servers.builder(|route| route).costs(costs()).build().unwrap();
    for (most, from) in [(10, "from openai"), (9, "from anthropic"), (1, "from groq")] {
        let response = client.chat(ChatRequest::from("hi").max_price(at_most(most))).unwrap();
        assert_eq!(response.text(), from);
        if most < 10 {
            let why = skipped(&response, 0);
            assert!(why.contains("$10.00 per million input tokens, above the max_price"), "{why}");
        }
    }
    let error =
        client.chat(ChatRequest::from("hi").max_price(MaxPrice::of_output(Money::dollars(3))));
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BudgetExceeded);
    assert!(error.message().contains("$4.00 per million output tokens"), "{error}");

    // A route's own ceiling applies besides that of the request.
    let limited =
        servers.builder(|route| route.max_price(at_most(5))).costs(costs()).build().unwrap();
    assert_eq!(limited.chat("hi").unwrap().text(), "from anthropic");
    let higher = ChatRequest::from("hi").max_price(at_most(50));
    assert_eq!(limited.chat(higher).unwrap().text(), "from anthropic");
    let lower = ChatRequest::from("hi").max_price(at_most(2));
    assert_eq!(limited.chat(lower).unwrap().text(), "from groq");
}

#[test]
fn a_price_ceiling_holds_without_a_route_and_for_unknown_prices() {
    let servers = Servers::start();
    let build = |costs: CostConfig| servers.builder(|route| route).costs(costs).build().unwrap();
    let client = build(CostConfig::default().prices(priced([10, 5, 1])));
    let request = |model: &str| ChatRequest::from("hi").model(model).max_price(at_most(5));
    assert!(client.chat(request(&names()[1])).is_ok());
    let error = client.chat(request(&names()[0])).unwrap_err();
    assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::BudgetExceeded, 0));
    let unknown = client.chat(request("openai/unheard-of")).unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::BudgetExceeded);
    assert!(unknown.message().contains("the model's price is unknown"), "{unknown}");
    assert_eq!(servers.counts(), [0, 1, 0]);

    let assumed = Price::per_million(Money::dollars(1), Money::dollars(1));
    let costs = CostConfig::default().unknown_model(UnknownModel::Assume(Arc::new(assumed)));
    assert!(build(costs).chat(request("openai/unheard-of")).is_ok());
}

#[test]
fn a_disabled_target_needs_no_key() {
    let servers = Servers::start();
    let off = RouteTarget::new("openai/gpt-4o-mini").key_variable("TOLLGATE_TEST_NO_KEY");
    let client = servers
        .builder(|_| {
            Route::new("all").target(off.clone().enabled(false)).target(names()[1].as_str())
        })
        .build()
        .unwrap();
    let response = client.chat("hi").unwrap();
    assert_eq!(response.text(), "from anthropic");
    assert_eq!(skipped(&response, 0), "the target is disabled");
    assert!(!client.targets()[0].enabled && client.targets()[1].enabled);
}
