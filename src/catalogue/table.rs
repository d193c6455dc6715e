//! Reads the table of models.
//!
//! The crate in `prices/` writes `table.txt`, and documents its sources. The first lines of the
//! table name them. A line in brackets starts a provider: its id, and the ids of providers with the
//! same models. Each line below it is a model, in the order of their names in lower case:
//!
//! ```text
//! name|context window, output, input|abilities|modalities|dates|family
//! gpt-5|400k 128k 272k|tpsrMO=ilmh|di|250807 k240930 x261211 >gpt-5.6-sol|gpt
//! ```
//!
//! - Tokens: `k` stands for 1,000 and `K` for 1,024. Without a third number, the input may fill the
//!   window.
//! - Abilities: `t`ools, several (`p`arallel) tool calls, a `s`chema for the answer, `r`easoning,
//!   te`m`perature, `o`pen weights, OpenAI's `n`ewer parameters, a `b`udget for thinking (not: a
//!   level). In upper case: not. After `=` the efforts of reasoning: `n`one,
//!   m`i`nimal, `l`ow, `m`edium, `h`igh, `x`high, m`a`x. After `:` the API: `r`esponses,
//!   `c`ompletions, `e`mbeddings; `?` is unknown, and no API is a chat.
//! - Modalities besides text: `i`mages, `a`udio, `v`ideo, `d`ocuments; those of the answer after
//!   `>`. A `?` marks a list that may lack some; a letter in upper case before it is ruled out.
//! - Dates: of the release, `k` of the knowledge, `x` of the retirement; `-` is deprecated and `~` a
//!   preview; `>` is followed by the successor.
//!
//! A line is parsed when it is needed.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::OnceLock;

use super::{Capabilities, Modality, Model, ModelApi, ModelDate, ModelStatus, Thinking};
use crate::chat::{Provider, ReasoningEffort};

const TABLE: &str = include_str!("table.txt");

/// The models of a provider.
pub(super) struct Section {
    provider: &'static str,
    same: &'static str,
    lines: &'static str,
    /// One line each, split on the first use.
    models: OnceLock<Vec<&'static str>>,
}

/// The date of the newest source.
pub(super) fn date() -> &'static str {
    let first = TABLE.lines().next().unwrap_or_default();
    first.rsplit(' ').next().unwrap_or_default()
}

/// The sections, split in one pass over the table.
fn sections() -> &'static [Section] {
    static SECTIONS: OnceLock<Vec<Section>> = OnceLock::new();
    SECTIONS.get_or_init(|| TABLE.split("\n[").skip(1).filter_map(Section::read).collect())
}

/// Splits the table into all its lines again, as the first look-ups do for their providers, and
/// counts them.
#[cfg(feature = "internals")]
pub(super) fn load() -> usize {
    let sections = TABLE.split("\n[").skip(1).filter_map(Section::read);
    sections.map(|section| section.lines().len()).sum()
}

/// The ids of all providers with models in the table.
pub(super) fn providers() -> impl Iterator<Item = &'static str> {
    sections().iter().flat_map(|section| {
        std::iter::once(section.provider).chain(section.same.split_whitespace())
    })
}

/// The section of a provider, by its id.
pub(super) fn section(provider: &str) -> Option<&'static Section> {
    let sections = sections();
    let at = sections.binary_search_by(|section| section.provider.cmp(provider));
    match at {
        Ok(at) => Some(&sections[at]),
        Err(_) => {
            sections.iter().find(|section| section.same.split(' ').any(|same| same == provider))
        }
    }
}

impl Section {
    fn read(text: &'static str) -> Option<Self> {
        let (head, lines) = text.split_once('\n')?;
        let (provider, same) = head.strip_suffix(']')?.split_once('|')?;
        Some(Self { provider, same, lines, models: OnceLock::new() })
    }

    fn lines(&self) -> &[&'static str] {
        let lines = || self.lines.lines().filter(|line| !line.is_empty()).collect();
        self.models.get_or_init(lines)
    }

    /// Whether this is the id in front, and not that of another provider with the same models.
    pub(super) fn is_named(&self, provider: &str) -> bool {
        self.provider == provider
    }

    /// Finds a model by its name, in upper or lower case.
    pub(super) fn find(&self, provider: &str, model: &str) -> Option<Model> {
        if model.contains('|') {
            return None;
        }
        let lines = self.lines();
        let at = lines.binary_search_by(|line| name_order(line, model)).ok()?;
        Some(read(self.id(provider), lines[at]))
    }

    /// All its models, as those of `provider`.
    pub(super) fn models(&self, provider: &str) -> impl Iterator<Item = Model> {
        let id = self.id(provider);
        self.lines().iter().map(move |line| read(id, line))
    }

    /// The id of a provider with these models.
    fn id(&self, provider: &str) -> &'static str {
        self.same.split(' ').find(|same| *same == provider).unwrap_or(self.provider)
    }
}

