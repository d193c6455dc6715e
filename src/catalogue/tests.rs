//! The table, lookups and what a program sets on top.

use std::time::{Duration, SystemTime};

use super::*;
use crate::chat::ReasoningEffort;
use crate::family::Traits;

fn found(provider: &str, model: &str) -> Option<String> {
    Catalogue::builtin().find(provider, model).map(|model| model.id.into_owned())
}

#[test]
fn models_are_found_by_all_their_names() {
    for (provider, name, id) in [
        ("openai", "gpt-4o", Some("gpt-4o")),
        ("OpenAI", "GPT-4o", Some("gpt-4o")),
        ("openai", "gpt-4o-2024-11-20", Some("gpt-4o-2024-11-20")),
        ("openai", "gpt-4o-2031-01-31", Some("gpt-4o")),
        ("openai", "ft:gpt-4o:acme::abc", Some("gpt-4o")),
        ("openai", "gpt-40", None),
        ("openai", "", None),
        ("anthropic", "claude-opus-5", Some("claude-opus-5")),
        ("anthropic", "claude-opus-5-20310131", Some("claude-opus-5")),
        ("bedrock", "eu.anthropic.claude-opus-5", Some("anthropic.claude-opus-5")),
        ("gemini", "models/gemini-2.5-pro", Some("gemini-2.5-pro")),
        ("google", "gemini-2.5-pro", Some("gemini-2.5-pro")),
        ("gemini-openai", "gemini-2.5-pro", Some("gemini-2.5-pro")),
        ("vertex", "gemini-2.5-pro", Some("gemini-2.5-pro")),
        ("openrouter", "openai/gpt-5:nitro", Some("openai/gpt-5")),
        ("acme", "gpt-4o", None),
        ("", "", None),
    ] {
        assert_eq!(found(provider, name).as_deref(), id, "{provider} {name}");
    }
}

#[test]
fn a_model_is_read_whole() {
    let model = Catalogue::builtin().find("openai", "gpt-5").unwrap();
    let expected = Capabilities::default()
        .context_window(400_000)
        .max_input(272_000)
        .max_output(128_000)
        .images(true)
        .documents(true)
        .audio(false)
        .video(false)
        .tools(true)
        .parallel_tools(true)
        .schema(true)
        .reasoning(true)
        .temperature(false);
    assert_eq!(model.capabilities, expected);
    assert_eq!(model.provider.as_str(), "openai");
    assert_eq!(model.family.as_deref(), Some("gpt"));
    let (minimal, high) = (ReasoningEffort::Minimal, ReasoningEffort::High);
    assert_eq!((model.efforts.first(), model.efforts.last()), (Some(&minimal), Some(&high)));
    assert_eq!(model.released.unwrap().to_string(), "2025-08-07");
    assert_eq!(model.knowledge.unwrap().to_string(), "2024-09-30");
    assert_eq!(model.retires.unwrap().to_string(), "2026-12-11");
    assert_eq!(model.successor.as_deref(), Some("gpt-5.6-sol"));
    assert_eq!(model.api, Some(ModelApi::Chat));
}

#[test]
fn what_a_request_depends_on_is_read() {
    use ReasoningEffort::{High, Low, Medium};
    for (provider, name, api, newer, thinking, efforts) in [
        ("openai", "gpt-4.1", Some(ModelApi::Chat), Some(false), None, &[][..]),
        // No source names its API.
        ("openai", "gpt-4o", None, Some(false), None, &[]),
        ("openai", "o1-pro", Some(ModelApi::Responses), Some(true), None, &[Low, Medium, High]),
        ("openai", "davinci-002", Some(ModelApi::Completions), None, None, &[]),
        ("openai", "text-embedding-3-small", Some(ModelApi::Embeddings), None, None, &[]),
        ("anthropic", "claude-haiku-4-5", Some(ModelApi::Chat), None, Some(Thinking::Budget), &[]),
    ] {
        let model = Catalogue::builtin().find(provider, name).unwrap();
        let found = (model.api, model.newer_parameters, model.thinking, &model.efforts[..]);
        assert_eq!(found, (api, newer, thinking, efforts), "{name}");
    }
    let opus = Catalogue::builtin().find("anthropic", "claude-opus-4-8").unwrap();
    assert_eq!(opus.thinking, Some(Thinking::Level));
}

#[test]
fn the_catalogue_and_the_names_differ_only_where_the_catalogue_knows_better() {
    let catalogue = Catalogue::builtin();
    let mut differences = Vec::new();
    for provider in ["openai", "azure", "anthropic", "bedrock", "vertex"] {
        for model in
            catalogue.models(provider).filter(|model| model.api != Some(ModelApi::Embeddings))
        {
            let guessed = Traits::of_name(&model.id);
            let known = model.traits(guessed);
            for (what, differs) in [
                ("api", known.api != guessed.api),
                ("parameters", known.newer_parameters != guessed.newer_parameters),
                ("thinking", known.thinking != guessed.thinking),
            ] {
                if differs {
                    differences.push(format!("{provider}/{} {what}", model.id));
                }
            }
        }
    }
    assert_eq!(
        differences,
        [
            // They reason, which their names do not show.
            "openai/chat-latest parameters",
            "openai/computer-use-preview parameters",
            "openai/computer-use-preview-2025-03-11 parameters",
            "openai/daybreak-blue-latest parameters",
            "openai/daybreak-red-latest parameters",
            "openai/gpt-5-chat parameters",
            "openai/gpt-5-chat-latest parameters",
            // Chat Completions serves them too.
            "openai/gpt-5.6-cyber api",
            "openai/gpt-6-cyber api",
            "openai/gpt-daybreak-blue-latest parameters",
            "openai/gpt-daybreak-red-latest parameters",
            "azure/chat-latest parameters",
            "azure/computer-use-preview parameters",
            "azure/gpt-5-chat parameters",
            // Bedrock has one way to call a model, whatever this says.
            "bedrock/global.openai.gpt-5.4 api",
            "bedrock/global.openai.gpt-5.5 api",
            "bedrock/us.openai.gpt-5.4 api",
            "bedrock/us.openai.gpt-5.5 api",
        ]
    );
}

