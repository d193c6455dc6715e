//! The retry budget, which limits the retries of all calls of a client.

use std::sync::atomic::{AtomicU64, Ordering};

/// Tokens are counted in millionths.
const TOKEN: u64 = 1_000_000;

/// Limits the retries of all calls of a client together, so that they do not multiply the load on a
/// provider that is down.
///
/// The budget is a bucket of tokens, full at first. Every retry takes a token, and so does a second
/// sending within an attempt ([`PoolConfig::retry_stale`](crate::PoolConfig::retry_stale)).
/// Successful calls refill it: by `refill` tokens after the first attempt, by one after retries. A
/// stream counts as successful at its first event. While the bucket is empty, the client does not
/// retry, and calls fail with their first error. A provider that only fails therefore receives at
/// most `capacity` requests beyond the calls themselves, from any number of threads. A provider
/// that fails occasionally is retried as if there were no budget. A call that goes on to another
/// target of a [route](crate::route::Route) takes no token, because that target gets no more load
/// than the call itself. A [hedge](crate::route::Hedge) takes one, and a hedged call that succeeds
/// earns no more than any other: in the long run, at most one call in five is hedged.
///
/// The rule and the defaults are those of the AWS SDKs' standard mode: 500 tokens, 5 for a retry, 1
/// back for a success (`aws-smithy-runtime`, `token_bucket.rs`).
///
/// ```
/// use tollgate::{RetryBudget, RetryConfig};
///
/// let careful = RetryBudget { capacity: 10, ..RetryBudget::default() };
/// let config = RetryConfig { budget: careful, ..RetryConfig::default() };
/// # let _ = config;
/// let without = RetryBudget::UNLIMITED;
/// # let _ = without;
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryBudget {
    /// The size of the bucket, in retries. Default: 100.
    pub capacity: u32,
    /// How many retries a call earns by succeeding at its first attempt. Default: 0.2.
    pub refill: f64,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { capacity: 100, refill: 0.2 }
    }
}

impl RetryBudget {
    /// No limit. A capacity of `u32::MAX` means the same.
    pub const UNLIMITED: Self = Self { capacity: u32::MAX, refill: 0.0 };

    pub(super) fn problem(&self) -> Option<String> {
        (!(self.refill >= 0.0 && self.refill.is_finite())).then(|| {
            format!("the refill of the retry budget is {}; set it to 0 or more", self.refill)
        })
    }
}

/// The bucket of tokens of one client.
#[derive(Debug)]
pub(crate) struct Bucket {
    capacity: u64,
    refill: u64,
    /// Never above `capacity`.
    level: AtomicU64,
}

impl Bucket {
    pub(crate) fn new(budget: RetryBudget) -> Self {
        let capacity = u64::from(budget.capacity) * TOKEN;
        // Far below `u64::MAX` for every setting.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let refill = (budget.refill * TOKEN as f64).min(capacity as f64) as u64;
        Self { capacity, refill, level: AtomicU64::new(capacity) }
    }

    /// Takes a token. Returns whether there was one.
    pub(crate) fn withdraw(&self) -> bool {
        self.capacity == u64::from(u32::MAX) * TOKEN
            || self
                .level
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |level| {
                    level.checked_sub(TOKEN)
                })
                .is_ok()
    }

    /// Returns a token that was not used.
    pub(crate) fn put_back(&self) {
        self.add(TOKEN);
    }

    /// Refills the bucket after a successful call.
    pub(super) fn deposit(&self, after_retries: bool) {
        self.add(if after_retries { TOKEN } else { self.refill });
    }

    fn add(&self, earned: u64) {
        // Fails if the bucket is full, which is usual; nothing is written then.
        let _ = self.level.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |level| {
            (level < self.capacity).then(|| level.saturating_add(earned).min(self.capacity))
        });
    }

    /// The right to send a request twice in one attempt, if a token is left.
    pub(crate) fn second_sending(&self) -> SecondSending<'_> {
        SecondSending { bucket: self, taken: false, forbidden: false }
    }

    /// How many retries are left.
    pub(crate) fn left(&self) -> u32 {
        u32::try_from(self.level.load(Ordering::Relaxed) / TOKEN).unwrap_or(u32::MAX)
    }
}

/// The right to send a request twice in one attempt.
#[derive(Debug)]
pub(crate) struct SecondSending<'a> {
    bucket: &'a Bucket,
    taken: bool,
    forbidden: bool,
}

impl SecondSending<'_> {
    /// Takes a token for it. Returns whether there was one.
    pub(crate) fn take(&mut self) -> bool {
        self.taken = !self.forbidden && self.bucket.withdraw();
        self.taken
    }

    /// Gives the right up, for a request that must not be served twice.
    pub(crate) fn forbid(&mut self) {
        self.forbidden = true;
    }

    /// Returns the token unused.
    pub(crate) fn put_back(&mut self) {
        if std::mem::take(&mut self.taken) {
            self.bucket.put_back();
        }
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn bucket(capacity: u32, refill: f64) -> Bucket {
        Bucket::new(RetryBudget { capacity, refill })
    }

    #[test]
    fn a_bucket_starts_full_and_runs_out() {
        let bucket = bucket(3, 0.2);
        assert_eq!(bucket.left(), 3);
        let given = (0..10).filter(|_| bucket.withdraw()).count();
        assert_eq!((given, bucket.left()), (3, 0));
        assert!(!self::bucket(0, 0.2).withdraw());
    }

    #[test]
    fn successful_calls_refill_the_bucket_up_to_its_capacity() {
        let bucket = bucket(2, 0.2);
        while bucket.withdraw() {}
        (0..4).for_each(|_| bucket.deposit(false));
        assert!(!bucket.withdraw());
        bucket.deposit(false);
        assert!(bucket.withdraw(), "five successful calls earn a retry");
        bucket.deposit(true);
        assert!(bucket.withdraw(), "a success after retries earns one");
        (0..100).for_each(|_| bucket.deposit(true));
        assert_eq!(bucket.left(), 2);
        let absurd = self::bucket(2, f64::MAX);
        while absurd.withdraw() {}
        absurd.deposit(false);
        assert_eq!(absurd.left(), 2);
    }

    #[test]
    fn an_unlimited_bucket_never_runs_out() {
        let bucket = Bucket::new(RetryBudget::UNLIMITED);
        assert!((0..10_000).all(|_| bucket.withdraw()));
    }

    #[test]
    fn no_token_is_taken_twice() {
        let bucket = bucket(1000, 0.2);
        let given: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..1000).filter(|_| bucket.withdraw()).count()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(given, 1000);
    }
}
