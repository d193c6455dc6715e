//! What one writes with reqwest's blocking client.

use reqwest::Certificate;
use reqwest::blocking::{Client, Response};
use std::io::BufReader;

use super::completion::{Completion, Request};
use super::{Arm, TIMEOUT, runtime};
use crate::failure::Failure;
use crate::server::AUTHORITY;
use crate::server::answers::KEY;

pub struct Reqwest {
    client: Client,
    url: String,
}

impl Reqwest {
    pub fn new(url: &str) -> Result<Self, Failure> {
        runtime::encryption();
        let client = Client::builder()
            .timeout(TIMEOUT)
            .no_gzip()
            .tls_certs_only([Certificate::from_pem(AUTHORITY)?])
            .build()?;
        Ok(Self { client, url: format!("{url}/chat/completions") })
    }

    fn send(&self, request: &Request) -> Result<Response, Failure> {
        let request = self.client.post(&self.url).bearer_auth(KEY).json(request);
        Ok(request.send()?.error_for_status()?)
    }
}

impl Arm for Reqwest {
    fn chat(&mut self) -> Result<String, Failure> {
        self.send(&Request::new(false))?.json::<Completion>()?.text()
    }

    fn stream(&mut self) -> Result<usize, Failure> {
        super::ureq::read(BufReader::new(self.send(&Request::new(true))?))
    }
}
