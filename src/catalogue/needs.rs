//! Whether a model can serve a request at all, judged before anything is sent.

use super::wishes::Wishes;
use super::{Capabilities, ModelStatus};
use crate::chat::ReasoningEffort;
use crate::error::ErrorKind;

/// The bytes of text that one token stands for at most, in text that people and programs write.
///
/// A skipped target gets no chance to prove the estimate wrong, so it errs on the low side:
/// English has 4 to 5 bytes a token (help.openai.com, "What are tokens and how to count them"),
/// code and other languages fewer. A prompt in between goes to the target; if the provider refuses
/// it as too long, the call moves on to a larger window.
const BYTES_PER_TOKEN: u64 = 6;

/// What a request needs of a model, and what a program asks of it besides.
///
/// [`Needs::of`] derives them from a request. The setters add what a request does not show, such as
/// a lowest quality.
///
/// ```
/// use tollgate::catalogue::Needs;
/// use tollgate::{ChatRequest, MaxPrice, Money};
///
/// let request = ChatRequest::from("What is the capital of France?");
/// let needs = Needs::of(&request)
///     .context(200_000)
///     .max_price(MaxPrice::of_input(Money::dollars(1)))
///     .providers(["openai", "anthropic"]);
/// let by_hand = Needs::new().tools(true).images(true).prompt_tokens(5_000);
/// # let _ = (needs, by_hand);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use]
pub struct Needs {
    /// The bytes of the prompt's text, tools and schemas included.
    pub(crate) prompt_bytes: u64,
    /// The output limit that the request sets.
    pub(crate) max_output: Option<u64>,
    pub(crate) images: bool,
    pub(crate) documents: bool,
    pub(crate) audio: bool,
    pub(crate) video: bool,
    pub(crate) tools: bool,
    pub(crate) parallel_tools: bool,
    pub(crate) schema: bool,
    pub(crate) reasoning: bool,
    /// The reasoning effort that the request sets.
    pub(crate) effort: Option<ReasoningEffort>,
    /// Whether the request sets a temperature or `top_p` other than 1.
    pub(crate) sampling: bool,
    /// What only a selection looks at.
    pub(super) wishes: Wishes,
}

/// Something that some models can do.
pub(super) struct Ability {
    pub(super) needed: bool,
    pub(super) can: Option<bool>,
    /// How a request needs it: it "has" images, and "sets" a reasoning effort.
    verb: &'static str,
    pub(super) what: &'static str,
}

/// Why a target cannot serve a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfit {
    /// The kind of error if no target can.
    pub(crate) kind: ErrorKind,
    pub(crate) why: String,
    /// How to change the request, if that helps.
    pub(crate) remedy: Option<&'static str>,
}

impl Unfit {
    pub(crate) fn new(kind: ErrorKind, why: impl Into<String>) -> Self {
        let remedy = match kind {
            ErrorKind::InvalidRequest => Some("leave that out"),
            ErrorKind::ContextWindowExceeded => Some("shorten the prompt"),
            _ => None,
        };
        Self { kind, why: why.into(), remedy }
    }
}

impl Needs {
    /// Returns why a model with these capabilities cannot meet the needs; `None` if it can, as far
    /// as is known. `count` counts the tokens of the prompt exactly, if the program has a
    /// tokenizer for the model.
    pub(crate) fn unmet(
        &self,
        of: &Capabilities,
        count: impl FnOnce() -> Option<u64>,
    ) -> Option<Unfit> {
        if of.status == Some(ModelStatus::Retired) {
            return Some(Unfit::new(ErrorKind::NotFound, "the model is retired"));
        }
        let sampling = Ability {
            needed: self.sampling,
            can: of.temperature,
            verb: "sets",
            what: "a temperature or top_p other than 1",
        };
        for Ability { needed, can, verb, what } in self.abilities(of).into_iter().chain([sampling])
        {
            if needed && can == Some(false) {
                let why = format!("the request {verb} {what}, which the model does not support");
                return Some(Unfit::new(ErrorKind::InvalidRequest, why));
            }
        }
        if let (Some(asked), Some(most)) = (self.max_output, of.max_output) {
            if asked > most {
                let why = format!(
                    "the request allows {asked} output tokens, and the model writes at most {most}"
                );
                let unfit = Unfit::new(ErrorKind::InvalidRequest, why);
                return Some(Unfit { remedy: Some("lower max_output_tokens"), ..unfit });
            }
        }
        self.too_long(of, count)
    }

