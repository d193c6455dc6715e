//! A compact table by 128-bit hashes.

/// The hash of an id.
///
/// Two ids share one with a probability of 2^-127. Among a billion ids, that happens in one of 10^20
/// runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IdHash {
    place: u64,
    /// Odd, so that no hash equals an empty slot.
    rest: u64,
}

impl IdHash {
    /// The hash of these 128 bits, of which it drops one.
    pub(super) fn of(bits: [u64; 2]) -> Self {
        Self { place: bits[0], rest: bits[1] | 1 }
    }
}

/// A value for each of many hashes, in as little memory as possible.
///
/// A slot takes 16 bytes and the value. At least 70 % of the slots are in use once there are a few
/// thousand: [`std::collections::HashMap`] doubles when it is full, and so may use only 44 %.
#[derive(Debug)]
pub(super) struct Table<V> {
    /// Many small parts, because a part that grows exists twice for a moment. None before the first
    /// value.
    parts: Vec<Part<V>>,
}

/// Slots that are searched one after the other, from the place where the hash belongs.
#[derive(Debug)]
struct Part<V> {
    slots: Vec<(IdHash, V)>,
    used: usize,
}

/// How many parts there are.
const PARTS: u64 = 64;

/// The slots of the smallest part.
const SMALLEST: usize = 16;

const EMPTY: IdHash = IdHash { place: 0, rest: 0 };

impl<V: Copy + Default> Table<V> {
    pub(super) fn new() -> Self {
        Self { parts: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub(super) fn get(&self, hash: IdHash) -> Option<&V> {
        let slots = &self.parts.get(part_of(hash))?.slots;
        let slot = (!slots.is_empty()).then(|| slot_of(slots, hash))?;
        let (found, value) = &slots[slot];
        (*found == hash).then_some(value)
    }

    pub(super) fn get_mut(&mut self, hash: IdHash) -> Option<&mut V> {
        self.parts.get_mut(part_of(hash))?.get_mut(hash)
    }

    /// Adds a value. The hash must not be there yet.
    pub(super) fn add(&mut self, hash: IdHash, value: V) {
        if self.parts.is_empty() {
            self.parts = (0..PARTS).map(|_| Part { slots: Vec::new(), used: 0 }).collect();
        }
        self.parts[part_of(hash)].add(hash, value);
    }
}

fn part_of(hash: IdHash) -> usize {
    // The lowest bit is always set.
    usize::try_from((hash.rest >> 1) % PARTS).unwrap_or_default()
}

impl<V: Copy + Default> Part<V> {
    fn get_mut(&mut self, hash: IdHash) -> Option<&mut V> {
        let slot = (!self.slots.is_empty()).then(|| slot_of(&self.slots, hash))?;
        let (found, value) = &mut self.slots[slot];
        (*found == hash).then_some(value)
    }

    fn add(&mut self, hash: IdHash, value: V) {
        // Beyond seven eighths, searches become long.
        if (self.used + 1) * 8 > self.slots.len() * 7 {
            self.grow();
        }
        let slot = slot_of(&self.slots, hash);
        self.slots[slot] = (hash, value);
        self.used += 1;
    }

    fn grow(&mut self) {
        let length = (self.slots.len() + self.slots.len() / 4).max(SMALLEST);
        let mut grown = vec![(EMPTY, V::default()); length];
        for (hash, value) in self.slots.drain(..).filter(|(hash, _)| *hash != EMPTY) {
            let slot = slot_of(&grown, hash);
            grown[slot] = (hash, value);
        }
        self.slots = grown;
    }
}

/// The slot with this hash, or the empty one where it belongs. There is always an empty slot.
fn slot_of<V>(slots: &[(IdHash, V)], hash: IdHash) -> usize {
    // Scales the hash to the number of slots.
    let scaled = (u128::from(hash.place) * slots.len() as u128) >> 64;
    let mut slot = usize::try_from(scaled).unwrap_or_default();
    while slots[slot].0 != hash && slots[slot].0 != EMPTY {
        slot = if slot + 1 == slots.len() { 0 } else { slot + 1 };
    }
    slot
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_found_and_nothing_else() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut hash = || IdHash::of([random.u64(..), random.u64(..)]);
        let hashes: Vec<IdHash> = (0..20_000).map(|_| hash()).collect();
        let mut table = Table::new();
        for (value, hash) in hashes.iter().enumerate() {
            assert_eq!(table.get_mut(*hash), None);
            table.add(*hash, value);
        }
        for (value, hash) in hashes.iter().enumerate() {
            assert_eq!(table.get_mut(*hash).copied(), Some(value));
        }
        assert!((0..20_000).all(|_| table.get_mut(hash()).is_none()));
    }

    #[test]
    fn hashes_that_belong_in_the_last_slot_go_on_at_the_first() {
        let mut table = Table::new();
        // All of them in one part.
        let hashes: Vec<_> = (1..=5).map(|n| IdHash::of([u64::MAX, n * 2 * PARTS])).collect();
        hashes.iter().zip(1..).for_each(|(hash, value)| table.add(*hash, value));
        let found: Vec<_> =
            hashes.iter().filter_map(|hash| table.get_mut(*hash).copied()).collect();
        assert_eq!(found, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_hash_takes_at_most_23_bytes() {
        let mut random = fastrand::Rng::with_seed(2);
        let mut table = Table::new();
        for count in 1..=200_000 {
            table.add(IdHash::of([random.u64(..), random.u64(..)]), ());
            if count >= 50_000 && count % 1_000 == 0 {
                let slots: usize = table.parts.iter().map(|part| part.slots.capacity()).sum();
                let bytes = slots * size_of::<(IdHash, ())>();
                assert!(bytes <= count * 23, "{bytes} bytes for {count} hashes");
            }
        }
    }
}