#[test]
fn what_a_program_sets_wins_over_the_name() {
    let mut model = Model::new("openai", "o3-mini");
    model.newer_parameters = Some(false);
    model.api = Some(ModelApi::Responses);
    model.thinking = Some(Thinking::Budget);
    model.efforts = vec![ReasoningEffort::Low];
    let catalogue = Catalogue::builtin().set(model);
    let found = catalogue.find("openai", "o3-mini").unwrap();
    let traits = found.traits(Traits::of_name("o3-mini"));
    assert!(!traits.newer_parameters && !traits.encrypted_reasoning && traits.always_thinks);
    assert_eq!((traits.api, traits.thinking), (ModelApi::Responses, Some(Thinking::Budget)));
    let own = catalogue.find_own("openai", "o3-mini-2031-01-31").unwrap();
    assert_eq!((own.efforts.len(), own.capabilities), (1, Capabilities::default()));
    assert!(catalogue.find_own("openai", "gpt-4o").is_none());
}

#[test]
fn a_model_retires_on_its_day() {
    let model = Catalogue::builtin().find("openai", "gpt-5").unwrap();
    let at = |days: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(days * 86_400);
    // 2026-12-10 and 2026-12-11.
    assert_eq!(model.status(at(20_797)), None);
    assert_eq!(model.status(at(20_798)), Some(ModelStatus::Retired));
}

#[test]
fn every_line_of_the_table_is_read() {
    let catalogue = Catalogue::builtin();
    let mut count = 0;
    for provider in catalogue.providers() {
        let models: Vec<Model> = catalogue.models(provider).collect();
        assert!(!models.is_empty(), "{provider}");
        for (one, next) in models.iter().zip(&models[1..]) {
            let (one, next) = (one.id.to_ascii_lowercase(), next.id.to_ascii_lowercase());
            assert!(one < next, "{provider}: {one} and {next} are out of order");
        }
        for model in models {
            assert_eq!(model.provider.as_str(), provider);
            let again = catalogue.find(provider, &model.id);
            assert_eq!(again.as_ref(), Some(&model), "{provider} {}", model.id);
            let size = model.capabilities;
            assert!(size.max_input.is_none_or(|input| size.context_window >= Some(input)));
            count += 1;
        }
    }
    assert!(count > 3_000, "{count}");
}

#[test]
fn every_provider_of_the_table_is_known() {
    for provider in Catalogue::builtin().providers() {
        assert_eq!(canonical(provider), Some(provider));
    }
}

#[test]
fn what_a_program_sets_goes_before_the_table() {
    let catalogue = Catalogue::builtin()
        .parse(
            r#"{
                "OpenAI": {"GPT-4o": {"tools": false, "successor": "gpt-6-luna", "retires": "2027-01"}},
                "vllm": {"our-7b": {"context_window": 32768, "efforts": ["low", "xhigh"]}}
            }"#,
        )
        .unwrap();
    let corrected = catalogue.find("openai", "gpt-4o").unwrap();
    assert_eq!(corrected.capabilities.tools, Some(false));
    assert_eq!(corrected.capabilities.images, Some(true));
    assert_eq!(corrected.successor.as_deref(), Some("gpt-6-luna"));
    assert_eq!(corrected.id, "gpt-4o");
    let own = catalogue.find("vllm", "OUR-7B").unwrap();
    assert_eq!(own.capabilities.context_window, Some(32_768));
    assert_eq!(own.efforts, [ReasoningEffort::Low, ReasoningEffort::XHigh]);
    assert_eq!(own.capabilities.tools, None);
    assert_eq!(catalogue.models("vllm").count(), 1);
    assert!(catalogue.models("openai").any(|model| model == corrected));
    assert!(catalogue.providers().any(|provider| provider == "vllm"));
    assert!(Catalogue::empty().find("openai", "gpt-4o").is_none());
}

#[test]
fn mistakes_in_a_file_are_named_with_their_place() {
    for (json, part) in [
        (r#"{"openai": {"x": {"tool": true}}}"#, "unknown field `tool`"),
        (r#"{"openai": {"x": {"tools": 1}}}"#, "expected a boolean"),
        (r#"{"openai": {"x": {}, "X": {}}}"#, "occurs twice"),
        (r#"{"openai": {"x": {"retires": "soon"}}}"#, "write it as 2026-11-27"),
        (r#"{"openai": {"x": {"quality": 101}}}"#, "the quality is 101; set a number from 0 to"),
        (r#"{"openai": []}"#, "expected an object"),
        ("{", "line 1"),
    ] {
        let error = Catalogue::builtin().parse(json).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().contains(part), "{error}");
    }
}
