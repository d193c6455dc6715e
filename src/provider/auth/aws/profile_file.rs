//! AWS's shared files: `~/.aws/credentials` and `~/.aws/config`.
//!
//! Their format is on AWS's page "Shared config and credentials files"
//! (docs.aws.amazon.com/sdkref/latest/guide/file-format.html).

use std::path::PathBuf;
use std::{fs, io};

use super::Keys;
use crate::key::ApiKey;

/// A profile in the files. They are read again for every attempt, because tools replace temporary
/// keys in them while a program runs.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) credentials_file: PathBuf,
    pub(super) config_file: PathBuf,
}

/// The settings of a profile.
#[derive(Default)]
struct Settings {
    members: Vec<(String, String)>,
    found: bool,
}

impl Settings {
    fn get(&self, name: &str) -> Option<&str> {
        let member = self.members.iter().find(|(own, _)| own == name);
        member.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

/// Settings for other sources of keys, which this crate does not support.
const OTHER_WAYS: [&str; 6] = [
    "credential_process",
    "sso_session",
    "sso_start_url",
    "login_session",
    "role_arn",
    "credential_source",
];

impl Profile {
    /// Returns its keys. The file with credentials takes precedence.
    pub(super) fn keys(&self) -> Result<Keys, String> {
        let settings = self.read()?;
        let (id, secret) = ("aws_access_key_id", "aws_secret_access_key");
        match (settings.get(id), settings.get(secret)) {
            (Some(id), Some(secret)) => Ok(Keys {
                id: id.to_owned(),
                secret: ApiKey::from(secret),
                token: settings.get("aws_session_token").map(ApiKey::from),
            }),
            (Some(_), None) => Err(format!("{} has {id}, but no {secret}; add it", self.shown())),
            (None, Some(_)) => Err(format!("{} has {secret}, but no {id}; add it", self.shown())),
            (None, None) => Err(match OTHER_WAYS.iter().find(|way| settings.get(way).is_some()) {
                Some(way) => format!(
                    "{} gets its keys through {way}, which this crate does not support; set the \
                     variables that `aws configure export-credentials --profile {} --format env` \
                     prints",
                    self.shown(),
                    self.name
                ),
                None if settings.found => format!("{} has no {id}; add it", self.shown()),
                None => format!(
                    "neither {} nor {} has the profile {:?}; correct AWS_PROFILE, or add it with \
                     `aws configure --profile {}`",
                    self.credentials_file.display(),
                    self.config_file.display(),
                    self.name,
                    self.name
                ),
            }),
        }
    }

    /// Returns true if a file has it.
    pub(super) fn exists(&self) -> Result<bool, String> {
        Ok(self.read()?.found)
    }

    /// Returns its region, if the files can be read.
    pub(super) fn region(&self) -> Option<String> {
        self.read().ok()?.get("region").map(str::to_owned)
    }

    fn shown(&self) -> String {
        format!("the AWS profile {:?}", self.name)
    }

    fn read(&self) -> Result<Settings, String> {
        let mut settings = Settings::default();
        for (path, is_config) in [(&self.credentials_file, false), (&self.config_file, true)] {
            match fs::read_to_string(path) {
                Ok(text) => add(&text, &self.name, is_config, &mut settings),
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
                Err(cause) => return Err(format!("cannot read {}: {cause}", path.display())),
            }
        }
        Ok(settings)
    }
}

/// Adds the settings of a profile in a file. In the configuration file, every section but
/// `[default]` is called `[profile name]`. Indented lines belong to the setting before them.
fn add(text: &str, profile: &str, is_config: bool, settings: &mut Settings) {
    let mut inside = false;
    for line in text.trim_start_matches('\u{feff}').lines() {
        if line.starts_with([' ', '\t', '#', ';']) {
            continue;
        }
        let line = line.trim_end();
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            let section = section.trim();
            let named =
                section.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t']));
            let name = match named {
                Some(name) if is_config => name.trim(),
                _ if is_config && section != "default" => "",
                _ => section,
            };
            inside = name == profile;
            settings.found |= inside;
        } else if let Some((name, value)) = line.split_once('=').filter(|_| inside) {
            let name = name.trim().to_ascii_lowercase();
            if !settings.members.iter().any(|(known, _)| *known == name) {
                settings.members.push((name, value.trim().to_owned()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(name: &str, credentials: &str, config: &str) -> Settings {
        let mut settings = Settings::default();
        add(credentials, name, false, &mut settings);
        add(config, name, true, &mut settings);
        settings
    }

    #[test]
    fn a_profile_is_read_from_both_files() {
        let credentials = "\u{feff}# keys\r\n[default]\r\naws_access_key_id = A\r\n\
                           AWS_SECRET_ACCESS_KEY=s=+/\r\n[work]\naws_access_key_id=W\n\
                           aws_session_token =\n; end\n";
        let config = "[default]\nregion=us-east-1\naws_access_key_id=other\ns3 =\n  region = no\n\
                      [profile work]\nregion = eu-west-1 \n[work]\nregion = wrong\n\
                      [sso-session x]\nregion = wrong\n";
        for (name, setting, expected) in [
            ("default", "aws_access_key_id", Some("A")),
            ("default", "aws_secret_access_key", Some("s=+/")),
            ("default", "region", Some("us-east-1")),
            ("work", "aws_access_key_id", Some("W")),
            ("work", "aws_secret_access_key", None),
            ("work", "aws_session_token", None),
            ("work", "region", Some("eu-west-1")),
            ("x", "region", None),
        ] {
            let settings = profile(name, credentials, config);
            assert_eq!(settings.get(setting), expected, "{name} {setting}");
            assert_eq!(settings.found, name != "x");
        }
    }
}
