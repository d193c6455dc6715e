//! Tests of a snapshot as a text table.

use super::*;
use crate::metrics::tests::{example, sparse};

#[test]
fn a_snapshot_reads_as_a_table() {
    assert_eq!(example().to_string(), include_str!("example.txt"));
}

#[test]
fn the_alternate_form_shows_every_attempt() {
    let all = format!("{:#}", example());
    let attempt = "          rate_limited (status 429) after 10ms; retry in 2s (backoff)\n";
    assert!(all.contains(attempt), "{all}");
}

#[test]
fn a_snapshot_without_calls_is_readable() {
    let text = sparse().to_string();
    assert!(text.starts_with("0 calls for $0.00 in 0µs, 0 in flight\n0 input tokens"), "{text}");
}

#[test]
fn no_line_is_wider_than_a_terminal() {
    for line in example().to_string().lines() {
        assert!(line.chars().count() <= COLUMNS, "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}
