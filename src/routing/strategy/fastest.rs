//! By speed.

use super::{Candidate, EXPLORE, RoutedCall, Strategy, draw, lowest};

/// Takes the target that has been fastest in the last five minutes.
///
/// One call in a hundred goes to a target at random, so that one which has become faster is
/// noticed. A target without a measurement is tried first, with one call at a time. A target whose
/// calls fail counts as slower: its time is multiplied by the attempts that an answer takes there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fastest {
    by: Speed,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Speed {
    #[default]
    FirstToken,
    TokensPerSecond,
}

impl Fastest {
    /// By the time to the first event of a stream. For a call that is not streamed, by the time to
    /// the whole answer.
    pub const fn first_token() -> Self {
        Self { by: Speed::FirstToken }
    }

    /// By output tokens per second.
    pub const fn tokens_per_second() -> Self {
        Self { by: Speed::TokensPerSecond }
    }
}

impl Strategy for Fastest {
    fn name(&self) -> &str {
        match self.by {
            Speed::FirstToken => "fastest",
            Speed::TokensPerSecond => "fastest_tokens",
        }
    }

    fn choose(
        &self,
        candidates: &[Candidate<'_>],
        call: &RoutedCall,
        random: &mut dyn FnMut() -> f64,
    ) -> usize {
        if random() < EXPLORE {
            return draw(candidates.iter().map(Candidate::share), random);
        }
        let seconds = |one: &Candidate<'_>| match self.by {
            Speed::TokensPerSecond => one.tokens_per_second.map(|speed| 1.0 / speed.max(1e-9)),
            Speed::FirstToken if call.streamed => one.first_token.map(|time| time.as_secs_f64()),
            Speed::FirstToken => one.latency.map(|time| time.as_secs_f64()),
        };
        lowest(candidates.iter().map(|one| match seconds(one) {
            // A target that has just returned gets its load little by little.
            Some(seconds) => seconds * one.attempts_per_answer() / one.recovery.max(1e-3),
            None if one.in_flight == 0 => 0.0,
            None => f64::MAX,
        }))
    }
}
