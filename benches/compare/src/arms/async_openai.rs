//! async-openai, used as its examples do.

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::types::chat::{
    ChatCompletionRequestUserMessageArgs, ChatCompletionStreamOptions, CreateChatCompletionRequest,
    CreateChatCompletionRequestArgs,
};
use futures_util::StreamExt;
use tokio::runtime::Runtime;

use super::{Arm, runtime};
use crate::failure::Failure;
use crate::server::answers::{KEY, MODEL, QUESTION};

pub struct AsyncOpenAi {
    runtime: Runtime,
    client: Client<OpenAIConfig>,
}

impl AsyncOpenAi {
    pub fn new(url: &str, runtime: Runtime) -> Result<Self, Failure> {
        let config = OpenAIConfig::new().with_api_key(KEY).with_api_base(url);
        let client = Client::build(runtime::http()?.no_gzip().build()?, config);
        Ok(Self { runtime, client })
    }
}

fn request(stream: bool) -> Result<CreateChatCompletionRequest, Failure> {
    let message = ChatCompletionRequestUserMessageArgs::default().content(QUESTION).build()?;
    let mut request = CreateChatCompletionRequestArgs::default();
    request.model(MODEL).messages([message.into()]);
    if stream {
        request.stream(true).stream_options(ChatCompletionStreamOptions {
            include_usage: Some(true),
            include_obfuscation: None,
        });
    }
    Ok(request.build()?)
}

impl Arm for AsyncOpenAi {
    fn chat(&mut self) -> Result<String, Failure> {
        self.runtime.block_on(async {
            let response = self.client.chat().create(request(false)?).await?;
            let choice = response.choices.into_iter().next();
            Ok(choice
                .and_then(|choice| choice.message.content)
                .ok_or("an answer without a text")?)
        })
    }

    fn stream(&mut self) -> Result<usize, Failure> {
        self.runtime.block_on(async {
            let mut stream = self.client.chat().create_stream(request(true)?).await?;
            let mut length = 0;
            while let Some(chunk) = stream.next().await {
                for choice in chunk?.choices {
                    length += choice.delta.content.map_or(0, |text| text.len());
                }
            }
            Ok(length)
        })
    }
}
