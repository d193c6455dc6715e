//! Moderation: verdicts, costs, budgets, retries, cancelling, deadlines.

mod support;

use serde_json::{Value, json};
use std::thread;
use std::time::Duration;
use support::costs::{spent, usd};
use support::recordings::{Recordings, member};
use support::{builder, chat_profiles, client, last, loopback, quick_retries, vendor_client};
use tollgate::moderation::{ModerationInput, ModerationRequest};
use tollgate::testing::Reply;
use tollgate::{
    Budget, CancelToken, CostConfig, ErrorKind, Image, Message, Money, Part, Price, Prices,
    UsageSource,
};

const JSON: &str = "application/json";

fn flags(moderation: &tollgate::Moderation) -> Vec<bool> {
    moderation.into_iter().map(|result| result.flagged).collect()
}

#[test]
fn each_text_has_its_verdict_in_order() {
    for (provider, model, category) in [
        ("openai", "omni-moderation-latest", "violence"),
        ("mistral", "mistral-moderation-2603", "pii"),
    ] {
        let server = loopback();
        let client = client(&server, provider);
        let texts = ["a nice day".to_owned(), format!("so much {category}"), "hi".to_owned()];
        let moderation = client.moderate(texts).unwrap();
        assert_eq!(flags(&moderation), [false, true, false], "{provider}");
        assert!(moderation.any_flagged());
        let flagged: Vec<_> = moderation.results[1].flagged_categories().collect();
        let [flagged] = flagged[..] else { panic!("{moderation:?}") };
        assert_eq!((&*flagged.name, flagged.score), (category, Some(0.99)));
        assert_eq!(moderation.results[0].category(category).unwrap().score, Some(0.01));
        assert_eq!((&*moderation.model, moderation.provider.as_str()), (model, provider));
        assert_eq!(moderation.attempts.len(), 1);
        let cost = moderation.cost.expect("the price is built in").total;
        assert_eq!(cost.is_zero(), provider == "openai", "{cost}");
        assert!(moderation.id.is_some() && moderation.request_id.is_some());
        let raw = moderation.raw_json();
        assert_eq!(raw["results"].as_array().unwrap().len(), 3);

        let sent = last(&server);
        assert_eq!((sent.method(), sent.path()), ("POST", "/v1/moderations"));
        assert_eq!(sent.model(), Some(model), "the client's own model is for chats");
        let metrics = client.metrics();
        let metrics = metrics.by_model.iter().find(|one| one.operation == "moderation").unwrap();
        assert_eq!(metrics.model, model);
    }
}

#[test]
fn openai_judges_a_text_and_its_image_together() {
    let server = loopback();
    let client = client(&server, "openai");
    let image = Part::Image(Image::from_url("https://example.com/cat.png"));
    let request = ModerationRequest::content([Part::text("look: violence"), image.clone()]);
    let moderation = client.moderate(request).unwrap();
    let [result] = &moderation.results[..] else { panic!("{moderation:?}") };
    assert!(result.flagged);
    assert_eq!(result.category("violence").unwrap().applied_input_types, ["text", "image"]);
    assert_eq!(result.category("hate").unwrap().applied_input_types, ["text"]);
    let alone = client.moderate(ModerationRequest::content([image])).unwrap();
    let hate = alone.results[0].category("hate").unwrap();
    assert_eq!((hate.score, hate.applied_input_types.len()), (Some(0.0), 0));
}

#[test]
fn mistral_judges_the_last_message_of_a_conversation() {
    let server = loopback();
    let client = client(&server, "mistral");
    let chat = [Message::user("about pii"), Message::assistant("Nothing to see.")];
    let moderation = client.moderate(ModerationRequest::chat(chat.clone())).unwrap();
    assert_eq!(flags(&moderation), [false]);
    assert_eq!(last(&server).path(), "/v1/chat/moderations");
    assert_eq!(
        last(&server).json()["input"],
        json!([
            {"role": "user", "content": "about pii"},
            {"role": "assistant", "content": "Nothing to see."},
        ])
    );
    let chats = vec![chat.to_vec(), chat[..1].to_vec()];
    let request = ModerationRequest::of(ModerationInput::Chats(chats));
    assert_eq!(flags(&client.moderate(request).unwrap()), [false, true]);
}

#[test]
fn a_provider_without_moderation_is_refused_before_sending() {
    let has = ["openai", "mistral"];
    for profile in chat_profiles().filter(|profile| !has.contains(&profile.id.as_str())) {
        let server = loopback();
        let provider = profile.id.as_str();
        let client = vendor_client(&server, provider);
        let error = client.moderate("hi").unwrap_err();
        assert_eq!((error.kind(), server.request_count()), (ErrorKind::InvalidRequest, 0));
        let expected = format!("no moderation is known for {provider}");
        assert!(error.message().contains(&expected), "{error}");
        assert!(error.message().contains("ModerationRequest::provider"), "{error}");
    }
}

#[test]
fn a_request_may_name_another_provider_and_model() {
    let server = loopback();
    let client = builder(&server, "anthropic")
        .add_provider(
            tollgate::ProviderConfig::new("openai")
                .api_key("sk-other")
                .base_url(server.base_url("openai")),
        )
        .build()
        .unwrap();
    let moderation = client.moderate(ModerationRequest::from("hi").provider("openai")).unwrap();
    assert_eq!(moderation.model, "omni-moderation-latest");
    let named = ModerationRequest::from("hi").model("openai/text-moderation-stable");
    assert_eq!(client.moderate(named).unwrap().model, "text-moderation-stable");
    assert_eq!(last(&server).model(), Some("text-moderation-stable"));
}

