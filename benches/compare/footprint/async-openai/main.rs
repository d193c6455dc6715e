use async_openai::Client;
use async_openai::types::chat::{
    ChatCompletionRequestMessage, ChatCompletionRequestUserMessage, CreateChatCompletionRequest,
};
use std::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let question = ChatCompletionRequestUserMessage::from("What is the capital of France?");
    let request = CreateChatCompletionRequest {
        model: "gpt-4o-mini".to_owned(),
        messages: vec![ChatCompletionRequestMessage::from(question)],
        ..Default::default()
    };
    let response = Client::new().chat().create(request).await?;
    let answer = response.choices.first().and_then(|choice| choice.message.content.as_deref());
    println!("{}", answer.ok_or("no text")?);
    Ok(())
}
