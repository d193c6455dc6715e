//! A provider has one name everywhere, its id, whatever the price table calls it.

mod support;

use std::sync::{Arc, Mutex};
use support::{KEY, chat_profiles, loopback, quick_retries};
use tollgate::observe::{Call, CallEnd, Observer};
use tollgate::provider::Profile;
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    Budget, ChatRequest, Client, ClientBuilder, CostEvent, CostTracker, ErrorKind, Money, Usage,
};

/// Provider, one of its models, and the provider's name in the price table.
const PRICED: [(&str, &str, &str); 11] = [
    ("openai", "gpt-4o-mini", "openai"),
    ("anthropic", "claude-haiku-4-5", "anthropic"),
    ("azure", "gpt-4o-mini", "azure"),
    ("gemini-openai", "gemini-2.5-flash", "google"),
    ("cohere", "command-r", "cohere"),
    ("cohere-openai", "command-r", "cohere"),
    ("xai", "grok-3", "x-ai"),
    ("moonshot", "kimi-k2-0905-preview", "moonshotai"),
    ("moonshot-anthropic", "kimi-k2-0905-preview", "moonshotai"),
    ("deepseek-anthropic", "deepseek-chat", "deepseek"),
    ("groq", "llama-3.3-70b-versatile", "groq"),
];

/// The providers that an observer saw.
#[derive(Debug, Default)]
struct Seen(Mutex<Vec<String>>);

impl Observer for Seen {
    fn call_begun(&self, call: &Call<'_>) {
        self.0.lock().unwrap().push(call.provider.to_owned());
    }

    fn call_ended(&self, call: &Call<'_>, _: &CallEnd<'_>) {
        self.0.lock().unwrap().push(call.provider.to_owned());
    }
}

fn builder(server: &Loopback, provider: &str, model: &str) -> ClientBuilder {
    Client::builder()
        .provider(provider)
        .model(model)
        .api_key(KEY)
        .base_url(server.base_url(provider))
        .retry(quick_retries(0))
}

/// Makes an answered, a streamed and a failed call, and checks who is named for each.
fn assert_named(server: &Loopback, builder: ClientBuilder, provider: &str) -> Client {
    let seen = Arc::new(Seen::default());
    let client = builder.shared_observer(seen.clone()).build().unwrap();
    let mut events = client.cost_tracker().events();
    let request = ChatRequest::from("hi").max_output_tokens(100);
    server.reply(Reply::text("fine").usage(1_000, 100));
    let answer = client.chat(&request).unwrap();
    server.reply(Reply::text("fine").usage(1_000, 100));
    let streamed = client.stream(&request).unwrap().finish().unwrap();
    server.reply(Reply::error(400, "bad", "no"));
    let error = client.chat(&request).unwrap_err();

    assert_eq!((answer.provider.as_str(), streamed.provider.as_str()), (provider, provider));
    assert_eq!(error.provider(), Some(provider), "{error}");
    assert_eq!(seen.0.lock().unwrap().as_slice(), vec![provider; 6], "observers");

    let metrics = client.metrics();
    let [model] = &metrics.by_model[..] else { panic!("{metrics:?}") };
    assert_eq!((model.provider.as_str(), model.total.calls), (provider, 3));
    let samples = metrics.slowest.iter().chain(&metrics.failed);
    assert!(samples.clone().count() > 3, "{metrics:?}");
    samples.for_each(|sample| assert_eq!(sample.provider, provider));
    let labelled = format!("gen_ai_provider_name=\"{provider}\"");
    let text = metrics.prometheus();
    let names = text.lines().filter(|line| line.contains("gen_ai_provider_name"));
    assert!(names.clone().count() > 3 && names.clone().all(|line| line.contains(&labelled)));

    let report = client.costs();
    let named: Vec<_> = report.by_provider.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(named, [provider], "books");
    assert!(report.by_model.iter().all(|row| row.provider.as_deref() == Some(provider)));
    assert!(report.last.iter().all(|call| call.provider == provider), "{report:?}");
    for _ in 0..2 {
        match events.try_next() {
            Some(CostEvent::Spent(call)) => assert_eq!(call.provider, provider),
            other => panic!("{other:?}"),
        }
    }
    client
}

