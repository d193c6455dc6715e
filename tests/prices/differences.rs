//! Where the prices here and those of genai-prices differ, and why:
//!
//! - Parts that exceed the whole are an error there and are cut here: a client has been
//!   billed, whatever its provider's counts are like.
//! - Rates finer than a pico-dollar a token are rounded here ([`ROUNDED`]).
//! - Models without any price that is taken over ([`UNPRICED`]) cost no tokens there
//!   and are not known here, so that nobody takes them for free.
//! - Claude Instant is not known there ([`ADDED`](crate::generate::ADDED)).
//! - Searches by Perplexity's `search_type` and OpenRouter's `route` cannot be told
//!   here; both take the standard price.
//! - Dates in names are of ASCII digits here, of any digits there.
//! - The host of a base URL must be one of the provider's here; there it need only begin
//!   like one, or, without a scheme in the expression, contain it.

/// The models with rates that are no whole pico-dollars: all of them write a twelfth or
/// a twenty-fourth of a dollar for a million tokens to a cache. (Three more have rates
/// like 0.18000000000000002, whose noise is below that of the calculation.)
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

/// The models that are billed by what a client for chat does not count.
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
