//! Google's protocol for uploads in pieces.
//!
//! Sources: ai.google.dev/gemini-api/docs/batch-api ("Input file", REST) for the start and the last
//! piece; developers.google.com/photos/library/guides/resumable-uploads, which describes the same
//! protocol, for pieces in between and for the question how much has arrived.

use serde_json::json;

use crate::wire::{Failure, Reply};

/// How many bytes a piece has, as in the official SDK (googleapis/python-genai, `CHUNK_SIZE`). All but the
/// last must be multiples of the server's granularity.
const PIECE: usize = 8 * 1024 * 1024;

/// An upload that the server waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// The path and the query of its address.
    pub(crate) target: String,
}

/// How far an upload has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The server waits for more. `received` says how many bytes it has, if it was asked.
    Active { received: Option<usize> },
    /// The server has all of it.
    Whole,
}

/// A header of a request.
pub(crate) type Header = (&'static str, String);

impl Session {
    /// The path below the upload service.
    pub(crate) const PATH: &'static str = "/files";

    /// Returns the headers and the body of the request that starts an upload.
    pub(crate) fn start(name: &str, bytes: usize) -> (Vec<Header>, Vec<u8>) {
        let headers = vec![
            ("x-goog-upload-protocol", "resumable".to_owned()),
            ("x-goog-upload-command", "start".to_owned()),
            ("x-goog-upload-header-content-length", bytes.to_string()),
            ("x-goog-upload-header-content-type", "application/jsonl".to_owned()),
        ];
        (headers, json!({"file": {"displayName": name}}).to_string().into_bytes())
    }

    /// Reads the answer to it. Only the path of the address counts: the key must go to no other host.
    pub(crate) fn of(reply: Reply<'_>) -> Result<Self, Failure> {
        let address = reply.header("x-goog-upload-url").unwrap_or_default();
        let path = match address.split_once("://") {
            Some((_, rest)) => rest.find('/').map(|start| &rest[start..]),
            None => address.starts_with('/').then_some(address),
        };
        let target = path.ok_or_else(|| {
            Failure::protocol(
                "the answer to the start of the upload has no \"x-goog-upload-url\"; check that the \
                 base URL has the Files API",
            )
        })?;
        Ok(Self { target: target.to_owned() })
    }

    /// Returns how many bytes of a file the piece at an offset has.
    pub(crate) fn piece(at: usize, bytes: usize) -> usize {
        bytes.saturating_sub(at).min(PIECE)
    }

    /// Returns the headers of a piece.
    pub(crate) fn send(at: usize, is_last: bool) -> Vec<Header> {
        let command = if is_last { "upload, finalize" } else { "upload" };
        vec![
            ("x-goog-upload-command", command.to_owned()),
            ("x-goog-upload-offset", at.to_string()),
        ]
    }

    /// Returns the headers of the question how much has arrived.
    pub(crate) fn query() -> Vec<Header> {
        vec![("x-goog-upload-command", "query".to_owned())]
    }
}

impl Progress {
    /// Reads the answer to a piece or to the question.
    pub(crate) fn of(reply: Reply<'_>) -> Result<Self, Failure> {
        match reply.header("x-goog-upload-status").unwrap_or_default() {
            "active" => {
                let received = reply.header("x-goog-upload-size-received");
                Ok(Self::Active { received: received.and_then(|bytes| bytes.parse().ok()) })
            }
            "final" => Ok(Self::Whole),
            status => Err(Failure::protocol(format!(
                "the upload of the requests ended with the status {status:?}; submit them again"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::header_fields;

    fn reply<T>(
        fields: &[(&str, &str)],
        read: impl Fn(Reply<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        read(Reply { status: 200, headers: &header_fields(fields), body: b"", sent: None })
    }

    #[test]
    fn a_session_keeps_the_path_and_never_the_host() {
        for (address, target) in [
            (
                "https://a.b/upload/v1beta/files?upload_id=1&x=2",
                Some("/upload/v1beta/files?upload_id=1&x=2"),
            ),
            ("http://evil.example:99/u", Some("/u")),
            ("/u?id=1", Some("/u?id=1")),
            ("https://a.b", None),
            ("u", None),
            ("", None),
        ] {
            let session = reply(&[("X-Goog-Upload-URL", address)], Session::of);
            assert_eq!(session.ok().map(|session| session.target).as_deref(), target, "{address}");
        }
        assert!(reply(&[], Session::of).is_err());
    }

    #[test]
    fn a_file_is_sent_in_pieces_and_the_last_one_ends_it() {
        let bytes = 2 * PIECE + 5;
        assert_eq!(
            [0, PIECE, 2 * PIECE, bytes].map(|at| Session::piece(at, bytes)),
            [PIECE, PIECE, 5, 0]
        );
        assert_eq!(Session::send(7, false)[0].1, "upload");
        assert_eq!(Session::send(7, true)[0].1, "upload, finalize");
        assert_eq!(Session::send(7, true)[1].1, "7");
    }

    #[test]
    fn the_server_says_how_much_it_has() {
        let status = |status| ("x-goog-upload-status", status);
        let received = ("x-goog-upload-size-received", "12");
        let active = |received| Ok(Progress::Active { received });
        assert_eq!(reply(&[status("active"), received], Progress::of), active(Some(12)));
        assert_eq!(reply(&[status("active")], Progress::of), active(None));
        assert_eq!(reply(&[status("final")], Progress::of), Ok(Progress::Whole));
        assert!(reply(&[status("cancelled")], Progress::of).is_err());
        assert!(reply(&[], Progress::of).is_err());
    }
}
