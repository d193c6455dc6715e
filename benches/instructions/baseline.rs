//! The counts to compare with, as a text that changes show well in.

use std::fmt;

use crate::callgrind::Count;

/// A path may grow by as much.
const TOLERANCE: f64 = 0.1;

/// A function is kept whose share of its path is at least one in so many.
const SHARE: u64 = 100;

/// How many functions are named of a path that has grown.
const NAMED: usize = 8;

const ABOUT: &str = "\
# Instructions in user mode of one turn of each hot path, and of the functions that have
# at least 1 % of them. Made and compared by benches/instructions.
";

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Baseline {
    made_with: String,
    /// By path.
    counts: Vec<(String, Count)>,
}

impl Baseline {
    pub(crate) fn new(made_with: String, mut counts: Vec<(String, Count)>) -> Self {
        for (_, count) in &mut counts {
            let least = count.total / SHARE;
            count.functions.retain(|(_, cost)| *cost >= least);
        }
        Self { made_with, counts }
    }

    /// Reads what `Display` has written.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut baseline = Self { made_with: String::new(), counts: Vec::new() };
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let wrong = || format!("the baseline has a line that means nothing: {line}");
            if let Some(made_with) = line.strip_prefix("with ") {
                baseline.made_with = made_with.to_owned();
                continue;
            }
            let (cost, name) = line.trim_start().split_once(' ').ok_or_else(wrong)?;
            let cost = cost.parse().map_err(|_| wrong())?;
            if line.starts_with(' ') {
                let (_, count) = baseline.counts.last_mut().ok_or_else(wrong)?;
                count.functions.push((name.to_owned(), cost));
            } else {
                let count = Count { total: cost, functions: Vec::new() };
                baseline.counts.push((name.to_owned(), count));
            }
        }
        Ok(baseline)
    }

    pub(crate) fn made_with(&self) -> &str {
        &self.made_with
    }

    pub(crate) fn count(&self, path: &str) -> Option<&Count> {
        self.counts.iter().find(|(name, _)| name == path).map(|(_, count)| count)
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{ABOUT}with {}", self.made_with)?;
        for (name, Count { total, functions }) in &self.counts {
            write!(f, "\n{total} {name}\n")?;
            for (function, cost) in functions {
                writeln!(f, "{cost:>12} {function}")?;
            }
        }
        Ok(())
    }
}

/// A path's count beside that of the baseline.
#[derive(Debug)]
pub(crate) struct Change {
    before: Option<Count>,
    now: Count,
}

impl Change {
    pub(crate) fn new(before: Option<&Count>, now: &Count) -> Self {
        Self { before: before.cloned(), now: now.clone() }
    }

    /// By which share of what it was; a path that is not in the baseline has grown from
    /// nothing.
    fn growth(&self) -> f64 {
        let before = self.before.as_ref().map_or(0, |before| before.total);
        self.now.total as f64 / before as f64 - 1.0
    }

    pub(crate) fn has_grown(&self) -> bool {
        self.growth() > TOLERANCE
    }

    pub(crate) fn has_shrunk(&self) -> bool {
        self.growth() < -TOLERANCE
    }

    /// Those that have grown the most, a line for each.
    pub(crate) fn functions(&self) -> String {
        let empty = Count::default();
        let before = self.before.as_ref().unwrap_or(&empty);
        let mut grown: Vec<_> = self
            .now
            .functions
            .iter()
            .filter_map(|(function, now)| {
                let known = before.functions.iter().find(|(name, _)| name == function);
                // One that is not in the baseline may have been as large as this.
                let was = known.map_or(before.total / SHARE, |(_, cost)| *cost);
                let grown = now.checked_sub(was).filter(|grown| *grown > 0)?;
                let below = if known.is_none() { "under " } else { "" };
                Some((grown, format!("  {grown:+10} {function}: {below}{was} → {now}\n")))
            })
            .collect();
        grown.sort_by_key(|(grown, _)| std::cmp::Reverse(*grown));
        grown.into_iter().take(NAMED).map(|(_, line)| line).collect()
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.before {
            Some(before) => {
                let growth = self.growth() * 100.0;
                write!(f, "{:>14} {:>14} {growth:>+6.1} %", before.total, self.now.total)
            }
            None => write!(f, "{:>14} {:>14}", "none", self.now.total),
        }
    }
}
