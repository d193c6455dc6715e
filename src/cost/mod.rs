//! What calls cost, and limits to it.
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
//! plan      request as it is sent               → CallPlan: who, for whom, the most it can use
//! reserve   CallPlan × Price → the most it can cost, set aside in every Budget that bears
//!           on it, in the Ledger, or in none    → Reservation | Error of kind Budget
//! send      Reservation::send                   → Charge
//! settle    Charge::settle(Bill)                → Cost; what was set aside beyond it is free
//! books     CallRecord → CostReport, CostEvents, BudgetAlert
//! ```
//!
//! A [`Client`](crate::Client) goes this way with every attempt of every call, and a program
//! with requests of its own can: see [`CostTracker`]. Types keep it in order. A
//! [`Reservation`] that is dropped gives the money back, since nothing was sent. A
//! [`Charge`] that is dropped is charged, since something was. And what ends either consumes
//! it, so that nothing is booked twice.
//!
//! [`Money`] is whole pico-dollars, so that sums are exact; nothing is decided on a float.
//! Prices are of the moment at which a call was reserved, also if another holds when it is
//! settled, so that it does not become dearer meanwhile.
//!
//! # What is reserved
//!
//! The most that a call can cost, by the request as it is sent:
//!
//! | part | at most |
//! |---|---|
//! | text | a token for each byte, or what a [`Tokenizer`] counts; and what providers put around messages and tools |
//! | images | by the provider's published rule |
//! | what enters the prompt unseen: documents, files by id, media by URL, results of searches | the model's context window |
//! | output | the output limit, for each choice; without one what the model can write, or its context window |
//! | web searches | the `max_uses` of the tool |
//!
//! each at the dearest rate that it may be billed at: cached or not, in the standard tier or
//! the one asked for, above or below a size of the prompt. A request that names no
//! `service_tier` may be served in any that the model has a price for, since at OpenAI the
//! project's settings decide; name `default` to reserve for the standard tier alone. A
//! request that has no such bound, for an unknown context window, say, is refused where a
//! hard budget bears on it, and the error
//! says what to set. One that has no output limit
//! [gets one](CostConfig::limit_output).
//!
//! # What is charged
//!
//! | the attempt | is charged |
//! |---|---|
//! | was answered, and usage reported | the usage at the price of the model that served it, in the tier that did; or, [if it is to be believed](CostConfig::trust_reported_costs), the provider's own bill |
//! | was never sent, or was answered with an error | nothing: no provider bills a failed request |
//! | was sent and not answered: timeout, cancellation, a broken connection, 408, 502, 504, 520, 524 | by [`UnreportedUsage`]: all that was reserved |
//! | was a stream that began and ended before the last report of its usage, however it ended | by [`UnreportedUsage`]: the input as reported, and all of the output that was reserved, whatever arrived |
//! | was answered without its usage, or with zeros in place of it | by [`UnreportedUsage`]: what was reported, and all that was reserved for the rest |
//! | was of a model without a price | what the provider's own bill says, or the price of the model that served it; otherwise nothing, and it is [counted](Tally::unpriced) as unpriced. Only where [`UnknownModel`] lets it through |
//!
//! A report of usage is the last only if the model wrote nothing after it, and the stream
//! ended or had its finish reason: some servers report usage with every chunk. Where the
//! provider runs tools itself, it adds their results to the input while it answers, so that an
//! early count of the input is not the last either.
//!
//! A call that is tried again is charged for every attempt that may have been billed. The
//! most is only computed where a budget applies to a call; where none does,
//! [`UnreportedUsage::Estimate`] holds in place of `Reserved` and `Received`.
//!
//! # What holds, and what does not
//!
//! On every account of a hard budget, what is spent and what is reserved are together at most
//! the limit, whatever the number of threads, and with a ledger that processes share, of
//! processes. It does not hold against:
//!
//! - a provider that does not keep to the output limit it was sent, or bills what its
//!   published rules do not say: what a call did cost is booked even if that is more than was
//!   reserved, and from then on calls are refused;
//! - prices that have changed since the [date](Prices::date) of the table, or were never
//!   [set](Prices::set) right, and context windows likewise;
//! - settings of an account that raise the price unasked, as an Anthropic workspace's default
//!   of inference in the US alone does; a request that asks for such, or for another speed
//!   than standard, is refused;
//! - what is billed at the price of a model that the answer does not name, as Anthropic's
//!   advisor tool is: it is charged as the model's own, its output up to four times
//!   ([`OtherModel`](crate::UsageSource::OtherModel));
//! - fees that are neither for tokens nor for web searches nor for requests as such: storage,
//!   containers, minimum charges, taxes;
//! - a request that a provider served although its connection, a reused one, ended before
//!   any byte of the answer, and that was sent again: the two are charged as one, unless
//!   [`retry_stale`](crate::PoolConfig::retry_stale) is off;
//! - what is charged by a rule other than [`UnreportedUsage::Reserved`], models
//!   [let through](UnknownModel::Allow) without a price, and a [`Tokenizer`] that counts too
//!   few;
//! - what [`CostTracker::track`] books, since it is spent already.
//!
//! # Where things are
//!
//! `price` finds prices and prices usage, `bound` reckons the most that a request can use,
//! `budget` and `window` decide where and when a budget charges, and `charge` what: all pure.
//! [`ledger`] keeps what is reserved and spent. `tracker` leads through the steps, and
//! `reservation` has the types between them. `books` sums up, `report` shows.
//!
//! What programs name that make their calls by a [`Client`](crate::Client) is at the root of
//! the crate, too; what is only here is for those that make them by other means, and the rows
//! of reports.

mod alert;
mod availability;
mod books;
mod budget;
mod charge;
mod config;
mod event;
pub mod ledger;
mod plan;
mod price;
mod record;
mod refusal;
mod report;
mod reservation;
mod tally;
mod tracker;
mod window;

pub use alert::BudgetAlert;
pub(crate) use alert::{AlertListener, Listen};
pub use availability::Availability;
pub use budget::Budget;
pub use config::{CostConfig, UnknownModel, UnreportedUsage};
pub use event::{CostEvent, CostEvents};
pub use plan::CallPlan;
pub use price::{Cost, CostSource, Price, Prices};
pub use record::{CallOutcome, CallRecord};
pub use refusal::BudgetRefusal;
pub use report::{BudgetStatus, CostReport, Row, UsageClass, WhatIf, WhatIfRow};
pub(crate) use reservation::Meter;
pub use reservation::{Bill, Charge, Reservation};
pub use tally::Tally;
pub use tracker::CostTracker;
pub use window::Window;

pub use crate::money::Money;
pub use crate::time::UtcOffset;
pub use crate::upper_bound::Tokenizer;
