//! What names say.

use super::*;
use Thinking::{Budget, Level};

#[test]
fn openais_newer_models_are_recognised_by_all_their_names() {
    for model in [
        "o1",
        "o1-2024-12-17",
        "o3",
        "o3-mini",
        "o3-mini-2025-01-31",
        "o4-mini",
        "O4-mini",
        "gpt-5",
        "gpt-5-mini-2025-08-07",
        "gpt-5.1-chat-latest",
        "gpt-5.6-sol",
        "gpt-6-luna",
        "gpt-10",
        "ft:o4-mini-2025-04-16:acme::abc",
        "openai/o3-mini",
        "openai/o3-mini:free",
        "openrouter/openai/gpt-5",
    ] {
        let traits = Traits::of_name(model);
        assert!(traits.newer_parameters && traits.encrypted_reasoning, "{model}");
    }
    for model in [
        "",
        "o",
        "ollama",
        "o1x",
        "omni-moderation",
        "gpt-4",
        "gpt-4o",
        "gpt-4o-mini",
        "gpt-4.1",
        "gpt-4-turbo",
        "gpt-3.5-turbo",
        "gpt-35-turbo",
        "gpt-oss-120b",
        "openai/gpt-oss-20b",
        "gpt-5-chat-latest",
        "gpt-5o",
        "gpt-",
        "ft:gpt-4o-mini-2024-07-18:acme::o1",
        "deepseek-chat",
        "claude-sonnet-4-5",
        "my-o3-mini",
    ] {
        let traits = Traits::of_name(model);
        assert!(!traits.newer_parameters && !traits.encrypted_reasoning, "{model}");
    }
    assert!(Traits::of_name("x-ai/grok-4").encrypted_reasoning);
}

#[test]
fn models_of_other_endpoints_than_chat_are_recognised() {
    for (api, models) in [
        (
            ModelApi::Responses,
            &[
                "o1-pro",
                "o1-pro-2025-03-19",
                "o3-pro",
                "o3-pro-2025-06-10",
                "o3-deep-research",
                "o4-mini-deep-research-2025-06-26",
                "computer-use-preview",
                "computer-use-preview-2025-03-11",
                "codex-mini-latest",
                "codex-mini",
                "gpt-5-codex",
                "gpt-5.1-codex-max",
                "gpt-5.1-codex-mini",
                "gpt-5.3-codex",
                "gpt-5-pro",
                "gpt-5-pro-2025-10-06",
                "gpt-5.5-pro-2026-04-23",
                "gpt-5.6-cyber",
                "gpt-daybreak-red-latest",
            ][..],
        ),
        (
            ModelApi::Completions,
            &[
                "gpt-3.5-turbo-instruct",
                "gpt-3.5-turbo-instruct-0914",
                "gpt-35-turbo-instruct",
                "davinci-002",
                "babbage-002",
                "text-davinci-003",
                "ada",
                "ft:davinci-002:acme::abc",
                "ft:babbage-002:acme:x:abc",
                "davinci:ft-acme-2023-01-01",
            ],
        ),
        (
            ModelApi::Chat,
            &[
                "o1",
                "o3-mini",
                "o4-mini-2025-04-16",
                "gpt-3.5-turbo",
                "gpt-4o",
                "gpt-4o-pro",
                "gpt-5",
                "gpt-5-mini",
                "gpt-5-chat-latest",
                "gpt-5.5-2026-04-23",
                "gemini-3-pro",
                "prototype",
                "ada-large",
                "ft:gpt-3.5-turbo-0125:acme::davinci-002",
                "openai/gpt-3.5-turbo-instruct",
                "",
            ],
        ),
    ] {
        for model in models {
            assert_eq!(Traits::of_name(model).api, api, "{model}");
        }
    }
}

#[test]
fn claude_thinks_by_level_from_version_4_6_on() {
    for (model, expected) in [
        ("claude-opus-4-6", Some(Level)),
        ("claude-sonnet-4-6", Some(Level)),
        ("us.anthropic.claude-opus-4-6-v1", Some(Level)),
        (
            "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-8-v1:0",
            Some(Level),
        ),
        ("anthropic/claude-opus-4.7", Some(Level)),
        ("claude-opus-4-8-20260528", Some(Level)),
        ("claude-sonnet-5", Some(Level)),
        ("claude-fable-5", Some(Level)),
        ("claude-mythos-preview", Some(Level)),
        ("Claude-Opus-Latest", Some(Level)),
        ("claude-opus-10-1", Some(Level)),
        ("claude-haiku-4-5", Some(Budget)),
        ("claude-sonnet-4-5-20250929", Some(Budget)),
        ("claude-opus-4-1@20250805", Some(Budget)),
        ("claude-sonnet-4-20250514", Some(Budget)),
        ("anthropic.claude-sonnet-4-20250514-v1:0", Some(Budget)),
        ("claude-sonnet-4-0", Some(Budget)),
        ("claude-4-sonnet-20250514", Some(Budget)),
        ("claude-3.7-sonnet", Some(Budget)),
        ("claude-3-7-sonnet-latest", Some(Budget)),
        ("claude-instant-1.2", Some(Budget)),
        ("claude-v2:1", Some(Budget)),
        ("MiniMax-M2", None),
        ("", None),
    ] {
        assert_eq!(Traits::of_name(model).thinking, expected, "{model}");
    }
}

#[test]
fn the_generation_of_a_gemini_is_in_its_name() {
    for (model, is_3, thinking, never) in [
        ("gemini-1.5-flash", Some(false), Some(Level), true),
        ("gemini-2.0-flash", Some(false), Some(Level), true),
        ("gemini-2-flash", Some(false), Some(Level), true),
        ("models/gemini-2.5-pro", Some(false), Some(Budget), false),
        ("gemini-2.5-flash-preview-tts", Some(false), Some(Budget), false),
        ("gemini-pro", Some(false), Some(Level), true),
        ("gemini-exp-1206", Some(false), Some(Level), true),
        ("gemini-robotics-er-1.5-preview", Some(false), Some(Level), true),
        ("gemini-robotics-er-2-preview", Some(true), Some(Level), false),
        ("gemini-3-pro-preview", Some(true), Some(Level), false),
        ("google/Gemini-3.5-flash", Some(true), Some(Level), false),
        ("gemini-4-argon", Some(true), Some(Level), false),
        ("gemini-20-flash", Some(true), Some(Level), false),
        ("gemini-flash-latest", Some(true), Some(Level), false),
        ("gemini-pro-latest", Some(true), Some(Level), false),
        ("gemma-3-27b-it", None, None, false),
        ("tunedModels/mine", None, None, false),
        ("", None, None, false),
    ] {
        let traits = Traits::of_name(model);
        let found = (traits.gemini_3, traits.thinking, traits.never_thinks);
        assert_eq!(found, (is_3, thinking, never), "{model}");
    }
    assert!(!Traits::of_name("models/Gemma-3-27b-it").system_instruction);
    let budgets = |least, most, off| Budgets { least, most, off };
    for (model, expected) in [
        ("gemini-2.5-pro", budgets(128, 32_768, false)),
        ("gemini-2.5-flash", budgets(1, 24_576, true)),
        ("gemini-2.5-flash-lite", budgets(512, 24_576, true)),
    ] {
        assert_eq!(Traits::of_name(model).budgets, expected, "{model}");
    }
}