#[test]
fn every_provider_of_the_registry_has_its_id_in_errors_metrics_observers_and_books() {
    let server = loopback();
    for profile in chat_profiles() {
        let provider = profile.id.as_str();
        assert_named(&server, builder(&server, provider, "some-model"), provider);
    }
}

#[test]
fn the_name_in_the_price_table_is_used_for_prices_only() {
    let server = loopback();
    for (provider, model, prices) in PRICED {
        let client = assert_named(&server, builder(&server, provider, model), provider);
        let cost = client.costs().total.cost;
        let usage = Usage::reported(2_000, 200);
        let expected = CostTracker::new().track_usage(prices, model, &usage).unwrap().unwrap();
        assert_eq!(cost.total, expected.total, "{provider}");
        assert!(!cost.total.is_zero(), "{provider}");
    }
    // A client of OpenAI's format at somebody else's address.
    let other = builder(&server, "openai", "llama-3.3-70b-versatile").price_provider("groq");
    let client = assert_named(&server, other, "openai");
    assert!(!client.costs().total.cost.total.is_zero());
}

#[test]
fn a_custom_provider_has_its_own_id_and_the_prices_of_another() {
    let server = loopback();
    let profile = Profile::builtin("openai").unwrap();
    let mut own = Profile::new(
        "my-gateway",
        profile.format.expect("it has chats"),
        server.base_url("openai"),
    );
    own.prices = Some("openai".into());
    let own = || Client::builder().profile(own.clone()).api_key(KEY).model("gpt-4o-mini");
    let budget = Budget::total(Money::dollars(1)).provider("my-gateway").per_provider();
    let client = assert_named(&server, own().budget(budget), "my-gateway");
    let report = client.costs();
    assert!(!report.total.cost.total.is_zero());
    assert_eq!(report.budgets[0].account, "provider=my-gateway");
    assert_eq!(report.budgets[0].spent, report.total.cost.total);
    // A budget for OpenAI does not apply to a gateway with OpenAI's prices.
    let tight = Budget::total(Money::ZERO).provider("openai");
    server.reply(Reply::text("fine").usage(1_000, 100));
    own().budget(tight).build().unwrap().chat("hi").unwrap();
}

#[test]
fn a_budget_holds_by_the_id_and_by_every_other_name_of_the_provider() {
    let server = loopback();
    for (provider, model, names) in [
        ("gemini-openai", "gemini-2.5-flash", ["gemini-openai", "google-openai", "google"]),
        ("xai", "grok-3", ["XAI", "x-ai", "grok"]),
        ("moonshot", "kimi-k2-0905-preview", ["moonshot", "kimi", "MoonshotAI"]),
    ] {
        for name in names {
            let nothing = Budget::total(Money::ZERO).provider(name);
            let client = builder(&server, provider, model).budget(nothing).build().unwrap();
            let error = client.chat("hi").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BudgetExceeded, "{provider} {name}: {error}");
            let refusal = error.budget().unwrap();
            assert_eq!(refusal.provider, provider, "{name}");
        }
    }
    assert_eq!(server.request_count(), 0);
}

#[test]
fn calls_made_by_other_means_are_booked_under_the_id_too() {
    let costs = CostTracker::new();
    for (provider, model, _) in PRICED {
        let cost = costs.track_usage(provider, model, &Usage::reported(1_000, 100)).unwrap();
        assert!(cost.is_some_and(|cost| !cost.total.is_zero()), "{provider}");
    }
    let report = costs.report();
    let mut booked: Vec<_> = report.by_provider.iter().map(|row| row.key.as_str()).collect();
    booked.sort_unstable();
    let mut ids = PRICED.map(|(provider, ..)| provider);
    ids.sort_unstable();
    assert_eq!(booked, ids);
}
