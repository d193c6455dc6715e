//! What a vendor does not support is refused.

use serde_json::json;
use tollgate::{ChatRequest, Document, Image, Message, Part, ResponseFormat};

use super::support::{loopback, vendor_client};
use super::{CHATS, Chat, asked};

#[test]
fn what_a_vendor_does_not_support_is_refused_before_sending() {
    let server = loopback();
    let schema = || {
        ChatRequest::from("hi")
            .response_format(ResponseFormat::json_schema("s", json!({"type": "object"})))
    };
    let object = || ChatRequest::from("hi").response_format(ResponseFormat::JsonObject);
    let with = |part: Part| ChatRequest::from(Message::user("hi").with(part));
    let by_url = || with(Image::from_url("https://x.example/y.png").into());
    let by_bytes = || with(Image::from_bytes("image/png", b"x").into());
    let file = || with(Document::from_bytes("application/pdf", b"%PDF-1.4 x").into());
    for Chat { name, .. } in CHATS {
        let client = vendor_client(&server, name);
        let json_only = ["deepseek", "siliconflow", "xiaomi", "zai"].contains(&name);
        let bytes_only = ["ollama-openai", "ollama-cloud-openai", "xiaomi"].contains(&name);
        let schema_only = ["lmstudio", "perplexity"].contains(&name);
        let no_images = name == "inception";
        let no_files = ["ollama-openai", "ollama-cloud-openai"].contains(&name);
        for (request, refused, expected) in [
            (schema(), json_only, "cannot enforce a JSON Schema"),
            (object(), schema_only, "no JSON mode without a schema"),
            (by_url(), bytes_only || no_images, "holds an image"),
            (by_bytes(), no_images, "holds an image"),
            (file(), no_files, "holds a file"),
        ] {
            if refused {
                let error = client.chat(&request).unwrap_err();
                assert_eq!(error.kind(), tollgate::ErrorKind::InvalidRequest, "{name}");
                assert!(error.message().contains(expected), "{name}: {error}");
            } else {
                asked(&server, &client, &request);
            }
        }
    }
}
