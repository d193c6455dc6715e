//! A blocking client for large language models, without an async runtime.
//!
//! ```no_run
//! use tollgate::Client;
//!
//! # fn main() -> Result<(), tollgate::Error> {
//! let client = Client::openai("gpt-4o-mini")?; // the key is in OPENAI_API_KEY
//! let response = client.chat("What is the capital of France?")?;
//! println!("{}", response.complete_text()?);
//! # Ok(())
//! # }
//! ```
//!
//! A [`Client`] is cheap to clone and shared by any number of threads; all clones
//! share one pool of connections. [`Client::builder`] sets it up and checks
//! everything at once. Every failure is an [`Error`] with a [`kind`](Error::kind) to
//! branch on. The `testing` module (a feature of that name) has a server to test
//! programs against without a key.
//!
//! # The way of a call
//!
//! ```text
//! client.chat(request)                                                   client
//!   │  resolve            the model's name → provider, model      (pure) provider
//!   │  encode             request → JSON, or refused unsent       (pure) wire
//!   │  measure            JSON → the most it can use              (pure) wire
//!   │  ┌─ attempt ──────────────────────────────────────────────┐
//!   │  │ reserve          the most it can cost, or refused      │        cost
//!   │  │ sign             credentials, over what is sent        │        call
//!   │  │ lease            idle → open → wait in line            │        pool
//!   │  │ exchange         bytes → status, headers, body         │        transport
//!   │  │ decode           body → answer | failure               │ (pure) wire
//!   │  │ settle           usage → cost; the rest is free again  │        cost
//!   │  └ decide           again after a wait | give up ─────────┘ (pure) retry
//!   ▼
//! ChatResponse | Error
//! ```
//!
//! [`Client::stream`] goes the same way up to the first event, which is awaited within
//! the attempt. Then a thread reads the body through the push decoder and hands the
//! events over by a bounded channel; [`ChatStream`] is its other end. It is settled when it
//! has ended or is dropped.
//!
//! Everything on that way is bounded by one deadline, set when the call begins, and
//! can be ended from another thread by a [`CancelToken`]. The retries of all calls of
//! a client draw on one [`RetryBudget`].
//!
//! # What calls cost
//!
//! Every answer has its [`cost`](ChatResponse::cost), where the price of the model is known,
//! and [`Client::costs`] reports on all of them. A [`Budget`] is a limit to what calls cost, for
//! all or for each customer, model or provider: before an attempt is sent, the most that
//! it can cost is set aside in every budget that bears on it, or the call is refused with
//! [`ErrorKind::BudgetExceeded`]; afterwards what it did cost is booked, and the rest is free again.
//! So no number of threads spends more than the limit. A request without an output limit
//! gets one that its budgets bear. The module [`cost`] says what is charged when, and what
//! budgets do not hold against.
//!
//! # What is shown and logged
//!
//! No error, observer event, metric, report or `Debug` output shows the API key, the value of
//! a header set by hand, the query of the base URL or the proxy's password. Where a server
//! repeats one of them (in a header, in an error, beside an answer as its id, model, tier or
//! finish reason), it reads `[key]`; so does one in the escapes of URLs, JSON and HTML. The
//! answer's own words, and [`raw`](ChatResponse::raw), are yours and stay as they came.
//! Values of less than 8 bytes are not hidden, nor are those that are no secrets: the ids of
//! organisations and projects, `api-version` in the query, headers such as `accept`,
//! `anthropic-beta` and `user-agent`.
//!
//! `Debug` shows the shape of requests and responses and not their text. An error repeats the
//! provider's message, which may quote the request.
//!
//! This crate logs nothing. ureq below it logs through the `log` crate, and does not know
//! what is secret. It never sees the headers that are sent. Of what comes back it logs the
//! values of `server`, `content-type` and a few more headers at `debug`, and at `trace` the
//! path and query of the URL and the bytes of whole responses. So keep the targets `ureq` and
//! `ureq_proto` at `info` where a server may repeat the key, or where the URL holds it.
//!
//! Reports, and the events and alerts of budgets, have names, tags, counts and
//! amounts, and nothing of what was asked and answered. The same holds for the spans and
//! metrics that the [observers](observe) of the features `tracing` and `metrics` make, which
//! leave out tags, too, unless these are asked for.
//!
//! # Where things are
//!
//! - [`chat`]: requests, messages, responses, in no provider's own format;
//! - `wire`: one folder per wire format, pure; below their streams are [`sse`] and
//!   [`ndjson`], and around them `decoder`, public for programs that bring their own
//!   transport;
//! - `provider`: who serves the models;
//! - `client`, `config`, `error`, `deadline`: the life of a call, its knobs, its ends;
//! - [`cost`]: `price` finds prices, `bound` reckons the most a request can use, `budget` and
//!   `charge` decide, all pure; the [`ledger`](cost::ledger) keeps what is reserved and spent,
//!   `tracker.rs` leads a call through them, `report` shows what came of it;
//! - `retry`: `decide.rs` and `backoff.rs` are pure; `retrier.rs` is the loop, with
//!   clock, chance and sleep from outside; `budget.rs` is shared by all calls;
//! - `stream`: the iterator; `reader.rs` is the thread that reads ahead of it, from a
//!   `source.rs`;
//! - [`observe`]: who is told what happens, and the observers for other crates;
//! - `pool`: who gets which connection; `state.rs` decides, the shell locks and
//!   hands over, `cleaner.rs` is the thread that closes what nobody uses;
//! - `metrics`: what calls did; `recorder.rs` locks, `timeline.rs` is pure, `names.rs` has
//!   all names that other programs see;
//! - `bounds`, `cancel`: what ends a call early;
//! - `time`, `money`, `display`, `histogram`: the calendar, amounts, how both are written
//!   for people, and distributions;
//! - `unseen`: characters that could steer a terminal;
//! - `sync`: the locks as they are, or as loom models them;
//! - `transport`: the only place that knows ureq. A connection is leased from our
//!   pool first and handed to an agent made for that one exchange, so that waiting,
//!   opening and exchanging are told apart and nothing of ureq's own pool, resolver
//!   or timers is used;
//! - `testing`: the loopback provider.

