//! genai, used as its examples do, with its adapter for OpenAI at an endpoint of ours.

use futures_util::StreamExt;
use genai::adapter::AdapterKind;
use genai::chat::{ChatMessage, ChatOptions, ChatRequest, ChatStreamEvent};
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
    pub fn new(url: &str) -> Result<Self, Failure> {
        let runtime = runtime::new()?;
        let options = ChatOptions::default().with_capture_usage(true);
        Ok(Self { runtime, client: client(url)?, options })
    }
}

/// A client of the server at this base URL.
pub fn client(url: &str) -> Result<Client, Failure> {
    // Its own defaults: compression, packets at once, few idle connections.
    let http = WebConfig::default().apply_to_builder(runtime::http()?).build()?;
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

impl Arm for GenAi {
    fn chat(&mut self) -> Result<String, Failure> {
        self.runtime.block_on(async {
            let request = ChatRequest::new(vec![ChatMessage::user(QUESTION)]);
            let response = self.client.exec_chat(MODEL, request, None).await?;
            Ok(response.into_first_text().ok_or("no text")?)
        })
    }

    fn stream(&mut self) -> Result<usize, Failure> {
        self.runtime.block_on(async {
            let request = ChatRequest::new(vec![ChatMessage::user(QUESTION)]);
            let options = Some(&self.options);
            let response = self.client.exec_chat_stream(MODEL, request, options).await?;
            let mut stream = response.stream;
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
