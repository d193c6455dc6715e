//! What an image costs, by the providers' published rules.

/// How closely the model is to look, by OpenAI's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    Low,
    High,
    /// `auto` and `original`: since GPT-5.6 the first is the second.
    Original,
}

/// Pixels of width and height.
type Size = (u32, u32);

/// What is put around an image: marks of its beginning and end, its number. Not
/// published; a few tokens at most in what is recorded.
const AROUND: u64 = 16;

/// The most tokens of an image at Anthropic.
///
/// A token for every patch of 28 × 28 pixels begun, on images scaled down to 4,784
/// tokens at most since Claude 4.7 and to 1,568 before; earlier the page gave width ×
/// height / 750 (Anthropic's page "Vision", "Evaluate image size"). The greater of the
/// two counts, and the greatest cap, which holds without a size too.
pub(super) fn anthropic(size: Option<Size>) -> u64 {
    const CAP: u64 = 4784;
    let tokens = size.map_or(CAP, |(width, height)| {
        let area = u64::from(width).saturating_mul(height.into());
        patches((width, height), 28).max(area.div_ceil(750)).min(CAP)
    });
    tokens + AROUND
}

/// The most tokens of an image at OpenAI; none where nothing bounds them but the
/// context window.
///
/// Two rules are in use (OpenAI's page "Images and vision", "Calculating costs"):
///
/// - Tiles, for GPT-4o, GPT-4.1, GPT-4.5, GPT-5 and the o-series: a base and as much
///   again for each of up to 8 tiles of 512 pixels (2048 × 768 is the largest size
///   after scaling). 85 + 170 is the greatest; only gpt-4o-mini has 2,833 + 5,667.
///   Detail `low` costs the base.
/// - Patches of 32 × 32 pixels, for the small models and all later ones: 1,536 at
///   most for the small ones, 2,500 (`high`) or 10,000 (`original`) for GPT-5.4 and
///   5.5, and from GPT-5.6 on `original` has no limit. Each costs up to 2.46 tokens
///   (the nano models), and the 1,536 hold for `low` too, which small models were seen
///   not to heed (community.openai.com, topic 1377015).
///
/// Where a model's rule is not known for certain, the greater one counts. These are the
/// rules; that gpt-5.4-mini was seen to bill the base64 of an image as text
/// (community.openai.com, topic 1380539) is against them and not covered.
pub(super) fn openai(model: &str, detail: Detail, size: Option<Size>) -> Option<u64> {
    const TILES: u64 = 85 + 8 * 170;
    const MINI: u64 = 2833 + 8 * 5667;
    const MINI_LOW: u64 = 2833;
    let family = Family::of(model);
    let cap = match (detail, family) {
        (Detail::Low, _) => Some(1536),
        (Detail::High, _) => Some(2500),
        (Detail::Original, Family::Capped | Family::Mini) => Some(10_000),
        (Detail::Original, Family::Other) => None,
    };
    let patches = match (size.map(|size| patches(size, 32)), cap) {
        // A small image may be scaled up to 512 × 512.
        (Some(patches), _) if detail == Detail::Low => Some(patches.clamp(256, 1536)),
        (Some(patches), Some(cap)) => Some(patches.min(cap)),
        (Some(patches), None) => Some(patches),
        (None, cap) => cap,
    };
    let patched = patches?.saturating_mul(246).div_ceil(100);
    let mini = if detail == Detail::Low { MINI_LOW } else { MINI };
    let tokens = match family {
        Family::Mini => mini,
        Family::Capped => patched.max(TILES),
        Family::Other => patched.max(mini),
    };
    Some(tokens.saturating_add(AROUND))
}

/// What OpenAI's models have in common in reading images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// gpt-4o-mini, whose tokens cost the less.
    Mini,
    /// The others up to GPT-5.5.
    Capped,
    /// Later ones, other vendors' and those of names of their own.
    Other,
}

impl Family {
    fn of(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
        let name = name.strip_prefix("ft:").unwrap_or(&name);
        if name.starts_with("gpt-4o-mini") {
            return Self::Mini;
        }
        let known = ["gpt-4", "chatgpt-4o", "o1", "o3", "o4", "computer-use", "codex-mini"];
        let begins = |known: &&str| {
            let rest = name.strip_prefix(*known);
            rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
        };
        if known.iter().any(begins) {
            return Self::Capped;
        }
        match name.strip_prefix("gpt-5") {
            Some(rest) if rest.is_empty() || rest.starts_with('-') => Self::Capped,
            Some(rest) if rest.starts_with('.') => {
                let minor = rest[1..].split('-').next().unwrap_or_default();
                let capped = minor.parse::<u32>().is_ok_and(|minor| minor < 6);
                if capped { Self::Capped } else { Self::Other }
            }
            _ => Self::Other,
        }
    }
}

/// How many squares of `side` pixels an image takes.
fn patches((width, height): Size, side: u32) -> u64 {
    u64::from(width.div_ceil(side)).saturating_mul(height.div_ceil(side).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anthropics_examples_lie_within() {
        // The page's own, and its cap.
        for (size, published, bound) in [
            (Some((1000, 1000)), 1296, 1334),
            (Some((1920, 1080)), 2691, 2765),
            (Some((8000, 8000)), 4784, 4784),
            (Some((1, 1)), 1, 1),
            (None, 4784, 4784),
        ] {
            assert!(published <= bound);
            assert_eq!(anthropic(size), bound + AROUND, "{size:?}");
        }
    }

    #[test]
    fn openais_examples_lie_within() {
        let square = Some((1024, 1024));
        for (model, detail, size, published) in [
            // "gpt-4o", the page: 1024 × 1024 is 765, 2048 × 4096 is 1105, low 85.
            ("gpt-4o", Detail::High, square, 765),
            ("gpt-4o", Detail::High, Some((2048, 4096)), 1105),
            ("gpt-4o", Detail::Low, Some((4096, 8192)), 85),
            ("gpt-4o-mini", Detail::High, square, 25_501),
            ("gpt-4o-mini", Detail::Low, None, 2833),
            // The patches of the page by the greatest factor.
            ("gpt-4.1-nano", Detail::Original, square, 2520),
            ("gpt-4.1-nano", Detail::High, Some((1800, 2400)), 3572),
            ("gpt-5.4", Detail::Original, None, 24_600),
            ("gpt-5.6", Detail::Original, Some((6400, 6400)), 40_000),
            ("my-deployment", Detail::Low, None, 3779),
        ] {
            let bound = openai(model, detail, size).unwrap();
            assert!(bound >= published, "{model} {detail:?} {size:?}: {bound}");
        }
    }

    #[test]
    fn only_later_models_have_no_cap_without_a_size() {
        for (model, expected) in [
            ("gpt-4o", true),
            ("gpt-4o-mini-2024-07-18", true),
            ("openai/o3", true),
            ("ft:gpt-4.1:acme", true),
            ("gpt-5", true),
            ("gpt-5-mini", true),
            ("gpt-5.5-pro", true),
            ("gpt-5.6", false),
            ("gpt-5.10", false),
            ("gpt-50", false),
            ("gpt-6", false),
            ("o5", false),
            ("o10", false),
            ("llava", false),
        ] {
            assert_eq!(openai(model, Detail::Original, None).is_some(), expected, "{model}");
            assert!(openai(model, Detail::High, None).is_some());
            assert!(openai(model, Detail::Original, Some((u32::MAX, u32::MAX))).is_some());
        }
    }
}
