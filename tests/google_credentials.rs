//! The credentials of Google Cloud, over real sockets: one server is the token endpoint, the
//! metadata server and Vertex AI.

mod support;

use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use support::{cancelled, loopback, quick_retries};
use tollgate::cost::{Budget, Money};
use tollgate::provider::GoogleCredentials;
use tollgate::testing::{Loopback, Reply, Request};
use tollgate::{ChatRequest, Client, ClientBuilder, ErrorKind};

const TOKEN_PATH: &str = "/token";
const METADATA: &str = "/computeMetadata/v1/";

/// A client of Vertex AI with these credentials, without a project of its own.
fn builder(server: &Loopback, credentials: GoogleCredentials) -> ClientBuilder {
    server.base_url("vertex");
    Client::builder()
        .provider("vertex")
        .model("gemini-2.5-flash")
        .base_url(format!("http://{}", server.address()))
        .credentials(credentials)
        .location("global")
        .timeout(Duration::from_secs(30))
        .connect_timeout(Duration::from_secs(30))
        .retry(quick_retries(0))
}

fn service_account(server: &Loopback) -> GoogleCredentials {
    let file = json!({
        "type": "service_account",
        "project_id": "p-1",
        "private_key_id": "k1",
        "private_key": include_str!("../src/provider/auth/google/test_key.pem"),
        "client_email": "me@p-1.iam.gserviceaccount.com",
        "token_uri": format!("http://{}{TOKEN_PATH}", server.address()),
    });
    GoogleCredentials::from_json(file.to_string()).unwrap()
}

fn login(server: &Loopback) -> GoogleCredentials {
    let file = json!({
        "type": "authorized_user",
        "client_id": "c",
        "client_secret": "the-client-secret",
        "refresh_token": "the-refresh-token",
        "quota_project_id": "q-1",
        "token_uri": format!("http://{}{TOKEN_PATH}", server.address()),
    });
    GoogleCredentials::from_json(file.to_string()).unwrap()
}

fn is_for_token(request: &Request) -> bool {
    request.path() == TOKEN_PATH || request.path().starts_with(METADATA)
}

fn json(status: u16, body: &Value) -> Reply {
    Reply::raw(status, "application/json", body.to_string().into_bytes())
}

/// Answers each request for a token with a new one of this lifetime.
fn issue(server: &Loopback, seconds: u64) {
    let count = AtomicU64::new(0);
    server.respond(move |request| {
        let token = || format!("ya29.secret-{}", count.fetch_add(1, Ordering::SeqCst) + 1);
        match request.path() {
            path if path.ends_with("/project-id") => {
                Some(Reply::raw(200, "application/text", "p-2"))
            }
            _ if is_for_token(request) => Some(json(
                200,
                &json!({"access_token": token(), "expires_in": seconds, "token_type": "Bearer"}),
            )),
            _ => None,
        }
    });
}

/// The requests for tokens, and the others.
fn split(server: &Loopback) -> (Vec<Request>, Vec<Request>) {
    server.requests().into_iter().partition(is_for_token)
}

