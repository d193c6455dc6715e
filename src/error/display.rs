//! How an error is shown to people and in logs.

use std::fmt;

use super::{Decision, Error, ErrorKind, GiveUp};
use crate::unseen;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        f.write_str(inner.kind.title())?;
        // A log has one line per error, and a terminal may show it.
        let mut message = inner.message.clone();
        unseen::word(&mut message);
        if inner.advice.is_some() {
            message.truncate(message.trim_end_matches('.').len());
        }
        for (number, word) in message.split_whitespace().enumerate() {
            let colon = number == 0 && inner.kind != ErrorKind::Timeout;
            write!(f, "{} {word}", if colon { ":" } else { "" })?;
        }
        if let Some(advice) = &inner.advice {
            write!(f, "; {advice}")?;
        }
        let mut details = Vec::new();
        if let Some(provider) = &inner.provider {
            details.push(provider.to_string());
        }
        // With a 2xx status, something else failed.
        if let Some(status @ (..200 | 300..)) = inner.status {
            details.push(format!("status {status}"));
        }
        if let Some(code) = &inner.code {
            details.push(format!("code {code}"));
        }
        if let Some(id) = &inner.request_id {
            details.push(format!("request {id}"));
        }
        if let Some(wait) = inner.retry_after {
            details.push(format!("retry after {wait:?}"));
        }
        if inner.attempts.len() > 1 {
            details.push(format!("{} attempts", inner.attempts.len()));
        }
        // The rest of the line already implies the other reasons.
        match inner.attempts.last().and_then(|attempt| attempt.decision) {
            Some(Decision::GiveUp(
                GiveUp::Lasting
                | GiveUp::PoolFull
                | GiveUp::Cancelled
                | GiveUp::RetriesSpent
                | GiveUp::StreamStarted
                | GiveUp::NotAccepted,
            )) => {}
            Some(Decision::GiveUp(GiveUp::DeadlineTooNear)) if inner.kind == ErrorKind::Timeout => {
            }
            Some(Decision::GiveUp(reason)) => details.push(reason.to_string()),
            Some(Decision::Retry { .. } | Decision::FailOver | Decision::MoveUp) | None => {}
        }
        if !details.is_empty() {
            write!(f, " ({})", details.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        let mut debug = f.debug_struct("Error");
        debug.field("kind", &inner.kind).field("message", &inner.message);
        if let Some(advice) = &inner.advice {
            debug.field("advice", advice);
        }
        if let Some(phase) = inner.phase {
            debug.field("phase", &phase);
        }
        if let Some(provider) = &inner.provider {
            debug.field("provider", provider);
        }
        if let Some(status) = inner.status {
            debug.field("status", &status);
        }
        if let Some(code) = &inner.code {
            debug.field("code", code);
        }
        if let Some(id) = &inner.request_id {
            debug.field("request_id", id);
        }
        if let Some(wait) = inner.retry_after {
            debug.field("retry_after", &wait);
        }
        if let Some(refusal) = &inner.refusal {
            debug.field("refusal", refusal);
        }
        if let Some(limit) = &inner.rate_limit {
            debug.field("rate_limit", limit);
        }
        if !inner.attempts.is_empty() {
            debug.field("attempts", &inner.attempts);
        }
        if let Some(source) = &inner.source {
            debug.field("source", source);
        }
        debug.finish()
    }
}
