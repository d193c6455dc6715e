//! Tests of AWS's keys.

use super::*;
use std::env;
use std::fs;

/// 2015-08-30 12:36:00.5 UTC, half a second after the time of AWS's vectors.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_440_938_160_500)
}

fn sign(credentials: &AwsCredentials, url: &str) -> Result<Vec<(String, ApiKey)>, String> {
    let mut credentials = credentials.clone();
    credentials.now = now;
    credentials.sign("POST", url, b"{}")
}

fn authorization(made: &[(String, ApiKey)]) -> &str {
    let header = made.iter().find(|(name, _)| name == "authorization");
    header.map_or("", |(_, value)| value.expose())
}

fn read_from(
    variables: &'static [(&str, &str)],
) -> impl Fn(&str) -> Result<Option<String>, String> {
    |name| {
        let found = variables.iter().find(|(own, _)| *own == name);
        Ok(found.map(|(_, value)| (*value).to_owned()))
    }
}

/// The same as botocore 1.43 (`SigV4Auth`) makes of this request.
#[test]
fn a_request_to_bedrock_is_signed_over_url_and_body() {
    let keys = AwsCredentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    let url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/a.b-v1%3A0/converse";
    let plain = sign(&keys, url).unwrap();
    assert_eq!(
        authorization(&plain),
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/bedrock/aws4_request, \
         SignedHeaders=host;x-amz-date, \
         Signature=20b7019fbc83c873339a1ac16c20cd74648fa8044af4fc332aa5b88a5382eee6"
    );
    assert_eq!(plain[1], ("x-amz-date".to_owned(), ApiKey::from("20150830T123600Z")));
    assert_eq!(plain.len(), 2);
    let temporary = sign(&keys.session_token("token"), url).unwrap();
    assert_eq!(
        authorization(&temporary),
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/bedrock/aws4_request, \
         SignedHeaders=host;x-amz-date;x-amz-security-token, \
         Signature=6422f6bbfe05d29d8d2c554efc0ef31a9c7883128200f0a1ab0d2a7b1e67d8eb"
    );
    assert_eq!(temporary[2], ("x-amz-security-token".to_owned(), ApiKey::from("token")));
}

#[test]
fn the_host_of_the_url_decides_the_region() {
    let aws = "https://bedrock-runtime.eu-west-1.amazonaws.com/x";
    let local = "http://127.0.0.1:8080/x";
    let keys = || AwsCredentials::new("id", "secret");
    let usual = || AwsCredentials { usual_region: Some("ap-south-1".into()), ..keys() };
    for (credentials, url, expected) in [
        (keys(), aws, Ok("eu-west-1")),
        (keys().region("eu-west-1"), aws, Ok("eu-west-1")),
        (usual(), aws, Ok("eu-west-1")),
        (keys().region("us-east-1"), aws, Err("are for the region us-east-1, but the base URL")),
        (keys().region("us-east-1"), local, Ok("us-east-1")),
        (usual(), local, Ok("ap-south-1")),
        (keys(), local, Err("no AWS region; set AWS_REGION")),
    ] {
        let made = sign(&credentials, url);
        match expected {
            Ok(region) => {
                let made = made.unwrap();
                assert!(authorization(&made).contains(&format!("/{region}/bedrock/")), "{url}");
            }
            Err(text) => assert!(made.unwrap_err().contains(text), "{url}"),
        }
    }
    for (host, region) in [
        ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
        ("bedrock-runtime.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
        ("bedrock-runtime.us-east-1.api.aws", Some("us-east-1")),
        ("vpce-1-2.bedrock-runtime.us-east-1.vpce.amazonaws.com", Some("us-east-1")),
        ("bedrock.proxy.example", None),
        ("bedrock-runtime.us-east-1.myamazonaws.com", None),
        ("amazonaws.com", None),
    ] {
        assert_eq!(region_of_host(host), region, "{host}");
    }
}

#[test]
fn keys_come_from_variables_and_then_from_the_profile() {
    let folder = env::temp_dir().join(format!("tollgate-aws-{:016x}", fastrand::u64(..)));
    fs::create_dir_all(folder.join(".aws")).unwrap();
    let credentials = "[default]\naws_access_key_id = FILE\naws_secret_access_key = s\n\
                       aws_session_token = t\n[half]\naws_access_key_id = HALF\n";
    fs::write(folder.join(".aws/credentials"), credentials).unwrap();
    let config = "[default]\nregion = eu-north-1\n[profile sso]\nsso_session = corp\n";
    fs::write(folder.join(".aws/config"), config).unwrap();
    let home = folder.to_str().unwrap().to_owned();
    let find = |variables: &'static [(&str, &str)]| {
        let read = read_from(variables);
        let read = |name: &str| match name {
            "HOME" => Ok(Some(home.clone())),
            name => read(name),
        };
        AwsCredentials::find(&read)
    };
    let keys = [("AWS_ACCESS_KEY_ID", "ENV"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let keys: &'static [_] = Box::leak(Box::new(keys));
    for (variables, id, region) in [
        (keys, "ENV", "eu-north-1"),
        (&[("AWS_REGION", "us-west-2"), ("AWS_DEFAULT_REGION", "x")], "FILE", "us-west-2"),
        (&[("AWS_DEFAULT_REGION", "us-west-1")], "FILE", "us-west-1"),
        (&[], "FILE", "eu-north-1"),
    ] {
        let found = find(variables).unwrap();
        assert_eq!(Credentials::region(&found), Some(region), "{variables:?}");
        let made = sign(&found, "http://127.0.0.1/x").unwrap();
        assert!(authorization(&made).contains(&format!("Credential={id}/")), "{variables:?}");
        assert_eq!(made.len(), if id == "FILE" { 3 } else { 2 });
    }
    for (variables, expected) in [
        (&[("AWS_PROFILE", "none")][..], "has the profile \"none\"; correct AWS_PROFILE"),
        (&[("AWS_PROFILE", "half")], "has aws_access_key_id, but no aws_secret_access_key"),
        (&[("AWS_PROFILE", "sso")], "aws configure export-credentials --profile sso"),
        (&keys[..1], "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not; set both"),
        (&keys[1..], "AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not; set both"),
        (
            &[("AWS_SHARED_CREDENTIALS_FILE", "/none"), ("AWS_CONFIG_FILE", "/none")],
            "no credentials for AWS; set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID and",
        ),
    ] {
        let problem = find(variables).unwrap_err();
        assert!(problem.contains(expected), "{problem}");
    }
    // Keys that another program renews take effect.
    let found = find(&[]).unwrap();
    fs::write(folder.join(".aws/credentials"), credentials.replace("FILE", "NEW")).unwrap();
    let made = sign(&found, "http://127.0.0.1/x").unwrap();
    assert!(authorization(&made).contains("Credential=NEW/"));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn debug_output_shows_no_key() {
    let keys = AwsCredentials::new("AKIDEXAMPLE", "the secret").session_token("the token");
    let shown = format!("{:?}", keys.region("eu-west-1"));
    assert!(shown.contains("eu-west-1"), "{shown}");
    assert!(!shown.contains("the ") && !shown.contains("AKID"), "{shown}");
}
