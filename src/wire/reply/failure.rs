//! Why a response is not an answer.

mod class;
mod phrases;
mod report;
mod wait;

use serde_json::{Value, json};
use std::time::Duration;

use super::purpose::AWSS_ERROR;
use super::{Reply, head, html_excerpt, redirect};
use crate::error::{Error, ErrorKind};
use crate::wire::json;
use report::Report;

/// Why a response is not an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    /// The provider's error code.
    pub(crate) code: Option<String>,
    /// The provider's message, or ours if it sent none.
    pub(crate) message: String,
    /// How long the body asks clients to wait.
    pub(crate) wait: Option<Duration>,
}

impl Failure {
    pub(crate) fn protocol(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Protocol, code: None, message: message.into(), wait: None }
    }

    /// Returns the failure for a stream without events whose body ended with the connection.
    pub(crate) fn cut_off() -> Self {
        let message = "the connection ended before the first event of the stream".to_owned();
        Self { kind: ErrorKind::Truncated, code: None, message, wait: None }
    }

    pub(in crate::wire) fn too_many_parts() -> Self {
        Self::protocol("the answer has more parts than any model writes; check the server")
    }

    pub(crate) fn into_error(self) -> Error {
        self.into_unbounded_error().bounded()
    }

    pub(in crate::wire) fn into_unbounded_error(self) -> Error {
        Error::new(self.kind, self.message).with_code(self.code).with_retry_hints(self.wait, None)
    }

    /// Returns the failure for a response with any status but 2xx.
    ///
    /// The body decides, in the same way for every format, because gateways stand in front of every
    /// provider and answer in each other's forms. A body that is not JSON comes from a proxy and
    /// adds nothing to the status. A body with a content coding, which was not requested, cannot be
    /// read.
    pub(crate) fn of(reply: Reply<'_>) -> Self {
        let status = reply.status;
        match status {
            300..=399 => return redirect::redirect(reply),
            400..=599 => {}
            _ => {
                return Self::protocol(format!(
                    "the server answered with the unexpected status {status}; check the base URL"
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
                let mut report = Report::read(&body);
                if report.code.is_none() {
                    report.code = reply.header(AWSS_ERROR).and_then(report::awss_code);
                }
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

    /// Returns the failure for an `error` member in a body with status 200 or in a stream. Its
    /// class comes from the status in its code, as OpenRouter writes it, or from its code, type and
    /// message. If none is known, the failure is [`Server`](ErrorKind::Server), because the request
    /// was accepted.
    pub(in crate::wire) fn inside(error: &Value) -> Self {
        Self::of_body(&json!({ "error": error }))
    }

    /// Like [`inside`](Self::inside), for a body that is the error itself.
    pub(in crate::wire) fn of_body(body: &Value) -> Self {
        let report = Report::read(body);
        let status = report.status;
        Self::reported(status, report, || {
            "the server answered with an unexplained error".to_owned()
        })
    }

    /// The provider's code is `code`, or `type` if there is no code or it only repeats the status.
    fn reported(status: Option<u16>, report: Report, unexplained: impl Fn() -> String) -> Self {
        Self {
            kind: class::of(status, &report),
            message: report.message.unwrap_or_else(unexplained),
            code: report.code.or(report.kind),
            wait: report.wait,
        }
    }
}

/// Parses an error body as JSON. Some servers answer a streaming request with an error inside an
/// event stream.
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
