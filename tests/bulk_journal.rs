//! A run resumes from its journal, and refuses a journal that is not its own.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use support::{client, loopback};
use tollgate::bulk::{FailedItem, Flush, Journal, JsonLines};
use tollgate::testing::{Loopback, Reply};
use tollgate::{ChatRequest, Client, EmbedRequest, Error, ErrorKind};

/// A new folder, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("tollgate-bulk-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn items(count: usize) -> impl Iterator<Item = (usize, ChatRequest)> {
    (0..count).map(|number| (number, ChatRequest::from(format!("item {number}."))))
}

/// The lines of a journal after its header.
fn lines(journal: &Path) -> Vec<Value> {
    let text = fs::read_to_string(journal).unwrap();
    text.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Runs items to the end, and returns the ids with an answer and with a failure.
fn run(
    client: &Client,
    journal: impl Into<Journal>,
    count: usize,
) -> (Vec<usize>, Vec<(usize, Error)>) {
    let (mut answered, mut failed) = (Vec::new(), Vec::new());
    for (id, result) in client.bulk().journal(journal).chat(items(count)).unwrap() {
        let id = id.parse().unwrap();
        match result {
            Ok(_) => answered.push(id),
            Err(error) => failed.push((id, error)),
        }
    }
    answered.sort_unstable();
    (answered, failed)
}

/// Fails item 3 until it is repaired.
fn failing(server: &Loopback) -> std::sync::Arc<AtomicBool> {
    let broken = std::sync::Arc::new(AtomicBool::new(true));
    let is_broken = std::sync::Arc::clone(&broken);
    server.respond(move |request| {
        let fails = is_broken.load(Ordering::SeqCst) && request.body_contains("item 3.");
        Some(if fails { Reply::status(400) } else { Reply::text("done").usage(7, 3) })
    });
    broken
}

#[test]
fn a_run_skips_what_is_answered_and_repeats_failures_on_request() {
    let (folder, server) = (Folder::new(), loopback());
    let broken = failing(&server);
    let (journal, client) = (folder.file("run.journal"), client(&server, "openai"));
    let (answered, failed) = run(&client, &journal, 5);
    assert_eq!((answered.len(), failed.len()), (4, 1));
    // Later items come, and the failure is not repeated.
    broken.store(false, Ordering::SeqCst);
    assert_eq!(run(&client, &journal, 7).0, [5, 6]);
    let repeat = Journal::new(&journal).repeat_failures(true);
    assert_eq!(run(&client, repeat.clone(), 7).0, [3]);
    assert_eq!(run(&client, repeat, 7).0, [0_usize; 0]);
    assert_eq!(server.request_count(), 8);

    let mut kinds = BTreeMap::new();
    for line in lines(&journal) {
        let id = line["id"].as_str().unwrap().to_owned();
        if line["answer"].is_object() {
            assert_eq!(line["answer"]["usage"]["total_tokens"], 10);
            assert!(line["answer"]["cost"]["total"].is_string(), "{line}");
            assert_eq!(line["answer"]["provider"], "openai");
            assert_eq!(line["answer"]["attempts"].as_array().unwrap().len(), 1);
            // The body would say everything twice, and most counts and amounts are zero.
            for left_out in ["/raw", "/usage/web_searches", "/cost/reasoning", "/rate_limit/tokens"]
            {
                assert_eq!(line["answer"].pointer(left_out), None, "{line}");
            }
        } else {
            assert_eq!(line["failed"]["kind"], "invalid_request");
            assert_eq!(line["failed"]["status"], 400);
        }
        *kinds.entry((id, line["answer"].is_object())).or_insert(0) += 1;
    }
    assert_eq!(kinds.len(), 8, "seven answers and one failure");
    assert!(kinds.values().all(|count| *count == 1));
}

#[test]
fn a_replay_yields_answers_and_failures_from_the_journal() {
    let (folder, server) = (Folder::new(), loopback());
    failing(&server);
    let (journal, client) = (folder.file("run.journal"), client(&server, "openai"));
    run(&client, &journal, 5);
    let replayed = client.bulk().ordered().journal(Journal::new(&journal).replay(true));
    let map = |answer: tollgate::ChatResponse| answer.complete_text();
    let run = replayed.chat_map(items(6), map).unwrap();
    let progress = run.progress();
    for (id, result) in run {
        match id.as_str() {
            "3" => {
                let error = result.unwrap_err();
                assert_eq!((error.kind(), error.status()), (ErrorKind::InvalidRequest, Some(400)));
                assert_eq!(error.attempts().len(), 1);
            }
            _ => assert_eq!(result.unwrap(), "done"),
        }
    }
    let status = progress.status();
    assert_eq!((status.answered, status.failed, status.skipped), (5, 1, 5));
    assert_eq!(server.request_count(), 6);
}

#[test]
fn embeddings_are_replayed_too() {
    let (folder, server) = (Folder::new(), loopback());
    let client = support::builder(&server, "openai").model("text-embedding-3-small").build();
    let (client, journal) = (client.unwrap(), folder.file("run.journal"));
    let vectors = || {
        let requests = [("a", EmbedRequest::from("one")), ("b", EmbedRequest::from("two"))];
        let bulk = client.bulk().ordered().journal(Journal::new(&journal).replay(true));
        let run = bulk.embed(requests).unwrap();
        run.map(|(_, result)| result.unwrap().into_flat()).collect::<Vec<_>>()
    };
    let first = vectors();
    assert_eq!(vectors(), first);
    assert_eq!(server.request_count(), 2);
}

#[test]
fn a_torn_last_line_is_repaired() {
    let (folder, server) = (Folder::new(), loopback());
    let (journal, client) = (folder.file("run.journal"), client(&server, "openai"));
    run(&client, &journal, 4);
    let whole = fs::read(&journal).unwrap();
    // A kill in the middle of the last line, and one right before its line break.
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for (cut, repeated) in [(last + 10, 1), (whole.len() - 1, 0), (3, 4)] {
        fs::write(&journal, &whole[..cut]).unwrap();
        assert_eq!(run(&client, &journal, 4).0.len(), repeated, "cut at {cut}");
        assert_eq!(lines(&journal).len(), 4);
        fs::write(&journal, &whole).unwrap();
    }
}

/// The error of a run that is refused before it begins.
fn refusal(client: &Client, journal: impl Into<Journal>, first: &str) -> String {
    let requests = [(0, ChatRequest::from(first))];
    let error = client.bulk().journal(journal).chat(requests).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    error.message().to_owned()
}

#[test]
fn a_journal_of_another_job_is_refused() {
    let (folder, server) = (Folder::new(), loopback());
    let (journal, client) = (folder.file("run.journal"), client(&server, "openai"));
    run(&client, &journal, 4);
    let message = refusal(&client, &journal, "another prompt");
    assert!(message.contains("it began with another first item"), "{message}");
    let message = refusal(&client, Journal::new(&journal).job("other"), "item 0.");
    assert!(message.contains("it is for a job without a name, not for \"other\""), "{message}");
    let embeds = client.bulk().journal(&journal).embed([("0", EmbedRequest::from("x"))]);
    let message = embeds.map(drop).unwrap_err().message().to_owned();
    assert!(message.contains("it is for chat calls, not for embed"), "{message}");

    // A named job may begin with any item, but an id must keep its request.
    let named = Journal::new(folder.file("named.journal")).job("prices");
    run(&client, named.clone(), 4);
    let before = server.request_count();
    let reversed = (0..6).rev().map(|id| (id, ChatRequest::from(format!("item {id}."))));
    let bulk = || client.bulk().journal(named.clone());
    assert_eq!(bulk().chat(reversed).unwrap().count(), 2);
    let changed = (0..50).map(|id| (id, ChatRequest::from(format!("thing {id}."))));
    let mut run = bulk().chat(changed).unwrap();
    let results: Vec<_> = (&mut run).collect();
    for (_, result) in &results {
        let error = result.as_ref().unwrap_err();
        assert!(error.message().contains("another request for the id \"0\""), "{error}");
    }
    assert!(results.len() < 5, "the run stops");
    assert_eq!(run.finish().unwrap_err().kind(), ErrorKind::Configuration);
    assert_eq!(server.request_count(), before + 2, "nothing was sent");
}

#[test]
fn a_second_run_on_the_same_journal_is_refused_while_the_first_one_lives() {
    let (folder, server) = (Folder::new(), loopback());
    let (journal, client) = (folder.file("run.journal"), client(&server, "openai"));
    let mut first = client.bulk().journal(&journal).chat(items(4)).unwrap();
    assert!(first.next().is_some());
    let message = refusal(&client, &journal, "item 0.");
    assert!(message.starts_with("another run is writing the journal"), "{message}");
    #[cfg(unix)]
    {
        let link = folder.file("link.journal");
        fs::hard_link(&journal, &link).unwrap();
        assert!(refusal(&client, &link, "item 0.").starts_with("another run"));
    }
    drop(first);
    assert_eq!(run(&client, &journal, 4).1.len(), 0);
}

#[test]
fn lines_of_a_process_that_the_lock_did_not_stop_end_the_run() {
    let (folder, server) = (Folder::new(), loopback());
    let (journal, client) = (folder.file("run.journal"), client(&server, "openai"));
    let bulk = client.bulk().workers(2).look_ahead(8).journal(&journal);
    let mut run = bulk.chat(items(100)).unwrap();
    assert!(run.next().unwrap().1.is_ok());
    fs::OpenOptions::new().append(true).open(&journal).unwrap().write_all(b"{}\n").unwrap();
    let results: Vec<Result<_, Error>> = (&mut run).map(|(_, result)| result).collect();
    // Those in flight keep their answers. What is not done says why.
    let errors: Vec<Error> = results.into_iter().filter_map(Result::err).collect();
    assert!(!errors.is_empty() && errors.len() < 20);
    assert!(errors.iter().all(|error| error.message().contains("another process has written")));
    let status = run.progress().status();
    assert_eq!((status.failed, status.unfinished), (0, errors.len() as u64));
    assert!(run.finish().is_err());
}

#[test]
fn a_journal_that_cannot_be_written_or_read_is_refused_by_name() {
    let (folder, server) = (Folder::new(), loopback());
    let client = client(&server, "openai");
    let missing = folder.file("missing/run.journal");
    let message = refusal(&client, &missing, "x");
    assert!(message.contains("run.journal cannot be opened: "), "{message}");
    let other = folder.file("other.json");
    fs::write(&other, "{\"id\": 1}\n").unwrap();
    let message = refusal(&client, &other, "x");
    assert!(message.contains("line 1 of the journal") && message.contains("other.json is damaged"));
    assert_eq!(fs::read_to_string(&other).unwrap(), "{\"id\": 1}\n", "it is left alone");
    #[cfg(target_os = "linux")]
    {
        let message = refusal(&client, "/dev/full", "x");
        assert_eq!(message, "the journal /dev/full is not a regular file");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let locked = folder.file("locked");
        fs::create_dir(&locked).unwrap();
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o500)).unwrap();
        // The superuser may write everywhere.
        if fs::write(locked.join("probe"), "").is_err() {
            let message = refusal(&client, locked.join("run.journal"), "x");
            assert!(message.contains("Permission denied"), "{message}");
        }
    }
    assert_eq!(server.request_count(), 0);
}

