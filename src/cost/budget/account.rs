//! Account names that people can read, unique for every account.
//!
//! ```text
//! daily                                            all calls
//! daily [model=gpt-4o]                             only calls to that model
//! daily [model=gpt-4o dated]                       and to its dated names
//! daily+05:45 customer=acme                        one account per customer
//! daily customer                                   calls without a customer tag
//! "Team A": monthly model=meta-llama/llama-3       a named budget
//! ```
//!
//! The syntax is logfmt's: `key=value`, quoted if a character could be mistaken for syntax. A
//! budget's name replaces its restrictions but not its window, because the slots of different
//! windows do not add up.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{Budget, name};
use crate::cost::scope::Scope;
use crate::cost::{UtcOffset, Window};
use crate::tags::Tags;

impl Budget {
    /// The name shown to people: its own, or one made of its window and scope.
    pub(crate) fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.accounts())
    }

    /// The part of an account's name that sets it apart from the budget's other accounts.
    pub(crate) fn whose<'a>(&self, account: &'a str) -> &'a str {
        account.strip_prefix(&self.prefix()).unwrap_or(account).trim_start()
    }

    /// What its account names share, plus the keys in which they differ. No two budgets of a
    /// client may have the same.
    pub(crate) fn accounts(&self) -> String {
        let mut text = self.prefix();
        self.splits(&mut text, None);
        for key in &self.per_tags {
            text.push(' ');
            pair(&mut text, Dimension::Tag(key), None);
        }
        text
    }

    /// The start of the name of the account in which it charges a call to a model. The values of
    /// tags come last, so this part is the same for all calls to that model.
    pub(in crate::cost) fn account_start(&self, scope: &Scope) -> Arc<str> {
        let mut text = self.prefix();
        self.splits(&mut text, Some(scope));
        text.into()
    }

    /// The account in which it charges a call with these tags.
    pub(in crate::cost) fn account(&self, start: &Arc<str>, tags: &Tags) -> Arc<str> {
        if self.per_tags.is_empty() {
            return Arc::clone(start);
        }
        // Long enough for most values.
        let mut text = String::with_capacity(start.len() + 40);
        text.push_str(start);
        for key in &self.per_tags {
            text.push(' ');
            pair(&mut text, Dimension::Tag(key), tags.get(key).map(String::as_str));
        }
        text.into()
    }

    fn prefix(&self) -> String {
        let mut text = String::new();
        if let Some(given) = &self.name {
            word(&mut text, given);
            text.push_str(": ");
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{}", self.window);
        let by_calendar = matches!(self.window, Window::Daily | Window::Monthly);
        if by_calendar && self.utc_offset != UtcOffset::UTC {
            let _ = write!(text, "{}", self.utc_offset);
        }
        if self.name.is_none() {
            self.restrictions(&mut text);
        }
        text
    }

    fn restrictions(&self, text: &mut String) {
        let fixed = [
            (Dimension::Provider, self.provider.as_deref()),
            (Dimension::Model, self.model.as_deref()),
        ];
        let tags = self.tags.iter().map(|(key, value)| (Dimension::Tag(key), Some(&**value)));
        let mut opening = " [";
        for (dimension, value) in fixed.into_iter().chain(tags) {
            let Some(value) = value else { continue };
            text.push_str(opening);
            pair(text, dimension, Some(value));
            if self.dated && matches!(dimension, Dimension::Model) {
                // A tag of this name has a value here.
                text.push_str(" dated");
            }
            opening = " ";
        }
        if opening == " " {
            text.push(']');
        }
    }

    fn splits(&self, text: &mut String, scope: Option<&Scope>) {
        let provider = scope.map(|scope| scope.provider.as_str());
        let model = scope.map(|scope| scope.model.as_str());
        for (dimension, wanted, value) in [
            (Dimension::Provider, self.per_provider, provider),
            (Dimension::Model, self.per_model, model),
        ] {
            if wanted {
                text.push(' ');
                pair(text, dimension, value);
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Dimension<'a> {
    Provider,
    Model,
    Tag(&'a str),
}

/// `key=value`, or the key alone if there is no value.
fn pair(text: &mut String, dimension: Dimension<'_>, value: Option<&str>) {
    match dimension {
        Dimension::Provider => text.push_str("provider"),
        Dimension::Model => text.push_str("model"),
        // A tag with one of these names is a different thing.
        Dimension::Tag(key @ ("provider" | "model")) => quoted(text, key),
        Dimension::Tag(key) => word(text, key),
    }
    let Some(value) = value else { return };
    text.push('=');
    match dimension {
        // All spellings of a name share one account.
        Dimension::Provider | Dimension::Model => word(text, &name(value)),
        Dimension::Tag(_) => word(text, value),
    }
}

/// Writes a text, in quotes if anything in it could be mistaken for syntax.
fn word(text: &mut String, word: &str) {
    let ascii = |byte: u8| {
        matches!(byte, b'-' | b'_' | b'.' | b':' | b'/' | b'@' | b'+')
            || byte.is_ascii_alphanumeric()
    };
    let plain = |c: char| match u8::try_from(c) {
        Ok(byte) if c.is_ascii() => ascii(byte),
        _ => !c.is_whitespace() && !is_hidden(c),
    };
    // Almost every word is ASCII, whose bytes take less time than characters.
    let is_plain = word.bytes().all(ascii) || word.chars().all(plain);
    match is_plain && !word.is_empty() {
        true => text.push_str(word),
        false => quoted(text, word),
    }
}

/// Writes a text in quotes, on one line. Not with `Debug`, whose output may change between
/// compilers: account names are stored.
fn quoted(text: &mut String, word: &str) {
    text.push('"');
    for c in word.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if is_hidden(c) => {
                let _ = write!(text, "\\u{{{:x}}}", c as u32);
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

/// Whether a character would break the line or change how the text around it looks.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}