#[test]
fn openais_moderation_is_free_even_when_the_budget_is_spent() {
    let server = loopback();
    let client = builder(&server, "openai").budget(Budget::total(Money::ZERO)).build().unwrap();
    assert_eq!(client.chat("hi").unwrap_err().kind(), ErrorKind::BudgetExceeded);
    let moderation = client.moderate("hi").unwrap();
    assert_eq!(moderation.cost.unwrap().total, Money::ZERO);
    assert_eq!(moderation.usage.source, UsageSource::Estimated);
    assert_eq!((client.costs().total.calls, spent(&client)), (1, Money::ZERO));
}

/// $1 per million tokens, so that one token is a millionth of a dollar.
fn priced(budget: Money) -> CostConfig {
    let price = Price::per_million(Money::dollars(1), Money::ZERO);
    let prices = Prices::empty().set("mistral", "mistral-moderation-2603", price);
    CostConfig::default().prices(prices).budget(Budget::total(budget))
}

#[test]
fn mistrals_moderation_reserves_what_it_can_cost_and_settles_what_it_does() {
    let server = loopback();
    let client = builder(&server, "mistral").costs(priced(usd("0.000300"))).build().unwrap();
    server.reply(Reply::text("").usage(9, 0));
    let moderation = client.moderate("hi").unwrap();
    // The classifier reads 89 tokens of its own.
    assert_eq!(moderation.usage.prompt_tokens, 98);
    assert_eq!(moderation.cost.unwrap().total, usd("0.000098"));
    assert_eq!(spent(&client), usd("0.000098"));
    // Of $0.000300, $0.000202 are left, and an input can use 256 tokens more than its text has.
    let error = client.moderate("hi").unwrap_err();
    assert_eq!((error.kind(), server.request_count()), (ErrorKind::BudgetExceeded, 1));
    assert_eq!(error.budget().unwrap().needed, usd("0.000258"));
    // A call without a known price is not a free one.
    let unpriced = ModerationRequest::from("hi").model("other-moderation");
    let error = client.moderate(unpriced).unwrap_err();
    assert!(error.message().contains("no price is known"), "{error}");
    assert_eq!(server.request_count(), 1);
}

#[test]
fn a_failed_attempt_is_charged_like_that_of_any_call() {
    let server = loopback();
    let costs = priced(Money::dollars(1));
    let client = builder(&server, "mistral").costs(costs).retry(quick_retries(1)).build().unwrap();
    // Not billed: the provider refused it.
    server.reply(Reply::status(429));
    server.reply(Reply::text("").usage(1, 0));
    let moderation = client.moderate("hi").unwrap();
    assert_eq!((moderation.attempts.len(), spent(&client)), (2, usd("0.000090")));
}

#[test]
fn an_answer_with_another_count_is_an_error() {
    let server = loopback();
    let client = client(&server, "openai");
    let one = json!({"flagged": false, "categories": {}, "category_scores": {}});
    let body = json!({"id": "m", "model": "omni-moderation-latest", "results": [one]}).to_string();
    server.on(|_| true, Reply::raw(200, JSON, body));
    let error = client.moderate(["a", "b"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.message().contains("1 results, but the request had 2 inputs"), "{error}");
    assert!(!format!("{error:?}").contains("sk-loopback"), "{error:?}");
}

#[test]
fn failures_are_retried_explained_timed_and_cancelled_like_those_of_chats() {
    let server = loopback();
    let client = builder(&server, "openai").retry(quick_retries(1)).build().unwrap();
    server.reply(Reply::status(503));
    assert_eq!(client.moderate("hi").unwrap().attempts.len(), 2);
    server.reply(Reply::error(400, "invalid_value", "bad input"));
    let error = client.moderate("hi").unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidRequest, Some("invalid_value")));

    server.on(|_| true, Reply::hang());
    let late = ModerationRequest::from("hi").timeout(Duration::from_millis(50));
    assert_eq!(client.moderate(late).unwrap_err().kind(), ErrorKind::Timeout);

    let token = CancelToken::new();
    let request = ModerationRequest::from("hi").cancel_token(&token);
    let count = server.request_count();
    let error = thread::scope(|scope| {
        let call = scope.spawn(|| client.moderate(request));
        assert!(server.wait_for_requests(count + 1, Duration::from_secs(30)));
        token.cancel();
        call.join().unwrap().unwrap_err()
    });
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[test]
fn recorded_verdicts_decode() {
    let Some(recordings) = Recordings::open() else { return };
    let is_moderation = |entry: &&Value| member(entry, "url").ends_with("/v1/moderations");
    let mut read = 0;
    for entry in recordings.entries.iter().filter(is_moderation) {
        let server = loopback();
        let (file, body) = (member(entry, "file"), recordings.body(entry));
        let raw: Value = serde_json::from_slice(&body).unwrap();
        server.on(|_| true, Reply::raw(200, JSON, body));
        let moderation = client(&server, "openai").moderate("This is a safe message").unwrap();
        assert_eq!(moderation.raw_json(), raw, "{file}");
        assert_eq!(
            (json!(moderation.id), json!(moderation.model)),
            (raw["id"].clone(), raw["model"].clone())
        );
        let (result, expected) = (&moderation.results[0], &raw["results"][0]);
        assert_eq!(json!(result.flagged), expected["flagged"], "{file}");
        let categories = expected["categories"].as_object().unwrap();
        assert_eq!(result.categories.len(), categories.len());
        for (category, (name, flagged)) in result.categories.iter().zip(categories) {
            assert_eq!((&category.name, json!(category.flagged)), (name, flagged.clone()));
            assert_eq!(json!(category.score), expected["category_scores"][name], "{file} {name}");
            let types = &expected["category_applied_input_types"][name];
            assert_eq!(json!(category.applied_input_types), *types, "{file} {name}");
        }
        read += 1;
    }
    assert_eq!(read, 2);
}
