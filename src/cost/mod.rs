//! Cost tracking and budgets.
//!
//! ```
//! use tollgate::{Budget, Client, Money, Provider};
//!
//! let client = Client::builder()
//!     .provider(Provider::OPENAI)
//!     .model("gpt-4o-mini")
//!     .api_key("sk-test")
//!     .budget(Budget::daily(Money::dollars(5)).per_tag("customer"))
//!     .build()?;
//! println!("{}", client.costs());
//! # Ok::<(), tollgate::Error>(())
//! ```
//!
//! # How the pieces fit
//!
//! ```text
//! prices    Prices::find(provider, model)       → Price
//! plan      request as it is sent               → CallPlan: provider, model, tags, upper bound
//! reserve   CallPlan × Price → the most it can cost, reserved in the Ledger for every Budget
//!           that applies, or for none of them   → Reservation | Error of kind BudgetExceeded or
//!                                                CostUnknown
//! send      Reservation::send                   → Charge
//! settle    Charge::settle(Bill)                → Cost; the rest of the reservation is released
//! record    CallRecord → CostReport, CostEvents, BudgetAlert
//! ```
//!
//! A [`Client`](crate::Client) takes every attempt of every call through these steps. A program
//! that sends requests by other means can do the same with a [`CostTracker`]. Types keep the
//! steps in order. Dropping a [`Reservation`] releases the money, because nothing was sent.
//! Dropping a [`Charge`] charges the call, because something was. What ends either one consumes
//! it, so no call is charged twice.
//!
//! [`Money`] is a whole number of pico-dollars, so sums are exact. No decision rests on a float.
//! The price at the moment of the reservation also applies when the call is settled, so a call
//! never gets more expensive while it runs.
//!
//! # What is reserved
//!
//! The most that a call can cost, computed from the request as it is sent:
//!
//! | part | upper bound |
//! |---|---|
//! | text | one token per byte, or what a [`Tokenizer`] counts, plus what providers add around messages and tools |
//! | images | the provider's published rule |
//! | input the client cannot see: documents, files by id, media by URL, search results | the model's context window |
//! | output | the output limit for each choice; without a limit, the most the model can write, or its context window |
//! | web searches | the `max_uses` of the tool |
//!
//! Each part is priced at the highest rate that may apply: cached or not, in the standard tier
//! or the requested one, above or below a prompt size. A request without `service_tier` may be
//! served in any tier that the model has a price for, since at OpenAI the project's settings
//! decide. Set `default` to reserve for the standard tier alone. If a part has no upper bound,
//! such as with an unknown context window, a hard budget refuses the call and the error says what
//! to set. A request without an output limit [gets one](CostConfig::limit_output).
//!
//! # What is charged
//!
//! | the attempt | charge |
//! |---|---|
//! | got an answer with its usage | the usage, at the price of the model and tier that served it; or the provider's own bill, if you [trust it](CostConfig::trust_reported_costs) |
//! | was never sent, or got an error response | nothing: no provider bills a failed request |
//! | was sent and got no answer: timeout, cancellation, a broken connection, 408, 502, 504, 520, 524 | by [`UnreportedUsage`]; default: all that was reserved |
//! | was a stream that started and ended before the final usage report, however it ended | by [`UnreportedUsage`]; default: the reported input and all reserved output, whatever arrived |
//! | got an answer without usage, or with zeros in its place | by [`UnreportedUsage`]; default: what was reported, and all that was reserved for the rest |
//! | used a model without a price (only where [`UnknownModel`] allows it) | the provider's own bill, or the price of the model that served it; otherwise nothing, and the call [counts](Tally::unpriced) as unpriced |
//!
//! Some servers report usage with every chunk. A report is final only if the model wrote nothing
//! after it and the stream ended or sent its finish reason. If the provider runs tools itself, it
//! adds their results to the input as it answers, so an early count of the input is not final
//! either.
//!
//! A retried call is charged for every attempt that may have been billed. The upper bound is
//! computed only if a budget applies to the call. If none does, [`UnreportedUsage::Estimate`]
//! replaces `Reserved` and `Received`.
//!
//! # What budgets guarantee
//!
//! In every account of a hard budget, spent and reserved money together never exceed the limit,
//! however many threads make calls. With a shared ledger this holds across processes too. The
//! guarantee does not cover:
//!
//! - a provider that ignores the output limit it was sent, or bills more than its published
//!   rules say. The actual cost is recorded even if it is more than was reserved, and further
//!   calls are refused;
//! - prices or context windows that have changed since the [date](Prices::date) of the table, or
//!   that you [set](Prices::set) wrong;
//! - account settings that raise the price without a word in the request, such as a default of
//!   US-only inference in an Anthropic workspace. A request that asks for this itself, or for a
//!   non-standard speed, is refused;
//! - usage billed at the price of a model that the answer does not name, such as Anthropic's
//!   advisor tool. It is charged at the requested model's price, with its output counted up to
//!   four times ([`OtherModel`](crate::UsageSource::OtherModel));
//! - fees that are not for tokens, web searches or requests: storage, containers, minimum
//!   charges, taxes;
//! - a request that is sent again because its reused connection ended before any byte of the
//!   answer, although the provider did serve it. Both are charged as one, unless
//!   [`retry_stale`](crate::PoolConfig::retry_stale) is off;
//! - any rule other than [`UnreportedUsage::Reserved`], models [allowed](UnknownModel::Allow)
//!   without a price, and a [`Tokenizer`] that counts too few tokens;
//! - what [`CostTracker::track`] records, since that money is already spent.
//!
//! # Where things are
//!
//! `price` finds prices and prices usage, `budget` and `window` decide where and when a budget
//! charges, and `charge` decides how much: all pure. [`ledger`] keeps reserved and spent amounts.
//! `tracker` runs the steps, and `reservation` has the types between them. `totals` adds up,
//! `report` shows.
//!
//! The crate root re-exports what programs need that call through a [`Client`](crate::Client).
//! The rest is for programs that send requests by other means, and for the rows of reports.

mod alert;
mod availability;
mod budget;
mod charge;
mod config;
mod event;
pub mod ledger;
mod parked;
mod plan;
mod price;
mod record;
mod refusal;
mod report;
mod reservation;
mod scope;
mod tally;
mod totals;
mod tracker;
mod window;

pub use alert::BudgetAlert;
pub(crate) use alert::{AlertListener, Listen};
pub use availability::Availability;
pub use budget::Budget;
pub use config::{CostConfig, UnknownModel, UnreportedUsage};
pub use event::{CostEvent, CostEvents};
pub(crate) use parked::ParkedCharge;
pub use plan::CallPlan;
pub(crate) use price::Excess;
pub use price::{Cost, CostSource, MaxPrice, Price, Prices};
pub use record::{CallOutcome, CallRecord};
pub use refusal::BudgetRefusal;
pub use report::{BudgetStatus, CostReport, Row, UsageClass, WhatIf, WhatIfRow};
pub(crate) use reservation::{AtEnd, Meter, ReserveAgain};
pub use reservation::{Bill, Charge, Reservation};
pub use tally::Tally;
pub use tracker::CostTracker;
pub use window::Window;

pub use crate::money::Money;
pub use crate::time::UtcOffset;
pub use crate::upper_bound::Tokenizer;
