//! Cost reports for terminals.

use std::fmt;

use super::{BudgetStatus, CostReport, Row};
use crate::cost::{Money, Tally};
use crate::display;
use crate::time::rfc3339;

/// How many rows of a table are shown.
const ROWS: usize = 20;

/// How many columns the name of a row takes.
const NAME: usize = 30;

/// How many characters a budget's bar has.
const BAR: usize = 20;

/// Tables of at most 80 columns, in plain text.
impl fmt::Display for CostReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        summary(f, self)?;
        let most = if f.alternate() { usize::MAX } else { ROWS };
        // The same number of digits everywhere, so that the decimal points line up.
        let digits = display::digits(Money::picos(self.total.cost.total.as_picos() / 10));
        let table = Table { most, digits };
        table.write(f, "Model", &self.by_model)?;
        if self.by_provider.len() > 1 {
            table.write(f, "Provider", &self.by_provider)?;
        }
        for (tag, rows) in &self.by_tag {
            table.write(f, &format!("Tag {tag}"), rows)?;
        }
        if self.by_day.len() > 1 {
            table.write_latest(f, "Day", &self.by_day)?;
        }
        if self.budgets.is_empty() {
            return Ok(());
        }
        f.write_str("\nBudgets\n")?;
        for status in self.budgets.iter().take(most) {
            write!(f, "{status}")?;
        }
        left_out(f, self.budgets.len().saturating_sub(most))?;
        if self.budgets_left_out > 0 {
            let accounts = display::counted(self.budgets_left_out, "account");
            writeln!(f, "! NOT SHOWN: {accounts} used less recently")?;
        }
        Ok(())
    }
}

/// The totals in words, and everything that makes them inexact.
fn summary(f: &mut fmt::Formatter<'_>, report: &CostReport) -> fmt::Result {
    let Tally { calls, unpriced, bound, estimated, usage, cost } = report.total;
    let cost = display::cost(cost.total, unpriced);
    write!(f, "{cost} for {}", display::counted(calls, "call"))?;
    if let Some(since) = report.since {
        write!(f, " since {}", rfc3339::minute(since))?;
    }
    let tokens = display::tokens;
    write!(f, "\n{} input tokens", tokens(usage.prompt_tokens))?;
    if usage.cached_tokens > 0 {
        write!(f, " ({} cached)", tokens(usage.cached_tokens))?;
    }
    write!(f, ", {} output tokens", tokens(usage.completion_tokens))?;
    if usage.web_searches > 0 {
        write!(f, ", {}", display::counted(usage.web_searches, "web search"))?;
    }
    f.write_str("\n")?;
    if !report.prices_date.is_empty() {
        writeln!(f, "Prices as of {}", display::name(&report.prices_date))?;
    }
    if unpriced > 0 {
        writeln!(
            f,
            "! NOT IN THE COST: {} to models without a known price",
            display::counted(unpriced, "call")
        )?;
    }
    if report.unrecorded > 0 {
        let calls = display::counted(report.unrecorded, "call");
        writeln!(f, "! NOT RECORDED IN THE LEDGER: {calls}, still reserved there")?;
    }
    if let Some(error) = &report.ledger_error {
        writeln!(f, "! The ledger failed: {}", display::name(error))?;
    }
    if bound > 0 {
        let calls = display::counted(bound, "call");
        writeln!(f, "! {calls} with unreported usage, charged at the upper bound")?;
    }
    if estimated > 0 {
        let calls = display::counted(estimated, "call");
        writeln!(f, "! {calls} with unreported usage, cost estimated")?;
    }
    if report.refused > 0 {
        writeln!(f, "! {} refused by a budget", display::counted(report.refused, "call"))?;
    }
    Ok(())
}

/// How a table is written.
struct Table {
    most: usize,
    digits: usize,
}

impl Table {
    /// The first rows.
    fn write(&self, f: &mut fmt::Formatter<'_>, title: &str, rows: &[Row]) -> fmt::Result {
        if rows.is_empty() {
            return Ok(());
        }
        Self::head(f, title)?;
        rows.iter().take(self.most).try_for_each(|row| self.row(f, row))?;
        left_out(f, rows.len().saturating_sub(self.most))
    }

