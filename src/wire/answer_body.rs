//! The body of a response, as bytes and as text.

/// The body of a response. Whether it is text is found out once.
#[derive(Clone, Copy)]
pub(crate) struct AnswerBody<'a> {
    pub(crate) bytes: &'a [u8],
    /// The same; `None` if it is not UTF-8.
    pub(in crate::wire) text: Option<&'a str>,
}

impl<'a> AnswerBody<'a> {
    /// A part of it.
    pub(in crate::wire) fn part(self, part: &'a [u8]) -> Self {
        // Nearly always all of it.
        if part.len() == self.bytes.len() { self } else { part.into() }
    }
}

impl<'a> From<&'a [u8]> for AnswerBody<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes, text: std::str::from_utf8(bytes).ok() }
    }
}

impl<'a> From<&'a str> for AnswerBody<'a> {
    fn from(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), text: Some(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_utf_8_is_text_and_a_part_may_be_text_alone() {
        let body = AnswerBody::from(&b"{\xff}: ok"[..]);
        assert_eq!((body.text, body.part(body.bytes).text), (None, None));
        assert_eq!(body.part(&body.bytes[4..]).text, Some(" ok"));
        let body = AnswerBody::from("{}: ok");
        assert_eq!((body.bytes, body.text), (&b"{}: ok"[..], Some("{}: ok")));
        assert_eq!(body.part(&body.bytes[..2]).text, Some("{}"));
    }
}
