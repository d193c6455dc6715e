//! Credentials that clouds issue.

#[cfg(feature = "bedrock")]
pub(crate) mod aws;
#[cfg(feature = "vertex")]
pub(crate) mod google;