    /// What a request may need of a model, and whether one with these capabilities can do it.
    pub(super) fn abilities(&self, of: &Capabilities) -> [Ability; 7] {
        let has = |needed, can, what| Ability { needed, can, verb: "has", what };
        [
            has(self.images, of.images, "images"),
            has(self.documents, of.documents, "documents"),
            has(self.audio, of.audio, "sound"),
            has(self.video, of.video, "videos"),
            has(self.tools, of.tools, "tools"),
            has(self.schema, of.schema, "a JSON schema for the answer"),
            Ability {
                needed: self.reasoning,
                can: of.reasoning,
                verb: "sets",
                what: "a reasoning effort",
            },
        ]
    }

    /// Returns why a model does not have the effort that the request sets; `None` if it has, or if
    /// its efforts are unknown.
    pub(crate) fn unmet_effort(&self, efforts: &[ReasoningEffort]) -> Option<Unfit> {
        let effort = self.effort.filter(|effort| !efforts.contains(effort))?;
        if efforts.is_empty() {
            return None;
        }
        let known: Vec<_> = efforts.iter().map(|known| format!("\"{}\"", known.as_str())).collect();
        let why = format!(
            "the request sets the reasoning effort \"{}\", and the model has only {}",
            effort.as_str(),
            known.join(", ")
        );
        Some(Unfit::new(ErrorKind::InvalidRequest, why))
    }

