//! Reads a `multipart/form-data` body (RFC 7578).

/// The fields of an upload.
pub(super) struct Form {
    pub(super) purpose: String,
    pub(super) file: Vec<u8>,
}

/// Reads an upload; `None` if it is not one.
pub(super) fn read(content_type: &str, body: &[u8]) -> Option<Form> {
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=")?;
    let mark = format!("--{}", boundary.trim_matches('"'));
    let (mut purpose, mut file) = (None, None);
    let mut rest = body.strip_prefix(mark.as_bytes())?;
    let next = format!("\r\n{mark}");
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = find(part, next.as_bytes())?;
        let (part, after) = part.split_at(end);
        rest = &after[next.len()..];
        let head = find(part, b"\r\n\r\n")?;
        let (head, content) = (std::str::from_utf8(&part[..head]).ok()?, &part[head + 4..]);
        if head.contains("name=\"purpose\"") {
            purpose = Some(String::from_utf8_lossy(content).into_owned());
        } else if head.contains("name=\"file\"") {
            file = Some(content.to_vec());
        }
    }
    // The last boundary ends with two dashes.
    rest.strip_prefix(b"--")?;
    Some(Form { purpose: purpose?, file: file? })
}

fn find(bytes: &[u8], sought: &[u8]) -> Option<usize> {
    bytes.windows(sought.len()).position(|window| window == sought)
}
