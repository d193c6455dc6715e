//! A JSON deserializer for answers.
//!
//! serde_json's own reads any source of bytes, counts lines and explains every error. An answer is a
//! text in memory and nearly always valid, so this one does neither: it finds the ends of texts eight
//! bytes at a time, and leaves errors to serde_json. It accepts the same JSON, and yields the same
//! values.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::error::Category;
use std::borrow::Cow;
use std::fmt;

use crate::scan::plain_blocks;

/// Parses a text.
///
/// # Errors
///
/// Where and why the text cannot be read, as serde_json explains it.
pub(in crate::wire) fn from_str<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, Cause> {
    let mut reader = Reader { text, at: 0, depth: DEPTH };
    match T::deserialize(&mut reader) {
        Ok(read) if reader.next_byte().is_err() => Ok(read),
        _ => Err(Cause::of(text, reader.at)),
    }
}

/// How deep values may be nested, as for serde_json. Skipped values may be deeper.
const DEPTH: usize = 127;

/// Why a text cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire) struct Cause {
    pub(in crate::wire) category: Category,
    pub(in crate::wire) line: usize,
    pub(in crate::wire) column: usize,
}

impl Cause {
    /// Explains why a text could be read only up to `at`.
    #[cold]
    fn of(text: &str, at: usize) -> Self {
        if let Err(cause) = serde_json::from_str::<Checked>(text) {
            return cause.into();
        }
        // It is JSON, but not what the type accepts.
        let read = text.as_bytes().get(..at).unwrap_or_default();
        let start = read.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = 1 + read.iter().filter(|byte| **byte == b'\n').count();
        Self { category: Category::Data, line, column: at - start }
    }
}

impl From<serde_json::Error> for Cause {
    fn from(cause: serde_json::Error) -> Self {
        Self { category: cause.classify(), line: cause.line(), column: cause.column() }
    }
}

/// Reads a text from its start.
struct Reader<'de> {
    text: &'de str,
    /// Up to where it was read.
    at: usize,
    /// How many more levels of nesting are allowed.
    depth: usize,
}

/// The text is not valid, or not what a type accepts.
#[derive(Debug)]
struct Unread;

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unread")
    }
}

impl std::error::Error for Unread {}

