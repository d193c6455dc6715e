//! Credentials that clouds issue.

pub(crate) mod google;
