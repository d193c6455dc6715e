//! Tests of requests for tokens and of the answers to them.

use super::super::file::{self, TOKEN_URI, tests::*};
use super::*;
use serde_json::json;
use std::time::UNIX_EPOCH;

fn account() -> Source {
    file::parse(&service_account().to_string()).unwrap()
}

fn login() -> Source {
    file::parse(&user().to_string()).unwrap()
}

fn metadata() -> Source {
    Source::metadata(None)
}

fn reply(status: u16, body: &Value) -> TokenReply {
    TokenReply { status, date: None, body: body.to_string().into_bytes() }
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn each_source_asks_in_its_own_way() {
    let request = account().token_request(at(9)).unwrap();
    let form = request.form.as_deref().unwrap();
    let start = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=eyJ";
    assert!(request.url == TOKEN_URI && form.starts_with(start), "{form}");
    let mut secrets = Vec::new();
    request.secrets(|secret| secrets.push(secret.to_owned()));
    assert!(matches!(&*secrets, [secret] if form.ends_with(secret.as_str())));

    let request = login().token_request(at(9)).unwrap();
    assert_eq!(
        request.form.as_deref(),
        Some(
            "grant_type=refresh_token&client_id=c&client_secret=the-client-secret\
             &refresh_token=the-refresh-token"
        )
    );

    let request = metadata().token_request(at(9)).unwrap();
    assert_eq!(
        request.url,
        "http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token\
         ?scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform"
    );
    assert_eq!((request.form, request.limit), (None, Some(METADATA_LIMIT)));
    let project = metadata().project_request().unwrap();
    assert_eq!(project.url, "http://169.254.169.254/computeMetadata/v1/project/project-id");
    assert!(account().project_request().is_none());
}

#[test]
fn a_token_is_as_fresh_as_it_says() {
    let now = Instant::now();
    let later = |seconds| now + Duration::from_secs(seconds);
    for (body, expected) in [
        (json!({"access_token": "t", "expires_in": 3599, "token_type": "Bearer"}), 3599),
        (json!({"access_token": "t", "expires_in": "3599"}), 3599),
        (json!({"access_token": " t\n", "expires_in": 60}), 60),
        (json!({"access_token": "t"}), 0),
        (json!({"access_token": "t", "expires_in": "soon"}), 0),
        (json!({"access_token": "t", "expires_in": -5}), 0),
        (json!({"access_token": "t", "expires_in": u64::MAX}), 24 * 3600),
    ] {
        let token = token(&account(), &reply(200, &body), (now, at(0))).unwrap();
        assert_eq!(token.expires, later(expected), "{body}");
        assert_eq!(token.bearer(), ApiKey::from("Bearer t"));
        assert!(!format!("{token:?}").contains("\"t"));
    }
    let token = Token { value: "t".into(), made: now, expires: later(1000) };
    assert!(!token.may_be_revoked(later(59)) && token.may_be_revoked(later(60)));
    for (seconds, expected) in [
        (0, Freshness::Fresh),
        (774, Freshness::Fresh),
        (775, Freshness::Ageing),
        (989, Freshness::Ageing),
        (990, Freshness::Expired),
        (2000, Freshness::Expired),
    ] {
        assert_eq!(token.freshness(later(seconds)), expected, "{seconds}");
    }
}

#[test]
fn what_is_no_token_is_an_error() {
    for body in [json!({}), json!([]), json!({"access_token": ""}), json!({"access_token": "a b"})]
    {
        let error = token(&account(), &reply(200, &body), (Instant::now(), at(0))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(error.message().contains("no access_token"), "{error}");
    }
}

/// The explained error for a response.
fn refused(source: &Source, reply: &TokenReply, now: u64) -> Error {
    let error = token(source, reply, (Instant::now(), at(now))).unwrap_err();
    explain(error, source, &[])
}

#[test]
fn refusals_say_what_to_do() {
    use ErrorKind::{Authentication, RateLimited, Server};

    let grant = |text: &str| json!({"error": "invalid_grant", "error_description": text});
    for (source, status, body, kind, expected) in [
        (
            account(),
            400,
            grant("Invalid JWT Signature."),
            Authentication,
            "service account me@p-1.iam.gserviceaccount.com: invalid_grant: Invalid JWT Signature; \
             the key was deleted or belongs to another account; create a new one",
        ),
        (
            account(),
            400,
            grant(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
            ),
            Authentication,
            "reasonable timeframe; is this machine's clock right?",
        ),
        (
            account(),
            400,
            grant("Invalid grant: account not found"),
            Authentication,
            "does the service account still exist",
        ),
        (
            login(),
            400,
            grant("Token has been expired or revoked."),
            Authentication,
            "gave no token for gcloud's login: invalid_grant: Token has been expired or revoked; \
             run `gcloud auth application-default login` again",
        ),
        (
            login(),
            401,
            json!({"error": "invalid_client", "error_description": "The OAuth client was not found."}),
            Authentication,
            "run `gcloud auth application-default login` again",
        ),
        (
            metadata(),
            404,
            json!("Not Found"),
            Authentication,
            "the metadata server at 169.254.169.254 gave no token: status 404; attach a service account",
        ),
        (account(), 500, json!({"error": "internal_failure"}), Server, "internal_failure"),
        (account(), 400, json!({"error": "temporarily_unavailable"}), Server, "temporarily"),
        (account(), 503, json!("<html>"), Server, "status 503"),
        (account(), 429, json!({"error": "rate_limit_exceeded"}), RateLimited, "rate_limit"),
        (
            account(),
            403,
            json!({"error": {"code": 403, "message": "Blocked.", "status": "PERMISSION_DENIED"}}),
            Authentication,
            "Blocked; create a new key",
        ),
    ] {
        let error = refused(&source, &reply(status, &body), 0);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(expected), "{}", error.message());
    }
}

#[test]
fn a_wrong_clock_is_measured() {
    let body = json!({"error": "invalid_grant", "error_description": "Invalid JWT"});
    for (server, here, expected) in [
        (
            10_000,
            17_200,
            "this machine's clock is 120 minutes ahead of the server's; set the clock",
        ),
        (10_000, 9_700, "this machine's clock is 5 minutes behind the server's; set the clock"),
        (10_000, 10_060, "is this machine's clock right?"),
    ] {
        let reply = TokenReply { date: Some(at(server)), ..reply(400, &body) };
        let message = refused(&account(), &reply, here).message().to_owned();
        assert!(message.contains(expected), "{message}");
    }
    // Other refusals have other reasons.
    let reply = TokenReply { date: Some(at(0)), ..reply(503, &json!({})) };
    assert!(!refused(&account(), &reply, 90_000).message().contains("clock"));
}

#[test]
fn without_any_credentials_the_error_says_where_was_looked() {
    let looked_at = ["A is not set".to_owned(), "there is no /b".to_owned()];
    for (kind, is_absent) in
        [(ErrorKind::Connection, true), (ErrorKind::Timeout, true), (ErrorKind::Server, false)]
    {
        let error = Error::new(kind, "cannot connect").with_phase(crate::Phase::Connect);
        let explained = explain(error, &metadata(), &looked_at);
        let message = explained.message();
        assert_eq!(
            message.starts_with(
                "found no Google Cloud credentials: A is not set, there is no /b, and no metadata \
                 server answers at 169.254.169.254 (cannot connect); run `gcloud"
            ),
            is_absent,
            "{message}"
        );
        assert_eq!(explained.kind(), if is_absent { ErrorKind::Authentication } else { kind });
    }
    let cancelled = explain(Error::cancelled(), &metadata(), &looked_at);
    assert!(cancelled.is_cancelled() && !cancelled.message().contains("Google"));
}

#[test]
fn the_project_of_a_machine_is_plain_text() {
    let read = |status, body: &str| {
        project(&TokenReply { status, date: None, body: body.as_bytes().to_vec() })
    };
    assert_eq!(&*read(200, " my-project-1\n").unwrap(), "my-project-1");
    for (status, body) in [(200, ""), (200, "<html>"), (404, "my-project"), (200, "a/b")] {
        let error = read(status, body).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().contains("set GOOGLE_VERTEX_PROJECT"), "{error}");
    }
    assert_eq!(read(503, "").unwrap_err().kind(), ErrorKind::Server);
}
