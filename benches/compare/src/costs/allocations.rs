//! How often a call allocates, where the program is built with the feature
//! `allocations`.

use super::calls::ALL;

/// By the ways to keep count of a call, in their order.
#[cfg(feature = "allocations")]
pub fn count() -> Option<[f64; 3]> {
    const CALLS: u32 = 1_000;
    Some(ALL.map(|new| {
        let account = new();
        // What grows once: tables, and the list of the latest calls.
        (0..CALLS).for_each(|_| account.call());
        let found = allocation_counter::measure(|| (0..CALLS).for_each(|_| account.call()));
        found.count_total as f64 / f64::from(CALLS)
    }))
}

#[cfg(not(feature = "allocations"))]
pub fn count() -> Option<[f64; ALL.len()]> {
    None
}
