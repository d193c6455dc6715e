//! A blocking client for large language models. No async runtime, one [`Client`] for many
//! providers, safe to share between threads.
//!
//! ```no_run
//! use tollgate::Client;
//!
//! fn main() -> Result<(), tollgate::Error> {
//!     let client = Client::openai("gpt-4o-mini")?; // reads the key from OPENAI_API_KEY
//!     let response = client.chat("What is the capital of France?")?;
//!     println!("{}", response.complete_text()?);
//!     Ok(())
//! }
//! ```
//!
//! [`Client::new`] takes any provider: `Client::new("groq/llama-3.3-70b-versatile")`,
//! `Client::new("ollama/llama3.2")`. [`Client::builder`] sets everything else and checks it at
//! once. Clones are cheap; they share one connection pool, the retries, the budgets and the
//! metrics. Every failure is an [`Error`] with a [`kind`](Error::kind) to branch on.
//!
//! # By task
//!
//! | to | use | guide |
//! |---|---|---|
//! | make a first call | [`Client::chat`], [`ChatRequest`] | [getting started](guide::getting_started) |
//! | choose a provider, or reach your own server | [`Client::new`], [`ProviderConfig`], [`provider::Profile`] | [providers](guide::providers) |
//! | use OpenAI's Responses instead of Chat Completions | [`ChatRequest::wire_format`] | [providers](guide::providers) |
//! | call from many threads | [`Client`] is `Send + Sync + Clone`; [`PoolConfig`] | [connections](guide::connections) |
//! | turn texts into vectors | [`Client::embed`], [`EmbedRequest`] | [embeddings](guide::embeddings) |
//! | print an answer as the model writes it | [`Client::stream`], [`ChatStream`] | [streaming](guide::streaming) |
//! | check content against a policy | [`Client::moderate`], [`ModerationRequest`] | [providers](guide::providers) |
//! | let the model call functions, or get an answer of a type | [`Tool`], [`ChatResponse::parse`] | [tools](guide::tools) |
//! | handle failures | [`Error`], [`ErrorKind`] | [errors](guide::errors) |
//! | set deadlines, retries, or cancel from another thread | [`RetryConfig`], [`CancelToken`] | [retries](guide::retries) |
//! | go through a proxy, or trust a company's certificates | [`Proxy`], [`Tls`] | [connections](guide::connections) |
//! | list a provider's models, or count tokens before sending | [`Client::models`], [`Client::count_tokens`] | [providers](guide::providers) |
//! | limit spending | [`Budget`], [`CostConfig`] | [costs](guide::costs) |
//! | send many requests at half the price | [`Client::batches`], [`Batch`] | [batches](guide::batches) |
//! | stay below a provider's rate limits | [`Limits`] | [limits](guide::limits) |
//! | make many calls, and resume after a stop | [`Client::bulk`], [`bulk`] | [bulk](guide::bulk) |
//! | watch it run | [`Client::metrics`], [`Observer`] | [observability](guide::observability) |
//! | test a program without a key | [`testing`](guide::testing), feature `testing` | [testing](guide::testing) |
//! | not pay twice for an equal request | [`Cache`] | [cache](guide::cache) |
//! | record answers, and replay them without a key or a network | [`Replay`] | [replay](guide::replay) |
//! | call from a build script or batch job | | [build scripts](guide::build_scripts) |
//! | know where keys and prompts can show up | [`ApiKey`] | [security](guide::security) |
//! | look up a setting and its default | [`ClientBuilder`] | [settings](guide::settings) |
//! | move from another client | | [migrating](guide::migrating) |
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `rustls` | yes | TLS by rustls, with Mozilla's root certificates compiled in |
//! | `platform-verifier` | no | rustls, but the operating system checks certificates |
//! | `native-tls` | no | the operating system's TLS instead; combine with `default-features = false` |
//! | `bedrock` | no | [Amazon Bedrock](guide::providers): AWS's signatures and event streams |
//! | `sqlite` | no | [`SqliteLedger`](guide::processes) and [`Cache::sqlite`](guide::cache): budgets and answers in files that processes share |
//! | `vertex` | no | [Vertex AI](guide::vertex): Google Cloud's credentials |
//! | `tracing` | no | [`TracingObserver`](guide::tracing): spans for the `tracing` crate |
//! | `metrics` | no | [`MetricsObserver`](guide::tracing): counts and histograms for the `metrics` crate |
//! | `testing` | no | [the loopback provider](guide::testing): a server for your tests |

