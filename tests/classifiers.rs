//! Classifiers: the request decides which target of a route comes first.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use support::cascades::{cascade, priced};
use support::routes::{Servers, names, touchy};
use tollgate::ChatRequest;
use tollgate::route::{Balanced, ByPrompt, Choice, Classifier, Route, TargetInfo, TargetStep};
use tollgate::testing::Reply;

const CODE: &str = "Why?\n```\nlet x = 1;\n```";

/// Chooses the target that the prompt names.
struct ByName;

impl Classifier for ByName {
    fn name(&self) -> &str {
        "by_name"
    }

    fn classify(&self, request: &ChatRequest, targets: &[TargetInfo<'_>]) -> Option<Choice> {
        let asked = request.messages[0].text();
        assert_ne!(asked, "panic", "the classifier broke");
        let target = targets.iter().find(|target| target.provider == asked);
        match (asked.as_str(), target) {
            ("none", _) => None,
            (_, Some(target)) => Some(Choice::new(target.name, "the prompt names it")),
            (asked, None) => Some(Choice::new(asked, "the prompt names it")),
        }
    }
}

fn by_name() -> Route {
    Route::new("all").targets(names()).classifier(ByName)
}

#[test]
fn the_choice_comes_first_and_is_explained() {
    let servers = Servers::start();
    let client = servers.builder(|_| by_name()).build().unwrap();
    for provider in ["groq", "anthropic", "openai"] {
        let response = client.chat(provider).unwrap();
        assert_eq!(response.text(), format!("from {provider}"));
        let trace = response.route().unwrap();
        let choice = trace.classification.as_ref().unwrap();
        assert_eq!((choice.classifier.as_str(), choice.is_known), ("by_name", true));
        let line = format!("  by_name chose {}: the prompt names it", choice.target);
        assert_eq!(trace.to_string().lines().nth(1), Some(line.as_str()));
    }
    let response = client.chat("none").unwrap();
    assert_eq!(response.text(), "from openai");
    assert_eq!(response.route().unwrap().classification, None);
    assert!(client.stream("groq").is_ok_and(|mut stream| {
        stream.finish().is_ok_and(|response| response.text() == "from groq")
    }));
}

#[test]
fn an_unknown_target_leaves_the_choice_to_the_strategy_and_shows() {
    let servers = Servers::start();
    let client = servers.builder(|_| by_name()).build().unwrap();
    let response = client.chat("nobody").unwrap();
    assert_eq!(response.text(), "from openai");
    let shown = response.route().unwrap().to_string();
    assert!(
        shown.contains("by_name chose \"nobody\", which is no target of this route"),
        "{shown}"
    );
}

#[test]
fn a_choice_that_fails_goes_up_and_then_down() {
    let servers = Servers::start();
    let client = servers.builder(|_| by_name()).build().unwrap();
    let broken = || Reply::error(500, "server_error", "it broke");
    servers.0[1].reply(broken());
    servers.0[2].reply(broken());
    let response = client.chat("anthropic").unwrap();
    let tried: Vec<_> = response.attempts().iter().map(|one| one.provider.as_str()).collect();
    assert_eq!(tried, ["anthropic", "groq", "openai"]);
}

#[test]
fn a_choice_that_rests_is_passed_over() {
    let servers = Servers::start();
    let client = servers.builder(|_| by_name().breaker(touchy())).build().unwrap();
    servers.0[2].reply(Reply::error(500, "server_error", "it broke"));
    client.chat("groq").unwrap();
    let response = client.chat("groq").unwrap();
    assert_eq!((response.attempts().len(), servers.counts()[2]), (1, 1));
    let steps = &response.route().unwrap().targets[2].steps;
    assert!(matches!(steps[..], [TargetStep::Resting { .. }]), "{steps:?}");
}

#[test]
fn the_strategy_chooses_after_the_classifier() {
    let servers = Servers::start();
    let client = servers.builder(|_| by_name().strategy(Balanced)).build().unwrap();
    for _ in 0..20 {
        assert_eq!(client.chat("groq").unwrap().text(), "from groq");
    }
    assert_eq!(servers.counts(), [0, 0, 20]);
}

#[test]
fn a_cascade_begins_where_its_classifier_says_and_never_goes_down() {
    let servers = Servers::start();
    let route = || cascade().classifier(ByName).accept(|_| false);
    let client = priced(&servers, route()).build().unwrap();
    let response = client.chat("anthropic").unwrap();
    assert_eq!((response.text().as_str(), servers.counts()), ("from groq", [0, 1, 1]));
    let response = client.chat("groq").unwrap();
    assert_eq!((response.text().as_str(), servers.counts()), ("from groq", [0, 1, 2]));
}

#[test]
fn the_example_sends_code_to_the_last_target_also_from_json() {
    let [first, second, third] = names();
    let text = serde_json::json!([
        {"name": "all", "targets": [first, second, third], "classifier": "by_prompt"}
    ]);
    let loaded = Route::from_json(&text.to_string()).unwrap().remove(0);
    let built = Route::new("all").targets(names()).classifier(ByPrompt::default());
    for route in [loaded, built] {
        let servers = Servers::start();
        let client = servers.builder(|_| route.clone()).build().unwrap();
        assert_eq!(client.chat(CODE).unwrap().text(), "from groq");
        assert_eq!(client.chat("Hello!").unwrap().text(), "from openai");
    }
}

#[test]
fn a_classifier_that_panics_leaves_nothing_behind() {
    let servers = Servers::start();
    let client = servers.builder(|_| by_name()).build().unwrap();
    let outcome = catch_unwind(AssertUnwindSafe(|| client.chat("panic")));
    assert!(outcome.is_err());
    assert_eq!(servers.counts(), [0, 0, 0]);
    let metrics = client.metrics();
    assert_eq!((metrics.in_flight, metrics.total.cancelled), (0, 1));
    assert_eq!(client.costs().total.calls, 0);
    assert_eq!(client.chat("groq").unwrap().text(), "from groq");
}
