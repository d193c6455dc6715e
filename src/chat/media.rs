//! Images and documents in a message, and their sources.

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
    /// The image's URL, file id or bytes.
    pub source: MediaSource,
    /// The resolution at which the model sees the image. Default: the provider's choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<ImageDetail>,
    /// For an image that a model generated: its sender, and the members that came with it. The
    /// sender gets its images back in the model's messages; see
    /// [`Part::Image`](super::Part::Image).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<Box<Opaque>>,
}

impl Image {
    /// Creates an image that the provider fetches from `url`.
    pub fn from_url(url: impl Into<String>) -> Self {
        Self::from_source(MediaSource::Url(url.into()))
    }

    /// Creates an image that is sent inside the request. `media_type` is its MIME type, such as
    /// `image/png`.
    pub fn from_bytes(media_type: impl Into<String>, bytes: &[u8]) -> Self {
        Self::from_source(MediaSource::from_bytes(media_type, bytes))
    }

    pub(crate) fn from_source(source: MediaSource) -> Self {
        Self { source, detail: None, opaque: None }
    }

    /// Reads an image from a file, to be sent inside the request. The content decides the media
    /// type, not the file name.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if the file cannot be read or is not a
    /// known kind of image (PNG, JPEG, GIF, WebP, BMP, TIFF, HEIC, AVIF).
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = read(path)?;
        match media_type::of_bytes(&bytes) {
            Some(media_type) if media_type.starts_with("image/") => {
                Ok(Self::from_bytes(media_type, &bytes))
            }
            found => Err(Error::invalid_request(format!(
                "{} is {}, not a known kind of image; {}",
                path.display(),
                found.unwrap_or("of an unknown type"),
                match found {
                    Some(_) => "use Document::from_path",
                    None => "convert it to PNG or JPEG",
                }
            ))),
        }
    }

    /// Sets the resolution at which the model sees the image. Default: the provider's choice.
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

/// The resolution at which a model sees an image. Higher costs more tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ImageDetail {
    /// The provider decides from the image's size.
    Auto,
    /// A downscaled copy of the image.
    Low,
    /// Tiles of the image at full size.
    High,
}

/// A document in a message, such as a PDF.
#[doc(alias("pdf", "file"))]
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Document {
    /// The document's URL, file id or bytes.
    pub source: MediaSource,
    /// A file name or title that the model can refer to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Document {
    /// Creates a document that the provider fetches from `url`.
    pub fn from_url(url: impl Into<String>) -> Self {
        Self { source: MediaSource::Url(url.into()), name: None }
    }

    /// Creates a document that is sent inside the request. `media_type` is its MIME type, such as
    /// `application/pdf` or `text/plain`.
    pub fn from_bytes(media_type: impl Into<String>, bytes: &[u8]) -> Self {
        Self { source: MediaSource::from_bytes(media_type, bytes), name: None }
    }

    /// Reads a document from a file, to be sent inside the request under its file name. The content
    /// decides the media type: `application/pdf`, or `text/plain` if it is UTF-8.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if the file cannot be read, or is
    /// neither PDF nor text.
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
            None => return refuse("of an unknown type", "convert it, or use Document::from_bytes"),
        };
        let document = Self::from_bytes(media_type, &bytes);
        Ok(match path.file_name().and_then(OsStr::to_str) {
            Some(name) => document.name(name),
            None => document,
        })
    }

    /// Creates a document from the id of a file that was uploaded to the provider earlier.
    pub fn from_file_id(id: impl Into<String>) -> Self {
        Self { source: MediaSource::FileId(id.into()), name: None }
    }

    /// Sets the file name or title. Default: none; [`from_path`](Self::from_path) uses the file's
    /// name.
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

/// The source of an image or document.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MediaSource {
    /// A URL that the provider fetches.
    Url(String),
    /// The content in base64 (RFC 4648 section 4, padded). It is encoded once, not again on every
    /// attempt or turn.
    Base64 {
        /// The MIME type, such as `image/png`.
        media_type: String,
        /// The content in base64.
        data: String,
    },
    /// The id of a file that was uploaded to the provider earlier.
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
            // The query of a URL may hold a signature.
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
