//! Frames of AWS's own encoder, and damaged ones.

use super::*;

/// Each frame as its headers and its payload, and how the stream ended.
type Read = (Vec<(String, Vec<u8>)>, Result<bool, ParseError>);

/// Returns the frames of a stream that arrives in these pieces.
fn read<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Read {
    let mut parser = Parser::new();
    let mut seen = Vec::new();
    for piece in pieces {
        let pushed = parser.push(piece, |message| {
            let headers: Vec<_> =
                message.headers().map(|(name, value)| shown(name, value)).collect();
            seen.push((headers.join(" "), message.payload().to_vec()));
            Ok::<_, ParseError>(())
        });
        if let Err(cause) = pushed {
            assert_eq!(parser.push(b"", |_| Ok::<_, ParseError>(())), Err(cause));
            assert_eq!(parser.finish(), Err(cause));
            return (seen, Err(cause));
        }
    }
    (seen, parser.finish())
}

fn shown(name: &str, value: HeaderValue<'_>) -> String {
    match value {
        HeaderValue::Text(text) => format!("{name}={text}"),
        HeaderValue::Bytes(bytes) => format!("{name}={bytes:?}"),
        HeaderValue::Uuid(id) => format!("{name}=uuid {id:?}"),
        other => format!("{name}={other:?}"),
    }
}

/// Frames that AWS's own encoder made, with their content (`tests/unit/test_eventstream.py` of
/// botocore; the same files are in the AWS SDKs).
const FRAMES: &[(&[u8], &str, &[u8])] = &[
    (b"\0\0\0\x10\0\0\0\0\x05\xc2H\xeb}\x98\xc8\xff", "", b""),
    (b"\0\0\0\x17\0\0\0\x07)\x86\x01X\x04byte\x02\xff\xc2\xf8i\xdc", "byte=Byte(-1)", b""),
    (b"\0\0\0\x19\0\0\0\tq\x0e\x92>\x05short\x03\xff\xff\xb2|\xb6\xcc", "short=Short(-1)", b""),
    (
        b"\0\0\0\x1d\0\0\0\r\x83\xe3\xf0\xe7\x07integer\x04\xff\xff\xff\xff\x8b\x8e\x12\xeb",
        "integer=Integer(-1)",
        b"",
    ),
    (
        b"\0\0\0\x1e\0\0\0\x0e]J\xdb\x8d\x04long\x05\xff\xff\xff\xff\xff\xff\xff\xffK\xc22\xda",
        "long=Long(-1)",
        b"",
    ),
    (b"\0\0\0\x1d\0\0\0\0\xfdR\x8cZ{'foo':'bar'}\xc3e96", "", b"{'foo':'bar'}"),
    (
        b"\0\0\0=\0\0\0 \x07\xfd\x83\x96\x0ccontent-type\x07\0\x10application/json{'foo':'bar'}\
          \x8d\x9c\x08\xb1",
        "content-type=application/json",
        b"{'foo':'bar'}",
    ),
    (
        b"\0\0\0\x62\0\0\0\x52\x03\xb5\xcb\x9c\x010\0\x011\x01\x012\x02\x02\x013\x03\0\x03\
          \x014\x04\0\0\0\x04\x015\x05\0\0\0\0\0\0\0\x05\x016\x06\0\x05bytes\x017\x07\0\x04utf8\
          \x018\x08\0\0\0\0\0\0\0\x08\x019\x090123456789abcdef\x63\x35\x36\x71",
        "0=Bool(true) 1=Bool(false) 2=Byte(2) 3=Short(3) 4=Integer(4) 5=Long(5) \
         6=[98, 121, 116, 101, 115] 7=utf8 8=Timestamp(8) 9=uuid [48, 49, 50, 51, 52, 53, 54, 55, \
         56, 57, 97, 98, 99, 100, 101, 102]",
        b"",
    ),
    (
        b"\0\0\0\x52\0\0\0\x42\xbf\x23\x63\x7e\x0d:message-type\x07\0\x05error\
          \x0b:error-code\x07\0\x04code\x0e:error-message\x07\0\x07message\x6b\x6c\xea\x3d",
        ":message-type=error :error-code=code :error-message=message",
        b"",
    ),
];

fn expected() -> Vec<(String, Vec<u8>)> {
    FRAMES.iter().map(|(_, headers, payload)| (headers.to_string(), payload.to_vec())).collect()
}

#[test]
fn frames_of_awss_own_encoder_are_read_wherever_the_stream_is_cut() {
    let stream: Vec<u8> = FRAMES.iter().flat_map(|(frame, ..)| *frame).copied().collect();
    for size in (1..=64).chain([stream.len()]) {
        assert_eq!(read(stream.chunks(size)), (expected(), Ok(true)), "{size}");
    }
    let both = [&stream[..], b"", &stream];
    assert_eq!(read(both).0, [expected(), expected()].concat());
}

