//! Whole answers as the providers write them: a few paragraphs and a tool call.

use serde_json::json;

/// Some 300 tokens.
pub(crate) fn text() -> String {
    "The capital of France is Paris, a city of more than two million.\n\nIt lies on the \
     “Seine”, and has done so for longer than it has been a capital. "
        .repeat(10)
}

/// The body of an answer.
pub(crate) fn body(provider: &str) -> Vec<u8> {
    let text = json!(text());
    match provider {
        // "Create a message" in Anthropic's API reference.
        "anthropic" => format!(
            r#"{{"model":"claude-haiku-4-5-20251001","id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant","content":[{{"type":"text","text":{text}}},{{"type":"tool_use","id":"toolu_01T1x1fJ34qAmk2tNTrN7Up6","name":"find_city","input":{{"name":"Paris","country":"FR","fields":["population","rivers"]}}}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{{"input_tokens":412,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0}},"output_tokens":340,"service_tier":"standard"}}}}"#
        ),
        // "Converse" in Bedrock's API reference.
        "bedrock" => format!(
            r#"{{"metrics":{{"latencyMs":1275}},"output":{{"message":{{"content":[{{"text":{text}}},{{"toolUse":{{"input":{{"name":"Paris","country":"FR","fields":["population","rivers"]}},"name":"find_city","toolUseId":"tooluse_kZJMlvQmRJ6eAyJE5GIl7Q"}}}}],"role":"assistant"}}}},"stopReason":"tool_use","usage":{{"inputTokens":412,"outputTokens":340,"totalTokens":752}}}}"#
        ),
        // Cohere's API reference, "Chat", with a tool call.
        "cohere" => format!(
            r#"{{"id":"c14c80c3-18eb-4519-9460-6c92edd8cfb4","finish_reason":"TOOL_CALL","message":{{"role":"assistant","content":[{{"type":"text","text":{text}}}],"tool_calls":[{{"id":"find_city_22iommr8","type":"function","function":{{"name":"find_city","arguments":"{{\"name\":\"Paris\",\"country\":\"FR\",\"fields\":[\"population\",\"rivers\"]}}"}}}}]}},"usage":{{"billed_units":{{"input_tokens":412,"output_tokens":340}},"tokens":{{"input_tokens":905,"output_tokens":340}}}}}}"#
        ),
        // "The response object" in OpenAI's API reference.
        "responses" => format!(
            r#"{{"id":"resp_68ae4b5a0b7c81a2a3c5d6e7f8091a2b","object":"response","created_at":1761300000,"status":"completed","background":false,"error":null,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"model":"gpt-5.2-2025-12-11","output":[{{"id":"msg_68ae4b5b6d2c81a2","type":"message","status":"completed","role":"assistant","content":[{{"type":"output_text","annotations":[],"logprobs":[],"text":{text}}}]}},{{"id":"fc_68ae4b5c7e3d81a2","type":"function_call","status":"completed","arguments":"{{\"name\":\"Paris\",\"country\":\"FR\",\"fields\":[\"population\",\"rivers\"]}}","call_id":"call_22iommr8","name":"find_city"}}],"parallel_tool_calls":true,"service_tier":"default","store":false,"temperature":1.0,"tool_choice":"auto","top_p":1.0,"usage":{{"input_tokens":412,"input_tokens_details":{{"cached_tokens":0}},"output_tokens":340,"output_tokens_details":{{"reasoning_tokens":0}},"total_tokens":752}},"metadata":{{}}}}"#
        ),
        // "Generate a chat completion" in Ollama's `docs/api.md`, with a tool call.
        "ollama" => format!(
            r#"{{"model":"llama3.2","created_at":"2024-07-22T20:33:28.123648Z","message":{{"role":"assistant","content":{text},"tool_calls":[{{"function":{{"name":"find_city","arguments":{{"name":"Paris","country":"FR","fields":["population","rivers"]}}}}}}]}},"done_reason":"stop","done":true,"total_duration":885095291,"load_duration":3753500,"prompt_eval_count":412,"prompt_eval_duration":328493000,"eval_count":340,"eval_duration":552222000}}"#
        ),
        // "GenerateContentResponse" in Gemini's API reference, and a recorded answer.
        "gemini" => format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":{text}}},{{"functionCall":{{"name":"find_city","args":{{"name":"Paris","country":"FR","fields":["population","rivers"]}},"id":"22iommr8"}},"thoughtSignature":"EoMCCoACARFNMg9JxT6b1SyJ6gdpxB744HDjrEANU3ZBH"}}],"role":"model"}},"finishReason":"STOP","index":0}}],"usageMetadata":{{"promptTokenCount":412,"candidatesTokenCount":340,"totalTokenCount":752,"promptTokensDetails":[{{"modality":"TEXT","tokenCount":412}}],"serviceTier":"standard"}},"modelVersion":"gemini-3.5-flash","responseId":"mqZfatDUG_vrjrEPwcqDwA8"}}"#
        ),
        // "The chat completion object" in OpenAI's API reference.
        _ => format!(
            r#"{{"id":"chatcmpl-CXz1PQmC0bYhTqkWb8Jr5yY4nVn2u","object":"chat.completion","created":1761300000,"model":"gpt-4o-mini-2024-07-18","choices":[{{"index":0,"message":{{"role":"assistant","content":{text},"tool_calls":[{{"id":"call_Zg5tQ1wlTUCcuRnWMhTKbKDu","type":"function","function":{{"name":"find_city","arguments":"{{\"name\":\"Paris\",\"country\":\"FR\",\"fields\":[\"population\",\"rivers\"]}}"}}}}],"refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"tool_calls"}}],"usage":{{"prompt_tokens":412,"completion_tokens":340,"total_tokens":752,"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}},"service_tier":"default","system_fingerprint":"fp_560af6e559"}}"#
        ),
    }
    .into_bytes()
}
