//! Turns the matchers and regular expressions of the data into the table's patterns. Panics on
//! anything it does not understand: no table is better than a wrong one.

use serde_json::Value;

/// The only regular expression that is no pattern: names without a part `-tts`.
const NO_SPEECH: &str = "^(?!.*-[tT][tT][sS](?:$|-))";

/// The patterns of a matcher. A name must match one of them.
pub(crate) fn patterns(matcher: &Value) -> Vec<String> {
    let members = matcher.as_object().expect("a matcher is an object");
    assert_eq!(members.len(), 1, "a matcher has one member: {matcher}");
    let (kind, value) = members.iter().next().expect("it has one");
    let literal = || {
        let literal = value.as_str().expect("a literal is a string").to_lowercase();
        let special = |char: char| "*#&!|".contains(char) || char.is_whitespace();
        assert!(!literal.contains(special), "a literal has a character of the table's: {literal}");
        literal
    };
    let all = || value.as_array().expect("a list").iter().map(patterns);
    match kind.as_str() {
        "equals" => vec![literal()],
        "starts_with" => vec![format!("{}*", literal())],
        "ends_with" => vec![format!("*{}", literal())],
        "contains" => vec![format!("*{}*", literal())],
        "or" => all().flatten().collect(),
        "and" => all().reduce(both).expect("it is not empty"),
        "regex" => regex(value.as_str().expect("a regular expression is a string")),
        _ => panic!("an unknown matcher: {matcher}"),
    }
}

/// Every pattern of `left` combined with every one of `right`. A pattern that only excludes comes
/// last.
fn both(left: Vec<String>, right: Vec<String>) -> Vec<String> {
    let mut joined = Vec::new();
    for one in &left {
        for other in &right {
            joined.push(match (one.starts_with('!'), other.starts_with('!')) {
                (true, false) => format!("{other}{one}"),
                (_, true) => format!("{one}{other}"),
                (false, false) => format!("{one}&{other}"),
            });
        }
    }
    joined
}

/// Expands a regular expression of literals, digits and small classes, which are all that the data
/// uses.
fn regex(regex: &str) -> Vec<String> {
    if regex == NO_SPEECH {
        return vec!["!*-tts!*-tts-*".to_owned()];
    }
    let problem = format!("an unknown kind of regular expression: {regex}");
    let mut written = vec![String::new()];
    let mut push = |choices: &[String]| written = followed(&written, choices);
    let mut rest = regex.strip_prefix('^').expect(&problem);
    let open = match rest.strip_suffix('$') {
        Some(before) => {
            rest = before;
            false
        }
        None => true,
    };
    while let Some(char) = rest.chars().next() {
        rest = &rest[char.len_utf8()..];
        match char {
            '\\' => {
                let escaped = rest.chars().next().expect(&problem);
                rest = &rest[escaped.len_utf8()..];
                if escaped != 'd' {
                    assert!(escaped.is_ascii_punctuation(), "{regex}");
                    push(&[escaped.to_string()]);
                    continue;
                }
                let mut count = 1;
                if let Some(repeated) = rest.strip_prefix('{') {
                    let (number, after) = repeated.split_once('}').expect(&problem);
                    count = number.parse().expect(&problem);
                    rest = after;
                }
                push(&["#".repeat(count)]);
            }
            '[' => {
                let (class, after) = rest.split_once(']').expect(&problem);
                let range = class.chars().skip(1).take(class.len().saturating_sub(2));
                assert!(!class.starts_with('^') && !range.clone().any(|char| char == '-'));
                push(
                    &class.chars().map(|char| char.to_lowercase().to_string()).collect::<Vec<_>>(),
                );
                rest = after;
            }
            char if char.is_ascii_alphanumeric() || "-/_:@=".contains(char) => {
                push(&[char.to_lowercase().to_string()]);
            }
            _ => panic!("{problem}"),
        }
        let repeats = rest.starts_with(['*', '+', '?', '{']);
        assert!(!repeats, "{problem}");
    }
    if open {
        push(&["*".to_owned()]);
    }
    written
}

/// Every beginning followed by every choice.
fn followed(beginnings: &[String], choices: &[String]) -> Vec<String> {
    let with = |choice| beginnings.iter().map(move |beginning| format!("{beginning}{choice}"));
    choices.iter().flat_map(with).collect()
}

