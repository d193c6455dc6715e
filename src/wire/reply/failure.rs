//! Why a response is not an answer.

mod class;
mod phrases;
mod report;
mod wait;

use serde_json::{Value, json};
use std::time::Duration;

use super::{Reply, head, html_excerpt, redirect};
use crate::error::{Error, ErrorKind};
use crate::wire::json;
use report::Report;

/// Why a response is not an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    /// The provider's own code.
    pub(crate) code: Option<String>,
    /// The provider's own words, or ours where it has none.
    pub(crate) message: String,
    /// How long the body asks to wait.
    pub(crate) wait: Option<Duration>,
}

impl Failure {
    pub(crate) fn protocol(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Protocol, code: None, message: message.into(), wait: None }
    }

    /// The failure of a stream without events whose body only the end of the connection ends.
    pub(crate) fn cut_off() -> Self {
        let message = "the connection ended before the first event of the stream".to_owned();
        Self { kind: ErrorKind::Truncated, code: None, message, wait: None }
    }

    pub(in crate::wire) fn too_many_parts() -> Self {
        Self::protocol("the answer has more parts than any model writes")
    }

    pub(crate) fn into_error(self) -> Error {
        self.into_unbounded_error().bounded()
    }

    pub(super) fn into_unbounded_error(self) -> Error {
        Error::new(self.kind, self.message).with_code(self.code).with_retry_hints(self.wait, None)
    }

    /// The failure of a response of any status but 2xx.
    ///
    /// The body decides, the same way whatever the format: gateways
    /// stand in front of every provider and answer in each other's forms. A body
    /// that is not JSON is a proxy's and says no more than its status; one with a
    /// content coding, which was not requested, cannot be read.
    pub(crate) fn of(reply: Reply<'_>) -> Self {
        let status = reply.status;
        match status {
            300..=399 => return redirect::redirect(reply),
            400..=599 => {}
            _ => {
                return Self::protocol(format!(
                    "the server answered with status {status}, which has no meaning here"
                ));
            }
        }
        let coding = head::coding(reply);
        let unexplained = || match &coding {
            Some(coding) => format!(
                "the server answered with status {status} and an explanation in the \
                 content-encoding {coding:?}, which was not requested"
            ),
            None => format!("the server answered with status {status} and no explanation"),
        };
        if coding.is_some() {
            let kind = class::by_status(status);
            return Self { kind, code: None, message: unexplained(), wait: None };
        }
        match explanation(reply.body) {
            Some(body) => {
                let report = Report::read(&body);
                Self::reported(Some(status), report, unexplained)
            }
            None => Self {
                kind: class::by_status(status),
                code: None,
                message: html_excerpt::excerpt(reply.body).unwrap_or_else(unexplained),
                wait: None,
            },
        }
    }

    /// The failure that an `error` member means in a body under status 200, or in
    /// a stream: classed by the status in its code, as OpenRouter writes it, or by
    /// its code, type and words. One that says nothing known is
    /// [`Server`](ErrorKind::Server), as the request was taken.
    pub(in crate::wire) fn inside(error: &Value) -> Self {
        Self::of_body(&json!({ "error": error }))
    }

    /// As [`inside`](Self::inside), of a body that is the error itself.
    pub(in crate::wire) fn of_body(body: &Value) -> Self {
        let report = Report::read(body);
        let status = report.status;
        Self::reported(status, report, || {
            "the server answered with an error it does not explain".to_owned()
        })
    }

    /// The provider's code is its `code`, or its `type` where it has no code or
    /// one that only repeats the status.
    fn reported(status: Option<u16>, report: Report, unexplained: impl Fn() -> String) -> Self {
        Self {
            kind: class::of(status, &report),
            message: report.message.unwrap_or_else(unexplained),
            code: report.code.or(report.kind),
            wait: report.wait,
        }
    }
}

/// An error body as JSON. Some servers answer a request for a stream with an error inside
/// an event stream.
fn explanation(body: &[u8]) -> Option<Value> {
    let found = json::detail(body);
    if found.as_ref().is_some_and(|found| found.is_object() || found.is_array()) {
        return found;
    }
    let text = std::str::from_utf8(body.get(..16 * 1024).unwrap_or(body)).ok()?;
    if !["data:", "event:", ":"].iter().any(|start| text.trim_start().starts_with(start)) {
        return found;
    }
    let mut data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    data.find_map(|data| json::detail(data.trim().as_bytes()).filter(Value::is_object))
}

#[cfg(test)]
mod tests;
