//! Dates and times: the calendar, RFC 3339, dates in headers, and offsets from UTC. Pure.

pub(crate) mod calendar;
pub(crate) mod header_date;
pub(crate) mod rfc3339;
mod utc_offset;

pub use utc_offset::UtcOffset;