/// The hosts, with leading path segments, that the regular expression for a provider's base URLs
/// stands for. The expression is not anchored and would accept longer hosts; the result matches
/// whole hosts only.
pub(crate) fn addresses(regex: &str) -> Vec<String> {
    let mut rest = regex;
    for end in ["(?:/|$)", "(/|$)"] {
        rest = rest.strip_suffix(end).unwrap_or(rest);
    }
    let all = alternatives(&mut rest);
    assert!(rest.is_empty(), "an unknown kind of regular expression: {regex} at {rest}");
    let mut addresses = Vec::new();
    for url in all {
        let address = url.strip_prefix("https://").or(url.strip_prefix("http://"));
        let address = match address {
            Some(address) => address.to_owned(),
            None => url,
        };
        let open = address.ends_with('.') && !address.contains('/');
        let address = if open { format!("{address}*") } else { address };
        assert!(address.contains('.') && !address.contains([' ', '|', '?']), "{regex}: {address}");
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

/// All alternatives up to the end of a group.
fn alternatives(rest: &mut &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut written = vec![String::new()];
    loop {
        let choices = match rest.chars().next() {
            None | Some(')') => break,
            Some('|') => {
                *rest = &rest[1..];
                done.append(&mut written);
                written.push(String::new());
                continue;
            }
            Some('(') => {
                *rest = rest.strip_prefix("(?:").unwrap_or(&rest[1..]);
                let inner = alternatives(rest);
                *rest = rest.strip_prefix(')').expect("a group ends");
                inner
            }
            Some('\\') => {
                let escaped = rest[1..].chars().next().expect("something is escaped");
                assert!(escaped.is_ascii_punctuation(), "an unknown escape at {rest}");
                *rest = &rest[2..];
                vec![escaped.to_string()]
            }
            Some('[' | '.') => {
                let wild = ["[^/]+", "[^.]*", "[a-z0-9-]+", ".*"];
                let found = wild.iter().find_map(|wild| rest.strip_prefix(wild));
                *rest = found.unwrap_or_else(|| panic!("an unknown wildcard at {rest}"));
                vec!["*".to_owned()]
            }
            Some(char) if char.is_ascii_alphanumeric() || "-/_:".contains(char) => {
                *rest = &rest[1..];
                vec![char.to_lowercase().to_string()]
            }
            Some(_) => panic!("an unknown kind of regular expression at {rest}"),
        };
        let mut choices = choices;
        if let Some(after) = rest.strip_prefix('?') {
            *rest = after;
            choices.insert(0, String::new());
        }
        written = followed(&written, &choices);
    }
    done.append(&mut written);
    done
}

#[test]
fn expressions_become_patterns() {
    for (expression, patterns) in [
        (r"^gpt-5\.4-\d{4}-\d{2}-\d{2}$", &["gpt-5.4-####-##-##"][..]),
        (r"^claude-opus-5[-@]\d{8}$", &["claude-opus-5-########", "claude-opus-5@########"]),
        (r"^gemini-4-argon-\d", &["gemini-4-argon-#*"]),
        (r"^composer-2\.5\[fast=true\]$", &["composer-2.5[fast=true]"]),
        (NO_SPEECH, &["!*-tts!*-tts-*"]),
    ] {
        assert_eq!(regex(expression), patterns, "{expression}");
    }
    for unknown in ["gpt", "^a+", "^(a|b)", "^a.b", r"^\w", "^(?=x)", "^[a-z]"] {
        assert!(std::panic::catch_unwind(|| regex(unknown)).is_err(), "{unknown}");
    }
}

#[test]
fn expressions_become_addresses() {
    for (expression, expected) in [
        (r"https://api\.openai\.com", &["api.openai.com"][..]),
        (r"https://api\.arcee\.ai(?:/|$)", &["api.arcee.ai"]),
        (r"https://api\.moonshot\.", &["api.moonshot.*"]),
        (r"https://(.*\.)?googleapis\.com", &["googleapis.com", "*.googleapis.com"]),
        (r"https://api\.(?:(?:us|eu\.x)\.)?e\.io", &["api.e.io", "api.us.e.io", "api.eu.x.e.io"]),
        (r"https://h\.com/v4/a/[^/]+/ai(?:/|$)", &["h.com/v4/a/*/ai"]),
        (r"(https?://)?([^.]*\.)?(?:a\.com|b\.net)", &["a.com", "*.a.com", "b.net", "*.b.net"]),
    ] {
        assert_eq!(addresses(expression), expected, "{expression}");
    }
}
