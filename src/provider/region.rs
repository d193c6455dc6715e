//! The region that a host names.

/// Returns the region in one of AWS's hosts, such as `bedrock-runtime.eu-west-1.amazonaws.com`,
/// `bedrock-runtime-fips.us-east-1.api.aws` or a VPC endpoint's
/// (docs.aws.amazon.com/general/latest/gr/bedrock.html).
pub(crate) fn region_of_host(host: &str) -> Option<&str> {
    let is_aws = ["amazonaws.com", "amazonaws.com.cn", "api.aws"]
        .iter()
        .any(|domain| host.strip_suffix(domain).is_some_and(|before| before.ends_with('.')));
    let mut labels = host.split('.').skip_while(|label| !label.starts_with("bedrock"));
    labels.next()?;
    labels.next().filter(|_| is_aws)
}
