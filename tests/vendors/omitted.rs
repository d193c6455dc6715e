//! Members that a request leaves out.

use tollgate::testing::Reply;
use tollgate::{ChatRequest, Client};

use super::support::{KEY, loopback, vendor_client};
use super::{asked, request};

#[test]
fn a_request_can_leave_a_member_out() {
    let server = loopback();
    let client = vendor_client(&server, "openai");
    let request = request().seed(7).omit("stream_options").omit("seed").omit("no_such_member");
    for request in asked(&server, &client, &request) {
        let body = request.json().as_object().unwrap().clone();
        assert!(!body.contains_key("stream_options") && !body.contains_key("seed"), "{body:?}");
        assert!(body.contains_key("max_tokens") && body.contains_key("tools"));
    }
    for needed in ["model", "messages", "stream"] {
        let error = client.chat(ChatRequest::from("hi").omit(needed)).unwrap_err();
        assert!(error.message().contains("every request needs"), "{error}");
    }
}

#[test]
fn an_omitted_output_limit_is_not_added_back_for_a_budget() {
    use tollgate::{Budget, Money};

    let server = loopback();
    server.reply(Reply::text("fine"));
    let client = Client::builder()
        .provider("openai")
        .model("gpt-4o-mini")
        .api_key(KEY)
        .base_url(server.base_url("openai"))
        .budget(Budget::daily(Money::dollars(5)))
        .build()
        .unwrap();
    client.chat(ChatRequest::from("hi").omit("max_tokens")).unwrap();
    let sent = server.requests().pop().unwrap();
    assert_eq!(sent.json().get("max_tokens"), None);
}
