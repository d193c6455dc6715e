//! Where our prices differ from those of genai-prices, and why:
//!
//! - Parts that exceed the whole are an error there. Here they are cut, because the client was
//!   billed whatever its provider counted.
//! - Rates finer than a pico-dollar per token are rounded here ([`ROUNDED`]).
//! - Models without any price that is taken over ([`UNPRICED`]) are free there. Here they are
//!   unknown, so that nobody takes them for free.
//! - Some models are listed under names that their own matchers do not accept ([`LISTED`]). Here
//!   those names work.
//! - Claude Instant and Mistral's moderation are missing there ([`ADDED`](crate::generate::ADDED)).
//! - Searches by Perplexity's `search_type` and OpenRouter's `route` cannot be distinguished here.
//!   Both have the standard price.
//! - Dates in names are ASCII digits here, and any digits there.
//! - The host of a base URL must be one of the provider's here. There it need only begin like one
//!   or, without a scheme in the expression, contain one.

/// Models whose rates are not whole pico-dollars: all of them write a twelfth or a twenty-fourth of
/// a dollar per million tokens to a cache. (Three more have rates like 0.18000000000000002, whose
/// noise is below that of the calculation.)
pub(crate) const ROUNDED: [&str; 20] = [
    "openrouter/google/gemini-2.5-flash",
    "openrouter/google/gemini-2.5-flash-image",
    "openrouter/google/gemini-2.5-flash-lite",
    "openrouter/google/gemini-2.5-flash-lite:batch",
    "openrouter/google/gemini-2.5-flash:batch",
    "openrouter/google/gemini-3-flash-preview",
    "openrouter/google/gemini-3-flash-preview:batch",
    "openrouter/google/gemini-3.1-flash-lite",
    "openrouter/google/gemini-3.1-flash-lite:batch",
    "openrouter/google/gemini-3.5-flash",
    "openrouter/google/gemini-3.5-flash-lite",
    "openrouter/google/gemini-3.5-flash-lite:batch",
    "openrouter/google/gemini-3.5-flash:batch",
    "openrouter/google/gemini-3.6-flash",
    "openrouter/google/gemini-3.6-flash:batch",
    "openrouter/google/gemini-3.7-flash",
    "openrouter/google/gemini-3.7-flash:batch",
    "openrouter/google/gemini-3.8-flash",
    "openrouter/google/gemini-3.8-flash:batch",
    "openrouter/~google/gemini-flash-latest",
];

/// Models billed by units that a chat client does not count.
pub(crate) const UNPRICED: [&str; 26] = [
    "groq/canopylabs/orpheus-arabic-saudi",          // characters
    "groq/canopylabs/orpheus-v1-english",            // characters
    "groq/whisper-large-v3",                         // hours of audio
    "groq/whisper-large-v3-turbo",                   // hours of audio
    "mistral/mistral-ocr-2503",                      // pages
    "mistral/mistral-ocr-2505",                      // pages
    "mistral/mistral-ocr-2512",                      // pages
    "mistral/mistral-ocr-4-0",                       // pages
    "mistral/mistral-ocr-4-1",                       // pages
    "mistral/mistral-ocr-latest",                    // pages
    "mistral/voxtral-mini-2602",                     // hours of audio
    "mistral/voxtral-mini-transcribe-3-0",           // hours of audio
    "mistral/voxtral-mini-transcribe-realtime-2602", // hours of audio
    "mistral/voxtral-mini-transcribe-realtime-3-0",  // hours of audio
    "mistral/voxtral-small-transcribe-3-0",          // hours of audio
    "openai/gpt-live-1",                             // hours of audio
    "openai/gpt-live-transcribe",                    // hours of audio
    "openai/gpt-realtime-translate",                 // hours of audio
    "openai/gpt-realtime-whisper",                   // hours of audio
    "openai/gpt-transcribe",                         // hours of audio
    "openai/tts-1",                                  // characters
    "openai/tts-1-hd",                               // characters
    "openai/whisper-1",                              // hours of audio
    "x-ai/grok-voice-latest",                        // hours of audio, messages
    "x-ai/grok-voice-think-fast-1.0",                // hours of audio, messages
    "x-ai/grok-voice-think-fast-2.0",                // hours of audio, messages
];

