//! Excerpts of error bodies that are not JSON: proxies' HTML pages, lines of text.

use crate::unseen::is_unseen;

/// How much of a body to read, in bytes.
const LOOKED_AT: usize = 16 * 1024;

/// The longest excerpt, in characters.
const LONGEST: usize = 200;

/// Returns the text of a page or a single line, on one line, for an error message.
///
/// It shows the visible_text text of an HTML page, or a text of one line. Anything else, above all
/// unparsable JSON, could be the request itself, sent back.
pub(super) fn excerpt(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&body[..body.len().min(LOOKED_AT)]);
    let text = text.trim_start_matches('\u{feff}').trim();
    let shown = if text.starts_with('<') {
        visible_text(text)
    } else if text.starts_with('"')
        || text.contains(['\n', '{', '['])
        || text.chars().count() > LONGEST
    {
        return None;
    } else {
        text.to_owned()
    };
    let words: Vec<_> = shown.split_whitespace().collect();
    let words = without_repetition(&words);
    let line =
        words.join(" ").chars().filter(|char| !is_unseen(*char)).take(LONGEST).collect::<String>();
    (!line.is_empty()).then_some(line)
}

/// Drops a repeated first half. Servers' own pages have their title twice: in the title bar and on
/// the page.
fn without_repetition<'a, 'b>(words: &'a [&'b str]) -> &'a [&'b str] {
    let half = (2..=words.len() / 2).rev().find(|half| words[..*half] == words[*half..half * 2]);
    &words[half.unwrap_or(0)..]
}

/// Strips a page's tags, comments, scripts and styles.
fn visible_text(page: &str) -> String {
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
    fn pages_show_their_visible_text() {
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
    fn only_single_lines_of_text_are_shown() {
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
