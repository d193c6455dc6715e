//! Measures the most tokens that a prompt in Cohere's format can have.

use serde_json::{Map, Value};

use super::{FORMAT, MEMBER, MESSAGE, Prompt, TOOLS};
use crate::upper_bound::ModelLimits;

/// Members that add nothing to the prompt that is billed. Cohere's own instructions for safety,
/// citations and tools are not (docs.cohere.com/docs/how-does-cohere-pricing-work, "What's the
/// Difference Between "billed" Tokens and Generic Tokens?").
const BESIDE: [&str; 9] = [
    "citation_options",
    "logprobs",
    "model",
    "safety_mode",
    "stop_sequences",
    "stream",
    "strict_tools",
    "thinking",
    "tool_choice",
];

/// Tokens of one tile of an image: 256 (docs.cohere.com/docs/image-inputs, "Image Detail"), and
/// what surrounds it; recorded: 259 for an image of one tile.
const TILE: u64 = 272;

/// The most tiles of an image: it is resized to at most 1536 by 2048 pixels, which 12 tiles of 512
/// by 512 cover, and a preview is added (the same page).
const TILES: u64 = 13;

impl<'a> Prompt<'a> {
    /// Measures a body of Cohere's format.
    pub(in crate::wire) fn cohere(body: &Map<String, Value>, basis: &'a ModelLimits<'a>) -> Self {
        // Cohere bills no writes to its cache.
        let mut prompt = Self::empty(basis);
        for (name, value) in body {
            prompt.cohere_member(name, value);
        }
        prompt
    }

    fn cohere_member(&mut self, name: &str, value: &Value) {
        match (name, value) {
            (_, Value::Null) => {}
            ("messages", Value::Array(messages)) => {
                messages.iter().for_each(|message| self.cohere_message(message));
            }
            ("documents", Value::Array(documents)) => {
                for document in documents {
                    self.add(MESSAGE);
                    self.json(document);
                }
            }
            ("tools", Value::Array(tools)) if tools.is_empty() => {}
            ("tools", tools) => {
                self.add(TOOLS);
                self.json(tools);
            }
            ("response_format", format) => {
                self.add(FORMAT);
                self.json(format);
            }
            // Sampling settings and the priority.
            (_, Value::Number(_)) => {}
            (name, _) if BESIDE.contains(&name) => {}
            _ => self.unseen(format!("the member {name:?}, which this crate does not know")),
        }
    }

    fn cohere_message(&mut self, message: &Value) {
        self.add(MESSAGE);
        let Value::Object(members) = message else { return self.json(message) };
        for (name, value) in members {
            match (name.as_str(), value) {
                ("content", Value::Array(blocks)) => {
                    for block in blocks {
                        self.add(MEMBER);
                        self.cohere_block(block);
                    }
                }
                (_, value) => self.json(value),
            }
        }
    }

    /// An image, by URL too, has at most [`TILES`] tiles.
    fn cohere_block(&mut self, block: &Value) {
        let Some(image) = block.get("image_url") else { return self.json(block) };
        let is_low = image.get("detail").is_some_and(|detail| detail == "low");
        self.add(if is_low { TILE } else { TILE * TILES });
    }
}