/// Models that only our table finds, by the names under which they are listed.
pub(crate) const LISTED: [&str; 76] = [
    "aws/regional.amazon.nova-2-lite-v1:0",
    "aws/regional.anthropic.claude-fable-5-1-v1:0",
    "aws/regional.anthropic.claude-fable-5-v1:0",
    "aws/regional.anthropic.claude-haiku-4-5-20251001-v1:0",
    "aws/regional.anthropic.claude-haiku-5-5",
    "aws/regional.anthropic.claude-opus-4-1-20250805-v1:0",
    "aws/regional.anthropic.claude-opus-4-20250514-v1:0",
    "aws/regional.anthropic.claude-opus-4-5-v1:0",
    "aws/regional.anthropic.claude-opus-4-6-v1:0",
    "aws/regional.anthropic.claude-opus-4-7-v1:0",
    "aws/regional.anthropic.claude-opus-4-8-v1:0",
    "aws/regional.anthropic.claude-opus-5",
    "aws/regional.anthropic.claude-opus-5-5",
    "aws/regional.anthropic.claude-sonnet-4-20250514-v1:0",
    "aws/regional.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "aws/regional.anthropic.claude-sonnet-4-6-v1:0",
    "aws/regional.anthropic.claude-sonnet-5-5",
    "aws/regional.anthropic.claude-sonnet-5-v1:0",
    "aws/regional.openai.gpt-5.6-luna",
    "aws/regional.openai.gpt-5.6-sol",
    "aws/regional.openai.gpt-5.6-terra",
    "aws/regional.openai.gpt-6-astra",
    "aws/regional.openai.gpt-6-luna",
    "aws/regional.openai.gpt-6-sol",
    "aws/regional.openai.gpt-6.1-sol",
    "fireworks/deepseek-r1-0528",
    "fireworks/deepseek-v3-0324",
    "fireworks/deepseek-v3p2",
    "fireworks/deepseek-v4-flash",
    "fireworks/deepseek-v4-pro",
    "fireworks/deepseek-v4p1-flash",
    "fireworks/deepseek-v4p1-flash-1017",
    "fireworks/deepseek-v4p1-flash-1017-us",
    "fireworks/deepseek-v4p1-flash-us",
    "fireworks/ember-1",
    "fireworks/gemma-3-27b-it",
    "fireworks/glm-4p7",
    "fireworks/glm-5p1",
    "fireworks/glm-5p1-fast",
    "fireworks/glm-5p2",
    "fireworks/glm-5p2-fast",
    "fireworks/glm-5p3",
    "fireworks/glm-5p3-fast",
    "fireworks/glm-5p3-flash",
    "fireworks/glm-5p3-flash-us",
    "fireworks/glm-5p3-us",
    "fireworks/gpt-oss-120b",
    "fireworks/gpt-oss-20b",
    "fireworks/inkling",
    "fireworks/kimi-k2p5",
    "fireworks/kimi-k2p6",
    "fireworks/kimi-k2p6-fast",
    "fireworks/kimi-k2p7-code",
    "fireworks/kimi-k2p7-code-fast",
    "fireworks/kimi-k3",
    "fireworks/kimi-k3-fast",
    "fireworks/kimi-k3-us",
    "fireworks/llama-v3p1-8b-instruct",
    "fireworks/llama4-maverick-instruct-basic",
    "fireworks/minimax-m2p1",
    "fireworks/minimax-m2p7",
    "fireworks/minimax-m3",
    "fireworks/muse-spark-open",
    "fireworks/nemotron-3-ultra-nvfp4",
    "fireworks/nemotron-lightning-3p5-30b-a3b",
    "fireworks/qwen2p5-vl-72b-instruct",
    "fireworks/qwen3-235b-a22b",
    "fireworks/qwen3p6-plus",
    "fireworks/qwen3p7-plus",
    "fireworks/qwen3p8-max",
    "mistral/codestral",
    "mistral/magistral-small",
    "mistral/mistral-medium-3-1",
    "mistral/pixtral-large",
    "openai/ft:gpt-4o",
    "openai/ft:gpt-4o-mini",
];
