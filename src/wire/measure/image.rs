//! The tokens of an image, by the providers' published rules.

use crate::family::{ImageRule, Traits};

/// The resolution at which the model sees an image, in OpenAI's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    Low,
    High,
    /// `auto` and `original`. Since GPT-5.6 `auto` means `original`.
    Original,
}

/// Width and height in pixels.
type Size = (u32, u32);

/// Tokens around an image: start and end markers, its number. No provider publishes them;
/// recordings show a few tokens at most.
const AROUND: u64 = 16;

/// Returns the most tokens of an image at Anthropic.
///
/// One token per started patch of 28 × 28 pixels. Larger images are scaled down to 4,784 tokens
/// since Claude 4.7, and to 1,568 before. An earlier version of the page said width × height / 750
/// (Anthropic's page "Vision", "Evaluate image size"). The bound is the greater of the two counts,
/// up to the larger cap, which also applies if the size is unknown.
pub(super) fn anthropic(size: Option<Size>) -> u64 {
    const CAP: u64 = 4784;
    let tokens = size.map_or(CAP, |(width, height)| {
        let area = u64::from(width).saturating_mul(height.into());
        patches((width, height), 28).max(area.div_ceil(750)).min(CAP)
    });
    tokens + AROUND
}

/// Returns the most tokens of an image at OpenAI; `None` if only the context window bounds them.
///
/// OpenAI has two rules (its page "Images and vision", "Calculating costs"):
///
/// - Tiles, for GPT-4o, GPT-4.1, GPT-4.5, GPT-5 and the o-series: a base, plus a fixed count for
///   each of up to 8 tiles of 512 pixels (2048 × 768 is the largest size after scaling). 85 + 170
///   is the highest, except for gpt-4o-mini with 2,833 + 5,667. Detail `low` costs only the base.
/// - Patches of 32 × 32 pixels, for the small models and all later ones. The small ones use at most
///   1,536 patches, GPT-5.4 and 5.5 at most 2,500 (`high`) or 10,000 (`original`); from GPT-5.6 on,
///   `original` has no limit. A patch costs up to 2.46 tokens (the nano models). The bound uses
///   1,536 patches for `low` too, because small models were seen to ignore `low`
///   (community.openai.com, topic 1377015).
///
/// If a model's rule is uncertain, the greater result counts. One observation contradicts the rules
/// and is not covered: gpt-5.4-mini was seen to bill the base64 of an image as text
/// (community.openai.com, topic 1380539).
pub(super) fn openai(model: &str, detail: Detail, size: Option<Size>) -> Option<u64> {
    const TILES: u64 = 85 + 8 * 170;
    const MINI: u64 = 2833 + 8 * 5667;
    const MINI_LOW: u64 = 2833;
    let family = Traits::of_name(model).images;
    let cap = match (detail, family) {
        (Detail::Low, _) => Some(1536),
        (Detail::High, _) => Some(2500),
        (Detail::Original, ImageRule::Capped | ImageRule::Mini) => Some(10_000),
        (Detail::Original, ImageRule::Other) => None,
    };
    let patches = match (size.map(|size| patches(size, 32)), cap) {
        // The provider can scale a small image up to 512 × 512.
        (Some(patches), _) if detail == Detail::Low => Some(patches.clamp(256, 1536)),
        (Some(patches), Some(cap)) => Some(patches.min(cap)),
        (Some(patches), None) => Some(patches),
        (None, cap) => cap,
    };
    let patched = patches?.saturating_mul(246).div_ceil(100);
    let mini = if detail == Detail::Low { MINI_LOW } else { MINI };
    let tokens = match family {
        ImageRule::Mini => mini,
        ImageRule::Capped => patched.max(TILES),
        ImageRule::Other => patched.max(mini),
    };
    Some(tokens.saturating_add(AROUND))
}

/// Returns how many squares of `side` pixels cover an image.
pub(super) fn patches((width, height): Size, side: u32) -> u64 {
    u64::from(width.div_ceil(side)).saturating_mul(height.div_ceil(side).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anthropics_examples_stay_within_the_bound() {
        // The page's own examples, and its cap.
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
    fn openais_examples_stay_within_the_bound() {
        let square = Some((1024, 1024));
        for (model, detail, size, published) in [
            // The page on gpt-4o: 1024 × 1024 is 765, 2048 × 4096 is 1105, low 85.
            ("gpt-4o", Detail::High, square, 765),
            ("gpt-4o", Detail::High, Some((2048, 4096)), 1105),
            ("gpt-4o", Detail::Low, Some((4096, 8192)), 85),
            ("gpt-4o-mini", Detail::High, square, 25_501),
            ("gpt-4o-mini", Detail::Low, None, 2833),
            // The page's patches times the greatest factor.
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
