//! AWS's access keys, and the signatures made with them.

mod profile_file;
mod sigv4;

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::key::ApiKey;
use crate::provider::auth::{Read, variable};
use crate::provider::region::region_of_host;
use crate::provider::{Credentials, Unsigned};
use crate::time::rfc3339;
use crate::url::Url;
use profile_file::Profile;
use sigv4::{Request, Scope};

/// The profile to use if none is named.
const DEFAULT_PROFILE: &str = "default";

/// AWS access keys, for Amazon Bedrock. They sign each attempt with Signature Version 4, over
/// exactly the bytes that are sent.
///
/// A client finds the usual keys itself, so most programs do not need this type. It looks for, in
/// this order: a Bedrock API key in `AWS_BEARER_TOKEN_BEDROCK`, which is sent without a signature;
/// `AWS_ACCESS_KEY_ID` with `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`; the profile
/// `AWS_PROFILE`, or `default`, in the files `~/.aws/credentials` and `~/.aws/config`, whose paths
/// `AWS_SHARED_CREDENTIALS_FILE` and `AWS_CONFIG_FILE` replace. Single sign-on, roles and other
/// sources of keys are not supported; `aws configure export-credentials` turns them into these
/// variables.
///
/// ```
/// use tollgate::provider::AwsCredentials;
/// use tollgate::{Client, ProviderConfig};
///
/// let keys = AwsCredentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
///     .region("eu-west-1");
/// let client = Client::builder()
///     .add_provider(ProviderConfig::new("bedrock").credentials(keys))
///     .build()?;
/// # let _ = client;
/// # Ok::<(), tollgate::Error>(())
/// ```
#[derive(Clone)]
pub struct AwsCredentials {
    source: Source,
    /// The region that the program set.
    region: Option<String>,
    /// The region of the environment or the profile.
    usual_region: Option<String>,
    service: Cow<'static, str>,
    now: fn() -> SystemTime,
}

#[derive(Clone)]
enum Source {
    Keys(Keys),
    Profile(Profile),
}

#[derive(Clone)]
struct Keys {
    id: String,
    secret: ApiKey,
    token: Option<ApiKey>,
}

