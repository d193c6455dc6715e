//! Turns the message in an AWS frame into an event or an error.

use serde_json::{Value, json};

use super::aws_event_stream::Message;
use super::sse::lossy;
use super::{ERROR, Frame};
use crate::wire::Failure;

/// Passes on the event in a message under its name, or an [`ERROR`] with the members `code` and
/// `message`.
///
/// The header `:message-type` says what a message is. An `event` has its name in `:event-type` and
/// its data in the payload. An `exception` of the service's model has its name in
/// `:exception-type`, and its members in the payload. An `error` has only the headers `:error-code`
/// and `:error-message` (smithy.io/2.0/aws/amazon-eventstream.html, "Message types"). `code` is the
/// name of the exception, as in the header `x-amzn-errortype` of a response.
pub(super) fn read(
    message: Message<'_>,
    on_frame: &mut impl FnMut(Frame<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut error = json!({});
    match message.text_header(":message-type") {
        Some("exception") => {
            error = serde_json::from_slice(message.payload()).unwrap_or_default();
            if !error.is_object() {
                error = json!({"message": String::from_utf8_lossy(message.payload())});
            }
            set(&mut error, "code", message.text_header(":exception-type"));
        }
        Some("error") => {
            set(&mut error, "code", message.text_header(":error-code"));
            set(&mut error, "message", message.text_header(":error-message"));
        }
        _ => {
            let data = lossy(message.payload());
            let name = message.text_header(":event-type");
            return on_frame(Frame { name, data: &data });
        }
    }
    on_frame(Frame { name: Some(ERROR), data: &error.to_string() })
}

fn set(error: &mut Value, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        error[name] = value.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::framing::aws_event_stream::Parser;
    use crate::wire::framing::aws_event_stream::encode;

    #[test]
    fn exceptions_and_errors_become_error_events() {
        let event = |name, payload: &str| {
            encode(&[(":message-type", "event"), (":event-type", name)], payload.as_bytes())
        };
        let exception = |payload: &str| {
            let headers =
                [(":message-type", "exception"), (":exception-type", "throttlingException")];
            encode(&headers, payload.as_bytes())
        };
        let error = [
            (":message-type", "error"),
            (":error-code", "InternalError"),
            (":error-message", "An \"internal\" error"),
        ];
        for (frame, name, data) in [
            (event("messageStop", "{}"), Some("messageStop"), "{}"),
            (encode(&[], b"{}"), None, "{}"),
            (encode(&[], b"\xff"), None, "\u{fffd}"),
            (
                exception(r#"{"message": "slow"}"#),
                Some(ERROR),
                r#"{"message":"slow","code":"throttlingException"}"#,
            ),
            (exception("slow"), Some(ERROR), r#"{"message":"slow","code":"throttlingException"}"#),
            (
                encode(&error, b""),
                Some(ERROR),
                r#"{"code":"InternalError","message":"An \"internal\" error"}"#,
            ),
            (encode(&error[..1], b""), Some(ERROR), "{}"),
        ] {
            let mut seen = Vec::new();
            let mut keep = |frame: Frame<'_>| {
                seen.push((frame.name.map(str::to_owned), frame.data.to_owned()));
                Ok(())
            };
            Parser::new().push(&frame, |message| read(message, &mut keep)).unwrap();
            assert_eq!(seen, [(name.map(str::to_owned), data.to_owned())]);
        }
    }
}
