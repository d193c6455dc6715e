//! Where the cache keeps answers: folders that processes share, and stores of the program's own.

mod support;

use std::collections::HashMap;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use support::{KEY, builder, builder_at, folder::Folder, loopback};
use tollgate::cache::{Key, Store, StoreError};
use tollgate::observe::Observer;
use tollgate::testing::{Loopback, Reply};
use tollgate::{AnswerSource, Cache, Client, Error, ErrorKind};

fn caching(server: &Loopback, cache: Cache) -> Client {
    builder(server, "openai").cache(cache).build().unwrap()
}

fn source(client: &Client) -> AnswerSource {
    client.chat("hi").unwrap().source()
}

#[test]
fn another_client_finds_the_answers_in_a_folder() {
    let (server, folder) = (loopback(), Folder::new("cache-folder"));
    let one = caching(&server, Cache::folder(&folder.0));
    assert_eq!(source(&one), AnswerSource::Live);
    let names = folder.names();
    assert_eq!(names.len(), 1, "{names:?}");
    assert!(names[0].ends_with(".answer"), "{names:?}");
    let url = server.base_url("openai");
    drop(server);
    let other = builder_at(&url).model("gpt-4o-mini").cache(Cache::folder(&folder.0)).build();
    assert_eq!(source(&other.unwrap()), AnswerSource::Cached);
}

#[cfg(unix)]
#[test]
fn only_the_user_may_read_the_answers() {
    use std::os::unix::fs::PermissionsExt;
    let (server, folder) = (loopback(), Folder::new("cache-mode"));
    source(&caching(&server, Cache::folder(&folder.0)));
    let file = folder.0.join(&folder.names()[0]);
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_damaged_or_unknown_file_is_a_miss_and_is_replaced() {
    let (server, folder) = (loopback(), Folder::new("cache-damaged"));
    let client = caching(&server, Cache::folder(&folder.0));
    source(&client);
    let file = folder.0.join(&folder.names()[0]);
    let good = fs::read(&file).unwrap();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut newer = good.clone();
    newer[3] += 1;
    for damaged in [&b""[..], b"nonsense", &good[..good.len() / 2], &flipped, &newer] {
        fs::write(&file, damaged).unwrap();
        assert_eq!(source(&client), AnswerSource::Live);
        assert_eq!(source(&client), AnswerSource::Cached, "it was replaced");
    }
    assert_eq!((client.metrics().cache_failures, folder.names().len()), (0, 1));
}

#[test]
fn building_a_client_removes_files_past_their_time_to_live() {
    let (server, folder) = (loopback(), Folder::new("cache-old"));
    let hour = Duration::from_secs(3600);
    source(&caching(&server, Cache::folder(&folder.0).ttl(hour)));
    fs::write(folder.0.join("notes.txt"), "not ours").unwrap();
    caching(&server, Cache::folder(&folder.0).ttl(hour));
    assert_eq!(folder.names().len(), 2);
    let later = move || SystemTime::now() + hour * 2;
    caching(&server, Cache::folder(&folder.0).ttl(hour).clock(later));
    assert_eq!(folder.names(), ["notes.txt"]);
}

#[test]
fn a_folder_that_cannot_be_used_is_a_mistake_of_the_configuration() {
    let (server, folder) = (loopback(), Folder::new("cache-no-folder"));
    fs::create_dir_all(&folder.0).unwrap();
    let file = folder.0.join("file");
    fs::write(&file, "").unwrap();
    let cache = Cache::folder(file.join("below")).hide("short");
    let error: Error = builder(&server, "openai").cache(cache).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let text = error.to_string();
    assert!(text.contains("the cache's folder") && text.contains("Cache::hide"), "{text}");
}

/// Counts the failures that observers see.
#[derive(Default)]
struct Failures(Mutex<Vec<String>>);

impl Observer for Failures {
    fn cache_failed(&self, error: &StoreError) {
        self.0.lock().unwrap().push(error.to_string());
    }
}

/// A store of the program's own.
#[derive(Default)]
struct Own {
    entries: Mutex<HashMap<[u8; 16], Vec<u8>>>,
    is_full: AtomicBool,
    is_gone: AtomicBool,
}

impl Store for Own {
    fn get(&self, key: Key) -> Result<Option<Vec<u8>>, StoreError> {
        match self.is_gone.load(Ordering::SeqCst) {
            true => Err(StoreError::new("the store is gone")),
            false => Ok(self.entries.lock().unwrap().get(&key.to_bytes()).cloned()),
        }
    }

    fn put(&self, key: Key, entry: &[u8], ttl: Option<Duration>) -> Result<(), StoreError> {
        assert_eq!(ttl, Some(Duration::from_secs(60)));
        if self.is_full.load(Ordering::SeqCst) {
            return Err(StoreError::new("the store is full"));
        }
        self.entries.lock().unwrap().insert(key.to_bytes(), entry.to_vec());
        Ok(())
    }
}

#[test]
fn a_store_that_fails_fails_no_call_but_is_seen() {
    let (server, store) = (loopback(), Arc::new(Own::default()));
    let failures = Arc::new(Failures::default());
    let cache = Cache::with_store(store.clone()).ttl(Duration::from_secs(60));
    let client =
        builder(&server, "openai").cache(cache).shared_observer(failures.clone()).build().unwrap();
    store.is_full.store(true, Ordering::SeqCst);
    assert_eq!([source(&client), source(&client)], [AnswerSource::Live; 2]);
    store.is_full.store(false, Ordering::SeqCst);
    assert_eq!([source(&client), source(&client)], [AnswerSource::Live, AnswerSource::Cached]);
    store.is_gone.store(true, Ordering::SeqCst);
    assert_eq!(source(&client), AnswerSource::Live);
    let seen = failures.0.lock().unwrap().clone();
    assert_eq!(seen, ["the store is full", "the store is full", "the store is gone"]);
    let metrics = client.metrics();
    assert_eq!(metrics.cache_failures, 3);
    assert!(metrics.prometheus().contains("tollgate_cache_failures_total 3"));
    assert!(metrics.to_string().contains("! THE CACHE FAILED: 3 times"));
}

#[cfg(unix)]
#[test]
fn a_folder_that_disappears_fails_no_call() {
    let (server, folder) = (loopback(), Folder::new("cache-gone"));
    let client = caching(&server, Cache::folder(&folder.0));
    fs::remove_dir_all(&folder.0).unwrap();
    assert_eq!([source(&client), source(&client)], [AnswerSource::Live; 2]);
    assert_eq!(client.metrics().cache_failures, 2);
}

#[test]
fn no_secret_is_in_any_file() {
    const HEADER: &str = "header-secret-value";
    const HIDDEN: &str = "customer-4711-secret";
    let (server, folder) = (loopback(), Folder::new("cache-secrets"));
    let cache = Cache::folder(&folder.0).hide(HIDDEN);
    let client = builder(&server, "openai").header("x-token", HEADER).cache(cache).build().unwrap();
    let text = format!("You sent {KEY}, {HEADER} and {HIDDEN}.");
    for (number, reply) in [
        Reply::text(&text).header("x-request-id", format!("for {KEY}")),
        Reply::error(400, KEY, &text),
        Reply::error(500, "broken", &text),
    ]
    .into_iter()
    .enumerate()
    {
        server.reply(reply);
        let _ = client.chat(format!("{number}: my name is {HIDDEN}."));
    }
    // One that spreads over many pieces.
    server.reply(Reply::text(&text).write_size(3));
    client.stream("hi").unwrap().finish().unwrap();
    let hit = client.stream("hi").unwrap().finish().unwrap();
    assert_eq!(hit.text(), "You sent [key], [key] and [key].");
    assert_eq!(folder.names().len(), 2);
    for name in folder.names() {
        let bytes = fs::read(folder.0.join(&name)).unwrap();
        for secret in [KEY, HEADER, HIDDEN, "secret"] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {name}");
        }
    }
}