// docs.rs builds with nightly and `--cfg docsrs`: every item behind a feature gets its label.
#![cfg_attr(docsrs, feature(doc_cfg))]
// Tests may; a library neither panics on input nor writes to the caller's terminal.
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr))]

mod base64;
mod bounds;
mod call;
mod cancel;
pub mod chat;
mod client;
mod config;
pub mod cost;
mod deadline;
mod decoder;
mod display;
mod error;
pub mod guide;
mod histogram;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;
mod key;
pub mod metrics;
mod money;
pub mod observe;
mod observed;
mod pool;
pub mod provider;
mod raw;
mod retry;
mod sorted_map;
mod stream;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod transport;
mod unseen;
mod upper_bound;
mod usage;
mod wire;

pub use cancel::CancelToken;
#[doc(inline)]
pub use chat::{
    Audio, ChatRequest, ChatResponse, Document, FinishReason, Image, ImageDetail, MediaSource,
    Message, Opaque, Part, Provenance, Provider, Quota, RateLimit, Reasoning, ReasoningEffort,
    ResponseFormat, Role, StreamEvent, Text, Tool, ToolCall, ToolChoice, ToolResult, Usage,
    UsageSource,
};
pub use client::Client;
pub use config::{ClientBuilder, PoolConfig, ProviderConfig, Proxy, Tls};
#[doc(inline)]
pub use cost::ledger::Ledger;
#[cfg(feature = "sqlite")]
pub use cost::ledger::SqliteLedger;
#[doc(inline)]
pub use cost::{
    Availability, Budget, BudgetAlert, BudgetRefusal, Cost, CostConfig, CostEvent, CostEvents,
    CostReport, CostSource, CostTracker, Money, Price, Prices, UnknownModel, UnreportedUsage,
};
pub use decoder::StreamDecoder;
pub use error::{Attempt, AttemptFailure, Decision, Error, ErrorKind, GiveUp, Phase, Wait};
pub use histogram::{Histogram, Measure};
pub use key::ApiKey;
pub use metrics::MetricsSnapshot;
pub use observe::Observer;
pub use pool::{ClosedConnections, ConnectFailures, OriginStats, PoolStats};
pub use raw::{RawRequest, RawResponse};
pub use retry::{Backoff, RetryBudget, RetryConfig, Sleeper};
pub use stream::{ChatStream, NextEvent, Selected, TextDeltas, select};
pub use wire::framing::{ndjson, sse};

/// The README's programs are compiled and, where they can, run.
#[cfg(all(doctest, feature = "testing", feature = "rustls"))]
#[doc = include_str!("../README.md")]
struct Readme;
