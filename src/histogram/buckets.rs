//! The bucket counts of a histogram, shared between copies until one changes.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The counts of buckets. Copies of one that is [shared](Self::share) have its memory, until
/// one of them is written to.
#[derive(Clone)]
pub(super) enum Buckets {
    /// Alone, for what is written to with every value: looking whether there are copies costs
    /// more than that.
    Own(Vec<u32>),
    Shared(Arc<Vec<u32>>),
}

impl Buckets {
    pub(super) const fn new() -> Self {
        Self::Own(Vec::new())
    }

    /// From now on, a copy is no more than a reference.
    pub(super) fn share(&mut self) {
        if let Self::Own(counts) = self {
            *self = Self::Shared(Arc::new(std::mem::take(counts)));
        }
    }

    /// To be written to.
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
    fn a_copy_has_the_memory_of_what_is_shared_until_one_is_written_to() {
        let mut one = Buckets::Own(vec![1, 2]);
        assert_ne!(one.clone().as_ptr(), one.as_ptr());
        one.share();
        let mut other = one.clone();
        assert_eq!(other.as_ptr(), one.as_ptr());
        other.own().push(3);
        assert_eq!((&one[..], &other[..]), (&[1, 2][..], &[1, 2, 3][..]));
        // Without a copy it is written to where it is.
        let before = other.as_ptr();
        other.own()[0] = 9;
        assert_eq!(other.as_ptr(), before);
    }
}
