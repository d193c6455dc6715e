//! The loopback provider shows a wrong base URL, as a real server does.

mod support;

use support::{KEY, chat_profiles, loopback, quick_retries};
use tollgate::provider::Profile;
use tollgate::testing::Reply;
use tollgate::{Client, Error, ErrorKind};

/// The outcomes of a call and a stream to a provider at this base URL.
fn ask(profile: Profile, url: &str) -> [Result<(), Error>; 2] {
    let client = Client::builder()
        .profile(profile)
        .model("some-model")
        .api_key(KEY)
        .base_url(url)
        .retry(quick_retries(0))
        .build()
        .unwrap();
    let stream = client.stream("hi").and_then(|mut stream| stream.finish());
    [client.chat("hi").map(drop), stream.map(drop)]
}

#[test]
fn every_provider_is_answered_at_its_own_path() {
    for profile in chat_profiles() {
        let server = loopback();
        let url = server.base_url(profile.id.clone());
        let id = profile.id.clone();
        for outcome in ask(profile, &url) {
            outcome.unwrap_or_else(|error| panic!("{id} at {url}: {error}"));
        }
    }
}

#[test]
fn every_provider_gets_a_404_at_a_path_that_is_not_its_own() {
    for profile in chat_profiles() {
        let server = loopback();
        let url = server.base_url(profile.id.clone());
        server.reply(Reply::text("for somebody else"));
        let id = profile.id.clone();
        for wrong in [format!("{url}/x"), format!("{url}/x/v1")] {
            for outcome in ask(profile.clone(), &wrong) {
                let error = outcome.unwrap_err();
                assert_eq!(error.status(), Some(404), "{id} at {wrong}: {error}");
                assert_eq!(error.kind(), ErrorKind::NotFound, "{id} at {wrong}: {error}");
            }
        }
        assert_eq!(
            server.unused_replies(),
            1,
            "{id}: the script is for requests that a provider takes"
        );
    }
}

#[test]
fn a_base_url_of_another_provider_gets_a_404() {
    for (provider, path) in [
        ("openai", ""),
        ("openai", "/v2"),
        ("openai", "/v1/v1"),
        ("openai", "/openai/v1"),
        ("openai", "/v1/chat/completions"),
        ("anthropic", "/v2"),
        ("anthropic", "/anthropic"),
    ] {
        let server = loopback();
        let url = format!("http://{}{path}", server.address());
        for outcome in ask(Profile::builtin(provider).unwrap(), &url) {
            let Err(error) = outcome else { panic!("{provider} at {url}") };
            assert_eq!(error.status(), Some(404), "{provider} at {url}: {error}");
        }
        // A rule can still answer there, for endpoints that the server does not have.
        server.on(|_| true, Reply::text("from a rule"));
        for outcome in ask(Profile::builtin(provider).unwrap(), &url) {
            outcome.unwrap();
        }
    }
}
