//! Prints what came of each case, and counts it.

/// What came of a case.
pub(crate) enum Outcome {
    /// The server accepted the request, or its answer is right.
    Accepted(String),
    /// tollgate refused the request before sending, because the format cannot express it.
    Refused(String),
    /// The server rejected the request, or its answer is wrong.
    Rejected(String),
}

/// A failure of the server's own making: the case, and why it fails there.
pub(crate) type Known = (&'static str, &'static str);

#[derive(Default)]
pub(crate) struct Report {
    only: Option<String>,
    known: &'static [Known],
    pub(crate) accepted: usize,
    pub(crate) refused: usize,
    /// Rejected, for a known reason.
    pub(crate) excused: usize,
    pub(crate) rejected: usize,
}

impl Report {
    /// Counts only the cases whose name contains `only`, and excuses those that are `known` to fail.
    pub(crate) fn new(only: Option<String>, known: &'static [Known]) -> Self {
        Self { only, known, ..Self::default() }
    }

    pub(crate) fn wants(&self, case: &str) -> bool {
        self.only.as_ref().is_none_or(|only| case.contains(only.as_str()))
    }

    /// Runs a case, unless it is not wanted.
    pub(crate) fn run(&mut self, case: &str, outcome: impl FnOnce() -> Outcome) {
        if self.wants(case) {
            self.add(case, outcome());
        }
    }

    pub(crate) fn add(&mut self, case: &str, outcome: Outcome) {
        let line = |text: String| text.replace('\n', " ");
        let known = self.known.iter().find(|known| known.0 == case);
        match (outcome, known) {
            (Outcome::Accepted(answer), None) => {
                self.accepted += 1;
                println!(
                    "{}",
                    format!("accepted  {case}: {}", line(answer)).trim_end_matches(": ")
                );
            }
            (Outcome::Accepted(_), Some(_)) => {
                self.rejected += 1;
                println!("REJECTED  {case}: the server has learnt it; remove it from the list");
            }
            (Outcome::Refused(why), _) => {
                self.refused += 1;
                println!("refused   {case}: {}", line(why));
            }
            (Outcome::Rejected(why), None) => {
                self.rejected += 1;
                println!("REJECTED  {case}: {why}");
            }
            (Outcome::Rejected(why), Some((_, reason))) => {
                self.excused += 1;
                println!("known     {case}: {reason}: {}", line(why));
            }
        }
    }

    pub(crate) fn summary(&self) -> String {
        format!(
            "{} accepted, {} refused before sending, {} rejected for a known fault of the server, \
             {} rejected",
            self.accepted, self.refused, self.excused, self.rejected
        )
    }
}