/// Which process this is, for one started by the test.
const PROCESS: &str = "TOLLGATE_TEST_CACHE_PROCESS";
const SERVER: &str = "TOLLGATE_TEST_CACHE_SERVER";

/// Does nothing unless another test runs this program again.
#[test]
fn what_a_process_does() {
    let Ok(place) = std::env::var(PROCESS) else { return };
    let cache = match place.strip_prefix("sqlite:") {
        None => Cache::folder(place),
        #[cfg(feature = "sqlite")]
        Some(file) => Cache::sqlite(file),
        #[cfg(not(feature = "sqlite"))]
        Some(_) => return,
    };
    let url = std::env::var(SERVER).unwrap();
    let client = builder_at(&url).model("gpt-4o-mini").cache(cache).build().unwrap();
    for number in 0..100 {
        let answer = client.chat(format!("question {}", number % 10)).unwrap();
        assert_eq!(answer.text(), format!("answer to question {}", number % 10));
    }
    assert_eq!(client.metrics().cache_failures, 0);
}

/// Runs several processes that use one place, and returns how many requests they made.
fn processes(place: &str) -> u64 {
    let server = loopback();
    server.respond(|request| {
        let body = request.json();
        let question = body["messages"][0]["content"].as_str().unwrap();
        Some(Reply::text(format!("answer to {question}")))
    });
    let mut children: Vec<_> = (0..4)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "what_a_process_does"])
                .env(PROCESS, place)
                .env(SERVER, server.base_url("openai"))
                .spawn()
                .unwrap()
        })
        .collect();
    assert!(children.iter_mut().all(|child| child.wait().unwrap().success()));
    server.request_count()
}

#[test]
fn processes_share_a_folder() {
    let folder = Folder::new("cache-processes");
    let requests = processes(&folder.0.display().to_string());
    // Each process may ask once before another one has stored the answer.
    assert!((10..=40).contains(&requests), "{requests}");
    assert_eq!(folder.names().len(), 10, "no unfinished file is left: {:?}", folder.names());
}

#[cfg(feature = "sqlite")]
#[test]
fn processes_share_a_sqlite_file() {
    let folder = Folder::new("cache-sqlite-processes");
    fs::create_dir_all(&folder.0).unwrap();
    let requests = processes(&format!("sqlite:{}", folder.0.join("cache.db").display()));
    assert!((10..=40).contains(&requests), "{requests}");
}

#[cfg(feature = "sqlite")]
#[test]
fn answers_in_a_sqlite_file_outlive_the_client() {
    let (server, folder) = (loopback(), Folder::new("cache-sqlite"));
    fs::create_dir_all(&folder.0).unwrap();
    let file = folder.0.join("cache.db");
    assert_eq!(source(&caching(&server, Cache::sqlite(&file))), AnswerSource::Live);
    assert_eq!(source(&caching(&server, Cache::sqlite(&file))), AnswerSource::Cached);
    fs::write(folder.0.join("other"), "some text that is not a database, and long enough").unwrap();
    let wrong = builder(&server, "openai").cache(Cache::sqlite(folder.0.join("other"))).build();
    assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Configuration);
}
