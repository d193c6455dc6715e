//! The one event of a call: how it ended.

use tracing::{Level, event};

use crate::error::Error;
use crate::metrics::Ending;
use crate::metrics::names::{self, span};
use crate::observe::{Call, CallEnd};

/// Emits the event, at a level that [`TracingObserver`](super::TracingObserver) documents. The
/// caller enters the call's span if there is one. `messages` says whether to record error
/// messages.
pub(super) fn record(call: &Call<'_>, end: &CallEnd<'_>, messages: bool) {
    let ending = Ending::of(end.error, end.attempts);
    // A level is part of an event's static metadata, so each level needs its own event.
    macro_rules! ended {
        ($level:expr, $text:literal) => {
            event!(
                target: span::TARGET,
                $level,
                {
                    { names::OUTCOME } = ending.as_str(),
                    { names::OPERATION } = call.operation,
                    { names::PROVIDER } = call.provider,
                    { names::REQUEST_MODEL } = Some(call.model).filter(|model| !model.is_empty()),
                    { names::ERROR_TYPE } = end.error.map(|error| error.kind().as_str()),
                    { names::PHASE } =
                        end.error.and_then(Error::phase).map(|phase| phase.as_str()),
                    { span::STATUS_CODE } = end.error.and_then(Error::status),
                    { span::ERROR_MESSAGE } =
                        end.error.filter(|_| messages).map(Error::message),
                    { span::REQUEST_ID } = end.request_id,
                    { span::ATTEMPTS } = end.attempts.len(),
                    { span::DURATION } = end.latency.as_secs_f64()
                },
                $text
            )
        };
    }
    match ending {
        Ending::Answered => ended!(Level::DEBUG, "call answered"),
        Ending::Cancelled => ended!(Level::DEBUG, "call cancelled"),
        Ending::Failed => ended!(Level::WARN, "call failed"),
        Ending::Refused => ended!(Level::WARN, "call refused"),
    }
}
