//! Reads a whole response from pieces, as an exchange does, for fuzzing.

use super::{BodyReader, End, FinalHead, Framing};
use crate::internals::HttpResponse;

/// Reads a response that comes in these pieces, after which the connection ends.
///
/// # Errors
///
/// What is wrong with it; nothing if it is incomplete.
pub(crate) fn read_response<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limit: usize,
) -> Result<Option<HttpResponse>, String> {
    let mut reader = FinalHead::new(limit);
    let mut unread = Vec::new();
    let mut pieces = pieces.into_iter();
    let (mut response, framing) = loop {
        let Some(piece) = pieces.next() else { return Ok(None) };
        unread.extend_from_slice(piece);
        let found = reader.read(&unread).map_err(|invalid| format!("{invalid:?}"))?;
        unread.drain(..found.skipped);
        let Some(head) = found.head else { continue };
        let framing = Framing::of(&head, &unread)?;
        let fields = head.fields(&unread).map(|(name, value)| (name.to_vec(), value.to_vec()));
        let response = HttpResponse {
            status: head.status,
            is_http10: head.is_http10,
            fields: fields.collect(),
            body: Vec::new(),
            is_complete: false,
            is_until_close: framing.end == End::Close,
            keeps_alive: framing.keeps_alive,
            behind: 0,
        };
        unread.drain(..head.length);
        break (response, framing);
    };
    let mut body = BodyReader::new(framing.end);
    let pieces = std::iter::once(unread).chain(pieces.map(<[u8]>::to_vec));
    for mut piece in pieces {
        let read = body.read(&mut piece);
        response.body.extend_from_slice(&piece[read.piece]);
        read.outcome?;
        response.behind += piece.len() - read.used;
    }
    response.is_complete = body.is_done() || response.is_until_close;
    Ok(Some(response))
}
