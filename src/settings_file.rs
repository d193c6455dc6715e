//! Reads settings from JSON files.

use serde::de::{self, MapAccess};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::marker::PhantomData;
use std::path::Path;
use std::{fmt, fs};

use crate::error::{Error, ErrorKind};

/// Reads a file and parses its text.
///
/// # Errors
///
/// [`Configuration`](ErrorKind::Configuration) with the name of the file, if it cannot be read or
/// `parse` fails.
pub(crate) fn load<T>(path: &Path, parse: impl Fn(&str) -> Result<T, Error>) -> Result<T, Error> {
    let refuse = |message: String| Error::new(ErrorKind::Configuration, message);
    let text = fs::read_to_string(path).map_err(|cause| {
        refuse(format!("cannot read {}: {cause}", path.display())).with_source(cause)
    })?;
    parse(&text).map_err(|error| refuse(format!("{}: {}", path.display(), error.message())))
}

/// The text without a byte order mark, which some editors write.
pub(crate) fn without_mark(text: &str) -> &str {
    text.trim_start_matches('\u{feff}')
}

/// The members of an object in their order. No name occurs twice, in upper or lower case.
#[derive(Debug)]
pub(crate) struct Unique<T>(pub(crate) Vec<(String, T)>);

impl<T> Unique<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for Unique<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Serialize> Serialize for Unique<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Unique<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = Unique<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique<T>, A::Error> {
                let mut seen = std::collections::HashSet::new();
                let mut members = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !seen.insert(name.to_lowercase()) {
                        let problem = format!("{name:?} occurs twice; remove one of them");
                        return Err(de::Error::custom(problem));
                    }
                    // serde_json keeps the position of an error that is wrapped like this.
                    let value = map.next_value().map_err(|error: A::Error| {
                        de::Error::custom(format!("{name:?}: {error}"))
                    })?;
                    members.push((name, value));
                }
                Ok(Unique(members))
            }
        }

        deserializer.deserialize_map(Visitor(PhantomData))
    }
}