/// Hides the keys.
impl fmt::Debug for AwsCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let profile = match &self.source {
            Source::Keys(_) => None,
            Source::Profile(profile) => Some(&profile.name),
        };
        f.debug_struct("AwsCredentials")
            .field("profile", &profile)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl AwsCredentials {
    /// Uses an access key and its secret.
    pub fn new(access_key_id: impl Into<String>, secret_access_key: impl Into<ApiKey>) -> Self {
        let keys = Keys { id: access_key_id.into(), secret: secret_access_key.into(), token: None };
        Self::of(Source::Keys(keys))
    }

    /// Uses the keys of a profile in the shared files. They are read before every attempt, so keys
    /// that another program renews there take effect at once.
    pub fn from_profile(name: impl Into<String>) -> Self {
        let read = |name: &str| Ok(variable(name));
        let profile = profile(Some(name.into()), &read).unwrap_or_else(|_| Profile {
            name: DEFAULT_PROFILE.to_owned(),
            credentials_file: PathBuf::new(),
            config_file: PathBuf::new(),
        });
        let usual_region = region(&read).ok().flatten().or_else(|| profile.region());
        Self { usual_region, ..Self::of(Source::Profile(profile)) }
    }

    fn of(source: Source) -> Self {
        Self {
            source,
            region: None,
            usual_region: None,
            service: Cow::Borrowed("bedrock"),
            now: SystemTime::now,
        }
    }

    /// Finds the keys in the environment or a shared file. The error says what to set.
    pub(crate) fn find(read: Read<'_>) -> Result<Self, String> {
        let (id, secret) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
        let profile = profile(None, read)?;
        let usual_region = region(read)?.or_else(|| profile.region());
        let source = match (read(id)?, read(secret)?) {
            (Some(id), Some(secret)) => {
                let token = read("AWS_SESSION_TOKEN")?.map(ApiKey::from);
                Source::Keys(Keys { id, secret: secret.into(), token })
            }
            (Some(_), None) => return Err(format!("{id} is set, but {secret} is not; set both")),
            (None, Some(_)) => return Err(format!("{secret} is set, but {id} is not; set both")),
            (None, None) if read("AWS_PROFILE")?.is_some() || profile.exists()? => {
                profile.keys()?;
                Source::Profile(profile)
            }
            (None, None) => {
                return Err(format!(
                    "no credentials for AWS; set AWS_BEARER_TOKEN_BEDROCK, or {id} and {secret}, or \
                     AWS_PROFILE, or call .api_key(…) or .credentials(AwsCredentials::new(…))"
                ));
            }
        };
        Ok(Self { usual_region, ..Self::of(source) })
    }

    /// Sets the token of temporary keys. Default: none. No effect on the keys of a profile.
    #[must_use]
    pub fn session_token(mut self, token: impl Into<ApiKey>) -> Self {
        if let Source::Keys(keys) = &mut self.source {
            keys.token = Some(token.into());
        }
        self
    }

    /// Sets the region, such as `eu-west-1`. Default: the one in the host of the base URL, otherwise
    /// `AWS_REGION`, `AWS_DEFAULT_REGION`, or the profile's.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Sets the service that the signature is for. Default: `bedrock`.
    #[must_use]
    pub fn service(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.service = name.into();
        self
    }

    /// Signs a request.
    fn sign(&self, method: &str, url: &str, body: &[u8]) -> Result<Vec<(String, ApiKey)>, String> {
        let url: Url = url.parse().map_err(|_| "the URL cannot be parsed".to_owned())?;
        let host = url.host();
        let default_port = if url.scheme() == "http" { 80 } else { 443 };
        let host_header = match url.port().filter(|port| *port != default_port) {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let region = match (region_of_host(host), &self.region) {
            (Some(of_host), Some(region)) if of_host != region => {
                return Err(format!(
                    "the credentials are for the region {region}, but the base URL is in {of_host}; \
                     use the same region in both"
                ));
            }
            (Some(of_host), _) => of_host,
            (None, region) => {
                region.as_deref().or(self.usual_region.as_deref()).ok_or_else(|| {
                    "no AWS region; set AWS_REGION, or call AwsCredentials::region".to_owned()
                })?
            }
        };
        let keys = match &self.source {
            Source::Keys(keys) => keys,
            Source::Profile(profile) => &profile.keys()?,
        };
        let token = keys.token.as_ref().map(ApiKey::expose);
        let time = time(&self.now);
        let mut headers = vec![("host", &*host_header), ("x-amz-date", &time)];
        headers.extend(token.map(|token| ("x-amz-security-token", token)));
        let covered = Request {
            method,
            path: url.path(),
            query: url.query().unwrap_or_default(),
            headers: &headers,
            body,
        };
        let scope = Scope { time: &time, region, service: &self.service };
        let authorization =
            sigv4::authorization(&covered, &scope, keys.id.trim(), keys.secret.expose());
        let mut made = vec![
            ("authorization".to_owned(), ApiKey::from(authorization)),
            ("x-amz-date".to_owned(), ApiKey::from(time.as_str())),
        ];
        made.extend(token.map(|token| ("x-amz-security-token".to_owned(), ApiKey::from(token))));
        Ok(made)
    }
}

impl Credentials for AwsCredentials {
    fn headers(
        &self,
        request: &Unsigned<'_>,
    ) -> Result<Vec<(String, ApiKey)>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.sign(request.method, request.url, request.body)?)
    }

    fn region(&self) -> Option<&str> {
        self.region.as_ref().or(self.usual_region.as_ref()).map(String::as_str)
    }
}

/// Returns the region that the environment names, otherwise the profile's.
pub(crate) fn usual_region(read: Read<'_>) -> Result<Option<String>, String> {
    Ok(region(read)?.or(profile(None, read)?.region()))
}

/// `AWS_REGION` comes before `AWS_DEFAULT_REGION` (docs.aws.amazon.com/sdkref/latest/guide/
/// feature-region.html; the latter is botocore's and the command line's).
fn region(read: Read<'_>) -> Result<Option<String>, String> {
    Ok(read("AWS_REGION")?.or(read("AWS_DEFAULT_REGION")?))
}

/// Returns the profile with this name, otherwise the one that the environment names
/// (docs.aws.amazon.com/sdkref/latest/guide/file-location.html).
fn profile(name: Option<String>, read: Read<'_>) -> Result<Profile, String> {
    let name = match name {
        Some(name) => name,
        None => read("AWS_PROFILE")?.unwrap_or_else(|| DEFAULT_PROFILE.to_owned()),
    };
    let home = match read("HOME")? {
        Some(home) => Some(home),
        None => read("USERPROFILE")?,
    };
    let home = PathBuf::from(home.unwrap_or_default()).join(".aws");
    let file = |variable: &str, usual: &str| -> Result<PathBuf, String> {
        Ok(read(variable)?.map_or_else(|| home.join(usual), PathBuf::from))
    };
    Ok(Profile {
        name,
        credentials_file: file("AWS_SHARED_CREDENTIALS_FILE", "credentials")?,
        config_file: file("AWS_CONFIG_FILE", "config")?,
    })
}

/// Returns the time in the form `20150830T123600Z`.
fn time(now: &fn() -> SystemTime) -> String {
    let now = now();
    let fraction =
        now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    let text = rfc3339::rfc3339(now - Duration::from_nanos(fraction.into()));
    text.replace(['-', ':'], "")
}

#[cfg(test)]
mod tests;
