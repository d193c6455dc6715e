//! The baseline: counts in a text format that diffs well.

use std::fmt;

use crate::callgrind::{Count, Function};

/// How much a path may grow.
const TOLERANCE: f64 = 0.1;

/// The baseline keeps a function whose own instructions are at least this fraction of its path.
const OWN: u64 = 100;

/// And a function of tollgate whose instructions including callees are at least this fraction.
const WHOLE: u64 = 25;

/// How many functions are listed for a path that has grown.
const NAMED: usize = 8;

const ABOUT: &str = "\
# Instructions in user mode of one turn of each hot path. Below it, functions: their own
# instructions, those with all that they call, and the name. There are those that have at
# least 1 % themselves, or are tollgate's and have 4 % with what they call.
# Made and compared by benches/instructions.
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
            let (own, whole) = (count.total / OWN, count.total / WHOLE);
            count.functions.retain(|function| {
                function.own >= own || function.is_tollgates() && function.whole >= whole
            });
        }
        Self { made_with, counts }
    }

    /// Parses the output of `Display`.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut baseline = Self { made_with: String::new(), counts: Vec::new() };
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let wrong = || format!("the baseline has a line that means nothing: {line}");
            if let Some(made_with) = line.strip_prefix("with ") {
                baseline.made_with = made_with.to_owned();
                continue;
            }
            let (number, rest) = number(line).ok_or_else(wrong)?;
            if line.starts_with(' ') {
                let (_, count) = baseline.counts.last_mut().ok_or_else(wrong)?;
                let (whole, name) = self::number(rest).ok_or_else(wrong)?;
                count.functions.push(Function { name: name.to_owned(), own: number, whole });
            } else {
                let count = Count { total: number, functions: Vec::new() };
                baseline.counts.push((rest.to_owned(), count));
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
            for Function { name, own, whole } in functions {
                writeln!(f, "{own:>9} {whole:>9} {name}")?;
            }
        }
        Ok(())
    }
}

/// The number that a line begins with, and what follows.
fn number(line: &str) -> Option<(u64, &str)> {
    let (number, rest) = line.trim_start().split_once(' ')?;
    Some((number.parse().ok()?, rest))
}

/// A path's count compared with the baseline.
#[derive(Debug)]
pub(crate) struct Change {
    before: Option<Count>,
    now: Count,
}

impl Change {
    pub(crate) fn new(before: Option<&Count>, now: &Count) -> Self {
        Self { before: before.cloned(), now: now.clone() }
    }

    /// The growth as a fraction of the baseline. A path that is not in the baseline has grown from
    /// nothing.
    fn growth(&self) -> f64 {
        let before = self.before.as_ref().map_or(0, |before| before.total);
        self.now.total as f64 / before as f64 - 1.0
    }

    /// Whether the path is not in the baseline.
    pub(crate) fn is_new(&self) -> bool {
        self.before.is_none()
    }

    pub(crate) fn has_grown(&self) -> bool {
        self.growth() > TOLERANCE
    }

    pub(crate) fn has_shrunk(&self) -> bool {
        self.growth() < -TOLERANCE
    }

    /// The functions that have grown the most: by their own instructions, and for tollgate's also
    /// including callees.
    pub(crate) fn functions(&self) -> String {
        let own = self.most(OWN, |function| Some(function.own));
        let whole = self.most(WHOLE, |function| function.is_tollgates().then_some(function.whole));
        format!("most by themselves\n{own}and of tollgate's, with all that they call\n{whole}")
    }

    /// A line for each that has grown.
    fn most(&self, share: u64, size: impl Fn(&Function) -> Option<u64>) -> String {
        let empty = Count::default();
        let before = self.before.as_ref().unwrap_or(&empty);
        let mut grown: Vec<_> = self
            .now
            .functions
            .iter()
            .filter_map(|function| {
                let known = before.functions.iter().find(|known| known.name == function.name);
                // A function that is not in the baseline may have been just below this size.
                let was = known.and_then(&size).unwrap_or(before.total / share);
                let now = size(function)?;
                let grown = now.checked_sub(was).filter(|grown| *grown > 0)?;
                let below = if known.is_none() { "under " } else { "" };
                Some((grown, format!("  {grown:+9} {}: {below}{was} → {now}\n", function.name)))
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
