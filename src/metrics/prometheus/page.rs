//! Writes metrics with their labels, in Prometheus' text format or in OpenMetrics.

use std::fmt::{Display, Write as _};

use super::super::names::{Kind, Metric, Unit, label};
use crate::histogram::{Histogram, Measure};
use crate::unseen::is_unseen;

/// Labels in their written form, without the braces.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels(String);

impl Labels {
    pub(super) fn with(&self, name: &str, value: &str) -> Self {
        let mut text = self.0.clone();
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&label(name));
        text.push_str("=\"");
        for char in value.chars() {
            match char {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                // Escaped twice, because the format has no escapes besides these three.
                char if is_unseen(char) => {
                    text.push('\\');
                    text.extend(char.escape_default());
                }
                char => text.push(char),
            }
        }
        text.push('"');
        Self(text)
    }
}

/// What is written so far.
pub(super) struct Page {
    pub(super) text: String,
    /// Whether it is in OpenMetrics.
    pub(super) open: bool,
}

/// One metric with all its series.
pub(super) struct Family<'a> {
    page: &'a mut Page,
    name: String,
    metric: &'a Metric,
    has_head: bool,
}

impl Page {
    pub(super) fn family<'a>(&'a mut self, metric: &'a Metric) -> Family<'a> {
        Family { page: self, name: metric.prometheus(), metric, has_head: false }
    }

    /// Writes a metric without labels.
    pub(super) fn one(&mut self, metric: &Metric, value: &dyn Display) {
        self.family(metric).value(&Labels::default(), value);
    }

    /// Writes a metric of whole numbers. Calls `count` for each thing to list its values.
    pub(super) fn counts<T>(
        &mut self,
        metric: &Metric,
        things: &[(Labels, &T)],
        count: impl Fn(&T, &mut dyn FnMut(&[(&str, &str)], u64)),
    ) {
        let mut family = self.family(metric);
        for (labels, thing) in things {
            count(thing, &mut |more, value| {
                let labels = more
                    .iter()
                    .fold(labels.clone(), |labels, (name, value)| labels.with(name, value));
                family.value(&labels, &value);
            });
        }
    }
}

impl Family<'_> {
    /// Writes the only value of a counter or gauge with these labels.
    pub(super) fn value(&mut self, labels: &Labels, value: &dyn Display) {
        let suffix = if self.metric.kind == Kind::Counter { "_total" } else { "" };
        self.sample(suffix, labels, value);
    }

    /// Writes a histogram. `sum` replaces the histogram's own.
    pub(super) fn histogram<M: Measure>(
        &mut self,
        labels: &Labels,
        histogram: &Histogram<M>,
        sum: Option<f64>,
    ) {
        let Kind::Histogram(bounds) = self.metric.kind else { return };
        if histogram.count() == 0 {
            return;
        }
        for bound in bounds {
            // OpenMetrics requires floats to look like floats.
            let text = if self.page.open { format!("{bound:?}") } else { bound.to_string() };
            self.sample("_bucket", &labels.with("le", &text), &histogram.up_to(*bound));
        }
        self.sample("_bucket", &labels.with("le", "+Inf"), &histogram.count());
        self.sample("_sum", labels, &sum.unwrap_or_else(|| histogram.total()));
        self.sample("_count", labels, &histogram.count());
    }

    pub(super) fn sample(&mut self, suffix: &str, labels: &Labels, value: &dyn Display) {
        self.head();
        let (text, name) = (&mut self.page.text, &self.name);
        let braces = if labels.0.is_empty() { ["", ""] } else { ["{", "}"] };
        // Writing to a string cannot fail. Rust writes infinity as `inf`.
        let value = value.to_string().replace("inf", "+Inf");
        let _ = writeln!(text, "{name}{suffix}{}{}{} {value}", braces[0], labels.0, braces[1]);
    }

    /// Writes the lines before the first sample, and nothing if there is none.
    fn head(&mut self) {
        if std::mem::replace(&mut self.has_head, true) {
            return;
        }
        let kind = match self.metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        // In the older format, the name of a counter's family is that of its samples.
        let total =
            if self.metric.kind == Kind::Counter && !self.page.open { "_total" } else { "" };
        let (text, name) = (&mut self.page.text, &self.name);
        let _ = writeln!(text, "# HELP {name}{total} {}", self.metric.about);
        let _ = writeln!(text, "# TYPE {name}{total} {kind}");
        let unit = match self.metric.unit {
            Unit::Count(_) => return,
            Unit::Seconds => "seconds",
            Unit::Dollars => "usd",
            Unit::Ratio => "ratio",
        };
        if self.page.open {
            let _ = writeln!(text, "# UNIT {name} {unit}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let labels = Labels::default().with("a.b", "one \"two\" \\ three\nfour").with("c", "é");
        assert_eq!(labels.0, r#"a_b="one \"two\" \\ three\nfour",c="é""#);
        let labels = Labels::default().with("a", "\u{1b}[31m\t\u{9b}\u{202e}");
        assert_eq!(labels.0, r#"a="\\u{1b}[31m\\t\\u{9b}\\u{202e}""#);
    }
}
