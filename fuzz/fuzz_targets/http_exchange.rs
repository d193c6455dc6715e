//! The transport reads a response as httparse and ureq-proto do, or refuses it for a reason of its
//! own. How the response is split changes nothing.
#![no_main]

mod cut;

use cut::cut;
use libfuzzer_sys::fuzz_target;
use tollgate::internals::{HttpResponse, read_http_response};
use ureq_proto::client::state::RecvResponse;
use ureq_proto::client::{Call, RecvResponseResult, SendRequestResult};
use ureq_proto::http::Request;

/// The largest head.
const LIMIT: usize = 2048;

/// What the transport refuses although the others may not.
const STRICTER: &[&str] = &[
    // Limits.
    "TooLarge",
    "longer than 1000 bytes",
    "more than 16",
    "larger than 8 KiB",
    "larger than 16 KiB",
    // Framing that can be read in two ways (RFC 9112 sections 6.1 and 6.3).
    "both a content-length and a transfer-encoding",
    "the transfer-encoding is not just",
    "an HTTP/1.0 response has a transfer-encoding",
    // ureq-proto hands it to the caller.
    "status 101",
    // ureq-proto trims sizes, accepts "+5", and looks at neither extensions nor trailers.
    "a chunk size is not a hexadecimal number",
    "a chunk does not end where its size says",
    "a chunk size line ends with a bare line feed",
    "a chunk size or trailer line has a bare carriage return",
    "a chunk extension has a control character",
    "a trailer",
];

fuzz_target!(|input: &[u8]| {
    let Some((count, rest)) = input.split_first() else { return };
    let (lengths, stream) = rest.split_at(rest.len().min(usize::from(count % 8)));
    let whole = read_http_response([stream], LIMIT);
    assert_eq!(read_http_response(cut(stream, lengths), LIMIT), whole);
    assert_eq!(read_http_response(stream.chunks(1), LIMIT), whole);
    let Ok(whole) = whole.as_ref().map_err(|wrong| refused(stream, wrong)) else { return };
    match (whole, theirs(stream)) {
        (None, Ok(None)) => {}
        // ureq-proto may know already what is wrong with the rest.
        (None, Err(_)) => {}
        (Some(ours), Ok(Some(theirs))) => same(ours, &theirs),
        (_, theirs) if is_stricter(&theirs) => {}
        (ours, theirs) => panic!("{ours:?}, but {theirs:?}"),
    }
    if let Some(ours) = whole {
        same_head(ours, stream);
    }
});

/// ureq-proto refuses fields in an interim response, and size lines of more than 20 bytes.
fn is_stricter(theirs: &Result<Option<Theirs>, String>) -> bool {
    let knows = |wrong: &String| {
        ["HeadersWith100", "ChunkExpectedCrLf", "ChunkLenNotAscii"].contains(&wrong.as_str())
    };
    theirs.as_ref().is_err_and(knows)
}

/// The transport refuses a response: so do the others, or it is for a reason of its own.
fn refused(stream: &[u8], wrong: &str) {
    if STRICTER.iter().any(|known| wrong.contains(known)) {
        return;
    }
    // They may wait for the rest of what is wrong already.
    assert!(!matches!(theirs(stream), Ok(Some(_))), "{wrong}");
}

fn same(ours: &HttpResponse, theirs: &Theirs) {
    assert_eq!(ours.status, theirs.status);
    assert_eq!(ours.is_until_close, theirs.is_until_close);
    if theirs.body_is_whole || ours.is_until_close {
        assert_eq!(ours.body, theirs.body);
        assert_eq!((ours.is_complete, ours.behind), (true, theirs.behind));
    } else {
        assert!(!ours.is_complete && ours.behind == 0);
        // ureq-proto returns data as soon as it can be copied, the transport too.
        assert_eq!(ours.body, theirs.body);
    }
    // The transport may close where ureq-proto does not: never the other way around.
    assert!(!(ours.keeps_alive && theirs.must_close), "{ours:?}");
}

/// httparse finds the same head, the last one before the body.
fn same_head(ours: &HttpResponse, mut stream: &[u8]) {
    loop {
        let mut fields = [httparse::EMPTY_HEADER; 128];
        let mut head = httparse::Response::new(&mut fields);
        let Ok(httparse::Status::Complete(length)) = head.parse(stream) else {
            panic!("httparse refuses {ours:?}");
        };
        if matches!(head.code, Some(100..=199)) {
            stream = &stream[length..];
            continue;
        }
        assert_eq!((head.code, head.version), (Some(ours.status), Some(u8::from(!ours.is_http10))));
        let theirs = head.headers.iter().map(|field| (field.name.as_bytes(), field.value));
        assert!(ours.fields.iter().map(|(name, value)| (&name[..], &value[..])).eq(theirs));
        return;
    }
}

/// What ureq-proto reads.
#[derive(Debug)]
struct Theirs {
    status: u16,
    body: Vec<u8>,
    is_until_close: bool,
    body_is_whole: bool,
    must_close: bool,
    behind: usize,
}

fn theirs(mut stream: &[u8]) -> Result<Option<Theirs>, String> {
    let wrong = |wrong: ureq_proto::Error| {
        let text = format!("{wrong:?}");
        text.split(['(', ' ']).next().unwrap_or_default().to_owned()
    };
    let mut call = receiving();
    let response = loop {
        let (length, response) = call.try_response(stream, false).map_err(wrong)?;
        stream = &stream[length..];
        match response {
            Some(response) => break response,
            None if length == 0 => return Ok(None),
            None => {}
        }
    };
    let status = response.status().as_u16();
    let must_close;
    let mut found = Theirs {
        status,
        body: Vec::new(),
        is_until_close: false,
        body_is_whole: true,
        must_close: false,
        behind: stream.len(),
    };
    match call.proceed() {
        Some(RecvResponseResult::RecvBody(mut call)) => {
            let mut output = vec![0; stream.len() + 1];
            loop {
                let (used, length) = call.read(stream, &mut output).map_err(wrong)?;
                found.body.extend_from_slice(&output[..length]);
                stream = &stream[used..];
                if used == 0 {
                    break;
                }
            }
            found.is_until_close = call.body_mode() == ureq_proto::BodyMode::CloseDelimited;
            found.body_is_whole = call.can_proceed();
            found.behind = stream.len();
            must_close = match call.proceed() {
                Some(ureq_proto::client::RecvBodyResult::Cleanup(call)) => {
                    call.must_close_connection()
                }
                Some(ureq_proto::client::RecvBodyResult::Redirect(call)) => {
                    call.must_close_connection()
                }
                None => false,
            };
        }
        Some(RecvResponseResult::Redirect(call)) => must_close = call.must_close_connection(),
        Some(RecvResponseResult::Cleanup(call)) => must_close = call.must_close_connection(),
        None => return Ok(None),
    }
    found.must_close = must_close;
    Ok(Some(found))
}

/// A request that was sent.
fn receiving() -> Call<RecvResponse> {
    let request = Request::get("http://a.test/").body(()).expect("a request");
    let mut call = Call::new(request).expect("a call").proceed();
    call.write(&mut [0; 1024]).expect("enough room");
    match call.proceed() {
        Ok(Some(SendRequestResult::RecvResponse(call))) => call,
        _ => panic!("the request is sent"),
    }
}
