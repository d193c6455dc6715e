use oxhttp::Server;
use oxhttp::model::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, X_CONTENT_TYPE_OPTIONS,
};
use oxhttp::model::{Body, Method, Request, Response, StatusCode};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use tollgate::Client;

use crate::history::History;
use crate::host;

const PAGE: &str = include_str!("page.html");

/// The page loads nothing, connects only to this server, and cannot be framed by another page.
const POLICY: &str = "default-src 'none'; connect-src 'self'; img-src data:; \
                      script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                      frame-ancestors 'none'";

const TEXT: &str = "text/plain; charset=utf-8";

/// How many connections may be open at once.
const MOST: usize = 32;

/// Serves on this machine for as long as the program runs. Returns the address.
pub(crate) fn serve(port: u16, client: Client, history: Arc<History>) -> io::Result<SocketAddr> {
    // oxhttp does not report the port it was given, so look for a free one first.
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.local_addr()?;
    Server::new(move |request| answer(request, address, &client, &history))
        .bind(address)
        .with_max_concurrent_connections(MOST)
        .spawn()?;
    Ok(address)
}

/// Answers a request to `address`.
pub(crate) fn answer(
    request: &Request<Body>,
    address: SocketAddr,
    client: &Client,
    history: &History,
) -> Response<Body> {
    let mut hosts = request.headers().get_all(HOST).iter().map(|host| host.to_str());
    let is_ours = match (hosts.next(), hosts.next()) {
        (Some(Ok(host)), None) => host::is_ours(host, address),
        _ => false,
    };
    if !is_ours {
        let help = format!(
            "This server answers only at http://{address}/ and http://localhost:{}/.\n",
            address.port()
        );
        return response(StatusCode::MISDIRECTED_REQUEST, TEXT, help);
    }
    if request.method() != Method::GET {
        return response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "This server answers only GET.\n");
    }
    match request.uri().path() {
        "/" => response(StatusCode::OK, "text/html; charset=utf-8", PAGE),
        "/snapshot.json" => {
            let body = history.json(&client.metrics(), after(request)).to_string();
            response(StatusCode::OK, "application/json", body)
        }
        "/metrics" => {
            let body = client.metrics().prometheus();
            response(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", body)
        }
        _ => response(StatusCode::NOT_FOUND, TEXT, "Try /, /snapshot.json or /metrics.\n"),
    }
}

/// The number of the last point that the page already has: `?after=17`.
fn after(request: &Request<Body>) -> u64 {
    let query = request.uri().query().unwrap_or_default();
    query.strip_prefix("after=").and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn response(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Body>,
) -> Response<Body> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content_type)
        .header(CONTENT_SECURITY_POLICY, POLICY)
        .header(CACHE_CONTROL, "no-store")
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(body.into())
        .expect("names and values are valid")
}
