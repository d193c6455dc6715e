//! Uploads the requests of a job as a file.

use serde_json::Value;
use std::io::Read;
use std::time::Duration;

use super::Service;
use super::drafts::Draft;
use super::exchange::{Ask, Payload, Place};
use super::submit::{BEFORE_LOOKUP, is_in_doubt};
use crate::error::{Error, ErrorKind};
use crate::header::HeaderValue;
use crate::path_segment;
use crate::spool::{self, Spool};
use crate::wire::batch::{Interface, Multipart, Progress, Session, Upload};
use crate::wire::{Failure, Reply};

/// How often to look at a file that is not ready, and how long to wait before each look: 10 minutes in
/// all. Then the creation of the job says what is wrong.
const FILE_LOOKS: u32 = 120;
const BEFORE_FILE_LOOK: Duration = Duration::from_secs(5);

/// How many breaks an upload in pieces survives.
const BREAKS: u32 = 8;

/// An uploaded file.
struct UploadedFile {
    id: String,
    is_pending: bool,
}

/// How far an upload in pieces has got.
enum Arrived {
    /// The provider waits for the bytes from here on, if it says so.
    Until(Option<usize>),
    Whole(UploadedFile),
}

impl Service {
    /// Uploads the lines of a job. Returns the id of the file, which can be used.
    pub(super) fn upload(
        &self,
        upload: Upload,
        name: &str,
        draft: &Draft,
        spool: &mut Spool,
    ) -> Result<String, Error> {
        let file = match upload {
            Upload::Form { path, fields } => {
                let multipart = Multipart::new(fields, fastrand::u128(..));
                let bytes = multipart.around(&mut draft.file(spool, 0), draft.bytes);
                let bytes = bytes.map_err(|error| spool::failed(error, "read"))?;
                let content_type = HeaderValue::new(multipart.content_type());
                self.ask(Ask::post(path, Payload { bytes, content_type }), uploaded)?
            }
            Upload::Resumable => self.upload_in_pieces(name, draft, spool)?,
        };
        self.ready(file)
    }

    /// Uploads the lines piece by piece. After a break the provider says how much has arrived, and the
    /// upload goes on from there. If it has forgotten the upload, a new one begins.
    fn upload_in_pieces(
        &self,
        name: &str,
        draft: &Draft,
        spool: &mut Spool,
    ) -> Result<UploadedFile, Error> {
        let mut breaks = 0;
        'whole: loop {
            let (headers, bytes) = Session::start(name, draft.bytes);
            let start = Ask { headers, ..Ask::to(Place::Upload(Session::PATH), json(bytes)) };
            let session = self.ask(start, |_, reply| Session::of(reply)).map_err(without_files)?;
            let mut at = 0;
            loop {
                let length = Session::piece(at, draft.bytes);
                let broken = match self.send_piece(&session, draft, spool, (at, length), name) {
                    Ok(Arrived::Whole(file)) => return Ok(file),
                    Ok(Arrived::Until(_)) if at + length < draft.bytes => {
                        at += length;
                        continue;
                    }
                    Ok(Arrived::Until(_)) => {
                        let message = "the provider has all bytes of the file and waits for more; \
                                       submit the batch again";
                        return Err(Error::new(ErrorKind::Protocol, message));
                    }
                    Err(error) => error,
                };
                breaks += 1;
                if breaks > BREAKS || broken.is_cancelled() || !is_in_doubt(&broken) {
                    return Err(broken);
                }
                self.sleep(BEFORE_LOOKUP)?;
                let query = Ask {
                    headers: Session::query(),
                    ..Ask::to(Place::Named(&session.target), json(Vec::new()))
                };
                match self.ask(query, arrived) {
                    Ok(Arrived::Whole(file)) => return Ok(file),
                    Ok(Arrived::Until(Some(received))) if received <= draft.bytes => at = received,
                    Err(error) if error.is_cancelled() => return Err(error),
                    // A file without a job is never run, and deleted after two days.
                    Ok(Arrived::Until(_)) | Err(_) => continue 'whole,
                }
            }
        }
    }

    /// Sends a piece once.
    fn send_piece(
        &self,
        session: &Session,
        draft: &Draft,
        spool: &mut Spool,
        (at, length): (usize, usize),
        name: &str,
    ) -> Result<Arrived, Error> {
        let mut bytes = Vec::with_capacity(length);
        let read = draft.file(spool, at).take(length as u64).read_to_end(&mut bytes);
        read.map_err(|error| spool::failed(error, "read"))?;
        // Another idempotency key for each piece, and for the job.
        let key = format!("{name}-{at}");
        let piece = Ask {
            headers: Session::send(at, at + length == draft.bytes),
            once: Some(&key),
            ..Ask::to(Place::Named(&session.target), json(bytes))
        };
        self.ask(piece, arrived)
    }

    /// Waits until an uploaded file can be used, and returns its id.
    ///
    /// Azure processes files first (learn.microsoft.com/azure/foundry/openai/how-to/batch, "Track file
    /// upload status"). It refuses a job over one that is still `pending`: "only files with status
    /// 'Processed' are accepted" (learn.microsoft.com/answers/questions/2203029).
    fn ready(&self, mut file: UploadedFile) -> Result<String, Error> {
        for _ in 0..FILE_LOOKS {
            if !file.is_pending {
                break;
            }
            self.sleep(BEFORE_FILE_LOOK)?;
            let id = file.id.strip_prefix("files/").unwrap_or(&file.id);
            let path = format!("/files/{}", path_segment::encode(id));
            file = self.ask(Ask::get(&path), uploaded)?;
        }
        Ok(file.id)
    }
}

/// Says what to do if the server has no Files API, as a proxy may.
fn without_files(error: Error) -> Error {
    if error.kind() != ErrorKind::NotFound {
        return error;
    }
    let advice = "check that the server has the Files API; without it, set BatchProfile::inline so that \
                  all requests go into the job";
    error.about("the start of the upload of the requests").with_advice(Some(advice.to_owned()))
}

fn json(bytes: Vec<u8>) -> Option<Payload> {
    Some(Payload::json(bytes))
}

/// Reads what a provider says of an uploaded file.
fn uploaded(_: &'static dyn Interface, reply: Reply<'_>) -> Result<UploadedFile, Failure> {
    let body: Value = serde_json::from_slice(reply.body).unwrap_or_default();
    // Gemini's answer to the upload wraps the file, and its files have names.
    let file = body.get("file").unwrap_or(&body);
    let text = |name: &str| file[name].as_str().filter(|text| !text.is_empty());
    let id = text("id").or_else(|| text("name")).ok_or_else(|| {
        Failure::protocol("the answer to the upload has no \"id\"; check the base URL")
    })?;
    // `FileState` of Azure's SDKs (learn.microsoft.com/javascript/api/@azure/ai-agents/filestate) and
    // `State` of Gemini's files (ai.google.dev/api/files).
    let state = text("status").or_else(|| text("state"));
    let is_pending = matches!(state, Some("pending" | "running" | "PROCESSING"));
    Ok(UploadedFile { id: id.to_owned(), is_pending })
}

/// Reads the answer to a piece, or to the question how much has arrived.
fn arrived(interface: &'static dyn Interface, reply: Reply<'_>) -> Result<Arrived, Failure> {
    match Progress::of(reply)? {
        Progress::Active { received } => Ok(Arrived::Until(received)),
        Progress::Whole => uploaded(interface, reply).map(Arrived::Whole),
    }
}
