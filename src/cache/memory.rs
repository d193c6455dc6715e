//! Answers in memory: the least recently used ones make room for new ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Key;
use super::key::ByKey;
use crate::sync::Lock;
use crate::sync::ordered::Mutex;

/// Answers in memory.
pub(super) struct Memory {
    /// Guards the list ([`Lock::CacheMemory`]). Entries are copied and freed outside it.
    recent: Mutex<Recent>,
}

impl Memory {
    /// Holds at most so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self { recent: Mutex::new(Lock::CacheMemory, Recent::new(most)) }
    }

    pub(super) fn get(&self, key: Key) -> Option<Arc<Vec<u8>>> {
        self.recent.lock().get(key)
    }

    pub(super) fn put(&self, key: Key, entry: Arc<Vec<u8>>) {
        let replaced = self.recent.lock().put(key, entry);
        drop(replaced);
        while self.take_excess().is_some() {}
    }

    fn take_excess(&self) -> Option<Arc<Vec<u8>>> {
        self.recent.lock().take_excess()
    }
}

/// What an entry takes besides its own bytes: its places in the two maps, and the headers of its
/// allocations.
const OVERHEAD: usize = 160;

/// The entries, by key and by their last use.
struct Recent {
    most: usize,
    /// The bytes of all entries, with their overhead.
    bytes: usize,
    /// Each entry, and when it was last used.
    entries: ByKey<(Arc<Vec<u8>>, u64)>,
    /// The keys by their last use. Invariant: those of `entries`.
    by_use: BTreeMap<u64, Key>,
    /// How many uses there were.
    uses: u64,
}

impl Recent {
    fn new(most: usize) -> Self {
        let (entries, by_use) = (ByKey::default(), BTreeMap::new());
        Self { most, bytes: 0, entries, by_use, uses: 0 }
    }

    /// Finds an entry, which is then the most recently used one.
    fn get(&mut self, key: Key) -> Option<Arc<Vec<u8>>> {
        let (entry, used) = self.entries.get_mut(&key)?;
        self.uses += 1;
        self.by_use.remove(used);
        self.by_use.insert(self.uses, key);
        *used = self.uses;
        Some(Arc::clone(entry))
    }

    /// Adds an entry, and returns the one that it replaces. An entry that is too large for the whole
    /// memory is not added. There may be an [excess](Self::take_excess) afterwards.
    fn put(&mut self, key: Key, entry: Arc<Vec<u8>>) -> Option<Arc<Vec<u8>>> {
        let size = size(&entry);
        let (replaced, used) = if size > self.most {
            self.entries.remove(&key)?
        } else {
            self.uses += 1;
            self.bytes += size;
            self.by_use.insert(self.uses, key);
            self.entries.insert(key, (entry, self.uses))?
        };
        self.by_use.remove(&used);
        self.bytes -= self::size(&replaced);
        Some(replaced)
    }

    /// Takes the least recently used entry out if all together are too large.
    fn take_excess(&mut self) -> Option<Arc<Vec<u8>>> {
        if self.bytes <= self.most {
            return None;
        }
        let (_, least) = self.by_use.pop_first()?;
        let (entry, _) = self.entries.remove(&least)?;
        self.bytes -= size(&entry);
        Some(entry)
    }
}

fn size(entry: &Vec<u8>) -> usize {
    entry.capacity().saturating_add(OVERHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bytes: usize) -> Arc<Vec<u8>> {
        Arc::new(vec![7; bytes])
    }

    /// Adds an entry, and returns how many were dropped.
    fn put(recent: &mut Recent, key: u128, bytes: usize) -> usize {
        let replaced = recent.put(Key(key), entry(bytes)).into_iter().count();
        replaced + std::iter::from_fn(|| recent.take_excess()).count()
    }

    /// The sizes of the entries, the most recently used one first.
    fn order(recent: &Recent) -> Vec<(u128, usize)> {
        let keys = recent.by_use.values().rev();
        keys.map(|key| (key.0, recent.entries[key].0.len())).collect()
    }

    #[test]
    fn the_least_recently_used_entries_make_room() {
        let mut recent = Recent::new(3 * (100 + OVERHEAD));
        for key in 1..=3 {
            assert_eq!(put(&mut recent, key, 100), 0);
        }
        assert!(recent.get(Key(1)).is_some());
        assert_eq!(put(&mut recent, 4, 100), 1);
        assert!(recent.get(Key(2)).is_none());
        assert_eq!(order(&recent), [(4, 100), (1, 100), (3, 100)]);
        // A larger one replaces its earlier version and needs the room of another.
        assert_eq!(put(&mut recent, 1, 150), 2);
        assert_eq!(order(&recent), [(1, 150), (4, 100)]);
        assert_eq!(put(&mut recent, 4, 10_000), 1, "it does not fit");
        assert_eq!(order(&recent), [(1, 150)]);
    }

    /// A list as slow and as simple as possible.
    #[derive(Default)]
    struct Naive(Vec<(u128, usize)>);

    impl Naive {
        fn take(&mut self, key: u128) -> Option<(u128, usize)> {
            let place = self.0.iter().position(|(own, _)| *own == key)?;
            Some(self.0.remove(place))
        }

        fn get(&mut self, key: u128) -> bool {
            let found = self.take(key);
            self.0.splice(0..0, found);
            found.is_some()
        }

        fn put(&mut self, key: u128, bytes: usize, most: usize) {
            self.take(key);
            if bytes + OVERHEAD > most {
                return;
            }
            self.0.insert(0, (key, bytes));
            while self.0.iter().map(|(_, bytes)| bytes + OVERHEAD).sum::<usize>() > most {
                self.0.pop();
            }
        }
    }

    #[test]
    fn it_never_holds_more_bytes_than_its_bound_and_keeps_what_a_naive_list_keeps() {
        for seed in 0..20 {
            let mut random = fastrand::Rng::with_seed(seed);
            let most = random.usize(0..3_000);
            let (mut recent, mut naive) = (Recent::new(most), Naive::default());
            for _ in 0..2_000 {
                let key = random.u128(0..12);
                if random.bool() {
                    assert_eq!(recent.get(Key(key)).is_some(), naive.get(key));
                } else {
                    let bytes = random.usize(0..900);
                    put(&mut recent, key, bytes);
                    naive.put(key, bytes, most);
                }
                assert_eq!(order(&recent), naive.0);
                let held: usize = naive.0.iter().map(|(_, bytes)| bytes + OVERHEAD).sum();
                assert_eq!(recent.bytes, held);
                assert!(recent.bytes <= most && recent.entries.len() == naive.0.len());
            }
        }
    }
}
