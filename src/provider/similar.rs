//! Finds the names most similar to a misspelled one.

/// Up to three of `names` that `name` may stand for, the most similar first: those within an edit
/// distance of a third of its length (inserted, deleted, replaced and swapped letters), and those
/// that start with it.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let name = name.to_ascii_lowercase();
    let most = (name.chars().count() / 3).max(1);
    let mut found: Vec<(usize, &str)> = names
        .filter_map(|known| {
            let distance = distance(&name, known);
            let begins = name.len() >= 3 && known.starts_with(&name);
            (distance <= most || begins).then_some((distance, known))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, known)| known).take(3).collect()
}

/// Whether `name` differs from one of `names` by one letter: inserted, deleted, replaced or swapped
/// with the next.
pub(super) fn is_misspelled<'a>(name: &str, mut names: impl Iterator<Item = &'a str>) -> bool {
    let name = name.to_ascii_lowercase();
    name.len() >= 4 && names.any(|known| known.len() >= 4 && distance(&name, known) == 1)
}

/// The optimal string alignment distance: Damerau-Levenshtein without editing a substring twice.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, &char) in one.iter().enumerate() {
        let mut now = vec![row + 1];
        for (column, &theirs) in other.iter().enumerate() {
            let replaced = last[column] + usize::from(char != theirs);
            let mut least = replaced.min(last[column + 1] + 1).min(now[column] + 1);
            let swapped =
                row > 0 && column > 0 && char == other[column - 1] && one[row - 1] == theirs;
            if swapped {
                least = least.min(before[column - 1] + 1);
            }
            now.push(least);
        }
        before = std::mem::replace(&mut last, now);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits() {
        for (one, other, edits) in [
            ("", "", 0),
            ("groq", "groq", 0),
            ("gorq", "groq", 1),
            ("grok", "groq", 1),
            ("mistal", "mistral", 1),
            ("", "xai", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(one, other), edits, "{one} {other}");
            assert_eq!(distance(other, one), edits, "{other} {one}");
        }
    }

    #[test]
    fn the_most_similar_names_come_first_and_others_are_left_out() {
        let names = ["openai", "openrouter", "groq", "mistral", "xai"];
        let nearest = |name: &str| nearest(name, names.into_iter());
        assert_eq!(nearest("gorq"), ["groq"]);
        assert_eq!(nearest("OPENAI"), ["openai"]);
        assert_eq!(nearest("open"), ["openai", "openrouter"]);
        assert_eq!(nearest("mistrall"), ["mistral"]);
        assert_eq!(nearest("qwen"), [""; 0]);
    }
}
