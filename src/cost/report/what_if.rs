//! `WhatIf`: what the calls of a report would have cost with another model.

use serde::{Deserialize, Serialize};
use std::fmt;

use super::CostReport;
use crate::cost::{Cost, Money, Tally};
use crate::display;

/// Usage that every price treats alike: of one model, in one service tier, with prompts on the
/// same side of every size at which known prices change. Prices are linear within a class, so
/// pricing the sum equals pricing its calls one by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UsageClass {
    /// The provider; `(other)` if there were too many classes.
    pub provider: String,
    /// The requested model; `(other)` if there were too many classes.
    pub model: String,
    /// The service tier, if the provider reported it.
    #[serde(default)]
    pub service_tier: Option<String>,
    /// Whether the cost in the tally is that of its usage: a price was known, and the providers
    /// reported all usage. Otherwise there is nothing to compare with.
    pub comparable: bool,
    /// The input tokens of the smallest prompt.
    pub least_prompt_tokens: u64,
    /// The input tokens of the largest prompt.
    pub most_prompt_tokens: u64,
    /// The calls.
    pub tally: Tally,
}

impl UsageClass {
    /// Whether some of its prompts exceed `border` and some do not.
    fn straddles(&self, border: u64) -> bool {
        self.least_prompt_tokens <= border && border < self.most_prompt_tokens
    }
}

/// What the calls of a report would have cost with another model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WhatIf {
    /// The other model.
    pub model: String,
    /// The calls whose usage and cost are known.
    pub calls: u64,
    /// What they cost.
    pub actual: Money,
    /// What they would have cost, with the same tokens.
    pub would_be: Money,
    /// The calls without a known price or with unreported usage. They are in `rows` but in neither
    /// sum.
    pub left_out: u64,
    /// Whether the prices are exact. If not, the other model's price changes at a prompt size that
    /// lies within a class; such a class is priced at the size of its largest prompt.
    pub exact: bool,
    /// The same for each model that was used; most expensive first.
    pub rows: Vec<WhatIfRow>,
}

/// The calls of one model in [`WhatIf`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WhatIfRow {
    /// The provider.
    pub provider: String,
    /// The model that was used.
    pub model: String,
    /// How many calls.
    pub calls: u64,
    /// What they cost; `None` for calls that are left out of the sums.
    pub actual: Option<Money>,
    /// What their known usage would have cost.
    pub would_be: Money,
}

impl WhatIf {
    /// The difference: the amount saved, or if negative, the extra cost.
    pub fn saved(&self) -> Money {
        self.actual - self.would_be
    }
}

impl CostReport {
    /// What the calls would have cost with `model`, for the tokens they used.
    ///
    /// `reprice` prices the calls of a class with that model. If its price depends on the size of
    /// the prompt, use the class's [`most_prompt_tokens`](UsageClass::most_prompt_tokens), never
    /// the sum. A price per request applies to each of its [`calls`](Tally::calls). `borders` are
    /// the prompt sizes above which the price of that model changes; they only decide whether the
    /// result is [`exact`](WhatIf::exact).
    ///
    /// Other models use other tokens for the same text, and write other answers. The result only
    /// reprices the recorded numbers.
    pub fn what_if(
        &self,
        model: impl Into<String>,
        borders: &[u64],
        reprice: impl Fn(&UsageClass) -> Cost,
    ) -> WhatIf {
        let mut exact = true;
        let mut rows: Vec<WhatIfRow> = Vec::new();
        for class in &self.usage_classes {
            exact &= !borders.iter().any(|border| class.straddles(*border));
            let is_of = |row: &WhatIfRow| {
                (&row.provider, &row.model) == (&class.provider, &class.model)
                    && row.actual.is_some() == class.comparable
            };
            let place = rows.iter().rposition(is_of).unwrap_or_else(|| {
                rows.push(WhatIfRow {
                    provider: class.provider.clone(),
                    model: class.model.clone(),
                    calls: 0,
                    actual: class.comparable.then_some(Money::ZERO),
                    would_be: Money::ZERO,
                });
                rows.len() - 1
            });
            let row = &mut rows[place];
            row.calls = row.calls.saturating_add(class.tally.calls);
            row.actual = row.actual.map(|actual| actual + class.tally.cost.total);
            row.would_be += reprice(class).total;
        }
        rows.sort_by_key(|row| std::cmp::Reverse((row.actual, row.would_be)));
        let priced = || rows.iter().filter(|row| row.actual.is_some());
        let sum = |sum: u64, row: &WhatIfRow| sum.saturating_add(row.calls);
        WhatIf {
            model: model.into(),
            calls: priced().fold(0, sum),
            actual: priced().filter_map(|row| row.actual).sum(),
            would_be: priced().map(|row| row.would_be).sum(),
            left_out: rows.iter().filter(|row| row.actual.is_none()).fold(0, sum),
            exact,
            rows,
        }
    }
}

/// One sentence, followed by a table by model.
impl fmt::Display for WhatIf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = if self.exact { "" } else { "about " };
        let (calls, model) = (display::count(self.calls), display::name(&self.model));
        let plural = if self.calls == 1 { "call" } else { "calls" };
        let would_be = display::money(self.would_be);
        write!(f, "{calls} {plural} on {model} would have cost {about}{would_be}")?;
        write!(f, " instead of {}", display::money(self.actual))?;
        if let Some(change) = percent(self.actual, self.would_be) {
            write!(f, " ({change})")?;
        }
        f.write_str(".\n")?;
        if self.left_out > 0 {
            let (left_out, whose) = match self.left_out {
                1 => ("call is left out", "its"),
                _ => ("calls are left out", "their"),
            };
            let calls = display::count(self.left_out);
            writeln!(f, "{calls} {left_out}, because {whose} usage or price is not known.")?;
        }
        if self.rows.is_empty() {
            return Ok(());
        }
        let digits = display::digits(Money::picos(self.actual.max(self.would_be).as_picos() / 10));
        writeln!(f, "\n{:43} {:>9} {:>12} {:>13}", "Model", "Calls", "Cost", "Would be")?;
        for row in &self.rows {
            let name = display::name_in(&format!("{} {}", row.provider, row.model), 43);
            let actual = row.actual.map(|actual| display::money_to(actual, digits));
            let actual = actual.unwrap_or_else(|| "unknown".to_owned());
            let would_be = display::money_to(row.would_be, digits);
            writeln!(f, "{name} {:>9} {actual:>12} {would_be:>13}", display::count(row.calls))?;
        }
        Ok(())
    }
}

/// The change, such as `90 % less` or `17 times as much`; `None` if nothing was spent.
fn percent(actual: Money, would_be: Money) -> Option<String> {
    let (actual, would_be) = (actual.as_picos(), would_be.as_picos());
    if actual <= 0 {
        return None;
    }
    let difference = would_be.saturating_sub(actual).saturating_mul(100);
    let percent = (difference.unsigned_abs() + actual.unsigned_abs() / 2) / actual.unsigned_abs();
    Some(match (percent, difference < 0) {
        (0, _) => "the same".to_owned(),
        (percent, true) => format!("{percent} % less"),
        (1_000.., false) => format!("{} times as much", percent / 100 + 1 + (percent % 100) / 50),
        (percent, false) => format!("{percent} % more"),
    })
}

#[cfg(test)]
mod tests;
