//! The bucket counts of a histogram, shared between copies until one changes.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The counts of buckets. Copies of [shared](Self::share) ones use the same memory until one of
/// them is written to.
#[derive(Clone)]
pub(super) enum Buckets {
    /// Unshared, for counts that every value is written to: checking for copies would cost more
    /// than the write.
    Own(Vec<u32>),
    Shared(Arc<Vec<u32>>),
}

impl Buckets {
    pub(super) const fn new() -> Self {
        Self::Own(Vec::new())
    }

    /// Makes later copies cheap references.
    pub(super) fn share(&mut self) {
        if let Self::Own(counts) = self {
            *self = Self::Shared(Arc::new(std::mem::take(counts)));
        }
    }

    /// The counts for writing.
    #[inline]
    pub(super) fn own(&mut self) -> &mut Vec<u32> {
        match self {
            Self::Own(counts) => counts,
            Self::Shared(counts) => Arc::make_mut(counts),
        }
    }
}

impl Deref for Buckets {
    type Target = [u32];

    #[inline]
    fn deref(&self) -> &[u32] {
        match self {
            Self::Own(counts) => counts,
            Self::Shared(counts) => counts,
        }
    }
}

impl PartialEq for Buckets {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Buckets {}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_share_memory_until_one_is_written_to() {
        let mut one = Buckets::Own(vec![1, 2]);
        assert_ne!(one.clone().as_ptr(), one.as_ptr());
        one.share();
        let mut other = one.clone();
        assert_eq!(other.as_ptr(), one.as_ptr());
        other.own().push(3);
        assert_eq!((&one[..], &other[..]), (&[1, 2][..], &[1, 2, 3][..]));
        // Without other copies it is written in place.
        let before = other.as_ptr();
        other.own()[0] = 9;
        assert_eq!(other.as_ptr(), before);
    }
}
