//! `MaxPrice`: the highest price that a request may be sent at.

use serde::{Deserialize, Serialize};
use std::time::SystemTime;

use super::rates::per_million;
use super::{Money, Price};

/// The highest price at which a request may be sent, in dollars per million tokens.
///
/// It bounds the price of a model, not the cost of a call: for that, use a
/// [budget per request](crate::Budget::per_request). The price that counts is that of plain input
/// and output, for the size of the prompt and the service tier that the request asks for. A model
/// without a known price is too expensive, unless the client
/// [assumes](crate::UnknownModel::Assume) one.
///
/// ```
/// use tollgate::{ChatRequest, MaxPrice, Money};
///
/// // At most $1 a million input tokens and $5 a million output tokens.
/// let limit = MaxPrice::per_million(Money::dollars(1), Money::dollars(5));
/// let request = ChatRequest::from("Hello").max_price(limit);
/// # let _ = request;
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct MaxPrice {
    /// Dollars per million input tokens. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Money>,
    /// Dollars per million output tokens. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Money>,
}

impl MaxPrice {
    /// Limits the price of a million input tokens and that of a million output tokens.
    pub fn per_million(input: Money, output: Money) -> Self {
        Self { input: Some(input), output: Some(output) }
    }

    /// Limits only the price of a million input tokens.
    pub fn of_input(per_million: Money) -> Self {
        Self { input: Some(per_million), output: None }
    }

    /// Limits only the price of a million output tokens.
    pub fn of_output(per_million: Money) -> Self {
        Self { input: None, output: Some(per_million) }
    }

    /// Returns why a price is too high; `None` if it is not.
    pub(crate) fn exceeded_by(
        &self,
        price: Option<&Price>,
        prompt_tokens: u64,
        service_tier: Option<&str>,
        at: SystemTime,
    ) -> Option<String> {
        let Some(price) = price else {
            return Some(
                "the request has a max_price, and the model's price is unknown; set its price \
                 with Prices::set, or an assumed one with CostConfig::unknown_model"
                    .to_owned(),
            );
        };
        let Excess { what, costs, most } = self.excess(price, prompt_tokens, service_tier, at)?;
        Some(format!(
            "the model's price is {costs} per million {what} tokens, above the max_price of {most}"
        ))
    }

    /// Returns which part of a price is too high; `None` if none is.
    pub(crate) fn excess(
        &self,
        price: &Price,
        prompt_tokens: u64,
        service_tier: Option<&str>,
        at: SystemTime,
    ) -> Option<Excess> {
        let rates = price.period(at).sheet(service_tier).rates(prompt_tokens);
        let parts = [("input", rates.input, self.input), ("output", rates.output, self.output)];
        parts.into_iter().find_map(|(what, rate, most)| {
            let (costs, most) = (per_million(rate), most?);
            (costs > most).then_some(Excess { what, costs, most })
        })
    }

    /// The limit that is within both.
    pub(crate) fn and(self, other: Self) -> Self {
        let lower = |one: Option<Money>, other: Option<Money>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Self { input: lower(self.input, other.input), output: lower(self.output, other.output) }
    }
}

/// A part of a price that is too high, in dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Excess {
    /// `input` or `output`.
    pub(crate) what: &'static str,
    pub(crate) costs: Money,
    pub(crate) most: Money,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_must_not_exceed_any_of_the_limits() {
        let dollars = Money::dollars;
        let price = Price::per_million(dollars(2), dollars(8))
            .above(1_000, Price::per_million(dollars(4), dollars(16)))
            .service_tier("priority", Price::per_million(dollars(3), dollars(12)));
        let free = Price::free();
        let of = |input: i64, output: i64| MaxPrice::per_million(dollars(input), dollars(output));
        for (most, price, tokens, tier, expected) in [
            (of(2, 8), Some(&price), 1_000, None, None),
            (of(1, 8), Some(&price), 1_000, None, Some("$2.00 per million input")),
            (of(2, 7), Some(&price), 1_000, None, Some("$8.00 per million output")),
            (of(2, 8), Some(&price), 1_001, None, Some("$4.00 per million input")),
            (of(2, 8), Some(&price), 1, Some("priority"), Some("$3.00 per million input")),
            (of(2, 8), Some(&price), 1, Some("flex"), None),
            (MaxPrice::of_input(dollars(2)), Some(&price), 1, None, None),
            (
                MaxPrice::of_output(dollars(7)),
                Some(&price),
                1,
                None,
                Some("above the max_price of $7"),
            ),
            (MaxPrice::default(), Some(&price), 1, None, None),
            (of(0, 0), Some(&free), 1, None, None),
            (of(9, 9), None, 1, None, Some("price is unknown")),
        ] {
            let why = most.exceeded_by(price, tokens, tier, SystemTime::now());
            match expected {
                None => assert_eq!(why, None, "{most:?}"),
                Some(text) => {
                    assert!(why.as_ref().is_some_and(|why| why.contains(text)), "{why:?}");
                }
            }
        }
    }
}
