//! Finds the address and the keys for Amazon Bedrock.

use std::sync::Arc;

use super::Environment;
use super::setters::Setters;
use crate::provider::{AwsCredentials, Credentials, aws_region};

/// Finds AWS's keys in the environment or a profile, for a client without a key or credentials.
/// `location` is the region that the program set.
pub(super) fn default_credentials(
    location: Option<&str>,
    environment: &Environment<'_>,
) -> Result<Arc<dyn Credentials>, String> {
    let found = AwsCredentials::find(&|name| environment.read(name))?;
    Ok(Arc::new(match location {
        Some(region) => found.region(region),
        None => found,
    }))
}

/// Returns the base URL in a region: the region that the program set, otherwise that of the
/// credentials, otherwise that of the environment or the profile.
pub(super) fn base_url(
    location: Option<&str>,
    credentials: Option<&dyn Credentials>,
    environment: &Environment<'_>,
    setters: Setters,
) -> Result<String, String> {
    let region = location.or_else(|| credentials?.region()).map(str::to_owned);
    let region = match region {
        Some(region) => Some(region),
        None => aws_region(&|name| environment.read(name))?,
    };
    let Some(region) = region else {
        return Err(format!(
            "no AWS region; set AWS_REGION, or call {} with one such as \"eu-west-1\"",
            setters.call("location", "…")
        ));
    };
    let is_region = region.contains('-')
        && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !is_region {
        return Err(format!("{region:?} is not an AWS region; set one such as \"eu-west-1\""));
    }
    // Each partition of AWS has a domain (botocore `data/partitions.json`).
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    Ok(format!("https://bedrock-runtime.{region}.{domain}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_makes_the_address() {
        let none: &[(&str, &str)] = &[];
        let eu = "https://bedrock-runtime.eu-west-1.amazonaws.com";
        let cn = "https://bedrock-runtime.cn-north-1.amazonaws.com.cn";
        let keys = || AwsCredentials::new("id", "secret").region("eu-west-1");
        for (location, credentials, variables, expected) in [
            (Some("eu-west-1"), None, none, Ok(eu)),
            (Some("cn-north-1"), Some(keys()), none, Ok(cn)),
            (None, Some(keys()), &[("AWS_REGION", "us-east-1")], Ok(eu)),
            (None, None, &[("AWS_REGION", "eu-west-1"), ("AWS_DEFAULT_REGION", "x")], Ok(eu)),
            (None, None, &[("AWS_DEFAULT_REGION", "eu-west-1")], Ok(eu)),
            (
                None,
                None,
                none,
                Err("no AWS region; set AWS_REGION, or call ProviderConfig::location"),
            ),
            (Some("evil.example/"), None, none, Err("\"evil.example/\" is not an AWS region; set")),
        ] {
            let environment = Environment::new(|name| {
                let found = variables.iter().find(|(own, _)| *own == name);
                found.map(|(_, value)| (*value).to_owned())
            });
            let credentials = credentials.as_ref().map(|keys| keys as &dyn Credentials);
            let url = base_url(location, credentials, &environment, Setters::ProviderConfig);
            match expected {
                Ok(expected) => assert_eq!(url.as_deref(), Ok(expected)),
                Err(text) => assert!(url.unwrap_err().contains(text), "{text}"),
            }
        }
    }
}
