//! Reads a model's family from its name.

/// Models that take the same settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Gemini 1 to 2.5.
    Before3,
    /// Gemini 3 and later, and names without a version, which refer to later models
    /// (`gemini-flash-latest`).
    From3,
    /// Gemma, and other models that Google serves.
    Other,
}

impl Family {
    pub(super) fn of(model: &str) -> Self {
        let model = name(model);
        let Some(rest) = model.strip_prefix("gemini-") else {
            // Models for robots and music have other names. An answer can name no model.
            return Self::Other;
        };
        let old =
            ["1", "2", "pro", "pro-vision", "ultra", "exp-", "embedding-001", "robotics-er-1"];
        let is_old = old.iter().any(|old| match rest.strip_prefix(old) {
            Some("") => true,
            Some(behind) if old.bytes().all(|byte| byte.is_ascii_digit()) => {
                behind.starts_with(['.', '-'])
            }
            Some(behind) => old.ends_with('-') || behind.starts_with('.'),
            None => false,
        });
        if is_old { Self::Before3 } else { Self::From3 }
    }
}

/// Returns a model's name in lower case, without `models/` or a publisher's path before it.
pub(super) fn name(model: &str) -> String {
    model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase()
}

/// Returns true for Gemma, which takes no system instruction: it goes into the first turn
/// (vercel/ai `convert-to-google-messages.ts`, `isGemmaModel`).
pub(super) fn is_gemma(model: &str) -> bool {
    name(model).starts_with("gemma-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_in_the_name() {
        use Family::{Before3, From3, Other};
        for (model, expected) in [
            ("gemini-1.5-flash", Before3),
            ("gemini-2.0-flash", Before3),
            ("gemini-2-flash", Before3),
            ("models/gemini-2.5-pro", Before3),
            ("gemini-2.5-flash-preview-tts", Before3),
            ("gemini-pro", Before3),
            ("gemini-exp-1206", Before3),
            ("gemini-3-pro-preview", From3),
            ("google/Gemini-3.5-flash", From3),
            ("gemini-4-argon", From3),
            ("gemini-20-flash", From3),
            ("gemini-flash-latest", From3),
            ("gemini-pro-latest", From3),
            ("gemma-3-27b-it", Other),
            ("tunedModels/mine", Other),
            ("", Other),
        ] {
            assert_eq!(Family::of(model), expected, "{model}");
        }
    }
}
