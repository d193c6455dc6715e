//! Decides from a model's name if it needs OpenAI's newer parameters.

/// Returns true if `model` belongs to OpenAI's newer families, which reject `max_tokens` and read
/// instructions from the role `developer`: the o-series, and gpt-5 and later.
///
/// All other models get `max_tokens` and `system`. OpenAI still accepts both for its older models,
/// and compatible servers often support nothing else: llama.cpp ignored `max_completion_tokens`
/// until February 2026 (ggml-org/llama.cpp #13700, #19831), and llama-cpp-python still does
/// (abetlen/llama-cpp-python #1907). OpenAI's reference calls `max_tokens` "not compatible with
/// o-series models", and gpt-5 answers it with a 400 `unsupported_parameter`.
///
/// The rule is from vercel/ai, `packages/openai/src/openai-language-model-capabilities.ts`:
/// `gpt-5-chat…` does not reason and counts as older. In addition, fine-tuned names (`ft:…`) and
/// names with a vendor prefix (`openai/o3-mini`) count as their base model, and Azure's
/// `gpt-35-turbo` is not version 35. `o1-mini` and `o1-preview`, which supported neither role, are
/// shut down and get no exception.
pub(in crate::wire) fn is_newer(model: &str) -> bool {
    // By bytes: the names are short, and searching for characters takes longer to set up.
    let slash = model.bytes().rposition(|byte| byte == b'/');
    let name = slash.map_or(model, |slash| &model[slash + 1..]);
    let name = without_prefix(name, "ft:").unwrap_or(name);
    let colon = name.bytes().position(|byte| byte == b':');
    let name = colon.map_or(name, |colon| &name[..colon]);
    if let Some(rest) = without_prefix(name, "gpt-") {
        let (major, rest) = digits(rest);
        let versioned = rest.is_empty() || rest.starts_with(['-', '.']);
        versioned
            && major.parse::<u32>().is_ok_and(|major| major >= 5 && major != 35)
            && without_prefix(rest, "-chat").is_none()
    } else if let Some(rest) = without_prefix(name, "o") {
        let (series, rest) = digits(rest);
        !series.is_empty() && (rest.is_empty() || rest.starts_with('-'))
    } else {
        false
    }
}

/// Strips `prefix`, ignoring case.
fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Splits leading digits off `text`.
fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_families_are_recognised_by_all_their_names() {
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
            assert!(is_newer(model), "{model}");
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
            assert!(!is_newer(model), "{model}");
        }
    }
}
