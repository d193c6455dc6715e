//! The vendors that the crate knows, one row each.

mod anthropic;
mod bedrock;
mod cohere;
mod embeddings;
mod gemini;
mod hosts;
mod local;
mod openai_chat;
mod vertex;

use std::borrow::Cow;

use super::{Format, Profile, Provider};
use crate::wire::openai_chat::{CallIds, Dialect, InstructionRole, OutputLimit};

/// A vendor. Its profile is made on demand.
struct Row {
    id: &'static str,
    aliases: &'static [&'static str],
    /// The format of its chats, if it has any.
    format: Option<Format>,
    base_url: &'static str,
    /// Adds the rest of the profile.
    fill: fn(Profile) -> Profile,
}

impl Row {
    const fn chat(
        id: &'static str,
        aliases: &'static [&'static str],
        base_url: &'static str,
        fill: fn(Profile) -> Profile,
    ) -> Self {
        Self { id, aliases, format: Some(Format::OpenAiChat), base_url, fill }
    }

    const fn anthropic(
        id: &'static str,
        aliases: &'static [&'static str],
        base_url: &'static str,
        fill: fn(Profile) -> Profile,
    ) -> Self {
        Self { id, aliases, format: Some(Format::Anthropic), base_url, fill }
    }

    const fn cohere(
        id: &'static str,
        aliases: &'static [&'static str],
        base_url: &'static str,
        fill: fn(Profile) -> Profile,
    ) -> Self {
        Self { id, aliases, format: Some(Format::Cohere), base_url, fill }
    }

    const fn bedrock(
        id: &'static str,
        aliases: &'static [&'static str],
        base_url: &'static str,
        fill: fn(Profile) -> Profile,
    ) -> Self {
        Self { id, aliases, format: Some(Format::Bedrock), base_url, fill }
    }

    /// A vendor without chats. The rest of its profile says how its embeddings are called.
    const fn embeddings_only(
        id: &'static str,
        aliases: &'static [&'static str],
        base_url: &'static str,
        fill: fn(Profile) -> Profile,
    ) -> Self {
        Self { id, aliases, format: None, base_url, fill }
    }

    const fn gemini(
        id: &'static str,
        aliases: &'static [&'static str],
        base_url: &'static str,
        fill: fn(Profile) -> Profile,
    ) -> Self {
        Self { id, aliases, format: Some(Format::Gemini), base_url, fill }
    }

    const fn vertex(
        id: &'static str,
        aliases: &'static [&'static str],
        base_url: &'static str,
        fill: fn(Profile) -> Profile,
    ) -> Self {
        Self { id, aliases, format: Some(Format::Vertex), base_url, fill }
    }

    const fn ollama(
        id: &'static str,
        aliases: &'static [&'static str],
        base_url: &'static str,
        fill: fn(Profile) -> Profile,
    ) -> Self {
        Self { id, aliases, format: Some(Format::Ollama), base_url, fill }
    }

    fn is(&self, name: &str) -> bool {
        let is = |own: &&str| own.eq_ignore_ascii_case(name);
        is(&self.id) || self.aliases.iter().any(is)
    }

    fn profile(&self) -> Profile {
        let at = Profile::at(Provider::from_static(self.id), self.base_url.into());
        (self.fill)(Profile { format: self.format, ..at })
    }
}

/// OpenAI's own dialect: the default, plus what only OpenAI refuses.
const OPENAI: Dialect = Dialect { call_ids: CallIds::UpTo40, ..Dialect::OPENAI };

/// What most servers that follow OpenAI accept: the older of its two output limits, and
/// instructions as `system`. Servers that know the newer forms accept these too.
const FOLLOWER: Dialect = Dialect {
    output_limit: OutputLimit::MaxTokens,
    instruction_role: InstructionRole::System,
    ..Dialect::OPENAI
};

/// For servers that have deprecated `max_tokens`.
const MAX_COMPLETION: Dialect =
    Dialect { output_limit: OutputLimit::MaxCompletionTokens, ..Dialect::OPENAI };

fn rows() -> impl Iterator<Item = &'static Row> {
    [
        openai_chat::ROWS,
        hosts::ROWS,
        anthropic::ROWS,
        bedrock::ROWS,
        cohere::ROWS,
        embeddings::ROWS,
        gemini::ROWS,
        local::ROWS,
        vertex::ROWS,
    ]
    .into_iter()
    .flatten()
}

fn row(name: &str) -> Option<&'static Row> {
    rows().find(|row| row.is(name))
}

/// The profile of a provider, by name or alias, ignoring case.
pub(crate) fn lookup(name: &str) -> Option<Profile> {
    row(name).map(Row::profile)
}

/// The id of a provider, by name or alias.
pub(crate) fn canonical(name: &str) -> Option<&'static str> {
    row(name).map(|row| row.id)
}

/// The provider's name in the price table, if it differs from its id.
pub(crate) fn price_name(name: &str) -> Option<Cow<'static, str>> {
    lookup(name)?.prices
}

pub(super) fn all() -> impl Iterator<Item = Profile> {
    rows().map(Row::profile)
}

/// All names, including aliases.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    rows().flat_map(|row| [row.id].into_iter().chain(row.aliases.iter().copied()))
}

#[cfg(test)]
mod tests;
