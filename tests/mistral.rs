//! Requests to Mistral fit its closed schema (mistralai/platform-docs-public, `openapi.yaml`), and
//! what it lacks is refused before sending.

mod support;

use serde_json::json;
use support::{loopback, vendor_client};
use tollgate::testing::Reply;
use tollgate::{ChatRequest, Document, ErrorKind, Message, Part, ReasoningEffort, Role};

#[test]
fn documents_and_refusals_go_to_mistral_in_its_own_parts() {
    let server = loopback();
    let client = vendor_client(&server, "mistral");
    let pdf = || Document::from_bytes("application/pdf", b"%PDF-1.4 x");
    let user = |document: Document| Message::user("Sum it up.").with(document);
    let data_url = "data:application/pdf;base64,JVBERi0xLjQgeA==";
    for (message, expected) in [
        (user(pdf()), json!({"type": "document_url", "document_url": data_url})),
        (
            user(pdf().name("report.pdf")),
            json!({"type": "document_url", "document_url": data_url,
                "document_name": "report.pdf"}),
        ),
        (
            user(Document::from_url("https://x.example/a.pdf")),
            json!({"type": "document_url", "document_url": "https://x.example/a.pdf"}),
        ),
        (user(Document::from_file_id("f-1")), json!({"type": "file", "file_id": "f-1"})),
        (
            user(Document::from_bytes("text/plain", b"Snow.")),
            json!({"type": "text", "text": "<document>\nSnow.\n</document>"}),
        ),
    ] {
        server.reply(Reply::text("ok"));
        client.chat(message).unwrap();
        assert_eq!(server.requests().pop().unwrap().messages()[0]["content"][1], expected);
    }
    server.reply(Reply::text("ok"));
    let refusal = Message::new(Role::Assistant, [Part::Refusal("I cannot.".to_owned())]);
    client.chat([Message::user("Do it."), refusal, Message::user("Why?")]).unwrap();
    let sent = server.requests().pop().unwrap().messages()[1].clone();
    assert_eq!(sent, json!({"role": "assistant", "content": "I cannot."}));
}

#[test]
fn what_mistrals_schema_lacks_is_refused_before_sending() {
    let server = loopback();
    let client = vendor_client(&server, "mistral");
    let hi = || ChatRequest::from("hi");
    let error = client.chat(hi().logprobs(2)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let expected = "log probabilities, which this provider does not support";
    assert!(error.message().contains(expected), "{error}");
    assert!(server.requests().is_empty());
    // Which efforts a model knows is for Mistral to say.
    for effort in [ReasoningEffort::High, ReasoningEffort::Low, ReasoningEffort::None] {
        server.reply(Reply::text("ok"));
        client.chat(hi().reasoning_effort(effort)).unwrap();
        let sent = server.requests().pop().unwrap();
        assert_eq!(sent.json()["reasoning_effort"], effort.as_str());
    }
}