    /// The last rows.
    fn write_latest(&self, f: &mut fmt::Formatter<'_>, title: &str, rows: &[Row]) -> fmt::Result {
        Self::head(f, title)?;
        let first = rows.len().saturating_sub(self.most);
        left_out(f, first)?;
        rows[first..].iter().try_for_each(|row| self.row(f, row))
    }

    fn head(f: &mut fmt::Formatter<'_>, title: &str) -> fmt::Result {
        let name = display::name_in(title, NAME);
        let [calls, input, cached, output, cost] = ["Calls", "Input", "Cached", "Output", "Cost"];
        writeln!(f, "\n{name} {calls:>9} {input:>8} {cached:>8} {output:>8} {cost:>11}")
    }

    fn row(&self, f: &mut fmt::Formatter<'_>, row: &Row) -> fmt::Result {
        let name = match &row.provider {
            Some(provider) if *provider != row.key => format!("{provider} {}", row.key),
            _ => row.key.clone(),
        };
        let Tally { calls, unpriced, usage, cost, .. } = &row.tally;
        let known = if unpriced == calls {
            "no price".to_owned()
        } else {
            display::money_to(cost.total, self.digits)
        };
        // More, for calls without a price.
        let more = if *unpriced > 0 && unpriced < calls { "+" } else { "" };
        writeln!(
            f,
            "{} {:>9} {:>8} {:>8} {:>8} {known:>11}{more}",
            display::name_in(&name, NAME),
            display::count(*calls),
            display::tokens(usage.prompt_tokens),
            display::tokens(usage.cached_tokens),
            display::tokens(usage.completion_tokens),
        )
    }
}

/// A bar with `#` for spent and `=` for reserved money, then the amounts.
impl fmt::Display for BudgetStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        display::budget(f, &self.budget, &self.account)?;
        if !self.budget.starts_with(&self.window) {
            write!(f, ", {}", display::name(&self.window))?;
        }
        if let Some(ends) = self.ends {
            write!(f, ", until {}", rfc3339::minute(ends))?;
        }
        if self.soft {
            f.write_str(", alerts only")?;
        }
        let spent = part(self.spent, self.limit, BAR).min(BAR);
        let committed = part(self.spent + self.reserved, self.limit, BAR).clamp(spent, BAR);
        let bar = "#".repeat(spent) + &"=".repeat(committed - spent);
        let percent = part(self.spent, self.limit, 100);
        write!(f, "\n  [{bar:.<BAR$}] {percent:>3} %  ")?;
        let money = |amount| display::money_beside(amount, self.limit);
        write!(f, "{} of {}", money(self.spent), money(self.limit))?;
        if !self.reserved.is_zero() {
            write!(f, ", {} reserved", money(self.reserved))?;
        }
        writeln!(f, ", {} left", money(self.left))?;
        if let Some(projected) = self.projected {
            let warning = if projected > self.limit { "! " } else { "" };
            let projected = money(projected);
            let spaces = BAR + 12;
            writeln!(f, "{:spaces$}{warning}at this rate {projected} by the end", "")?;
        }
        Ok(())
    }
}

/// How many of `parts` equal parts of the limit an amount fills, rounded down, so that all of them
/// means that the limit is reached.
fn part(amount: Money, limit: Money, parts: usize) -> usize {
    if amount.is_negative() || amount.is_zero() {
        return 0;
    }
    let (amount, limit) = (amount.as_picos(), limit.as_picos());
    let whole = i128::try_from(parts).unwrap_or(i128::MAX);
    let part = if limit > 0 { amount.saturating_mul(whole) / limit } else { whole };
    usize::try_from(part).unwrap_or(usize::MAX)
}

/// Says how many rows are not shown.
fn left_out(f: &mut fmt::Formatter<'_>, rows: usize) -> fmt::Result {
    match rows {
        0 => Ok(()),
        _ => writeln!(f, "({} more)", display::count(rows.try_into().unwrap_or(u64::MAX))),
    }
}

#[cfg(test)]
mod tests;
