//! `SSL_CERT_FILE` and `SSL_CERT_DIR`, and what an error about a certificate advises.
#![cfg(feature = "rustls")]

mod support;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::listener::PATIENCE;
use support::tls::{AUTHORITY, TlsServer};
use support::{KEY, builder, loopback, quick_retries};
use tollgate::{Client, ClientBuilder, ErrorKind, Tls};

/// Runs a client in a process of its own, since a test must not change the environment of the
/// others. `URL` is the base URL, `TLS` what the client's settings trust.
const URL: &str = "TOLLGATE_TEST_URL";
const TLS: &str = "TOLLGATE_TEST_TLS";

fn at(url: &str) -> ClientBuilder {
    Client::builder()
        .provider("openai")
        .model("gpt-4o-mini")
        .api_key(KEY)
        .base_url(url)
        .timeout(PATIENCE)
        .connect_timeout(PATIENCE)
        .retry(quick_retries(0))
}

#[test]
fn in_a_process_of_its_own() {
    let Ok(url) = env::var(URL) else { return };
    let builder = match env::var(TLS).as_deref() {
        Ok("bundled") => at(&url).tls(Tls::Bundled),
        Ok("roots") => at(&url).tls(Tls::Roots(AUTHORITY.to_vec())),
        _ => at(&url),
    };
    match builder.build().and_then(|client| client.chat("hi")) {
        Ok(_) => println!("ended: answered"),
        Err(error) => println!("ended: {}: {}", error.kind().as_str(), error.message()),
    }
}

/// The outcome of a call in a process with these variables.
fn outcome(url: &str, variables: &[(&str, &str)]) -> String {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "in_a_process_of_its_own", "--nocapture"])
        .env_remove("SSL_CERT_FILE")
        .env_remove("SSL_CERT_DIR")
        .env(URL, url)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.split_once("ended: "));
    line.unwrap_or_else(|| panic!("{text}")).1.to_owned()
}

/// A folder of this test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = env::temp_dir().join(format!("tollgate-trust-{}", std::process::id()));
        fs::create_dir_all(path.join("empty")).unwrap();
        fs::create_dir_all(path.join("certs")).unwrap();
        for (name, bytes) in [
            ("ca.pem", AUTHORITY),
            ("other.pem", include_bytes!("tls/server.pem").as_slice()),
            ("nonsense.pem", b"nonsense"),
            ("cut.pem", &AUTHORITY[..AUTHORITY.len() / 2]),
            // Beside what OpenSSL puts there.
            ("certs/5ed36f99.0", AUTHORITY),
            ("certs/ca.pem", AUTHORITY),
            ("certs/README", b"about these"),
            ("certs/broken.pem", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"),
        ] {
            fs::write(path.join(name), bytes).unwrap();
        }
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_environment_names_the_root_certificates() {
    let (server, folder) = (loopback(), Folder::new());
    let tls = TlsServer::start(server.address());
    let ca = folder.path("ca.pem");
    let (certs, empty, other) =
        (folder.path("certs"), folder.path("empty"), folder.path("other.pem"));
    let (nonsense, cut) = (folder.path("nonsense.pem"), folder.path("cut.pem"));
    let quoted = format!(" “{ca}”\n");
    let both = env::join_paths([Path::new("/no/such/folder"), Path::new(&certs)]).unwrap();
    let both = both.to_str().unwrap();
    for (variables, expected) in [
        (&[("SSL_CERT_FILE", &*ca)][..], "answered"),
        (&[("SSL_CERT_FILE", &quoted)], "answered"),
        (&[("SSL_CERT_DIR", &certs)], "answered"),
        (&[("SSL_CERT_DIR", both)], "answered"),
        (&[("SSL_CERT_FILE", &other), ("SSL_CERT_DIR", &certs)], "answered"),
        (&[("SSL_CERT_FILE", &ca), ("SSL_CERT_DIR", &empty)], "answered"),
        // Settings go before the environment.
        (&[("SSL_CERT_FILE", &other), (TLS, "roots")], "answered"),
        (&[("SSL_CERT_FILE", &nonsense), (TLS, "roots")], "answered"),
        (&[("SSL_CERT_FILE", &ca), (TLS, "bundled")], "tls: "),
        // A blank one is not set.
        (&[("SSL_CERT_FILE", " "), ("SSL_CERT_DIR", "")], "tls: "),
        (&[("SSL_CERT_FILE", &other)], "tls: "),
        (
            &[("SSL_CERT_FILE", "/no/such.pem")],
            "configuration: cannot read the root certificates in SSL_CERT_FILE (/no/such.pem)",
        ),
        (
            &[("SSL_CERT_FILE", &empty)],
            "configuration: cannot read the root certificates in SSL_CERT_FILE",
        ),
        (&[("SSL_CERT_FILE", &nonsense)], "configuration: the root certificates in SSL_CERT_FILE"),
        (&[("SSL_CERT_FILE", &cut)], "configuration: the root certificates in SSL_CERT_FILE"),
        (&[("SSL_CERT_DIR", &empty)], "configuration: no root certificates in SSL_CERT_DIR"),
        (
            &[("SSL_CERT_DIR", "/no/such")],
            "configuration: no root certificates in SSL_CERT_DIR (/no/such)",
        ),
        (
            &[("SSL_CERT_FILE", "/a\n/b")],
            "configuration: the environment variable SSL_CERT_FILE contains a line break",
        ),
    ] {
        let ended = outcome(&tls.base_url(), variables);
        assert!(ended.starts_with(expected), "{variables:?}: {ended}");
    }
    // A call without TLS needs no certificates.
    let plain = server.base_url("openai");
    assert_eq!(outcome(&plain, &[("SSL_CERT_FILE", "/no/such.pem")]), "answered");
}

#[test]
fn a_certificate_error_says_what_to_do() {
    let server = loopback();
    let tls = TlsServer::start(server.address());
    let by_address = tls.base_url().replace("localhost", "127.0.0.1");
    let trusting = |url: &str| at(url).tls(Tls::Roots(AUTHORITY.to_vec()));
    let plain = server.base_url("openai").replace("http://", "https://");
    for (client, expected) in [
        (at(&tls.base_url()).tls(Tls::Bundled), "set the environment variable SSL_CERT_FILE"),
        (trusting(&by_address), "the certificate is for another host"),
        (builder(&server, "openai").base_url(plain), "should the base URL start with http://?"),
    ] {
        let error = client.build().unwrap().chat("hi").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}