/// Compares the name at the start of a line with another one without a `|`, both in lower case. It
/// reads the line only as far as they are the same.
fn name_order(line: &str, model: &str) -> Ordering {
    for (ours, theirs) in line.bytes().zip(model.bytes()) {
        if ours != theirs {
            let (ours, theirs) = (ours.to_ascii_lowercase(), theirs.to_ascii_lowercase());
            match ours {
                b'|' => return Ordering::Less,
                _ if ours != theirs => return ours.cmp(&theirs),
                _ => {}
            }
        }
    }
    match line.as_bytes().get(model.len()) {
        None | Some(b'|') => line.len().min(model.len()).cmp(&model.len()),
        Some(_) => Ordering::Greater,
    }
}

/// Cuts a text at the first `mark`, an ASCII character. It is faster than the standard library on
/// texts of a few bytes.
fn cut(text: &'static str, mark: u8) -> (&'static str, &'static str) {
    match text.bytes().position(|byte| byte == mark) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    }
}

/// Reads a line. Parts that it lacks are unknown.
fn read(provider: &'static str, line: &'static str) -> Model {
    let mut rest = line;
    let mut next = || {
        let (field, behind) = cut(rest, b'|');
        rest = behind;
        field
    };
    let (id, tokens, abilities) = (next(), next(), next());
    let (modalities, dates, family) = (next(), next(), next());
    let mut model = Model::new(Provider::from_static(provider), Cow::Borrowed(id));
    let (window, tokens) = cut(tokens, b' ');
    let (output, input) = cut(tokens, b' ');
    model.capabilities.context_window = number(window);
    model.capabilities.max_output = number(output);
    model.capabilities.max_input = number(input);
    read_abilities(abilities, &mut model);
    let (input, output) = cut(modalities, b'>');
    read_input(input, &mut model.capabilities);
    model.output = output.chars().filter_map(modality).collect();
    read_dates(dates, &mut model);
    model.family = Some(family).filter(|family| !family.is_empty()).map(Cow::Borrowed);
    model
}

fn number(text: &str) -> Option<u64> {
    let (digits, unit) = match text.as_bytes().last()? {
        b'k' => (&text[..text.len() - 1], 1_000),
        b'K' => (&text[..text.len() - 1], 1_024),
        _ => (text, 1),
    };
    Some(digits.parse::<u64>().ok()? * unit)
}

fn read_abilities(text: &'static str, model: &mut Model) {
    let (text, api) = cut(text, b':');
    let (abilities, efforts) = cut(text, b'=');
    model.api = match api {
        "r" => Some(ModelApi::Responses),
        "c" => Some(ModelApi::Completions),
        "e" => Some(ModelApi::Embeddings),
        "?" => None,
        _ => Some(ModelApi::Chat),
    };
    for letter in abilities.bytes() {
        let can = Some(letter.is_ascii_lowercase());
        let capabilities = &mut model.capabilities;
        match letter.to_ascii_lowercase() {
            b't' => capabilities.tools = can,
            b'p' => capabilities.parallel_tools = can,
            b's' => capabilities.schema = can,
            b'r' => capabilities.reasoning = can,
            b'm' => capabilities.temperature = can,
            b'o' => model.open_weights = can,
            b'n' => model.newer_parameters = can,
            b'b' if can == Some(true) => model.thinking = Some(Thinking::Budget),
            b'b' => model.thinking = Some(Thinking::Level),
            _ => {}
        }
    }
    model.efforts = efforts.bytes().filter_map(effort).collect();
}

fn effort(letter: u8) -> Option<ReasoningEffort> {
    Some(match letter {
        b'n' => ReasoningEffort::None,
        b'i' => ReasoningEffort::Minimal,
        b'l' => ReasoningEffort::Low,
        b'm' => ReasoningEffort::Medium,
        b'h' => ReasoningEffort::High,
        b'x' => ReasoningEffort::XHigh,
        b'a' => ReasoningEffort::Max,
        _ => return None,
    })
}

fn read_input(text: &str, capabilities: &mut Capabilities) {
    let has = |letter: u8| text.bytes().any(|byte| byte == letter);
    let lacks_some = text.ends_with('?');
    let can = |letter: u8| match has(letter) {
        true => Some(true),
        false if lacks_some => has(letter.to_ascii_uppercase()).then_some(false),
        false => Some(false),
    };
    capabilities.images = can(b'i');
    capabilities.documents = can(b'd');
    capabilities.audio = can(b'a');
    capabilities.video = can(b'v');
}

fn modality(letter: char) -> Option<Modality> {
    Some(match letter {
        'i' => Modality::Image,
        'a' => Modality::Audio,
        'v' => Modality::Video,
        _ => return None,
    })
}

fn read_dates(text: &'static str, model: &mut Model) {
    let mut words = text;
    while !words.is_empty() {
        let (word, behind) = cut(words, b' ');
        words = behind;
        let Some(first) = word.bytes().next() else { continue };
        let rest = word.get(1..).unwrap_or_default();
        match first {
            b'-' => model.capabilities.status = Some(ModelStatus::Deprecated),
            b'~' => model.capabilities.status = Some(ModelStatus::Preview),
            b'k' => model.knowledge = ModelDate::short(rest),
            b'x' => model.retires = ModelDate::short(rest),
            b'>' => model.successor = Some(Cow::Borrowed(rest)),
            _ => model.released = ModelDate::short(word),
        }
    }
}