impl serde::de::Error for Unread {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl<'de> Reader<'de> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips white space and returns the byte after it, without taking it.
    fn next_byte(&mut self) -> Result<u8, Unread> {
        loop {
            match self.byte() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                byte => return byte.ok_or(Unread),
            }
        }
    }

    /// Skips white space and takes this byte.
    fn take(&mut self, expected: u8) -> Result<(), Unread> {
        match self.next_byte()? == expected {
            true => Ok(self.at += 1),
            false => Err(Unread),
        }
    }

    /// Takes a literal.
    fn literal(&mut self, literal: &str) -> Result<(), Unread> {
        match self.text.as_bytes()[self.at..].starts_with(literal.as_bytes()) {
            true => Ok(self.at += literal.len()),
            false => Err(Unread),
        }
    }

    /// Enters an array or an object, or fails if it is nested too deeply.
    fn enter(&mut self) -> Result<(), Unread> {
        self.at += 1;
        self.depth = self.depth.checked_sub(1).ok_or(Unread)?;
        Ok(())
    }

    /// Leaves an array or an object that `end` closes.
    fn leave(&mut self, end: u8) -> Result<(), Unread> {
        self.depth += 1;
        self.take(end)
    }

    /// Takes the text up to `end`.
    fn piece(&mut self, end: usize) -> Result<&'de str, Unread> {
        let piece = self.text.get(self.at..end).ok_or(Unread)?;
        self.at = end;
        Ok(piece)
    }

    /// Takes a string. Its quotation mark was taken.
    #[inline]
    fn string(&mut self) -> Result<Cow<'de, str>, Unread> {
        let piece = self.piece(plain_end(self.text.as_bytes(), self.at))?;
        match self.byte() {
            Some(b'"') => {
                self.at += 1;
                Ok(Cow::Borrowed(piece))
            }
            _ => self.escaped(piece).map(Cow::Owned),
        }
    }

    /// Takes the rest of a string that starts with this piece.
    #[inline(never)]
    fn escaped(&mut self, start: &str) -> Result<String, Unread> {
        let mut string = start.to_owned();
        loop {
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => string.push(self.escape()?),
                _ => return Err(Unread),
            }
            string.push_str(self.piece(plain_end(self.text.as_bytes(), self.at))?);
        }
    }

    /// Takes an escape (RFC 8259 section 7).
    fn escape(&mut self) -> Result<char, Unread> {
        let first = match self.escape_unit()? {
            Ok(character) => return Ok(character),
            Err(unit) => unit,
        };
        let code = match first {
            0xd800..=0xdbff => match self.escape_unit() {
                Ok(Err(second @ 0xdc00..=0xdfff)) => {
                    0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                }
                _ => return Err(Unread),
            },
            code => code,
        };
        char::from_u32(code).ok_or(Unread)
    }

    /// Takes an escape: a character, or the number after `\u`.
    fn escape_unit(&mut self) -> Result<Result<char, u32>, Unread> {
        let [b'\\', kind, digits @ ..] = &self.text.as_bytes()[self.at..] else {
            return Err(Unread);
        };
        let character = match kind {
            b'"' | b'\\' | b'/' => char::from(*kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let digit =
                    |unit: u32, byte: &u8| Some(unit << 4 | char::from(*byte).to_digit(16)?);
                let digits = digits.get(..4).ok_or(Unread)?;
                let unit = digits.iter().try_fold(0, digit).ok_or(Unread)?;
                self.at += 6;
                return Ok(Err(unit));
            }
            _ => return Err(Unread),
        };
        self.at += 2;
        Ok(Ok(character))
    }

    /// Skips a string. Its quotation mark was taken.
    fn skip_string(&mut self) -> Result<(), Unread> {
        loop {
            self.at = plain_end(self.text.as_bytes(), self.at);
            match self.byte() {
                Some(b'"') => return Ok(self.at += 1),
                // Half a character counts as an escape, as for serde_json.
                Some(b'\\') => drop(self.escape_unit()?),
                _ => return Err(Unread),
            }
        }
    }

    /// Skips the name of a member and the colon after it.
    fn skip_name(&mut self) -> Result<(), Unread> {
        self.take(b'"')?;
        self.skip_string()?;
        self.take(b':')
    }

    fn skip_digits(&mut self) -> Result<(), Unread> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(Unread) } else { Ok(()) }
    }

    /// Skips a number (RFC 8259 section 6). Returns true if it has a fraction or an exponent.
    fn skip_number(&mut self) -> Result<bool, Unread> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            _ => self.skip_digits()?,
        }
        let integer = self.at;
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.skip_digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.skip_digits()?;
        }
        Ok(self.at > integer)
    }

    fn number<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Unread> {
        let start = self.at;
        let is_float = self.skip_number()?;
        let number = &self.text[start..self.at];
        if !is_float {
            if let Ok(number) = number.parse::<u64>() {
                return visitor.visit_u64(number);
            }
            // serde_json reads `-0` as a float, too.
            if let Some(number) = number.parse::<i64>().ok().filter(|number| *number < 0) {
                return visitor.visit_i64(number);
            }
        }
        match number.parse::<f64>() {
            Ok(number) if number.is_finite() => visitor.visit_f64(number),
            _ => Err(Unread),
        }
    }

    /// Skips a value of any depth.
    fn skip(&mut self) -> Result<(), Unread> {
        // What closes the arrays and objects around the current value.
        let mut ends = Vec::new();
        loop {
            match self.next_byte()? {
                b'"' => {
                    self.at += 1;
                    self.skip_string()?;
                }
                b'{' => {
                    self.at += 1;
                    if self.next_byte()? != b'}' {
                        ends.push(b'}');
                        self.skip_name()?;
                        continue;
                    }
                    self.at += 1;
                }
                b'[' => {
                    self.at += 1;
                    if self.next_byte()? != b']' {
                        ends.push(b']');
                        continue;
                    }
                    self.at += 1;
                }
                b'n' => self.literal("null")?,
                b't' => self.literal("true")?,
                b'f' => self.literal("false")?,
                _ => drop(self.skip_number()?),
            }
            loop {
                let Some(end) = ends.last().copied() else { return Ok(()) };
                match self.next_byte()? {
                    b',' => {
                        self.at += 1;
                        if end == b'}' {
                            self.skip_name()?;
                        }
                        break;
                    }
                    byte if byte == end => {
                        self.at += 1;
                        ends.pop();
                    }
                    _ => return Err(Unread),
                }
            }
        }
    }
}

/// Returns where the plain part of a string ends: at a quotation mark, a backslash, a control
/// character, or the end of the bytes.
fn plain_end(bytes: &[u8], at: usize) -> usize {
    // Most strings are short.
    let mut end = at;
    for _ in 0..2 {
        match end_in_word(bytes, end) {
            Some(Some(found)) => return end + found,
            Some(None) => end += WORD,
            None => return end + end_in_rest(bytes, end),
        }
    }
    long_plain_end(bytes, end)
}

