//! Profiles as JSON: what a file may contain, and the errors for what it may not.

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::{
    Auth, BatchProfile, Dialect, EmbeddingFormat, Format, ModelNames, ModerationFormat, Profile,
    Provider, model_name, registry,
};
use crate::error::{Error, ErrorKind};
use crate::header::{HeaderValue, header_name};
use crate::settings_file;

type Text = Cow<'static, str>;

impl Profile {
    /// Reads one profile or a list of profiles from JSON.
    ///
    /// A profile has the fields of [`Profile`], and `extends`: the name of a built-in provider that
    /// supplies every field the profile does not set. Without `extends`, it needs `id` and `base_url`,
    /// and `format` (of its chats), `embeddings` (the format of its embeddings), or both.
    ///
    /// ```
    /// use tollgate::provider::Profile;
    ///
    /// let profiles = Profile::from_json(
    ///     r#"[
    ///         {"id": "acme", "format": "openai_chat", "base_url": "https://llm.acme.example/v1",
    ///          "key_variables": ["ACME_LLM_KEY"], "auth": {"header": "x-acme-key"},
    ///          "dialect": {"output_limit": "max_tokens"}},
    ///         {"extends": "groq", "base_url": "https://eu.groq.example/openai/v1"}
    ///     ]"#,
    /// )?;
    /// assert_eq!(profiles[1].key_variables, ["GROQ_API_KEY"]);
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) for invalid JSON or an invalid profile, with the
    /// line and column of the mistake, and for two profiles with the same id.
    pub fn from_json(text: &str) -> Result<Vec<Self>, Error> {
        let text = settings_file::without_mark(text);
        let profiles: Profiles = serde_json::from_str(text).map_err(|cause| {
            Error::new(ErrorKind::Configuration, format!("the profiles are invalid: {cause}"))
        })?;
        let Profiles(profiles) = profiles;
        for (at, profile) in profiles.iter().enumerate() {
            if profiles[..at].iter().any(|other| other.id == profile.id) {
                return Err(Error::new(
                    ErrorKind::Configuration,
                    format!("two profiles have the id {:?}; keep one", profile.id.as_str()),
                ));
            }
        }
        Ok(profiles)
    }

    /// Reads a JSON file like [`from_json`](Self::from_json), for
    /// [`ClientBuilder::profiles`](crate::ClientBuilder::profiles).
    ///
    /// # Errors
    ///
    /// As for [`from_json`](Self::from_json), with the name of the file, and
    /// [`Configuration`](ErrorKind::Configuration) if the file cannot be read.
    pub fn load(path: impl AsRef<Path>) -> Result<Vec<Self>, Error> {
        settings_file::load(path.as_ref(), Self::from_json)
    }
}

/// One profile or a list of profiles. Both are read within the surrounding JSON, so that every
/// error has a position.
struct Profiles(Vec<Profile>);

impl<'de> Deserialize<'de> for Profiles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMany)
    }
}

struct OneOrMany;

impl<'de> Visitor<'de> for OneOrMany {
    type Value = Profiles;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a profile or a list of profiles")
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Profiles, M::Error> {
        Profile::deserialize(MapAccessDeserializer::new(map)).map(|profile| Profiles(vec![profile]))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, seq: S) -> Result<Profiles, S::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Profiles)
    }
}

