use std::fs;

use super::super::tests::{agrees_with_a_model, keeps_the_promises};
use super::*;

/// A directory of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("tollgate-ledger-{}-{}", process::id(), fastrand::u64(..));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("budget.db")
    }

    /// Without waiting for the disk.
    fn ledger(&self) -> SqliteLedger {
        SqliteLedger::open(self.file()).unwrap().survive_power_loss(false)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn it_keeps_the_promises_of_ledgers() {
    let folder = Folder::new();
    keeps_the_promises(&folder.ledger());
    let folder = Folder::new();
    keeps_the_promises(&SqliteLedger::open(folder.file()).unwrap());
}

#[test]
fn it_agrees_with_a_simple_model() {
    for seed in 0..4 {
        let folder = Folder::new();
        agrees_with_a_model(&[&folder.ledger()], seed, 1_000);
        let folder = Folder::new();
        agrees_with_a_model(&[&folder.ledger(), &folder.ledger()], seed, 1_000);
    }
}