/// The same for long strings.
#[inline(never)]
fn long_plain_end(bytes: &[u8], mut at: usize) -> usize {
    let is_end = |byte: u8| (byte < 0x20) | (byte == b'"') | (byte == b'\\');
    at += plain_blocks::<32>(bytes.get(at..).unwrap_or_default(), is_end);
    loop {
        match end_in_word(bytes, at) {
            Some(Some(found)) => return at + found,
            Some(None) => at += WORD,
            None => return at + end_in_rest(bytes, at),
        }
    }
}

const WORD: usize = 8;

/// Where the plain part ends in the word at `at`, if it does. `None` if there is no whole word.
fn end_in_word(bytes: &[u8], at: usize) -> Option<Option<usize>> {
    const ONES: u64 = u64::from_le_bytes([1; WORD]);
    const HIGH: u64 = ONES << 7;
    let word = u64::from_le_bytes(*bytes.get(at..)?.first_chunk::<WORD>()?);
    // The high bit of each byte that is less than `limit`, unless it was set before. A borrow can
    // mark bytes above the first such byte wrongly, but the first one is right ("Bit Twiddling
    // Hacks", hasless).
    let less = |word: u64, limit: u64| word.wrapping_sub(ONES * limit);
    let quote = less(word ^ (ONES * 0x22), 1);
    let backslash = less(word ^ (ONES * 0x5c), 1);
    let ends = (less(word, 0x20) | quote | backslash) & !word & HIGH;
    Some((ends != 0).then_some((ends.trailing_zeros() / 8) as usize))
}

fn end_in_rest(bytes: &[u8], at: usize) -> usize {
    let is_end = |byte: &u8| matches!(byte, b'"' | b'\\' | ..0x20);
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().position(is_end).unwrap_or(rest.len())
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Unread;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        match self.next_byte()? {
            b'"' => {
                self.at += 1;
                visit(self.string()?, visitor)
            }
            b'{' => {
                self.enter()?;
                let value = visitor.visit_map(Items { reader: self, is_first: true })?;
                self.leave(b'}')?;
                Ok(value)
            }
            b'[' => {
                self.enter()?;
                let value = visitor.visit_seq(Items { reader: self, is_first: true })?;
                self.leave(b']')?;
                Ok(value)
            }
            b'n' => {
                self.literal("null")?;
                visitor.visit_unit()
            }
            b't' => {
                self.literal("true")?;
                visitor.visit_bool(true)
            }
            b'f' => {
                self.literal("false")?;
                visitor.visit_bool(false)
            }
            _ => self.number(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        match self.next_byte()? {
            b'n' => {
                self.literal("null")?;
                visitor.visit_none()
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        self.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
    }
}

fn visit<'de, V: Visitor<'de>>(string: Cow<'de, str>, visitor: V) -> Result<V::Value, Unread> {
    match string {
        Cow::Borrowed(string) => visitor.visit_borrowed_str(string),
        Cow::Owned(string) => visitor.visit_string(string),
    }
}

/// The elements of an array, or the members of an object.
struct Items<'a, 'de> {
    reader: &'a mut Reader<'de>,
    is_first: bool,
}

impl Items<'_, '_> {
    /// Takes the comma before the next item. Returns false if `end` comes instead.
    fn has_next(&mut self, end: u8) -> Result<bool, Unread> {
        let byte = self.reader.next_byte()?;
        if byte == end {
            return Ok(false);
        }
        if !std::mem::take(&mut self.is_first) {
            if byte != b',' {
                return Err(Unread);
            }
            self.reader.at += 1;
        }
        Ok(true)
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Unread;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unread> {
        match self.has_next(b']')? {
            true => seed.deserialize(&mut *self.reader).map(Some),
            false => Ok(None),
        }
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = Unread;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unread> {
        if !self.has_next(b'}')? {
            return Ok(None);
        }
        self.reader.take(b'"')?;
        seed.deserialize(Name(self.reader)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Unread> {
        self.reader.take(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}

/// The name of a member, behind its quotation mark.
struct Name<'a, 'de>(&'a mut Reader<'de>);

impl<'de> Deserializer<'de> for Name<'_, 'de> {
    type Error = Unread;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        visit(self.0.string()?, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Any value. It takes no memory, and has serde_json check everything that is checked of a value
/// that is kept.
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<IgnoredAny, Self>()?.is_some() {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests;
