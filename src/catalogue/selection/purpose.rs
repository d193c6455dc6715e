//! Finds the models that are made for something other than chats.

use crate::catalogue::Model;

/// Parts of names, and what models with such names are for. The sources of the table do not say it
/// otherwise: a model that can write images has them in its output, whatever it is made for.
const NAMES: [(&str, &str); 21] = [
    ("guard", "judging content"),
    ("content-safety", "judging content"),
    ("moderation", "judging content"),
    ("ocr", "reading scans"),
    ("rerank", "ranking texts"),
    ("embed", "embeddings"),
    ("translate", "translation"),
    ("-mt-", "translation"),
    ("hunyuan-mt", "translation"),
    ("image", "images"),
    ("-audio", "speech"),
    ("-tts", "speech"),
    ("realtime", "live speech"),
    ("transcribe", "transcription"),
    ("deep-research", "long research"),
    ("deepresearch", "long research"),
    ("-search", "web searches"),
    ("preset/", "web searches"),
    ("computer-use", "operating a computer"),
    ("ft:", "fine-tuning"),
    (":free", "trials, and its provider may keep the prompts"),
];

/// What a model is made for, if not for chats.
pub(super) fn of(model: &Model) -> Option<&'static str> {
    let is_part = |part: &str| {
        let mut names = model.id.as_bytes().windows(part.len());
        names.any(|name| name.eq_ignore_ascii_case(part.as_bytes()))
    };
    NAMES.iter().find(|(part, _)| is_part(part)).map(|(_, purpose)| *purpose)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_a_model_is_made_for() {
        for (name, purpose) in [
            ("gpt-4o-mini", None),
            ("claude-opus-5", None),
            ("meta-llama/Llama-Guard-3-8B", Some("judging content")),
            ("allenai/olmOCR-7B", Some("reading scans")),
            ("qwen-mt-plus", Some("translation")),
            ("o3-deep-research-2025-06-26", Some("long research")),
            ("gpt-4o-search-preview", Some("web searches")),
            ("gemini-2.5-pro-preview-tts", Some("speech")),
            ("gpt-image-1.5", Some("images")),
            ("ft:gpt-4o-mini-2024-07-18", Some("fine-tuning")),
            ("google/gemma-4-31b-it:free", Some("trials, and its provider may keep the prompts")),
        ] {
            assert_eq!(of(&Model::new("x", name)), purpose, "{name}");
        }
    }
}
