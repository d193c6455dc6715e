//! The forms in which names of models and providers are compared with the table's patterns.

use std::borrow::Cow;

use super::day;

/// Lower case, the form in which names are compared.
pub(in crate::cost) fn fold(name: &str) -> Cow<'_, str> {
    match name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        true => Cow::Borrowed(name),
        false => Cow::Owned(name.to_lowercase()),
    }
}

/// Adds dashes to dates that some gateways write without: `-20251211`, at the end or before `-` or
/// `:`. `None` if there is no such date.
pub(super) fn with_dashes(name: &str) -> Option<String> {
    let mut written = String::with_capacity(name.len() + 2);
    let mut rest = name;
    while let Some(dash) = rest.find('-') {
        written.push_str(&rest[..=dash]);
        rest = &rest[dash + 1..];
        let digits = rest.get(..8).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let number = |text: &str| text.parse().unwrap_or(0);
        let date = digits.filter(|text| {
            let ends = matches!(rest.as_bytes().get(8), None | Some(b'-' | b':'));
            let real = day::is_date(number(&text[..4]), number(&text[4..6]), number(&text[6..]));
            ends && real && text.starts_with("20")
        });
        if let Some(date) = date {
            for part in [&date[..4], "-", &date[4..6], "-", &date[6..]] {
                written.push_str(part);
            }
            rest = &rest[8..];
        }
    }
    written.push_str(rest);
    (written.len() > name.len()).then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_without_dashes_get_them() {
        for (name, written) in [
            ("gpt-5.2-20251211", Some("gpt-5.2-2025-12-11")),
            ("model-20251211:free", Some("model-2025-12-11:free")),
            ("a-20251211-20240229", Some("a-2025-12-11-2024-02-29")),
            ("-20251211", Some("-2025-12-11")),
            ("model-20250230", None),
            ("model-202512110", None),
            ("model-19991211", None),
            ("model@20251211", None),
            ("modèle-é-2025121", None),
            ("model", None),
            ("", None),
        ] {
            assert_eq!(with_dashes(name).as_deref(), written, "{name}");
        }
    }
}
