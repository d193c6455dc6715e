//! Tests of the formats that vendors have of their own.

mod decoding;
mod encoding;
mod limits;
