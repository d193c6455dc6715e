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

/// Compares the name at the start of a line with another one, both in lower case. It reads the line
/// only as far as they are the same.
fn name_order(line: &str, model: &str) -> Ordering {
    let lower = |byte: u8| byte.to_ascii_lowercase();
    let name = line.bytes().take_while(|byte| *byte != b'|');
    name.map(lower).cmp(model.bytes().map(lower))
}

/// Reads a line. Parts that it lacks are unknown.
fn read(provider: &'static str, line: &'static str) -> Model {
    let mut fields = line.split('|');
    let mut next = || fields.next().unwrap_or_default();
    let (id, tokens, abilities) = (next(), next(), next());
    let (modalities, dates, family) = (next(), next(), next());
    let mut model = Model::new(Provider::from_static(provider), Cow::Borrowed(id));
    let mut tokens = tokens.split(' ').map(number);
    let mut next = || tokens.next().flatten();
    model.capabilities.context_window = next();
    model.capabilities.max_output = next();
    model.capabilities.max_input = next();
    read_abilities(abilities, &mut model);
    let (input, output) = modalities.split_once('>').unwrap_or((modalities, ""));
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

fn read_abilities(text: &str, model: &mut Model) {
    let (text, api) = text.split_once(':').unwrap_or((text, ""));
    let (abilities, efforts) = text.split_once('=').unwrap_or((text, ""));
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
    let can = |letter: char| match text.strip_suffix('?') {
        _ if text.contains(letter) => Some(true),
        None => Some(false),
        Some(text) => text.contains(letter.to_ascii_uppercase()).then_some(false),
    };
    capabilities.images = can('i');
    capabilities.documents = can('d');
    capabilities.audio = can('a');
    capabilities.video = can('v');
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
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let rest = word.get(1..).unwrap_or_default();
        match word.as_bytes()[0] {
            b'-' => model.capabilities.status = Some(ModelStatus::Deprecated),
            b'~' => model.capabilities.status = Some(ModelStatus::Preview),
            b'k' => model.knowledge = ModelDate::short(rest),
            b'x' => model.retires = ModelDate::short(rest),
            b'>' => model.successor = Some(Cow::Borrowed(rest)),
            _ => model.released = ModelDate::short(word),
        }
    }
}
