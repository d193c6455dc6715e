/// Cuts a stream into pieces of these lengths, repeated; 0 is an empty piece.
pub(crate) fn cut<'a>(mut stream: &'a [u8], lengths: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    // Only zeros would never reach the end.
    if lengths.iter().all(|length| *length == 0) {
        return vec![stream];
    }
    for length in lengths.iter().cycle() {
        if stream.is_empty() {
            break;
        }
        let (piece, rest) = stream.split_at(stream.len().min(usize::from(*length)));
        pieces.push(piece);
        stream = rest;
    }
    pieces
}