#[test]
fn many_threads_share_one_token_of_a_service_account() {
    let server = loopback();
    issue(&server, 3600);
    let client = builder(&server, service_account(&server)).build().unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| client.chat("hi").unwrap());
        }
    });
    client.stream("hi").unwrap().finish().unwrap();
    let (tokens, calls) = split(&server);
    assert_eq!((tokens.len(), calls.len()), (1, 9));
    let form = String::from_utf8(tokens[0].body().to_vec()).unwrap();
    assert!(form.starts_with("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"));
    assert_eq!(tokens[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(tokens[0].header("authorization"), None);
    for call in calls {
        assert_eq!(call.header("authorization"), Some("Bearer ya29.secret-1"));
        assert!(call.path().starts_with("/v1/projects/p-1/locations/global/"), "{}", call.path());
        assert_eq!(call.header("x-goog-user-project"), None);
    }
}

#[test]
fn a_login_sends_its_refresh_token_and_names_who_pays() {
    let server = loopback();
    issue(&server, 3600);
    let client = builder(&server, login(&server)).build().unwrap();
    client.chat("hi").unwrap();
    let (tokens, calls) = split(&server);
    assert_eq!(
        String::from_utf8_lossy(tokens[0].body()),
        "grant_type=refresh_token&client_id=c&client_secret=the-client-secret\
         &refresh_token=the-refresh-token"
    );
    assert_eq!(calls[0].header("x-goog-user-project"), Some("q-1"));
    assert!(calls[0].path().starts_with("/v1/projects/q-1/"));
}

#[test]
fn the_metadata_server_knows_token_and_project() {
    let server = loopback();
    issue(&server, 3600);
    let metadata = GoogleCredentials::metadata_server_at(server.address().to_string());
    let client = builder(&server, metadata).build().unwrap();
    for _ in 0..3 {
        client.chat("hi").unwrap();
    }
    client.get("/publishers/google/models").unwrap_err();
    let (asked, calls) = split(&server);
    let paths: Vec<_> = asked.iter().map(Request::path).collect();
    let expected = ["project/project-id", "instance/service-accounts/default/token"];
    assert_eq!(paths, expected.map(|path| format!("{METADATA}{path}")));
    for request in asked {
        assert_eq!((request.method(), request.header("metadata-flavor")), ("GET", Some("Google")));
        assert!(request.body().is_empty());
    }
    assert!(calls.iter().all(|call| call.path().starts_with("/v1/projects/p-2/locations/global/")));
    assert_eq!(calls.len(), 4);
}

#[test]
fn an_expired_token_is_replaced_and_an_ageing_one_too() {
    for (seconds, requests) in [(5, 3), (100, 3), (3600, 1)] {
        let server = loopback();
        issue(&server, seconds);
        let client = builder(&server, service_account(&server)).build().unwrap();
        for _ in 0..3 {
            client.chat("hi").unwrap();
        }
        let (tokens, calls) = split(&server);
        assert_eq!(tokens.len(), requests, "{seconds} s");
        let last = format!("Bearer ya29.secret-{requests}");
        assert_eq!(calls[2].header("authorization"), Some(last.as_str()));
    }
}

#[test]
fn an_ageing_token_still_works_if_it_cannot_be_replaced() {
    let server = loopback();
    issue(&server, 100);
    let client = builder(&server, service_account(&server)).build().unwrap();
    client.chat("hi").unwrap();
    server.clear();
    server.on(is_for_token, json(503, &json!({"error": "temporarily_unavailable"})));
    for _ in 0..3 {
        client.chat("hi").unwrap();
    }
    let (tokens, calls) = split(&server);
    assert_eq!((tokens.len(), calls.len()), (2, 4), "one failed, and was not repeated at once");
}

#[test]
fn a_refusal_is_reported_once_for_all_and_nothing_is_sent_or_charged() {
    let server = loopback();
    let grant = json!({"error": "invalid_grant", "error_description": "Invalid JWT Signature."});
    server.on(is_for_token, json(400, &grant));
    let budget = Budget::total(Money::dollars(1));
    let client = builder(&server, service_account(&server)).budget(budget).build().unwrap();
    let request = || ChatRequest::from("hi").max_output_tokens(10);
    for stream in [false, true, false] {
        let error = match stream {
            false => client.chat(request()).unwrap_err(),
            true => client.stream(request()).err().unwrap(),
        };
        assert_eq!((error.kind(), error.provider()), (ErrorKind::Authentication, Some("vertex")));
        assert!(error.message().contains("create a new one"), "{error}");
        assert!(!error.is_retryable() && error.status().is_none());
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("eyJ"), "{shown}");
    }
    let (tokens, calls) = split(&server);
    assert_eq!((tokens.len(), calls.len()), (1, 0));
    let total = client.costs().total;
    assert_eq!((total.calls, total.cost.total), (0, Money::ZERO));
}

