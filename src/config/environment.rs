//! Environment variables, and text that people paste: one reader with one set of rules.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::unseen::is_unseen;

/// The variables that a client reads. Every one of them goes through here, so all of them
/// forgive the same mistakes.
pub(crate) struct Environment<'a> {
    look_up: Box<LookUp<'a>>,
}

type LookUp<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

impl Environment<'static> {
    /// The variables of this process.
    pub(crate) fn of_process() -> Self {
        Self::new(|name| env::var_os(name))
    }
}

impl<'a> Environment<'a> {
    pub(crate) fn new<V: Into<OsString>>(look_up: impl Fn(&str) -> Option<V> + 'a) -> Self {
        Self { look_up: Box::new(move |name| look_up(name).map(Into::into)) }
    }

    /// The value of a variable, [cleaned]; `None` for one that is not set or blank. The error
    /// names the variable and never repeats its value, which may be a key.
    pub(crate) fn read(&self, name: &str) -> Result<Option<String>, String> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let value = cleaned(&text).map_err(|stray| {
            format!("the environment variable {name} holds {stray}; set it again, on one line")
        })?;
        Ok(Some(value).filter(|value| !value.is_empty()))
    }

    /// The items of a variable that is a list. Commas, semicolons and white space separate
    /// them, line breaks included, and each item is [cleaned].
    pub(crate) fn list(&self, name: &str) -> Result<Vec<String>, String> {
        let text = self.text(name)?.unwrap_or_default();
        // The quotes around a whole list come off before it is cut.
        let items = strip(&text);
        let items = items.split(|char: char| char.is_whitespace() || matches!(char, ',' | ';'));
        // No item holds a control character that is worth a refusal: it would match nothing.
        let items = items.filter_map(|item| cleaned(item).ok());
        Ok(items.filter(|item| !item.is_empty()).collect())
    }

    /// A variable that names a file or a folder. A path need not be Unicode; one that is, is
    /// [cleaned].
    pub(crate) fn path(&self, name: &str) -> Result<Option<PathBuf>, String> {
        match (self.look_up)(name) {
            Some(value) if value.to_str().is_none() => Ok(Some(value.into())),
            _ => Ok(self.read(name)?.map(PathBuf::from)),
        }
    }

    /// A variable that lists folders, separated as those in `PATH` are.
    pub(crate) fn paths(&self, name: &str) -> Result<Vec<PathBuf>, String> {
        let value = self.path(name)?;
        let paths = value.iter().flat_map(env::split_paths);
        Ok(paths.filter(|path| !path.as_os_str().is_empty()).collect())
    }

    fn text(&self, name: &str) -> Result<Option<String>, String> {
        let value = (self.look_up)(name).map(OsString::into_string).transpose();
        value.map_err(|_| {
            format!("the environment variable {name} is not valid UTF-8; set it again")
        })
    }
}

/// A value as it was meant: without the white space, line ends and quotes around it, and
/// without characters that nobody sees, such as zero-width spaces and byte order marks.
///
/// Files of variables, chat programs and web pages add these: `docker run --env-file` keeps
/// quotes, and text processors make straight quotes curly. An error names the first control
/// character inside the value, such as the line break between two keys, where the meaning is
/// no longer clear.
pub(crate) fn cleaned(text: &str) -> Result<String, String> {
    let value = strip(text);
    match value.chars().position(char::is_control) {
        None => Ok(value),
        Some(at) => {
            let stray = value.chars().nth(at).map(name_of).unwrap_or_default();
            Err(format!("{stray} at character {}", at + 1))
        }
    }
}

/// What to call a character that must not stand where it does.
pub(super) fn name_of(char: char) -> String {
    match char {
        '\n' | '\r' => "a line break".to_owned(),
        '\t' => "a tab".to_owned(),
        char => format!("the character U+{:04X}", u32::from(char)),
    }
}

/// Takes off what surrounds a value, layer by layer, and the invisible characters in it.
fn strip(text: &str) -> String {
    // The joiners are invisible as well. Scripts need them in prose, but no value does.
    let invisible = |char: char| {
        is_unseen(char) && !char.is_control() && !char.is_whitespace()
            || matches!(char, '\u{200c}'..='\u{200f}')
    };
    let text = text.replace(invisible, "");
    let mut value = text.trim();
    while let Some(inner) = unquoted(value) {
        value = inner.trim();
    }
    value.to_owned()
}

