//! Vendors that the crate does not know, as profiles.

use tollgate::{ChatRequest, Client};

use super::support::{KEY, loopback};
use super::{MAX_COMPLETION, asked};

#[test]
fn a_custom_vendor_is_a_profile() {
    use tollgate::provider::{Auth, Dialect, Format, OutputLimit, Profile};

    let server = loopback();
    let mut dialect = Dialect::default();
    dialect.output_limit = OutputLimit::MaxCompletionTokens;
    server.serve_below("/gateway");
    let url = format!("http://{}/gateway", server.address());
    let profile = Profile::new("acme", Format::OpenAiChat, url)
        .auth(Auth::header("x-acme-key"))
        .header("x-acme-team", "search")
        .dialect(dialect);
    // The same from a file.
    let stored = serde_json::to_string(&profile).unwrap();
    for profile in [profile, serde_json::from_str(&stored).unwrap()] {
        let client =
            Client::builder().profile(profile).model("acme-7b").api_key(KEY).build().unwrap();
        for request in asked(&server, &client, &ChatRequest::from("hi").max_output_tokens(9)) {
            assert_eq!(request.path(), "/gateway/chat/completions");
            assert_eq!(request.header("x-acme-key"), Some(KEY));
            assert_eq!(request.header("x-acme-team"), Some("search"));
            assert_eq!(request.json()[MAX_COMPLETION], 9);
        }
    }
}

#[test]
fn a_mistake_in_a_stored_profile_is_reported_with_line_and_column() {
    use tollgate::provider::Profile;

    for (text, expected) in [
        ("{\n  \"id\": \"a\",\n  \"format\": \"openai\"\n}", "unknown variant `openai`, expected"),
        ("{\"id\": \"a\", \"format\": \"openai_chat\"}", "missing field `base_url`"),
        (
            "{\"id\": \"a\", \"format\": \"openai_chat\", \"base_url\": \"https://a.b\",\n \
             \"dialect\": {\"output_limits\": \"max_tokens\"}}",
            "unknown field `output_limits`, expected",
        ),
    ] {
        let error = Profile::from_json(text).unwrap_err();
        assert!(error.message().contains(expected), "{error}");
        assert!(error.message().contains("line "), "{error}");
    }
}
