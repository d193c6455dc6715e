//! By conversation.

use std::time::Duration;

use super::{Candidate, RoutedCall, Strategy};

/// Sends all calls of a conversation to the same target, where the provider has its prompt in the
/// cache.
///
/// A new conversation goes to the target that its key ranks first (rendezvous hashing: D. Thaler
/// and C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", IEEE/ACM Transactions on
/// Networking 6(1), 1998), in proportion to the weights. It stays there as long as the
/// [cache](Self::cache_lifetime) lives. If the target fails or rests, the conversation moves, and
/// stays at the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sticky {
    lifetime: Duration,
}

impl Default for Sticky {
    fn default() -> Self {
        Self { lifetime: Duration::from_secs(300) }
    }
}

impl Sticky {
    /// Sets how long a conversation stays at its target after its last call there. Default: 5 min,
    /// the default lifetime of Anthropic's prompt cache, which each use renews
    /// (platform.claude.com/docs/en/build-with-claude/prompt-caching).
    ///
    /// OpenAI keeps prompts for "around 5 to 10 minutes of inactivity", and for at least 30 minutes
    /// from GPT-5.6 (developers.openai.com/api/docs/guides/prompt-caching).
    #[must_use]
    pub const fn cache_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }
}

impl Strategy for Sticky {
    fn name(&self) -> &str {
        "sticky"
    }

    fn choose(
        &self,
        candidates: &[Candidate<'_>],
        call: &RoutedCall,
        _: &mut dyn FnMut() -> f64,
    ) -> usize {
        if let Some(at) = candidates.iter().position(|one| one.pinned) {
            return at;
        }
        let scores = candidates.iter().map(|one| score(one, call.key));
        let best = scores.enumerate().max_by(|(_, one), (_, other)| one.total_cmp(other));
        best.map_or(0, |(at, _)| at)
    }

    fn pin(&self) -> Option<Duration> {
        Some(self.lifetime)
    }
}

/// The rank of a target for a key. With `-weight / ln(hash)`, each target comes first for a share
/// of the keys in proportion to its weight (J. Resch, "New Hashing Algorithms for Data Storage",
/// SNIA Storage Developer Conference, 2015).
fn score(one: &Candidate<'_>, key: u64) -> f64 {
    let hash = mix(name_hash(one.name) ^ mix(key));
    // Above 0 and below 1.
    let unit = ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    -one.weight.max(f64::MIN_POSITIVE) / unit.ln()
}

/// FNV-1a (Fowler, Noll, Vo), the same in every process.
fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The finalizer of SplitMix64 (G. Steele and others, 2014).
fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
