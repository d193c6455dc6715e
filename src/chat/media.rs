//! Images and documents in a message, and where their bytes come from.

use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::path::Path;
use std::{fmt, fs};

use super::{Hidden, Opaque, media_type};
use crate::base64;
use crate::error::Error;

/// An image in a message.
///
/// ```
/// use tollgate::{Image, Message};
///
/// let png = [0x89, b'P', b'N', b'G'];
/// let message = Message::user("What is on this picture?")
///     .with(Image::from_bytes("image/png", &png));
/// assert_eq!(message.content.len(), 2);
/// ```
#[doc(alias("vision", "image_url"))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Image {
    /// Where the image is, or its bytes.
    pub source: MediaSource,
    /// How closely the model should look. Default: the provider's choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<ImageDetail>,
    /// Who made the image, where a model did, and the members that came with it. A provider gets
    /// its own images back in the model's messages; see [`Part::Image`](super::Part::Image).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<Box<Opaque>>,
}

impl Image {
    /// An image that the provider fetches from `url` itself.
    pub fn from_url(url: impl Into<String>) -> Self {
        Self::from_source(MediaSource::Url(url.into()))
    }

    /// An image sent along with the request. `media_type` is its MIME type, such
    /// as `image/png`.
    pub fn from_bytes(media_type: impl Into<String>, bytes: &[u8]) -> Self {
        Self::from_source(MediaSource::from_bytes(media_type, bytes))
    }

    pub(crate) fn from_source(source: MediaSource) -> Self {
        Self { source, detail: None, opaque: None }
    }

    /// The image in a file, sent along with the request. Its content decides its media type,
    /// whatever the file is called.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) when the file cannot be read, or holds no
    /// image of a known kind (PNG, JPEG, GIF, WebP, BMP, TIFF, HEIC, AVIF).
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = read(path)?;
        match media_type::of_bytes(&bytes) {
            Some(media_type) if media_type.starts_with("image/") => {
                Ok(Self::from_bytes(media_type, &bytes))
            }
            found => Err(Error::invalid_request(format!(
                "{} is {}, not an image of a known kind; {}",
                path.display(),
                found.unwrap_or("something else"),
                match found {
                    Some(_) => "use Document::from_path",
                    None => "convert it to PNG or JPEG",
                }
            ))),
        }
    }

    /// Sets how closely the model should look.
    #[must_use]
    pub fn detail(mut self, detail: ImageDetail) -> Self {
        self.detail = Some(detail);
        self
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|cause| {
        Error::invalid_request(format!("cannot read {}: {cause}", path.display()))
            .with_source(cause)
    })
}

/// How closely a model looks at an image; finer costs more tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ImageDetail {
    /// The provider decides by the image's size.
    Auto,
    /// A small copy of the image.
    Low,
    /// The image in tiles, at full size.
    High,
}

/// A document in a message, such as a PDF.
#[doc(alias("pdf", "file"))]
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Document {
    /// Where the document is, or its bytes.
    pub source: MediaSource,
    /// A file name or title for the model to refer to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Document {
    /// A document that the provider fetches from `url` itself.
    pub fn from_url(url: impl Into<String>) -> Self {
        Self { source: MediaSource::Url(url.into()), name: None }
    }

    /// A document sent along with the request. `media_type` is its MIME type,
    /// such as `application/pdf` or `text/plain`.
    pub fn from_bytes(media_type: impl Into<String>, bytes: &[u8]) -> Self {
        Self { source: MediaSource::from_bytes(media_type, bytes), name: None }
    }

    /// The document in a file, sent along with the request under its name. Its content decides
    /// its media type: `application/pdf`, or `text/plain` where it is UTF-8.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) when the file cannot be read, or is neither
    /// PDF nor text.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = read(path)?;
        let refuse = |what: &str, remedy: &str| {
            let name = path.display();
            Err(Error::invalid_request(format!("{name} is {what}, not PDF or text; {remedy}")))
        };
        let media_type = match media_type::of_bytes(&bytes) {
            Some("application/pdf") => "application/pdf",
            Some(image) => return refuse(image, "use Image::from_path"),
            None if std::str::from_utf8(&bytes).is_ok() && !bytes.contains(&0) => "text/plain",
            None => return refuse("something else", "convert it, or use Document::from_bytes"),
        };
        let document = Self::from_bytes(media_type, &bytes);
        Ok(match path.file_name().and_then(OsStr::to_str) {
            Some(name) => document.name(name),
            None => document,
        })
    }

    /// A document uploaded to the provider before, by its file id.
    pub fn from_file_id(id: impl Into<String>) -> Self {
        Self { source: MediaSource::FileId(id.into()), name: None }
    }

    /// Sets the file name or title.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("source", &self.source)
            .field("name", &self.name.as_ref().map(|name| Hidden(name.len())))
            .finish()
    }
}

/// Where an image or document comes from.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MediaSource {
    /// An address the provider fetches itself.
    Url(String),
    /// The content, in base64 (RFC 4648 section 4, padded), encoded once and not
    /// again on every attempt or turn.
    Base64 {
        /// The MIME type, such as `image/png`.
        media_type: String,
        /// The content in base64.
        data: String,
    },
    /// A file uploaded to the provider before.
    FileId(String),
}

impl MediaSource {
    /// Encodes `bytes` as base64.
    pub fn from_bytes(media_type: impl Into<String>, bytes: &[u8]) -> Self {
        Self::Base64 { media_type: media_type.into(), data: base64::encode(bytes) }
    }

    /// The content, decoded, where it is here and not at an address; `None` where it is not
    /// base64.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Base64 { data, .. } => base64::decode(data),
            Self::Url(_) | Self::FileId(_) => None,
        }
    }
}

impl fmt::Debug for MediaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // An address may carry a signature in its query.
            Self::Url(url) => f.debug_tuple("Url").field(&Hidden(url.len())).finish(),
            Self::Base64 { media_type, data } => f
                .debug_struct("Base64")
                .field("media_type", media_type)
                .field("data", &Hidden(data.len()))
                .finish(),
            Self::FileId(id) => f.debug_tuple("FileId").field(id).finish(),
        }
    }
}
