//! Error bodies that are no JSON: pages of proxies, lines of text.

use crate::unseen::is_unseen;

/// How much of a body is looked at, in bytes.
const LOOKED_AT: usize = 16 * 1024;

/// The longest line that is shown, in characters.
const LONGEST: usize = 200;

/// What a page or a line says, on one line, for a message.
///
/// Only these two are shown: of a page what a browser would show, and a text of
/// one line. Anything else, JSON that cannot be read above all, may be the request
/// itself, sent back.
pub(super) fn excerpt(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&body[..body.len().min(LOOKED_AT)]);
    let text = text.trim_start_matches('\u{feff}').trim();
    let shown = if text.starts_with('<') {
        visible(text)
    } else if text.starts_with('"')
        || text.contains(['\n', '{', '['])
        || text.chars().count() > LONGEST
    {
        return None;
    } else {
        text.to_owned()
    };
    let words: Vec<_> = shown.split_whitespace().collect();
    let words = once(&words);
    let line =
        words.join(" ").chars().filter(|char| !is_unseen(*char)).take(LONGEST).collect::<String>();
    (!line.is_empty()).then_some(line)
}

/// The words without those that only repeat the ones before: servers' own pages have
/// their title twice, above the window and in it.
fn once<'a, 'b>(words: &'a [&'b str]) -> &'a [&'b str] {
    let half = (2..=words.len() / 2).rev().find(|half| words[..*half] == words[*half..half * 2]);
    &words[half.unwrap_or(0)..]
}

/// A page without its tags, comments, scripts and styles.
fn visible(page: &str) -> String {
    let lower = page.to_ascii_lowercase();
    let mut shown = String::new();
    let mut at = 0;
    while let Some(found) = page[at..].find('<') {
        let open = at + found;
        shown.push_str(&page[at..open]);
        shown.push(' ');
        let tag = &lower[open..];
        let end = if tag.starts_with("<!--") {
            tag.find("-->").map(|end| end + 3)
        } else if tag.starts_with("<script") {
            tag.find("</script")
        } else if tag.starts_with("<style") {
            tag.find("</style")
        } else {
            tag.find('>').map(|end| end + 1)
        };
        let Some(end) = end else { return shown };
        at = open + end;
    }
    shown.push_str(&page[at..]);
    shown
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn pages_are_shown_as_a_browser_would() {
        for (page, expected) in [
            (
                "<html><head><title>502 Bad Gateway</title></head>\r\n<body>nginx</body></html>",
                "502 Bad Gateway nginx",
            ),
            (
                "<title>502 Bad Gateway</title><h1>502 Bad Gateway</h1><hr>nginx/1.22.1",
                "502 Bad Gateway nginx/1.22.1",
            ),
            ("<title>Ha</title><p>Ha ha", "Ha Ha ha"),
            (
                "<STYLE>body{color:red} .a > .b{}</STYLE><script>var a=1<2;alert('secret')</script>\
                 <!-- <b>secret</b> --><title>Blocked</title>",
                "Blocked",
            ),
            ("\u{feff}<p>one\u{1b}[2J<br>two", "one[2J two"),
            ("<p>one\u{202e}\u{9b}2J\u{200b}two", "one2Jtwo"),
            ("<p>seen<script>secret", "seen"),
        ] {
            assert_eq!(excerpt(page.as_bytes()).as_deref(), Some(expected));
        }
        let long = format!("<p>{}", "é".repeat(20_000));
        assert_eq!(excerpt(long.as_bytes()).unwrap().chars().count(), 200);
        assert_eq!(excerpt("<".repeat(1 << 20).as_bytes()), None);
    }

    #[test]
    fn of_texts_only_single_lines_are_shown() {
        assert_eq!(
            excerpt(b" upstream connect error\n").as_deref(),
            Some("upstream connect error")
        );
        let long = "secret ".repeat(50);
        for body in [
            "",
            "{\"secret\": NaN}",
            " [\"secret\"",
            "\"secret\"",
            "data: {\"secret\": 1}",
            "Traceback:\n  secret",
            long.as_str(),
        ] {
            assert_eq!(excerpt(body.as_bytes()), None, "{body}");
        }
    }
}
