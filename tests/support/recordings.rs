//! Real responses, recorded from the providers, and the promises that hold for each of their streams.

use serde_json::Value;
use std::env;
use std::fs;
use std::path::PathBuf;
use tollgate::testing::{Framing, Loopback, Reply};
use tollgate::{ChatResponse, Client, Error, ErrorKind, StreamDecoder, StreamEvent, UsageSource};

use super::{builder, loopback};

/// The folder that `TOLLGATE_RECORDINGS` names.
pub(crate) struct Recordings {
    folder: PathBuf,
    pub(crate) entries: Vec<Value>,
}

impl Recordings {
    /// `None` if the variable is not set; prints that the test skips.
    pub(crate) fn open() -> Option<Self> {
        let Some(folder) = env::var_os("TOLLGATE_RECORDINGS").map(PathBuf::from) else {
            eprintln!("skipped: TOLLGATE_RECORDINGS does not name the folder of recordings");
            return None;
        };
        let index = fs::read_to_string(folder.join("index.json")).expect("index.json");
        let mut index: Value = serde_json::from_str(&index).expect("a JSON index");
        let Value::Array(entries) = index["entries"].take() else { panic!("no entries") };
        Some(Self { folder, entries })
    }

    pub(crate) fn body(&self, entry: &Value) -> Vec<u8> {
        fs::read(self.folder.join(member(entry, "file"))).expect("a recording")
    }
}

pub(crate) struct Recording {
    pub(crate) file: String,
    /// As the index names it.
    pub(crate) provider: String,
    pub(crate) url: String,
    /// `json`, `sse` or `ndjson`.
    pub(crate) kind: String,
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Returns the recordings whose entries in the index are wanted, or `None` if the variable is not set.
pub(crate) fn recorded(is_wanted: impl Fn(&Value) -> bool) -> Option<Vec<Recording>> {
    let recordings = Recordings::open()?;
    let wanted = recordings.entries.iter().filter(|entry| is_wanted(entry));
    let found = wanted.map(|entry| Recording {
        file: member(entry, "file"),
        provider: member(entry, "provider"),
        url: member(entry, "url"),
        kind: member(entry, "kind"),
        status: entry["status"].as_u64().and_then(|status| status.try_into().ok()).unwrap(),
        body: recordings.body(entry),
    });
    Some(found.collect())
}

impl Recording {
    /// Returns the JSON texts of the body: the answer, the data of its events, or its lines. Some
    /// event streams also have OpenAI's end marker.
    pub(crate) fn texts(&self) -> Vec<Value> {
        let body = std::str::from_utf8(&self.body).unwrap();
        let parsed = |text: &str| serde_json::from_str(text).unwrap();
        match self.kind.as_str() {
            "json" => vec![parsed(body)],
            "sse" => {
                let data = body.lines().filter_map(|line| line.strip_prefix("data: "));
                data.filter(|data| *data != "[DONE]").map(parsed).collect()
            }
            "ndjson" => body.lines().map(parsed).collect(),
            other => panic!("{}: {other}", self.file),
        }
    }

    /// Returns the position after each event or line of the body.
    pub(crate) fn ends(&self) -> Vec<usize> {
        let body = std::str::from_utf8(&self.body).unwrap();
        let end = match self.kind.as_str() {
            "ndjson" => "\n",
            _ if body.contains("\r\n\r\n") => "\r\n\r\n",
            _ => "\n\n",
        };
        body.match_indices(end).map(|(at, end)| at + end.len()).collect()
    }

    /// Replays the body to a client of `provider` over a real socket.
    pub(crate) fn replayed(&self, provider: &str) -> Result<ChatResponse, Error> {
        let server = loopback();
        server.reply(Reply::raw(self.status, "application/json", self.body.clone()));
        builder(&server, provider).build()?.chat("hi")
    }

    /// Decodes the stream, and checks that it decodes the same byte by byte, and that it is
    /// truncated if the body ends properly after any of `cuts`. Also returns the partial answers.
    pub(crate) fn decoded_however_split(
        &self,
        decoder: impl Fn() -> StreamDecoder,
        cuts: &[usize],
    ) -> (Vec<StreamEvent>, ChatResponse, Vec<ChatResponse>) {
        let (file, body) = (&self.file, &self.body);
        let (events, end, answer) = decoded(decoder(), [&body[..]]);
        end.unwrap_or_else(|error| panic!("{file}: {error}"));
        let bytewise = decoded(decoder(), body.chunks(1));
        assert_eq!((&bytewise.0, &bytewise.2), (&events, &answer), "{file}");
        let mut partials = Vec::new();
        for cut in cuts {
            let (_, end, partial) = decoded(decoder(), [&body[..*cut]]);
            assert_eq!(end.unwrap_err().kind(), ErrorKind::Truncated, "{file} cut after {cut}");
            assert!(answer.text().starts_with(&partial.text()), "{file}");
            assert_ne!(partial.usage.source, UsageSource::Reported, "{file}");
            partials.push(partial);
        }
        (events, answer, partials)
    }

    /// Replays the stream over a real socket once for each of `cuts`, where the connection ends, and
    /// checks that it is truncated.
    pub(crate) fn check_truncated(&self, server: &Loopback, client: &Client, cuts: &[usize]) {
        let content_type = match self.kind.as_str() {
            "ndjson" => "application/x-ndjson",
            _ => "text/event-stream",
        };
        for cut in cuts {
            let reply = Reply::raw(200, content_type, self.body.clone());
            server.reply(reply.framing(Framing::Chunked).cut_after(*cut));
            let error = match client.stream("hi") {
                Ok(mut stream) => stream.finish().unwrap_err(),
                Err(error) => error,
            };
            let place = format!("{} cut after {cut}: {error}", self.file);
            assert_eq!(error.kind(), ErrorKind::Truncated, "{place}");
        }
    }
}

/// The events of a stream, its end, and its answer.
pub(crate) type Decoded = (Vec<StreamEvent>, Result<(), Error>, ChatResponse);

/// Decodes a body that arrives in these pieces and ends properly.
pub(crate) fn decoded<'a>(
    mut decoder: StreamDecoder,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Decoded {
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(piece, &mut events).unwrap();
    }
    let end = decoder.finish(&mut events);
    (events, end, decoder.into_response())
}

/// The text of a JSON string; otherwise empty.
pub(crate) fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A member of an entry.
pub(crate) fn member(entry: &Value, key: &str) -> String {
    string(&entry[key])
}
