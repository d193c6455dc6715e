//! A `multipart/form-data` body (RFC 7578) with one file.

use std::io::{self, Read};

/// The fields of an upload besides the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UploadFields {
    /// The value of `purpose`.
    pub(crate) purpose: &'static str,
    /// The name of the field with the file's name, if there is one.
    pub(crate) file_name: Option<&'static str>,
}

/// The name of every uploaded file.
const FILE: &str = "batch.jsonl";

/// A `multipart/form-data` body around a file.
pub(crate) struct Multipart {
    boundary: String,
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Multipart {
    /// A body with these fields. `random` makes its boundary: 128 random bits do not occur in the
    /// file (RFC 2046 section 5.1.1 asks for that).
    pub(crate) fn new(fields: UploadFields, random: u128) -> Self {
        let boundary = format!("tollgate-{random:032x}");
        let mut before = String::new();
        let names = [
            ("purpose", Some(fields.purpose)),
            (fields.file_name.unwrap_or(""), fields.file_name.map(|_| FILE)),
        ];
        for (name, value) in names {
            let Some(value) = value else { continue };
            before.push_str(&format!(
                "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        before.push_str(&format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{FILE}\"\r\n\
             content-type: application/jsonl\r\n\r\n"
        ));
        let after = format!("\r\n--{boundary}--\r\n");
        Self { boundary, before: before.into_bytes(), after: after.into_bytes() }
    }

    /// The value of `content-type`.
    pub(crate) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// The whole body around `length` bytes of `file`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is shorter.
    pub(crate) fn around(&self, file: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
        super::around(&self.before, file, length, &self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_the_fields_and_then_the_file() {
        let fields = UploadFields { purpose: "batch", file_name: None };
        let multipart = Multipart::new(fields, 10);
        let boundary = "tollgate-0000000000000000000000000000000a";
        assert_eq!(multipart.content_type(), format!("multipart/form-data; boundary={boundary}"));
        let body = multipart.around(&mut &b"{}\n{}\nmore"[..], 6).unwrap();
        assert_eq!(
            String::from_utf8(body).unwrap(),
            format!(
                "--{boundary}\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n\
                 --{boundary}\r\ncontent-disposition: form-data; name=\"file\"; \
                 filename=\"batch.jsonl\"\r\ncontent-type: application/jsonl\r\n\r\n{{}}\n{{}}\n\
                 \r\n--{boundary}--\r\n"
            )
        );
        assert!(multipart.around(&mut &b"short"[..], 6).is_err());
        let named = UploadFields { file_name: Some("file_name"), ..fields };
        let body = Multipart::new(named, 1).around(&mut &b""[..], 0).unwrap();
        assert!(String::from_utf8(body).unwrap().contains("name=\"file_name\"\r\n\r\nbatch.jsonl"));
    }
}
