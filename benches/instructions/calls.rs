//! Whole calls with everything a client does: pool, deadline, retries, three budgets, metrics.

use std::hint::black_box;
use std::time::Duration;
use tollgate::route::Route;
use tollgate::{
    AnswerSource, Budget, Cache, ChatRequest, Client, ClientBuilder, Money, ProviderConfig,
    StreamEvent,
};

use crate::workload::Workload;
use crate::workload::streams::CHUNKS;

/// A call to a host by name, on a reused connection.
pub(crate) fn chat(address: &str) -> Workload {
    call(client(address))
}

/// The same through a route with one target. It may take 2 % more.
pub(crate) fn routed(address: &str) -> Workload {
    let provider = ProviderConfig::new("openai").api_key("sk-loopback").base_url(base_url(address));
    let route = Route::new("any").target("openai/gpt-4o-mini");
    call(build(Client::builder().add_provider(provider).route(route).model("any")))
}

/// A call that the cache cannot answer, and whose answer it keeps. The aim is 2 % more than without a
/// cache; it takes 9 %.
pub(crate) fn cache_miss(address: &str) -> Workload {
    // Too small for a round of prompts, so that each answer makes room for itself.
    let client = build(own(address).cache(Cache::memory(64 * 1024)));
    // As long as that of `chat`.
    let prompts: Vec<String> =
        (0..1_000).map(|number| format!("What is capital number {number:06}?")).collect();
    let mut turn = 0;
    Workload::new(move || {
        let prompt = prompts[turn % prompts.len()].as_str();
        turn += 1;
        let request = ChatRequest::from(prompt).tag("customer", "acme");
        let response = client.chat(request).expect("an answer");
        assert_eq!(response.source(), AnswerSource::Live);
        assert_eq!(black_box(response).text(), "Paris");
    })
}

/// A call that the cache answers from memory.
pub(crate) fn cache_hit(address: &str) -> Workload {
    let client = build(own(address).cache(Cache::memory(64 * 1024)));
    client.chat(ChatRequest::from("What is the capital of France?")).expect("an answer");
    call(client)
}

fn call(client: Client) -> Workload {
    Workload::new(move || {
        let request = ChatRequest::from("What is the capital of France?").tag("customer", "acme");
        let response = client.chat(request).expect("an answer");
        assert_eq!(black_box(response).text(), "Paris");
    })
}

/// A stream from the call to its end, including the reader thread.
pub(crate) fn stream(address: &str) -> Workload {
    let client = client(address);
    Workload::new(move || {
        let request = ChatRequest::from("What is the capital of France?").tag("customer", "acme");
        let stream = client.stream(request).expect("a stream");
        let pieces = stream.filter(|event| {
            matches!(event.as_ref().expect("a whole stream"), StreamEvent::TextDelta(_))
        });
        assert_eq!(pieces.count(), CHUNKS);
    })
}

fn client(address: &str) -> Client {
    build(own(address))
}

fn own(address: &str) -> ClientBuilder {
    let builder = Client::builder().provider("openai").model("gpt-4o-mini");
    builder.api_key("sk-loopback").base_url(base_url(address))
}

fn base_url(address: &str) -> String {
    format!("http://{address}/v1")
}

fn build(builder: ClientBuilder) -> Client {
    // Large enough to refuse nothing.
    let limit = Money::dollars(1_000_000_000);
    builder
        .timeout(Duration::from_secs(300))
        .budget(Budget::daily(limit))
        .budget(Budget::monthly(limit).per_tag("customer"))
        .budget(Budget::total(limit).per_model())
        .build()
        .expect("a valid configuration")
}