    fn too_long(&self, of: &Capabilities, count: impl FnOnce() -> Option<u64>) -> Option<Unfit> {
        let output = self.max_output.unwrap_or(0);
        let (window, input) = (of.context_window, of.max_input);
        // A token stands for at least one byte, so most prompts fit whatever the tokenizer says.
        let holds = |tokens: u64| {
            window.is_none_or(|window| tokens.saturating_add(output) <= window)
                && input.is_none_or(|input| tokens <= input)
        };
        if holds(self.prompt_bytes) {
            return None;
        }
        let (prompt, about) = match count() {
            Some(tokens) => (tokens, ""),
            None => (self.prompt_bytes / BYTES_PER_TOKEN, "at least "),
        };
        if holds(prompt) {
            return None;
        }
        if let Some(input) = input.filter(|input| prompt > *input) {
            let why = format!(
                "the prompt has {about}{prompt} tokens, and the model reads at most {input}"
            );
            return Some(Unfit::new(ErrorKind::ContextWindowExceeded, why));
        }
        let window = window.unwrap_or_default();
        let answer = match output {
            0 => String::new(),
            output => format!(" and the answer may have {output}"),
        };
        let why = format!(
            "the prompt has {about}{prompt} tokens{answer}, and the context window holds {window}"
        );
        Some(Unfit::new(ErrorKind::ContextWindowExceeded, why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmet(needs: Needs, of: Capabilities) -> Option<(ErrorKind, String)> {
        needs.unmet(&of, || None).map(|unfit| (unfit.kind, unfit.why))
    }

    #[test]
    fn what_is_unknown_is_allowed() {
        let all = Needs {
            prompt_bytes: u64::MAX,
            max_output: Some(u64::MAX),
            images: true,
            documents: true,
            audio: true,
            video: true,
            tools: true,
            parallel_tools: true,
            schema: true,
            reasoning: true,
            effort: Some(ReasoningEffort::Max),
            sampling: true,
            wishes: Wishes::default(),
        };
        assert_eq!(unmet(all, Capabilities::default()), None);
    }

    #[test]
    fn each_need_is_refused_only_by_a_model_that_cannot_meet_it() {
        let none = Capabilities::default();
        let needs = Needs::new;
        for (needs, cannot, can, what) in [
            (needs().images(true), none.images(false), none.images(true), "images"),
            (needs().documents(true), none.documents(false), none.documents(true), "documents"),
            (needs().audio(true), none.audio(false), none.audio(true), "sound"),
            (needs().video(true), none.video(false), none.video(true), "videos"),
            (needs().tools(true), none.tools(false), none.tools(true), "tools"),
            (needs().schema(true), none.schema(false), none.schema(true), "schema"),
            (
                needs().reasoning(true),
                none.reasoning(false),
                none.reasoning(true),
                "reasoning effort",
            ),
            (
                needs().max_output(101),
                none.max_output(100),
                none.max_output(101),
                "101 output tokens, and the model writes at most 100",
            ),
        ] {
            let (kind, why) = unmet(needs.clone(), cannot).expect(what);
            assert_eq!(kind, ErrorKind::InvalidRequest, "{why}");
            assert!(why.contains(what), "{why}");
            assert_eq!(unmet(needs, can), None, "{what}");
            assert_eq!(unmet(Needs::default(), cannot), None, "{what} is not needed");
        }
    }

    #[test]
    fn an_effort_is_refused_only_by_a_model_with_others() {
        use ReasoningEffort::{High, Low, XHigh};
        let with = |effort| Needs { effort, ..Needs::default() };
        assert_eq!(with(None).unmet_effort(&[Low]), None);
        assert_eq!(with(Some(XHigh)).unmet_effort(&[]), None);
        assert_eq!(with(Some(Low)).unmet_effort(&[Low, High]), None);
        let unfit = with(Some(XHigh)).unmet_effort(&[Low, High]).unwrap();
        assert_eq!(unfit.kind, ErrorKind::InvalidRequest);
        assert_eq!(
            unfit.why,
            "the request sets the reasoning effort \"xhigh\", and the model has only \"low\", \"high\""
        );
    }

    #[test]
    fn a_prompt_may_be_smaller_than_the_window_and_still_too_long() {
        let of = Capabilities::default().context_window(400_000).max_input(272_000);
        let prompt = |tokens| {
            Needs { prompt_bytes: u64::MAX, ..Needs::default() }.unmet(&of, || Some(tokens))
        };
        assert_eq!(prompt(272_000), None);
        let unfit = prompt(272_001).unwrap();
        assert_eq!(unfit.kind, ErrorKind::ContextWindowExceeded);
        assert_eq!(unfit.why, "the prompt has 272001 tokens, and the model reads at most 272000");
    }

    #[test]
    fn a_retired_model_serves_nothing_and_a_deprecated_one_everything() {
        for (status, expected) in [
            (ModelStatus::Active, None),
            (ModelStatus::Deprecated, None),
            (ModelStatus::Retired, Some((ErrorKind::NotFound, "the model is retired".to_owned()))),
        ] {
            let of = Capabilities::default().status(status);
            assert_eq!(unmet(Needs::default(), of), expected);
        }
    }

    #[test]
    fn prompt_and_answer_must_fit_the_window_together() {
        let of = Capabilities::default().context_window(1_000);
        for (prompt_bytes, max_output, counted, fits) in [
            // Whatever the tokenizer: a token has at least one byte.
            (1_000, None, Some(5_000), true),
            (600, Some(400), Some(5_000), true),
            // Not even six bytes a token make it fit.
            (6_005, None, None, true),
            (6_006, None, None, false),
            (3_006, Some(500), None, false),
            (3_005, Some(500), None, true),
            // The count decides if there is one.
            (6_006, None, Some(1_000), true),
            (1_001, None, Some(1_001), false),
            (6_006, Some(1), Some(1_000), false),
            (u64::MAX, Some(u64::MAX), None, false),
        ] {
            let needs = Needs { prompt_bytes, max_output, ..Needs::default() };
            let unfit = needs.unmet(&of, || counted);
            assert_eq!(unfit.is_none(), fits, "{needs:?} {counted:?}");
            assert!(unfit.is_none_or(|unfit| unfit.kind == ErrorKind::ContextWindowExceeded));
        }
        let needs = Needs { prompt_bytes: 12_000, max_output: Some(10), ..Needs::default() };
        let (_, why) = unmet(needs, of).unwrap();
        assert_eq!(
            why,
            "the prompt has at least 2000 tokens and the answer may have 10, and the context window \
             holds 1000"
        );
    }
}