/// The fields of a profile in JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileFields {
    id: Option<Id>,
    extends: Option<Known>,
    format: Option<Format>,
    embeddings: Option<EmbeddingFormat>,
    moderation: Option<ModerationFormat>,
    batches: Option<BatchProfile>,
    base_url: Option<Url>,
    base_url_variables: Option<Vec<Variable>>,
    host_variables: Option<Vec<Variable>>,
    key_variables: Option<Vec<Variable>>,
    token_variables: Option<Vec<Variable>>,
    auth: Option<Auth>,
    key_optional: Option<bool>,
    headers: Option<Headers>,
    dialect: Option<Patch>,
    model_names: Option<ModelNames>,
    prices: Option<Text>,
    docs: Option<Text>,
}

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = ProfileFields::deserialize(deserializer)?;
        let has_format = fields.format.is_some() || fields.embeddings.is_some();
        let base = match (fields.extends, &fields.id, has_format, &fields.base_url) {
            (Some(Known(base)), ..) => base,
            (None, Some(id), true, Some(url)) => Self::at(id.0.clone(), url.0.clone()),
            (None, None, ..) => return Err(D::Error::missing_field("id")),
            (None, _, false, _) => return Err(D::Error::missing_field("format")),
            (None, ..) => return Err(D::Error::missing_field("base_url")),
        };
        let dialect = match &fields.dialect {
            Some(patch) => patch.over(&base.dialect).map_err(D::Error::custom)?,
            None => base.dialect,
        };
        let names = |set: Option<Vec<Variable>>, base: Vec<Text>| {
            set.map_or(base, |set| set.into_iter().map(|name| name.0).collect())
        };
        Ok(Self {
            id: fields.id.map_or(base.id, |id| id.0),
            format: fields.format.or(base.format),
            embeddings: fields.embeddings.or(base.embeddings),
            moderation: fields.moderation.or(base.moderation),
            batches: fields.batches.or(base.batches),
            base_url: fields.base_url.map_or(base.base_url, |url| url.0),
            base_url_variables: names(fields.base_url_variables, base.base_url_variables),
            host_variables: names(fields.host_variables, base.host_variables),
            key_variables: names(fields.key_variables, base.key_variables),
            token_variables: names(fields.token_variables, base.token_variables),
            auth: fields.auth.unwrap_or(base.auth),
            key_optional: fields.key_optional.unwrap_or(base.key_optional),
            headers: fields.headers.map_or(base.headers, |headers| headers.0),
            dialect,
            model_names: fields.model_names.unwrap_or(base.model_names),
            prices: fields.prices.or(base.prices),
            docs: fields.docs.or(base.docs),
        })
    }
}

/// The id of a provider, which is the part of `provider/model` before the slash.
struct Id(Provider);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = String::deserialize(deserializer)?;
        match id.is_empty() || id.contains(|c: char| c == '/' || c.is_whitespace()) {
            false => Ok(Self(Provider::new(id))),
            true => Err(D::Error::custom(format!(
                "the id {id:?} is empty or contains a slash or white space; write one such as \"acme\""
            ))),
        }
    }
}

/// The name of a built-in provider.
struct Known(Profile);

impl<'de> Deserialize<'de> for Known {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let profile = registry::lookup(&name);
        profile.map(Self).ok_or_else(|| D::Error::custom(model_name::unknown(&name, &[])))
    }
}

/// An absolute URL, in which `{NAME}` stands for a variable.
struct Url(Text);

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let url = String::deserialize(deserializer)?;
        // A variable can be in the host, where a URL allows no `|`.
        let mut is_inside = false;
        let is_plain = |char: &char| {
            is_inside = *char == '{' || (is_inside && *char != '}');
            let marks: &[char] = if is_inside { &['{', '}', '|', '='] } else { &['{', '}'] };
            !marks.contains(char)
        };
        let plain: String = url.chars().filter(is_plain).collect();
        let parsed = plain
            .parse::<crate::url::Url>()
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && !url.host().is_empty());
        match parsed {
            Some(_) => Ok(Self(url.into())),
            // Errors never show it: it may contain a key.
            None => Err(D::Error::custom(
                "the base_url is not a URL; write one such as \"https://llm.acme.example/v1\"",
            )),
        }
    }
}

/// The name of an environment variable.
struct Variable(Text);

impl<'de> Deserialize<'de> for Variable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        match is_name && !name.is_empty() {
            true => Ok(Self(name.into())),
            // People easily put the key itself there.
            false => Err(D::Error::custom(
                "this is not the name of an environment variable; write its name (letters, digits and _), not the key itself",
            )),
        }
    }
}

/// Headers by their names.
struct Headers(Vec<(Text, Text)>);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let headers = BTreeMap::<String, String>::deserialize(deserializer)?;
        for (name, value) in &headers {
            if header_name(name).is_none() {
                return Err(D::Error::custom(format!(
                    "{name:?} is not a valid header name; rename or remove it"
                )));
            }
            if HeaderValue::new(value.as_str()).is_none() {
                return Err(D::Error::custom(format!(
                    "the value of the header {name} contains a character that a header cannot carry; remove it"
                )));
            }
        }
        Ok(Self(headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect()))
    }
}

