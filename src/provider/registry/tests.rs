//! Tests that every row of the registry is complete and unambiguous.

use super::*;
use crate::provider::Auth;

#[test]
fn no_two_rows_share_a_name() {
    let mut seen: Vec<String> = names().map(str::to_ascii_lowercase).collect();
    let all = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), all, "two rows share a name");
    for name in names() {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        assert!(name.chars().all(plain), "{name}");
        assert!(lookup(&name.to_uppercase()).is_some(), "{name}");
    }
    assert_eq!(lookup("Together_AI").map(|profile| profile.id), Some(Provider::new("together")));
    assert!(rows().count() >= 45);
}

#[test]
fn every_row_has_an_address_a_key_and_a_documentation_page() {
    for profile in all() {
        let id = &profile.id;
        let local = ["http://localhost:", "http://127.0.0.1:"]
            .iter()
            .any(|start| profile.base_url.starts_with(start));
        assert!(local || profile.base_url.starts_with("https://"), "{id}");
        assert!(!profile.base_url.ends_with('/'), "{id}");
        assert!(profile.docs.as_deref().is_some_and(|page| page.starts_with("https://")), "{id}");
        assert!(profile.key_optional || !profile.key_variables.is_empty(), "{id}");
        let shouted = |name: &str| {
            name.bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        };
        for names in [&profile.key_variables, &profile.host_variables, &profile.base_url_variables]
        {
            assert!(names.iter().all(|name| shouted(name)), "{id}: {names:?}");
        }
        // Anthropic's SDKs expect a base URL without the version, and so does this crate.
        if profile.format == Some(Format::Anthropic) {
            assert!(!profile.base_url.ends_with("/v1"), "{id}");
            assert_eq!(profile.headers[0].0, "anthropic-version", "{id}");
        } else {
            assert_ne!(profile.auth, Auth::header("x-api-key"), "{id}");
        }
    }
}

#[test]
fn every_row_has_chats_or_embeddings() {
    for profile in all() {
        assert!(profile.format.is_some() || profile.embeddings.is_some(), "{}", profile.id);
    }
}

#[test]
fn a_row_survives_a_round_trip_through_json() {
    for profile in all() {
        let stored = serde_json::to_string(&profile).unwrap();
        assert_eq!(serde_json::from_str::<Profile>(&stored).unwrap(), profile, "{stored}");
    }
}
