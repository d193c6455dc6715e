//! The dashboard example's server answers only requests to this machine's own names.

mod support;

#[path = "../examples/dashboard/history.rs"]
mod history;
#[path = "../examples/dashboard/host.rs"]
mod host;
#[allow(dead_code)] // What listens.
#[path = "../examples/dashboard/site.rs"]
mod site;

use history::History;
use oxhttp::model::{Body, Request, StatusCode};
use support::{builder, loopback};

const PATHS: [&str; 4] = ["/", "/snapshot.json?after=1", "/metrics", "/nowhere"];

#[test]
fn only_names_of_this_machine_with_the_port_are_its_own() {
    for (address, host, expected) in [
        ("127.0.0.1:8720", "127.0.0.1:8720", true),
        ("127.0.0.1:8720", "localhost:8720", true),
        ("127.0.0.1:8720", "LocalHost:8720", true),
        ("127.0.0.1:8720", "[::1]:8720", true),
        ("127.0.0.2:8720", "127.0.0.2:8720", true),
        ("[::1]:8720", "[::1]:8720", true),
        ("[::1]:8720", "localhost:8720", true),
        ("127.0.0.1:80", "localhost", true),
        ("127.0.0.1:80", "[::1]", true),
        ("127.0.0.1:8720", "localhost", false),
        ("127.0.0.1:8720", "localhost:8721", false),
        ("127.0.0.1:8720", "localhost:+8720", false),
        ("127.0.0.1:8720", "localhost:", false),
        ("127.0.0.1:8720", "127.0.0.2:8720", false),
        ("127.0.0.1:8720", "evil.example:8720", false),
        ("127.0.0.1:8720", "localhost.evil.example:8720", false),
        ("127.0.0.1:8720", "evil.example", false),
        ("127.0.0.1:8720", "user@localhost:8720", false),
        ("127.0.0.1:8720", "localhost:8720:8720", false),
        ("127.0.0.1:8720", "::1:8720", false),
        ("127.0.0.1:8720", "[::1", false),
        ("127.0.0.1:8720", "", false),
        ("127.0.0.1:8720", ":8720", false),
    ] {
        assert_eq!(host::is_ours(host, address.parse().unwrap()), expected, "{host} at {address}");
    }
}

#[test]
fn a_request_with_another_host_name_gets_no_data() {
    let server = loopback();
    let client = builder(&server, "openai").build().unwrap();
    let history = History::new();
    history.note(&client.metrics());
    let address = "127.0.0.1:8720".parse().unwrap();
    let hosts: [&[&str]; 6] = [
        &["localhost:8720"],
        &["evil.example:8720"],
        &["evil.example"],
        &[],
        &["localhost:8720", "evil.example"],
        &["localhost:8720", "localhost:8720"],
    ];
    for (number, hosts) in hosts.into_iter().enumerate() {
        for path in PATHS {
            let request = hosts
                .iter()
                .fold(Request::get(path), |request, host| request.header("host", *host));
            let request = request.body(Body::empty()).unwrap();
            let response = site::answer(&request, address, &client, &history);
            let expected = match (number, path) {
                (0, "/nowhere") => StatusCode::NOT_FOUND,
                (0, _) => StatusCode::OK,
                _ => StatusCode::MISDIRECTED_REQUEST,
            };
            assert_eq!(response.status(), expected, "{hosts:?} {path}");
            for (name, value) in
                [("cache-control", "no-store"), ("x-content-type-options", "nosniff")]
            {
                assert_eq!(response.headers()[name], value, "{hosts:?} {path}");
            }
            let text = response.into_body().to_string().unwrap();
            let refusal = "This server answers only at http://127.0.0.1:8720/ and \
                           http://localhost:8720/.\n";
            assert_eq!(text == refusal, number > 0, "{text}");
        }
    }
}