/// What stands between two quotes of one kind. An opening quote counts as a closing one and
/// the reverse: languages disagree on which is which, and editors on which to insert.
fn unquoted(text: &str) -> Option<&str> {
    const DOUBLE: &[char] = &['"', '“', '”', '„', '‟', '«', '»', '＂'];
    const SINGLE: &[char] = &['\'', '‘', '’', '‚', '‛', '‹', '›', '`', '＇'];
    [DOUBLE, SINGLE].into_iter().find_map(|kind| text.strip_prefix(kind)?.strip_suffix(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_surrounds_a_value_is_taken_off() {
        for text in [
            "sk-1",
            " sk-1 ",
            "sk-1\n",
            "\r\n\tsk-1\r\n",
            "\u{feff}sk-1",
            "sk\u{200b}-1",
            "s\u{2060}k-\u{ad}1\u{200d}",
            "\u{a0}sk-1\u{3000}",
            "\u{2028}sk-1\u{2029}",
            "\"sk-1\"",
            "'sk-1'",
            "`sk-1`",
            "“sk-1”",
            "”sk-1”",
            "„sk-1“",
            "‘sk-1’",
            "«sk-1»",
            "\"sk-1”",
            "'\"sk-1\"'",
            "\u{feff}“ \u{200b}sk-1\n” \n",
        ] {
            assert_eq!(cleaned(text).as_deref(), Ok("sk-1"), "{text:?}");
        }
        // A quote without its partner, or one inside, may belong to the value.
        for text in ["\"sk-1", "sk-1'", "\"sk-1'", "s\"k", "\"", "“", "a b"] {
            assert_eq!(cleaned(text).as_deref(), Ok(text));
        }
        for text in ["", " ", "\"\"", "' '", "\u{feff}", "“”\n"] {
            assert_eq!(cleaned(text).as_deref(), Ok(""), "{text:?}");
        }
    }

    #[test]
    fn a_control_character_inside_is_refused_and_the_value_is_not_shown() {
        for (text, expected) in [
            ("sk-first\nsk-second", "a line break at character 9"),
            ("\"sk-first\r\nsk-second\"", "a line break at character 9"),
            ("sk\tsecret", "a tab at character 3"),
            ("sk\0secret", "the character U+0000 at character 3"),
            ("sk-secret\u{1b}", "the character U+001B at character 10"),
            ("é\u{85}secret", "the character U+0085 at character 2"),
        ] {
            assert_eq!(cleaned(text).as_deref().unwrap_err(), expected, "{text:?}");
            let environment = Environment::new(|_| Some(text.to_owned()));
            let problem = environment.read("THE_KEY").unwrap_err();
            assert!(problem.starts_with("the environment variable THE_KEY holds"), "{problem}");
            assert!(
                problem.contains(expected)
                    && !problem.contains("sk")
                    && !problem.contains("secret"),
                "{problem}"
            );
        }
    }

    #[test]
    fn a_blank_variable_is_one_that_is_not_set() {
        for text in ["", " \n", "\"\"", "\u{200b}", "“ ”"] {
            let environment = Environment::new(|_| Some(text.to_owned()));
            assert_eq!(environment.read("A"), Ok(None), "{text:?}");
            assert_eq!(environment.list("A"), Ok(Vec::new()), "{text:?}");
            assert_eq!(environment.path("A"), Ok(None), "{text:?}");
            assert_eq!(environment.paths("A"), Ok(Vec::new()), "{text:?}");
        }
        let nothing = Environment::new(|_| None::<String>);
        assert_eq!(nothing.read("A"), Ok(None));
    }

    #[test]
    fn a_list_is_separated_by_all_that_people_write() {
        for text in [
            "a,b,c",
            "a b c",
            "a\nb\r\nc\n",
            "\ta\t,\tb;c",
            ",a,,b , c,",
            "\"a,b,c\"",
            "“a”, 'b', \u{feff}c",
        ] {
            let environment = Environment::new(|_| Some(text.to_owned()));
            assert_eq!(environment.list("A").unwrap(), ["a", "b", "c"], "{text:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_unicode_is_refused_unless_it_is_a_path() {
        use std::os::unix::ffi::OsStringExt;

        let value = OsString::from_vec(b"sk-\xff".to_vec());
        let environment = Environment::new(|_| Some(value.clone()));
        let problem = environment.read("THE_KEY").unwrap_err();
        assert_eq!(problem, "the environment variable THE_KEY is not valid UTF-8; set it again");
        assert_eq!(environment.path("A").unwrap().unwrap().into_os_string(), value);
    }

    #[cfg(unix)]
    #[test]
    fn a_list_of_folders_is_cut_as_path_is() {
        for text in ["/a b:/c", "\"/a b:/c\"\n", ":/a b::/c:"] {
            let environment = Environment::new(|_| Some(text.to_owned()));
            let paths = environment.paths("A").unwrap();
            assert_eq!(paths, [PathBuf::from("/a b"), PathBuf::from("/c")], "{text:?}");
        }
    }
}
