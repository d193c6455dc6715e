//! Answers in a SQLite file, which several processes can share.

use rusqlite::{Connection, OptionalExtension, params};
use std::path::{self, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Key, Store, StoreError};
use crate::sqlite_file::{self, Identity};
use crate::sync::Lock;
use crate::sync::ordered::Mutex;
use crate::time::rfc3339::seconds;

/// The marks of a cache. The application's id is "tolc".
const OWN: Identity = Identity { application: 0x746f_6c63, version: 1, is_empty: false };

/// How long a call waits for other processes that write.
const BUSY: Duration = Duration::from_secs(2);

/// How many old entries a write removes, so that it takes about the same time always.
const REMOVED: i64 = 4;

const TABLES: &str = "
CREATE TABLE answers (
  key   BLOB PRIMARY KEY,
  entry BLOB NOT NULL,
  until INTEGER NOT NULL -- when it may be deleted, in seconds since 1970
) STRICT;
CREATE INDEX answers_until ON answers (until);
";

/// Answers in a SQLite file.
pub(super) struct Sqlite {
    path: PathBuf,
    clock: fn() -> SystemTime,
    /// Guards the process's only connection ([`Lock::CacheSqlite`]). It is held over I/O: its waiters
    /// would have to wait for the file. `None` until the file is opened.
    connection: Mutex<Option<Connection>>,
}

impl Sqlite {
    pub(super) fn new(path: PathBuf) -> Self {
        let connection = Mutex::new(Lock::CacheSqlite, None);
        Self { path, clock: SystemTime::now, connection }
    }

    /// Opens the file, or creates it.
    pub(super) fn open(&self) -> Result<(), StoreError> {
        let mut connection = self.connection.lock();
        if connection.is_none() {
            *connection = Some(self.connect().map_err(|cause| match cause {
                Fault::Foreign => StoreError::new(format!(
                    "the cache's file {} is another program's database; give the cache its own file",
                    self.path.display()
                )),
                Fault::Newer => StoreError::new(format!(
                    "the cache's file {} was written by a newer version of this library; update this \
                     program, or give the cache its own file",
                    self.path.display()
                )),
                Fault::Sqlite(cause) => self.failed("opened", cause),
            })?);
        }
        Ok(())
    }

    fn connect(&self) -> Result<Connection, Fault> {
        // No URI, no `:memory:`, and the same file after a change of directory.
        let path = path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        sqlite_file::create(&path);
        let mut connection = sqlite_file::open(&path)?;
        connection.busy_timeout(BUSY)?;
        // A power failure may lose the last answers, but leaves the file intact
        // (sqlite.org/pragma.html#pragma_synchronous).
        let _: String =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "trusted_schema", "OFF")?;
        let transaction =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        match Identity::of(&transaction)? {
            OWN => {}
            empty if empty.is_empty => {
                transaction.execute_batch(TABLES)?;
                OWN.write(&transaction)?;
            }
            Identity { application, version, .. }
                if application == OWN.application && version > OWN.version =>
            {
                return Err(Fault::Newer);
            }
            _ => return Err(Fault::Foreign),
        }
        transaction.commit()?;
        Ok(connection)
    }

    fn with<T>(
        &self,
        what: &str,
        operation: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.open()?;
        let connection = self.connection.lock();
        let Some(connection) = connection.as_ref() else {
            return Err(StoreError::new("the cache's file is not open"));
        };
        operation(connection).map_err(|cause| self.failed(what, cause))
    }

    fn failed(&self, what: &str, cause: rusqlite::Error) -> StoreError {
        let message = format!(
            "the cache's file {} cannot be {what}; check its permissions and that its disk has space \
             left, or delete it to start with an empty cache",
            self.path.display()
        );
        StoreError::new(message).with_source(cause)
    }
}

enum Fault {
    /// It is not a cache.
    Foreign,
    /// It is a cache of a newer version.
    Newer,
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Store for Sqlite {
    fn get(&self, key: Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.with("read", |connection| {
            let mut select =
                connection.prepare_cached("SELECT entry FROM answers WHERE key = ?1")?;
            select.query_row([key.to_bytes()], |row| row.get(0)).optional()
        })
    }

    fn put(&self, key: Key, entry: &[u8], ttl: Option<Duration>) -> Result<(), StoreError> {
        let now = seconds((self.clock)());
        let until = ttl
            .map_or(i64::MAX, |ttl| now.saturating_add_unsigned(ttl.as_secs().saturating_add(1)));
        self.with("written", |connection| {
            let mut insert = connection.prepare_cached(
                "INSERT OR REPLACE INTO answers (key, entry, until) VALUES (?1, ?2, ?3)",
            )?;
            insert.execute(params![key.to_bytes(), entry, until])?;
            let mut delete = connection.prepare_cached(
                "DELETE FROM answers WHERE rowid IN
                   (SELECT rowid FROM answers WHERE until < ?1 ORDER BY until LIMIT ?2)",
            )?;
            delete.execute([now, REMOVED]).map(drop)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> PathBuf {
        let unique = format!("tollgate-cache-{}-{name}.db", std::process::id());
        let path = std::env::temp_dir().join(unique);
        remove(&path);
        path
    }

    fn remove(path: &path::Path) {
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", path.display()));
        }
    }

    fn count(store: &Sqlite) -> i64 {
        let count = |connection: &Connection| {
            connection.query_row("SELECT count(*) FROM answers", (), |row| row.get(0))
        };
        store.with("read", count).unwrap()
    }

    #[test]
    fn an_entry_is_replaced_and_found_by_another_connection() {
        let path = file("replaced");
        let (one, other) = (Sqlite::new(path.clone()), Sqlite::new(path.clone()));
        assert_eq!(one.get(Key(1)).unwrap(), None);
        one.put(Key(1), b"a", None).unwrap();
        one.put(Key(1), b"b", None).unwrap();
        assert_eq!(other.get(Key(1)).unwrap().unwrap(), b"b");
        assert_eq!((other.get(Key(2)).unwrap(), count(&other)), (None, 1));
        remove(&path);
    }

    #[test]
    fn a_write_removes_entries_that_are_too_old() {
        let path = file("old");
        let hour = Some(Duration::from_secs(3600));
        let mut store = Sqlite::new(path.clone());
        for key in 0..6 {
            store.put(Key(key), b"old", hour).unwrap();
        }
        store.put(Key(10), b"for good", None).unwrap();
        store.clock = || SystemTime::now() + Duration::from_secs(4000);
        store.put(Key(11), b"new", hour).unwrap();
        assert_eq!(count(&store), 8 - REMOVED);
        store.put(Key(11), b"new", hour).unwrap();
        assert_eq!(count(&store), 2);
        remove(&path);
    }

    #[test]
    fn another_programs_file_is_left_alone() {
        let path = file("foreign");
        let foreign = Connection::open(&path).unwrap();
        foreign.execute_batch("CREATE TABLE t (x)").unwrap();
        drop(foreign);
        let error = Sqlite::new(path.clone()).open().unwrap_err().to_string();
        assert!(error.contains("another program's database"), "{error}");
        std::fs::write(&path, b"this is not a database, but long enough to be looked at").unwrap();
        let error = Sqlite::new(path.clone()).open().unwrap_err().to_string();
        assert!(error.contains("cannot be opened"), "{error}");
        remove(&path);
    }
}