#[test]
fn a_stream_that_breaks_off_inside_a_frame_is_not_whole() {
    let stream: Vec<u8> = FRAMES.iter().flat_map(|(frame, ..)| *frame).copied().collect();
    let mut ends = vec![0];
    for (frame, ..) in FRAMES {
        ends.push(ends[ends.len() - 1] + frame.len());
    }
    for cut in 0..=stream.len() {
        let (seen, end) = read([&stream[..cut]]);
        assert_eq!(end, Ok(ends.contains(&cut)), "{cut}");
        assert_eq!(seen.len(), ends.iter().filter(|end| **end <= cut).count() - 1, "{cut}");
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    for (frame, ..) in FRAMES {
        for at in 0..frame.len() * 8 {
            let mut damaged = frame.to_vec();
            damaged[at / 8] ^= 1 << (at % 8);
            let expected = if at < PRELUDE * 8 {
                ParseError::DamagedLengths
            } else {
                ParseError::DamagedFrame
            };
            for size in [1, damaged.len()] {
                assert_eq!(read(damaged.chunks(size)), (vec![], Err(expected)), "{at}");
            }
        }
    }
}

/// Makes a frame with these lengths and right CRCs.
fn frame(total: u32, headers: u32, content: &[u8]) -> Vec<u8> {
    let mut frame = [total.to_be_bytes(), headers.to_be_bytes()].concat();
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    frame.extend(content);
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    frame
}

#[test]
fn malformed_frames_are_rejected_although_their_crcs_match() {
    let malformed = ParseError::Malformed;
    let unreadable = malformed("one of its headers cannot be read");
    let short = malformed("it is shorter than its headers");
    for (frame, expected) in [
        // botocore's own: headers longer than AWS allows.
        (
            b"\0\0\0\x3d\xff\0\x01\x02\x15\x83\xf5\xc2".to_vec(),
            malformed("it has more headers than AWS allows"),
        ),
        (frame(0, 0, b""), short),
        (frame(15, 0, b""), short),
        (frame(16, 1, b""), short),
        (frame(20, 4, b"\x01a\x0a\0"), unreadable), // an unknown type
        (frame(18, 2, b"\x02a"), unreadable),       // half a name
        (frame(19, 3, b"\x01\xff\0"), unreadable),  // a name that is not UTF-8
        (frame(20, 4, b"\x01a\x04\0"), unreadable), // half a number
        (frame(22, 6, b"\x01a\x07\0\x02b"), unreadable), // half a text
        (frame(22, 6, b"\x01a\x07\0\x01\xff"), unreadable), // a text that is not UTF-8
    ] {
        for size in [1, frame.len()] {
            assert_eq!(read(frame.chunks(size)), (vec![], Err(expected)), "{frame:?}");
        }
    }
}

#[test]
fn a_frame_over_the_limit_is_rejected_before_it_is_kept() {
    // botocore's own: a payload longer than AWS allows.
    let mut parser = Parser::with_limit(1 << 20);
    let ignore = |_: Message<'_>| Ok::<_, ParseError>(());
    let cause = ParseError::FrameTooLong { length: 0x0180_0021, limit: 1 << 20 };
    assert_eq!(parser.push(b"\x01\x80\0\x21\0\0\0\0\xdd\x3f\x33", ignore), Ok(()));
    assert_eq!(parser.push(b"\xb1", ignore), Err(cause));
    assert!(parser.partial.capacity() < 1024);
    assert_eq!(parser.push(FRAMES[0].0, ignore), Err(cause));
    let mut parser = Parser::with_limit(FRAMES[5].0.len());
    assert_eq!(parser.push(FRAMES[5].0, ignore), Ok(()));
    assert!(parser.push(FRAMES[6].0, ignore).is_err());
}

#[test]
fn a_long_frame_does_not_keep_its_memory() {
    let payload = vec![b'x'; 1 << 20];
    let long = frame(u32::try_from(payload.len() + OVERHEAD).unwrap(), 0, &payload);
    let mut parser = Parser::new();
    let mut bytes = 0;
    for piece in long.chunks(1000) {
        parser
            .push(piece, |message| {
                bytes += message.payload().len();
                Ok::<_, ParseError>(())
            })
            .unwrap();
    }
    assert_eq!(bytes, payload.len());
    assert!(parser.partial.capacity() <= KEPT);
}

#[test]
fn a_failing_callback_ends_the_stream() {
    let mut parser = Parser::new();
    let failed = parser.push(FRAMES[0].0, |_| Err(crate::Error::cancelled()));
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Cancelled);
    let ignore = |_: Message<'_>| Ok::<_, ParseError>(());
    assert_eq!(parser.push(b"", ignore), Err(ParseError::Abandoned));
}
