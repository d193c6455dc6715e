//! Reads environment variables and cleans pasted text, by one set of rules.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::unseen::is_unseen;

/// The environment variables of a client. All of them are read here, so all forgive the same
/// mistakes.
pub(crate) struct Environment<'a> {
    look_up: Box<LookUp<'a>>,
}

type LookUp<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

impl Environment<'static> {
    /// Reads the variables of this process.
    pub(crate) fn of_process() -> Self {
        Self::new(|name| env::var_os(name))
    }
}

impl<'a> Environment<'a> {
    pub(crate) fn new<V: Into<OsString>>(look_up: impl Fn(&str) -> Option<V> + 'a) -> Self {
        Self { look_up: Box::new(move |name| look_up(name).map(Into::into)) }
    }

    /// The [cleaned] value of a variable; `None` if it is not set or blank. The error names the
    /// variable and never shows its value, which may be a key.
    pub(crate) fn read(&self, name: &str) -> Result<Option<String>, String> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let value = cleaned(&text).map_err(|stray| {
            format!("the environment variable {name} contains {stray}; set it again, on one line")
        })?;
        Ok(Some(value).filter(|value| !value.is_empty()))
    }

    /// The items of a list, each [cleaned]. Commas, semicolons and white space separate them,
    /// including line breaks.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<String>, String> {
        let text = self.text(name)?.unwrap_or_default();
        // The quotes around the whole list come off before it is split.
        let items = strip(&text);
        let items = items.split(|char: char| char.is_whitespace() || matches!(char, ',' | ';'));
        // An item with a control character matches nothing, so it needs no error.
        let items = items.filter_map(|item| cleaned(item).ok());
        Ok(items.filter(|item| !item.is_empty()).collect())
    }

    /// The path of a file or folder. It need not be Unicode; if it is, it is [cleaned].
    pub(crate) fn path(&self, name: &str) -> Result<Option<PathBuf>, String> {
        match (self.look_up)(name) {
            Some(value) if value.to_str().is_none() => Ok(Some(value.into())),
            _ => Ok(self.read(name)?.map(PathBuf::from)),
        }
    }

    /// A list of folders, separated as in `PATH`.
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

/// The value without what pasting added: white space, line ends and quotes around it, and invisible
/// characters such as zero-width spaces and byte order marks.
///
/// Environment files, chat programs and web pages add these: `docker run --env-file` keeps quotes,
/// and word processors turn straight quotes into curly ones. The error names the first control
/// character inside the value, such as the line break between two keys, because then the meaning is
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

/// What an error calls a misplaced character.
pub(super) fn name_of(char: char) -> String {
    match char {
        '\n' | '\r' => "a line break".to_owned(),
        '\t' => "a tab".to_owned(),
        char => format!("the character U+{:04X}", u32::from(char)),
    }
}

/// Removes what surrounds a value, layer by layer, and the invisible characters inside it.
fn strip(text: &str) -> String {
    // Joiners are invisible as well. Some scripts need them in prose, but no setting does.
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

/// The text between two quotes of one kind. An opening quote also counts as a closing one and the
/// other way round: languages disagree on which is which, and so do editors.
fn unquoted(text: &str) -> Option<&str> {
    const DOUBLE: &[char] = &['"', '“', '”', '„', '‟', '«', '»', '＂'];
    const SINGLE: &[char] = &['\'', '‘', '’', '‚', '‛', '‹', '›', '`', '＇'];
    [DOUBLE, SINGLE].into_iter().find_map(|kind| text.strip_prefix(kind)?.strip_suffix(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_space_around_a_value_are_removed() {
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
    fn a_control_character_inside_a_value_is_an_error_that_does_not_show_it() {
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
            assert!(problem.starts_with("the environment variable THE_KEY contains"), "{problem}");
            assert!(
                problem.contains(expected)
                    && !problem.contains("sk")
                    && !problem.contains("secret"),
                "{problem}"
            );
        }
    }

    #[test]
    fn a_blank_variable_counts_as_not_set() {
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
    fn a_list_may_use_any_common_separator() {
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
    fn a_list_of_folders_is_split_like_path() {
        for text in ["/a b:/c", "\"/a b:/c\"\n", ":/a b::/c:"] {
            let environment = Environment::new(|_| Some(text.to_owned()));
            let paths = environment.paths("A").unwrap();
            assert_eq!(paths, [PathBuf::from("/a b"), PathBuf::from("/c")], "{text:?}");
        }
    }
}
