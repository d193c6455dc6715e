//! Makes AWS's frames from lines, so that an input need not contain right CRCs.

/// Turns every line with a tab into a frame: `name TAB data` into an event, `!name TAB data` into an
/// exception, `?code TAB message` into an error. Other lines stay as they are. The first byte, and
/// the lengths that it counts, stay too.
pub(crate) fn framed(input: &[u8]) -> Vec<u8> {
    let Some((count, rest)) = input.split_first() else { return Vec::new() };
    let (lengths, lines) = rest.split_at(rest.len().min(usize::from(count % 8)));
    let mut framed = [&[*count], lengths].concat();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let Some(tab) = line.iter().position(|byte| *byte == b'\t') else {
            framed.extend_from_slice(line);
            continue;
        };
        let (name, data) = (&line[..tab], &line[tab + 1..]);
        framed.extend(match name.split_first() {
            Some((b'!', name)) => {
                frame(&[(":message-type", b"exception"), (":exception-type", name)], data)
            }
            Some((b'?', code)) => frame(
                &[(":message-type", b"error"), (":error-code", code), (":error-message", data)],
                b"",
            ),
            _ => frame(&[(":message-type", b"event"), (":event-type", name)], data),
        });
    }
    framed
}

fn frame(headers: &[(&str, &[u8])], payload: &[u8]) -> Vec<u8> {
    let mut written = Vec::new();
    for (name, value) in headers {
        let value = &value[..value.len().min(255)];
        written.push(short(name.len()));
        written.extend_from_slice(name.as_bytes());
        written.extend([7, 0, short(value.len())]);
        written.extend_from_slice(value);
    }
    let mut frame = Vec::new();
    frame.extend(long(16 + written.len() + payload.len()));
    frame.extend(long(written.len()));
    frame.extend(crc32(&frame).to_be_bytes());
    frame.extend(written);
    frame.extend_from_slice(payload);
    frame.extend(crc32(&frame).to_be_bytes());
    frame
}

fn short(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

fn long(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}
