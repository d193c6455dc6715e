//! genai, used as its examples do, with its adapter for OpenAI at an endpoint of ours.

use futures_util::StreamExt;
use genai::adapter::AdapterKind;
use genai::chat::{ChatMessage, ChatOptions, ChatRequest, ChatStream, ChatStreamEvent};
use genai::resolver::{AuthData, Endpoint, ServiceTargetResolver};
use genai::{Client, ModelIden, ServiceTarget, WebConfig};
use tokio::runtime::Runtime;

use super::{Arm, runtime};
use crate::failure::Failure;
use crate::server::answers::{KEY, MODEL, QUESTION};

pub struct GenAi {
    runtime: Runtime,
    client: Client,
    options: ChatOptions,
}

impl GenAi {
    pub fn new(url: &str, runtime: Runtime) -> Result<Self, Failure> {
        // As many idle connections as it keeps by itself.
        Ok(Self { runtime, client: client(url, 4)?, options: options() })
    }
}

/// A client of the server at this base URL, with so many idle connections at most.
pub fn client(url: &str, connections: usize) -> Result<Client, Failure> {
    runtime::encryption();
    // Its own defaults: compression, no waiting for more to send.
    let http = WebConfig::default().apply_to_builder(runtime::http()?);
    let http = http.pool_max_idle_per_host(connections).build()?;
    let endpoint = Endpoint::from_owned(format!("{url}/"));
    let resolver = ServiceTargetResolver::from_resolver_fn(
        move |target: ServiceTarget| -> Result<ServiceTarget, genai::resolver::Error> {
            let model = ModelIden::new(AdapterKind::OpenAI, target.model.model_name);
            Ok(ServiceTarget {
                endpoint: endpoint.clone(),
                auth: AuthData::from_single(KEY),
                model,
            })
        },
    );
    Ok(Client::builder().with_reqwest(http).with_service_target_resolver(resolver).build()?)
}

/// Asks, and hands out the text of the answer.
pub async fn ask(client: &Client) -> Result<String, Failure> {
    let request = ChatRequest::new(vec![ChatMessage::user(QUESTION)]);
    let response = client.exec_chat(MODEL, request, None).await?;
    Ok(response.into_first_text().ok_or("an answer without a text")?)
}

/// Asks for a stream.
pub async fn stream(client: &Client, options: &ChatOptions) -> Result<ChatStream, Failure> {
    let request = ChatRequest::new(vec![ChatMessage::user(QUESTION)]);
    Ok(client.exec_chat_stream(MODEL, request, Some(options)).await?.stream)
}

/// With the usage at the end.
pub fn options() -> ChatOptions {
    ChatOptions::default().with_capture_usage(true)
}

impl Arm for GenAi {
    fn chat(&mut self) -> Result<String, Failure> {
        self.runtime.block_on(ask(&self.client))
    }

    fn stream(&mut self) -> Result<usize, Failure> {
        self.runtime.block_on(async {
            let mut stream = stream(&self.client, &self.options).await?;
            let mut length = 0;
            while let Some(event) = stream.next().await {
                if let ChatStreamEvent::Chunk(chunk) = event? {
                    length += chunk.content.len();
                }
            }
            Ok(length)
        })
    }
}
