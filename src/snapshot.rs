//! Snapshots of models, whose names end in a date.

/// Removes the date of a snapshot from the end: `-2025-12-11`, `-20251211` or `@20251211`. `None`
/// if there is none.
pub(crate) fn without_date(name: &str) -> Option<&str> {
    let is_date = |date: &str, form: &str| {
        date.len() == form.len()
            && date.bytes().zip(form.bytes()).all(|(byte, form)| match form {
                b'#' => byte.is_ascii_digit(),
                form => byte == form,
            })
    };
    ["-####-##-##", "-########", "@########"].iter().find_map(|form| {
        let (base, date) = name.split_at_checked(name.len().checked_sub(form.len())?)?;
        (!base.is_empty() && is_date(date, form)).then_some(base)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_a_snapshot_is_removed() {
        for (name, without) in [
            ("gpt-7-2026-12-01", Some("gpt-7")),
            ("claude-7-20261201", Some("claude-7")),
            ("claude-7@20261201", Some("claude-7")),
            ("é-20261201", Some("é")),
            ("gpt-7", None),
            ("-2026-12-01", None),
        ] {
            assert_eq!(without_date(name), without, "{name}");
        }
    }
}