#[test]
fn prompts_and_answers_are_for_the_user_alone() {
    let (folder, server) = (Folder::new(), loopback());
    let (journal, failures) = (folder.file("run.journal"), folder.file("failed.jsonl"));
    let client = client(&server, "openai");
    let bulk = client.bulk().journal(&journal).failures(&failures);
    assert_eq!(bulk.chat(items(3)).unwrap().count(), 3);
    #[cfg(unix)]
    for file in [journal, failures] {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn lines_are_flushed_in_time_and_at_the_end() {
    let (folder, server) = (Folder::new(), loopback());
    let client = client(&server, "openai");
    for flush in [Flush::EveryItems(1_000), Flush::Every(Duration::from_secs(600))] {
        let path = folder.file(&format!("{flush:?}.journal"));
        let journal = Journal::new(&path).flush(flush).sync_to_disk(true);
        let mut run = client.bulk().journal(journal).chat(items(20)).unwrap();
        assert_eq!((&mut run).count(), 20);
        assert_eq!(lines(&path).len(), 20);
        // One that ends early has its lines too.
        let early = folder.file(&format!("early {flush:?}.journal"));
        let journal = Journal::new(&early).flush(flush);
        let mut run = client.bulk().journal(journal).chat(items(20)).unwrap();
        assert!(run.next().is_some());
        drop(run);
        assert!(!lines(&early).is_empty());
    }
}

#[test]
fn failures_are_kept_with_their_requests_ready_to_run_again() {
    let (folder, server) = (Folder::new(), loopback());
    let broken = failing(&server);
    let (journal, failures) = (folder.file("run.journal"), folder.file("failed.jsonl"));
    let client = client(&server, "openai");
    let bulk = || client.bulk().journal(&journal).failures(&failures);
    bulk().chat(items(5)).unwrap().for_each(drop);
    let read = || -> Vec<FailedItem> {
        JsonLines::open(&failures).unwrap().collect::<Result<_, Error>>().unwrap()
    };
    for _ in 0..2 {
        let [FailedItem { id, kind, request, .. }] = &read()[..] else { panic!("one failure") };
        assert_eq!((id.as_str(), *kind), ("3", ErrorKind::InvalidRequest));
        assert_eq!(*request, ChatRequest::from("item 3."));
        // The next run skips it, and lists it again.
        bulk().chat(items(6)).unwrap().for_each(drop);
    }
    broken.store(false, Ordering::SeqCst);
    let again = read().into_iter().map(|item| (item.id, item.request));
    assert!(client.bulk().chat(again).unwrap().all(|(_, result)| result.is_ok()));
    let repeat = Journal::new(&journal).repeat_failures(true);
    client.bulk().journal(repeat).failures(&failures).chat(items(6)).unwrap().for_each(drop);
    assert!(read().is_empty());
}

#[test]
fn equal_requests_have_lines_of_their_own_that_cost_nothing() {
    let (folder, server) = (Folder::new(), loopback());
    let (journal, client) = (folder.file("run.journal"), client(&server, "openai"));
    let requests = || (0..10).map(|id| (id, ChatRequest::from("the same")));
    let bulk = || client.bulk().deduplicate(true).journal(&journal);
    assert_eq!(bulk().chat(requests()).unwrap().count(), 10);
    let lines = lines(&journal);
    let first = lines.iter().filter(|line| line["same_as"].is_null()).count();
    assert_eq!((lines.len(), first), (10, 1));
    assert_eq!(bulk().chat(requests()).unwrap().count(), 0);
    assert_eq!(server.request_count(), 1);
}

#[test]
fn a_damaged_input_line_is_named_and_the_rest_is_read() {
    let folder = Folder::new();
    let input = folder.file("in.jsonl");
    fs::write(
        &input,
        b"\xef\xbb\xbf{\"id\": 1}\r\n\n{\"id\": \"secret\n\xff\n{\"ids\": 2}\n{\"id\": 3}",
    )
    .unwrap();
    #[derive(Debug, serde::Deserialize)]
    struct Line {
        id: u32,
    }
    let read: Vec<_> = JsonLines::<Line>::open(&input).unwrap().collect();
    let shown: Vec<String> = read
        .iter()
        .map(|line| match line {
            Ok(line) => line.id.to_string(),
            Err(error) => error.message().rsplit_once("in.jsonl, ").unwrap().1.to_owned(),
        })
        .collect();
    assert_eq!(
        shown,
        [
            "1",
            "line 3: it ends early at column 14",
            "line 4: byte 0 is not UTF-8",
            "line 5: missing field `id`",
            "3",
        ]
    );
    // A file that grows while it is read.
    let mut lines = JsonLines::<Line>::open(&input).unwrap();
    assert!(lines.next().unwrap().is_ok());
    fs::OpenOptions::new().append(true).open(&input).unwrap().write_all(b"\n").unwrap();
    let last = lines.last().unwrap().unwrap_err();
    assert!(last.message().contains("has changed while it was read"), "{last}");
    assert!(JsonLines::<Line>::open(folder.file("none")).is_err());
}
