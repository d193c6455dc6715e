//! The files of recordings: complete or absent, whoever writes them, and without secrets.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Barrier;
use std::thread;
use support::{KEY, builder, loopback};
use tollgate::replay::Mode;
use tollgate::testing::Reply;
use tollgate::{Client, ErrorKind, RawRequest, Replay};

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("tollgate-files-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn replaying(url: &str, folder: &Path) -> Client {
    Client::builder()
        .provider("openai")
        .model("gpt-4o-mini")
        .base_url(url)
        .replay(Replay::dir(folder).mode(Mode::Replay))
        .build()
        .unwrap()
}

/// All files in a folder, with their contents.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect()
}

#[test]
fn no_planted_secret_is_in_any_file() {
    const GATEWAY: &str = "gw-planted-header-secret";
    const IN_URL: &str = "url-planted-secret-value";
    const CUSTOM: &str = "customer-number-4711";
    let (folder, server) = (folder("secrets"), loopback());
    let url = server.base_url("openai");
    let client = builder(&server, "openai")
        .base_url(format!("{url}?key={IN_URL}&route=a"))
        .header("x-gateway-key", GATEWAY)
        .replay(Replay::dir(&folder).mode(Mode::Record).hide(CUSTOM))
        .build()
        .unwrap();
    let all = [KEY, GATEWAY, IN_URL, CUSTOM].join(" and ");
    let escaped = all.replace('-', "\\u002d");
    let echo = |status| {
        let said = format!("{all} {escaped}");
        let body = match status {
            200 => format!("{{\"choices\":[{{\"message\":{{\"content\":\"{said}\"}}}}]}}"),
            _ => format!("{{\"error\":{{\"message\":\"wrong key {said}\"}}}}"),
        };
        Reply::raw(status, "application/json", body).header("x-request-id", &all)
    };
    server.reply(echo(200));
    server.reply(echo(400));
    server.reply(echo(400));
    server.on(|request| request.path().ends_with("/models"), echo(200));
    // A stream whose pieces cut every secret.
    server.reply(Reply::text(&all).write_size(5));
    client.chat(format!("my secrets are {all}")).unwrap();
    client.chat("an error").unwrap_err();
    client.stream("an error").unwrap_err();
    client.send(RawRequest::get(format!("/models?token={IN_URL}"))).unwrap();
    client.stream(format!("{all} again")).unwrap().finish().unwrap();
    let files = files(&folder);
    assert_eq!(files.len(), 5, "{files:?}");
    for (name, bytes) in files {
        let text = String::from_utf8(bytes).unwrap();
        for secret in [KEY, GATEWAY, IN_URL, CUSTOM] {
            let escaped = secret.replace('-', "\\\\u002d");
            assert!(!text.contains(secret) && !text.contains(&escaped), "{name}: {text}");
            assert!(!name.contains(secret), "{name}");
        }
        for word in ["authorization", "cookie", "x-gateway-key"] {
            assert!(!text.contains(word), "{name}: {text}");
        }
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_request_that_many_record_at_once_leaves_one_complete_file() {
    let (folder, server) = (folder("storm"), loopback());
    let answer = "word ".repeat(2_000);
    server.default_reply(Reply::text(&answer).usage(1, 1));
    let barrier = Barrier::new(8);
    thread::scope(|scope| {
        for number in 0..8 {
            let (server, folder, barrier, answer) = (&server, &folder, &barrier, &answer);
            scope.spawn(move || {
                // Each has its own state, like a process of its own.
                let replay = Replay::dir(folder).mode(Mode::Record);
                let client = builder(server, "openai").replay(replay).build().unwrap();
                barrier.wait();
                let text = match number % 2 {
                    0 => client.chat("hi").unwrap().text(),
                    _ => client.stream("hi").unwrap().finish().unwrap().text(),
                };
                assert_eq!(&text, answer);
            });
        }
    });
    // One for the chat, one for the stream.
    let names: Vec<_> = files(&folder).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    let url = server.base_url("openai");
    drop(server);
    let client = replaying(&url, &folder);
    assert_eq!(client.chat("hi").unwrap().text(), answer);
    assert_eq!(client.stream("hi").unwrap().finish().unwrap().text(), answer);
    fs::remove_dir_all(&folder).unwrap();
}

/// Set for the process that records until it is killed: the folder, and the address of the server.
const CHILD: &str = "TOLLGATE_TEST_RECORDS";

/// Does nothing in the process of the tests.
#[test]
fn records_until_it_is_killed() {
    let Ok(variable) = std::env::var(CHILD) else { return };
    let (folder, url) = variable.split_once('|').unwrap();
    let client = Client::builder()
        .provider("openai")
        .model("gpt-4o-mini")
        .api_key(KEY)
        .base_url(url)
        .replay(Replay::dir(folder).mode(Mode::Record))
        .build()
        .unwrap();
    for number in 0.. {
        client.chat(number.to_string()).unwrap();
    }
}

#[test]
fn a_killed_process_leaves_complete_recordings_or_none() {
    let (folder, server) = (folder("killed"), loopback());
    // So long that the kill comes while it is written.
    let answer = "word ".repeat(800_000);
    server.default_reply(Reply::text(&answer).usage(1, 1));
    let url = server.base_url("openai");
    let entries = || fs::read_dir(&folder).map_or(0, Iterator::count);
    for _ in 0..6 {
        let before = entries();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "records_until_it_is_killed"])
            .env(CHILD, format!("{}|{url}", folder.display()))
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // One file is complete, and the next one has been created.
        while entries() < before + 2 {
            assert!(child.try_wait().unwrap().is_none(), "it records until it is killed");
        }
        // SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let asked = server.request_count();
    let client = replaying(&url, &folder);
    let (mut complete, mut missing) = (0, 0);
    for number in 0..=asked {
        match client.chat(number.to_string()) {
            Ok(response) => {
                assert_eq!(response.text(), answer);
                complete += 1;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotRecorded, "{error}");
                missing += 1;
            }
        }
    }
    assert!(complete >= 6 && missing >= 1, "{complete} complete, {missing} missing");
    let replay = Replay::dir(&folder);
    assert_eq!(replay.unused().unwrap().len(), complete);
    fs::remove_dir_all(&folder).unwrap();
}