#[test]
fn a_refusal_whose_date_is_far_from_this_clock_says_so() {
    let server = loopback();
    let grant = json!({"error": "invalid_grant", "error_description": "Invalid JWT"});
    let refusal = json(400, &grant).header("date", "Fri, 01 Jan 2016 00:00:00 GMT");
    server.on(is_for_token, refusal);
    let client = builder(&server, service_account(&server)).build().unwrap();
    let error = client.chat("hi").unwrap_err();
    assert!(error.message().contains("ahead of the server's; set the clock"), "{error}");
}

#[test]
fn secrets_that_a_server_repeats_are_hidden() {
    let server = loopback();
    let echo =
        json!({"error": "x", "error_description": "no: the-refresh-token the-client-secret"});
    server.on(is_for_token, json(400, &echo));
    let client = builder(&server, login(&server)).build().unwrap();
    let error = client.chat("hi").unwrap_err();
    let shown = format!("{error} {error:?} {client:?}");
    assert!(shown.contains("[key]"), "{shown}");
    for secret in ["the-refresh-token", "the-client-secret"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    // The provider may repeat the token.
    let server = loopback();
    issue(&server, 3600);
    server.reply(Reply::error(401, "UNAUTHENTICATED", "bad token ya29.secret-1"));
    let client = builder(&server, login(&server)).build().unwrap();
    let error = client.chat("hi").unwrap_err();
    assert_eq!(error.message(), "bad token [key]");
    assert!(!format!("{error:?}").contains("ya29"));
}

#[test]
fn a_failing_endpoint_is_tried_again_with_the_call() {
    let server = loopback();
    let count = AtomicU64::new(0);
    server.respond(move |request| {
        is_for_token(request).then(|| match count.fetch_add(1, Ordering::SeqCst) {
            0 => json(503, &json!({})),
            _ => json(200, &json!({"access_token": "ya29.secret", "expires_in": 3600})),
        })
    });
    // Longer than the first hold-off.
    let mut retries = quick_retries(3);
    retries.initial_interval = Duration::from_millis(400);
    retries.max_interval = Duration::from_millis(400);
    retries.retry_ambiguous = false;
    let client = builder(&server, service_account(&server)).retry(retries).build().unwrap();
    let answer = client.chat("hi").unwrap();
    assert_eq!(answer.attempts().len(), 2);
    let failure = answer.attempts()[0].failure.as_ref().unwrap();
    assert_eq!((failure.kind, failure.status), (ErrorKind::Server, None));
    let (tokens, calls) = split(&server);
    assert_eq!((tokens.len(), calls.len()), (2, 1));
}

#[test]
fn deadline_and_cancel_token_of_the_call_end_a_hanging_request_for_a_token() {
    let server = loopback();
    server.on(is_for_token, Reply::hang());
    let client = builder(&server, service_account(&server)).build().unwrap();
    let error =
        client.chat(ChatRequest::from("hi").timeout(Duration::from_millis(50))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.message().contains("/token gave no token for the service account"), "{error}");
    assert_eq!(server.request_count(), 1);
    cancelled(&client, || {
        assert!(server.wait_for_requests(2, Duration::from_secs(30)));
    });
    // Neither says anything about the endpoint: the next call asks it again.
    server.clear();
    issue(&server, 3600);
    client.chat("hi").unwrap();
}

#[test]
fn two_clients_share_the_token_of_their_credentials() {
    let server = loopback();
    issue(&server, 3600);
    let credentials = service_account(&server);
    for credentials in [credentials.clone(), credentials] {
        builder(&server, credentials).build().unwrap().chat("hi").unwrap();
    }
    assert_eq!(split(&server).0.len(), 1);
}

#[test]
fn a_file_that_is_no_key_is_a_configuration_error() {
    for (text, expected) in [
        ("", "the Google credentials are empty"),
        ("{\"type\": \"external_account\"}", "pass tokens to .credentials(…) instead"),
    ] {
        let error = GoogleCredentials::from_json(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().contains(expected), "{error}");
    }
    let error = GoogleCredentials::from_file("/no/such/file.json").unwrap_err();
    assert!(error.message().contains("there is no file /no/such/file.json"), "{error}");
}
