//! What one writes with ureq: without a timeout, or with one over the whole call.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::time::Duration;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::Arm;
use super::completion::{Completion, Request};
use crate::failure::Failure;
use crate::server::AUTHORITY;
use crate::server::answers::KEY;

pub struct Ureq {
    agent: Agent,
    url: String,
    authorization: String,
}

impl Ureq {
    pub fn new(url: &str, timeout: Option<Duration>) -> Result<Self, Failure> {
        let roots = RootCerts::new_with_certs(&[Certificate::from_pem(AUTHORITY)?]);
        let config = Config::builder()
            .timeout_global(timeout)
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .build();
        let url = format!("{url}/chat/completions");
        Ok(Self { agent: config.into(), url, authorization: format!("Bearer {KEY}") })
    }

    fn send(&self, request: &Request) -> Result<Response<ureq::Body>, Failure> {
        let response = self
            .agent
            .post(&self.url)
            .header("authorization", &self.authorization)
            .header("content-type", "application/json")
            .send(serde_json::to_vec(request)?)?;
        Ok(response)
    }
}

impl Arm for Ureq {
    fn chat(&mut self) -> Result<String, Failure> {
        let body = self.send(&Request::new(false))?.body_mut().read_to_vec()?;
        serde_json::from_slice::<Completion>(&body)?.text()
    }

    fn stream(&mut self) -> Result<usize, Failure> {
        let response = self.send(&Request::new(true))?;
        read(BufReader::new(response.into_body().into_reader()))
    }
}

/// Reads a stream as it is written in a few lines.
pub fn read(body: impl BufRead) -> Result<usize, Failure> {
    let mut length = 0;
    for line in body.lines() {
        let line = line?;
        match line.strip_prefix("data: ") {
            Some("[DONE]") => return Ok(length),
            Some(data) => {
                let event: Value = serde_json::from_str(data)?;
                if let Some(text) = event["choices"][0]["delta"]["content"].as_str() {
                    length += text.len();
                }
            }
            None => {}
        }
    }
    Err("a stream that breaks off".into())
}