// docs.rs builds with nightly and `--cfg docsrs`: every item behind a feature gets its label.
#![cfg_attr(docsrs, feature(doc_cfg))]
// Tests may; a library neither panics on input nor writes to the caller's terminal.
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr))]

mod answer_source;
mod base64;
pub mod batch;
mod bounds;
pub mod bulk;
pub mod cache;
mod call;
mod cancel;
pub mod catalogue;
pub mod chat;
mod client;
mod config;
pub mod cost;
mod deadline;
mod decimal;
mod decoder;
mod display;
pub mod embed;
mod error;
mod family;
mod fingerprint;
pub mod guide;
mod header;
mod histogram;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;
mod journal;
mod key;
mod memo;
pub mod metrics;
mod models;
pub mod moderation;
mod money;
pub mod observe;
mod observed;
mod path_segment;
mod pool;
pub mod provider;
mod raw;
pub mod replay;
mod retry;
pub mod route;
mod routing;
mod scan;
mod settings_file;
mod snapshot;
mod sorted_map;
mod spool;
#[cfg(feature = "sqlite")]
mod sqlite_file;
mod stream;
mod sync;
mod tags;
#[cfg(feature = "testing")]
pub mod testing;
mod throttle;
mod time;
mod token_count;
mod transport;
mod unseen;
mod upper_bound;
mod url;
mod usage;
mod wildcard;
mod wire;

pub use answer_source::AnswerSource;
#[doc(inline)]
pub use batch::{Batch, BatchOutcome, BatchRequest, BatchResult, BatchState, BatchStatus};
#[doc(inline)]
pub use cache::Cache;
pub use call::{BatchResults, BatchSummary};
pub use cancel::CancelToken;
#[doc(inline)]
pub use chat::{
    Audio, ChatRequest, ChatResponse, Document, FinishReason, Image, ImageDetail, MediaSource,
    Message, Opaque, Part, Provenance, Provider, Quota, RateLimit, Reasoning, ReasoningEffort,
    ResponseFormat, Role, StreamEvent, Text, Tool, ToolCall, ToolChoice, ToolResult, Usage,
    UsageSource,
};
pub use client::{Batches, Client};
pub use config::{ClientBuilder, Limits, PoolConfig, ProviderConfig, Proxy, Tls};
#[doc(inline)]
pub use cost::ledger::Ledger;
#[cfg(feature = "sqlite")]
#[doc(inline)]
pub use cost::ledger::SqliteLedger;
#[doc(inline)]
pub use cost::{
    Availability, Budget, BudgetAlert, BudgetRefusal, Cost, CostConfig, CostEvent, CostEvents,
    CostReport, CostSource, CostTracker, MaxPrice, Money, Price, Prices, UnknownModel,
    UnreportedUsage,
};
pub use decoder::StreamDecoder;
#[doc(inline)]
pub use embed::{EmbedRequest, Embeddings};
pub use error::{Attempt, AttemptFailure, Decision, Error, ErrorKind, GiveUp, Phase, Wait};
pub use histogram::{Histogram, Measure};
pub use key::ApiKey;
pub use metrics::MetricsSnapshot;
pub use models::{ModelInfo, ModelsRequest};
#[doc(inline)]
pub use moderation::{Moderation, ModerationRequest};
pub use observe::Observer;
pub use pool::{ClosedConnections, ConnectFailures, OriginStats, PoolStats};
pub use raw::{RawRequest, RawResponse};
#[doc(inline)]
pub use replay::Replay;
pub use retry::{Backoff, RetryBudget, RetryConfig, Sleeper};
pub use stream::{ChatStream, NextEvent, Selected, TextDeltas, select};
pub use throttle::{LimitLevel, LimitStatus};
pub use token_count::TokenCount;
#[cfg(feature = "bedrock")]
#[cfg_attr(docsrs, doc(cfg(feature = "bedrock")))]
pub use wire::framing::aws_event_stream;
pub use wire::framing::{ndjson, sse};

/// Compiles the README's programs, and runs those that need no provider.
#[cfg(all(doctest, feature = "testing", feature = "rustls"))]
#[doc = include_str!("../README.md")]
struct Readme;
