//! Cost reports for spreadsheets: CSV by RFC 4180.

use super::{CostReport, Row};
use crate::cost::{CallRecord, Cost, CostSource, Money};
use crate::sorted_map::SortedMap;
use crate::time::rfc3339;
use crate::unseen::is_unseen;
use crate::usage::{Usage, UsageSource};

const USAGE: [&str; 11] = [
    "prompt_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "prompt_audio_tokens",
    "prompt_image_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "completion_audio_tokens",
    "completion_image_tokens",
    "web_searches",
];

const COST: [&str; 10] = [
    "cost",
    "cost_input",
    "cost_cached_input",
    "cost_cache_write",
    "cost_input_media",
    "cost_output",
    "cost_reasoning",
    "cost_output_media",
    "cost_web_searches",
    "cost_request",
];

impl CostReport {
    /// The total and all tables as CSV (RFC 4180), with one line per row. The column `section`
    /// says which table a row belongs to: `total`, `model`, `provider`, `tag` (with the tag's name
    /// in the column `tag`) or `day`. Amounts are in dollars.
    ///
    /// Names come from outside, and a spreadsheet treats a field that begins with `=`, `+`, `-` or
    /// `@` as a formula. Such a name gets a `'` in front, as OWASP advises ("CSV Injection").
    /// Control characters are escaped (`\u{1b}`). Programs that need exact names should read
    /// [`json`](Self::json).
    pub fn csv(&self) -> String {
        let mut csv = Csv::default();
        csv.words(["section", "provider", "tag", "key", "calls", "unpriced", "bound", "estimated"]);
        csv.words(USAGE);
        csv.words(COST);
        csv.end();
        let total = Row::new("").with(self.total);
        csv.row("total", "", &total);
        let sections =
            [("model", &self.by_model), ("provider", &self.by_provider), ("day", &self.by_day)];
        for (section, rows) in sections {
            rows.iter().for_each(|row| csv.row(section, "", row));
        }
        for (tag, rows) in &self.by_tag {
            rows.iter().for_each(|row| csv.row("tag", tag, row));
        }
        csv.text
    }

    /// The most recent calls as CSV (RFC 4180), one per line, with a column for each tag that any
    /// of them has. Times are RFC 3339 in UTC. Amounts are in dollars, and empty if no price is
    /// known. Names are escaped as in [`csv`](Self::csv).
    pub fn calls_csv(&self) -> String {
        let mut tags = SortedMap::new();
        for tag in self.last.iter().flat_map(|call| call.tags.keys()) {
            tags.insert(tag.as_str(), ());
        }
        let mut csv = Csv::default();
        csv.words(["at", "provider", "model", "served_model", "service_tier", "outcome"]);
        csv.words(USAGE);
        csv.words(["usage_source"]);
        csv.words(COST);
        csv.words(["cost_source"]);
        tags.keys().for_each(|tag| csv.field(&format!("tag:{tag}")));
        csv.end();
        for call in &self.last {
            csv.call(call);
            for tag in tags.keys() {
                csv.field(call.tags.get(*tag).map_or("", |value| value));
            }
            csv.end();
        }
        csv.text
    }
}

#[derive(Default)]
struct Csv {
    text: String,
    /// Whether the current line has a field already.
    begun: bool,
}

impl Csv {
    fn row(&mut self, section: &str, tag: &str, row: &Row) {
        self.words([section]);
        self.field(row.provider.as_deref().unwrap_or_default());
        self.field(tag);
        self.field(&row.key);
        let tally = &row.tally;
        self.numbers([tally.calls, tally.unpriced, tally.bound, tally.estimated]);
        self.usage(&tally.usage);
        self.cost(Some(&tally.cost));
        self.end();
    }

    fn call(&mut self, call: &CallRecord) {
        self.words([rfc3339::rfc3339(call.at)]);
        self.field(&call.provider);
        self.field(&call.model);
        self.field(&call.served_model);
        self.field(call.service_tier.as_deref().unwrap_or_default());
        self.words([call.outcome.as_str()]);
        self.usage(&call.usage);
        self.words([match call.usage.source {
            UsageSource::Reported => "reported",
            UsageSource::OtherModel => "other_model",
            UsageSource::Estimated => "estimated",
            UsageSource::EstimatedInput => "estimated_input",
            UsageSource::EstimatedOutput => "estimated_output",
            UsageSource::Missing => "missing",
        }]);
        self.cost(call.cost.as_ref());
        self.words([call.cost.map_or("", |cost| match cost.source {
            CostSource::Priced => "priced",
            CostSource::Reported => "reported",
            CostSource::Bound => "bound",
            CostSource::Estimated => "estimated",
        })]);
    }

    fn usage(&mut self, usage: &Usage) {
        self.numbers([
            usage.prompt_tokens,
            usage.cached_tokens,
            usage.cache_write_tokens,
            usage.cache_write_1h_tokens,
            usage.prompt_audio_tokens,
            usage.prompt_image_tokens,
            usage.completion_tokens,
            usage.reasoning_tokens,
            usage.completion_audio_tokens,
            usage.completion_image_tokens,
            usage.web_searches,
        ]);
    }

    fn cost(&mut self, cost: Option<&Cost>) {
        let Some(cost) = cost else { return self.words([""; COST.len()]) };
        let amounts: [Money; COST.len()] = [
            cost.total,
            cost.input,
            cost.cached_input,
            cost.cache_write,
            cost.input_media,
            cost.output,
            cost.reasoning,
            cost.output_media,
            cost.web_searches,
            cost.request,
        ];
        self.words(amounts.map(|amount| amount.to_string().replacen('$', "", 1)));
    }

    fn numbers<const N: usize>(&mut self, numbers: [u64; N]) {
        self.words(numbers.map(|number| number.to_string()));
    }

    /// Fields that this module makes itself, which need no quotes.
    fn words<const N: usize>(&mut self, words: [impl AsRef<str>; N]) {
        for word in words {
            self.comma();
            self.text.push_str(word.as_ref());
        }
    }

    /// A field that comes from outside.
    fn field(&mut self, field: &str) {
        self.comma();
        let formula =
            field.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
        let plain = |char: char| char.is_alphanumeric() || "-_./:@=+ ()".contains(char);
        if !formula && field.trim() == field && field.chars().all(plain) {
            self.text.push_str(field);
            return;
        }
        self.text.push_str(if formula { "\"'" } else { "\"" });
        for char in field.chars() {
            match char {
                '"' => self.text.push_str("\"\""),
                // Could control a terminal. Line breaks and tabs are fine within quotes.
                char if is_unseen(char) && !"\n\r\t".contains(char) => {
                    self.text.extend(char.escape_default());
                }
                char => self.text.push(char),
            }
        }
        self.text.push('"');
    }

    fn comma(&mut self) {
        if self.begun {
            self.text.push(',');
        }
        self.begun = true;
    }

    fn end(&mut self) {
        self.text.push_str("\r\n");
        self.begun = false;
    }
}

#[cfg(test)]
mod tests;