/// Writes headers in the form that [`Headers`] reads.
pub(super) fn write_headers<S: Serializer>(
    headers: &[(Text, Text)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(headers.iter().map(|(name, value)| (name, value)))
}

/// Some fields of a dialect, each of them valid.
struct Patch(Map<String, Value>);

impl Patch {
    /// Applies these fields to another dialect.
    fn over(&self, dialect: &Dialect) -> Result<Dialect, serde_json::Error> {
        let mut whole = serde_json::to_value(dialect)?;
        if let Value::Object(whole) = &mut whole {
            whole.extend(self.0.clone());
        }
        Dialect::deserialize(whole)
    }
}

impl<'de> Deserialize<'de> for Patch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let patch = Self(Map::deserialize(deserializer)?);
        match patch.over(&Dialect::OPENAI) {
            Ok(_) => Ok(patch),
            Err(problem) => Err(D::Error::custom(format!("in the dialect, {problem}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn every_built_in_profile_can_be_written_as_json() {
        for profile in Profile::all() {
            let text = serde_json::to_string_pretty(&profile).unwrap();
            assert_eq!(Profile::from_json(&text).unwrap(), [profile], "{text}");
        }
    }

    #[test]
    fn a_profile_that_extends_another_overrides_only_what_it_sets() {
        let text = r#"{"extends": "mistral", "id": "mistral-eu",
            "base_url": "https://eu.example/v1", "headers": {"x-team": "blue"},
            "dialect": {"message_names": true}}"#;
        let mut expected = Profile::builtin("mistral").unwrap();
        expected.id = Provider::new("mistral-eu");
        expected.base_url = "https://eu.example/v1".into();
        expected.headers = vec![("x-team".into(), "blue".into())];
        expected.dialect.message_names = true;
        assert_eq!(Profile::from_json(text).unwrap(), [expected]);
    }

    #[test]
    fn a_mistake_is_reported_with_its_position_and_no_secret() {
        let acme = |rest: &str| {
            format!(
                "[\n  {{\"id\": \"acme\", \"format\": \"openai_chat\",\n   \
                 \"base_url\": \"https://a.b\",\n   {rest}}}\n]"
            )
        };
        for (text, expected, position) in [
            (acme("\"key_variable\": [\"K\"]"), "unknown field `key_variable`", "line 4"),
            (acme("\"key_variables\": [\"K\",\n\"sk-live-1234\"]"), "not the name of", "line 5"),
            (acme("\"auth\": \"baerer\""), "unknown variant `baerer`", "line 4"),
            (acme("\"headers\": {\"bad name\": \"x\"}"), "is not a valid header name", "line 4"),
            (acme("\"dialect\": {\"sed\": \"seed\"}"), "unknown field `sed`", "line 4"),
            (acme("\"dialect\": {\"seed\": \"sed\"}"), "unknown variant `sed`", "line 4"),
            (acme("\"key_optional\": \"yes\""), "expected a boolean", "line 4"),
            (acme("\"model_names\": \"slash\""), "unknown variant `slash`", "line 4"),
            ("{\"id\": \"a b\"}".to_owned(), "the id \"a b\"", "line 1 column 13"),
            ("{\"id\":\"a\",\"format\":\"grpc\"}".to_owned(), "unknown variant `grpc`", "line 1"),
            ("{\"id\": \"a\"}".to_owned(), "missing field `format`", "line 1"),
            ("{\"base_url\": \"sk-live-1234\"}".to_owned(), "is not a URL", "line 1"),
            ("{\"base_url\": \"ftp://sk-live-1234\"}".to_owned(), "is not a URL", "line 1"),
            ("[{\"extends\": \"gorq\"}]".to_owned(), "did you mean groq?", "line 1 column 20"),
            ("[{\"extends\": \"groq\"},]".to_owned(), "trailing comma", "line 1 column 22"),
            (String::new(), "EOF while parsing", "line 1 column 0"),
        ] {
            let error = Profile::from_json(&text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            let message = error.message();
            assert!(message.contains(expected) && message.contains(position), "{text}: {message}");
            assert!(!message.contains("sk-live"), "{message}");
        }
        let twice = "[{\"extends\": \"groq\"}, {\"extends\": \"groq\"}]";
        let error = Profile::from_json(twice).unwrap_err();
        assert!(error.message().contains("two profiles have the id \"groq\""), "{error}");
    }

    #[test]
    fn an_error_about_a_file_names_it() {
        let path = std::env::temp_dir().join(format!("tollgate-{:016x}.json", fastrand::u64(..)));
        let error = Profile::load(&path).unwrap_err();
        assert!(error.message().contains(&path.display().to_string()), "{error}");
        fs::write(&path, "{\"id\": 7}").unwrap();
        let error = Profile::load(&path).unwrap_err();
        fs::write(&path, "\u{feff}{\"extends\": \"ollama\"}").unwrap();
        let profiles = Profile::load(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let expected = format!("{}: the profiles are invalid: invalid type", path.display());
        assert!(error.message().starts_with(&expected), "{error}");
        assert!(error.message().contains("line 1 column 8"), "{error}");
        assert_eq!(profiles[0].id, "ollama");
    }
}
