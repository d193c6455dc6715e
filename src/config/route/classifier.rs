//! Classifiers read a request and choose the target to try first.

use crate::chat::ChatRequest;

/// Reads a request and chooses the target of a route to try first.
///
/// Pass it to [`Route::classifier`](super::Route::classifier). It runs once for each call, before
/// anything is reserved or sent. A [`Strategy`](crate::route::Strategy) is something else: it knows
/// measurements instead of the request, and chooses a target for each attempt. The two work
/// together. The classifier chooses the target of the first attempt. If that target rests, cannot
/// serve the call or fails, the strategy chooses among the others; the default strategy goes on to
/// the targets behind it, and then to those before it.
///
/// If a classifier panics, the panic reaches the code that made the call. Nothing is sent or charged.
///
/// ```
/// use tollgate::ChatRequest;
/// use tollgate::route::{Choice, Classifier, Route, TargetInfo};
///
/// /// Sends what has images to the last target.
/// struct ByImages;
///
/// impl Classifier for ByImages {
///     fn name(&self) -> &str {
///         "by_images"
///     }
///
///     fn classify(&self, request: &ChatRequest, targets: &[TargetInfo<'_>]) -> Option<Choice> {
///         let has_images = request.messages.iter().any(|message| message.images().next().is_some());
///         let last = targets.last().filter(|_| has_images)?;
///         Some(Choice::new(last.name, "the prompt has images"))
///     }
/// }
///
/// let targets = ["openai/gpt-4o-mini", "openai/gpt-4o"];
/// let route = Route::new("smart").targets(targets).classifier(ByImages);
/// # let _ = route;
/// ```
pub trait Classifier: Send + Sync {
    /// Its name in explanations, such as `by_prompt`.
    fn name(&self) -> &str;

    /// Names the target to try first, and says why; `None` leaves the choice to the strategy.
    /// `targets` has the targets of the route in their order. There is at least one.
    ///
    /// If the route has no target of that name, the strategy chooses, and
    /// [`RouteTrace::classification`](crate::route::RouteTrace::classification) says so.
    fn classify(&self, request: &ChatRequest, targets: &[TargetInfo<'_>]) -> Option<Choice>;
}

/// A target of a route, as a [`Classifier`] sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TargetInfo<'a> {
    /// Its name in the route.
    pub name: &'a str,
    /// The id of its provider.
    pub provider: &'a str,
    /// The model, under the provider's name.
    pub model: &'a str,
    /// Its region, if the route names one.
    pub region: Option<&'a str>,
}

impl<'a> TargetInfo<'a> {
    /// Makes a target without a region, for the tests of a classifier.
    pub fn new(name: &'a str, provider: &'a str, model: &'a str) -> Self {
        Self { name, provider, model, region: None }
    }

    /// Sets its region. Default: none.
    #[must_use]
    pub fn region(self, region: Option<&'a str>) -> Self {
        Self { region, ..self }
    }
}

/// The target that a [`Classifier`] chose, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Choice {
    /// The name of the target in the route.
    pub target: String,
    /// Why. It is shown in [`RouteTrace`](crate::route::RouteTrace), so it should not quote the
    /// request.
    pub reason: String,
}

impl Choice {
    /// Chooses a target by its name in the route, for this reason.
    pub fn new(target: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { target: target.into(), reason: reason.into() }
    }
}

/// A plain classifier: prompts that are long or contain code begin at the last target of the route,
/// all others at the first.
///
/// A prompt contains code if it has a Markdown fence, or three lines that end with `;`, `{` or `}`.
///
/// ```
/// use tollgate::ChatRequest;
/// use tollgate::route::{ByPrompt, Classifier, TargetInfo};
///
/// let targets = [
///     TargetInfo::new("small", "openai", "gpt-4o-mini"),
///     TargetInfo::new("large", "openai", "gpt-4o"),
/// ];
/// let choice = ByPrompt::default().classify(&ChatRequest::from("Hello!"), &targets).unwrap();
/// assert_eq!(choice.target, "small");
/// let code = ChatRequest::from("What is wrong?\n```rust\nlet x: u8 = 256;\n```");
/// let choice = ByPrompt::default().classify(&code, &targets).unwrap();
/// assert_eq!((choice.target.as_str(), choice.reason.as_str()), ("large", "the prompt has code"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByPrompt {
    long: usize,
}

impl Default for ByPrompt {
    fn default() -> Self {
        Self { long: 4_000 }
    }
}

impl ByPrompt {
    /// Sets from how many bytes of text on a prompt is long, all messages together. Default: 4,000,
    /// about a thousand tokens.
    #[must_use]
    pub const fn long(mut self, bytes: usize) -> Self {
        self.long = bytes;
        self
    }
}

impl Classifier for ByPrompt {
    fn name(&self) -> &str {
        "by_prompt"
    }

    fn classify(&self, request: &ChatRequest, targets: &[TargetInfo<'_>]) -> Option<Choice> {
        let (first, last) = (targets.first()?.name, targets.last()?.name);
        let texts: Vec<String> = request.messages.iter().map(|message| message.text()).collect();
        if texts.iter().map(String::len).sum::<usize>() >= self.long {
            return Some(Choice::new(last, "the prompt is long"));
        }
        Some(match texts.iter().any(|text| has_code(text)) {
            true => Choice::new(last, "the prompt has code"),
            false => Choice::new(first, "the prompt is short and has no code"),
        })
    }
}

fn has_code(text: &str) -> bool {
    let is_code = |line: &&str| line.trim_end().ends_with([';', '{', '}']);
    text.contains("```") || text.lines().filter(is_code).count() >= 3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Message;

    #[test]
    fn long_prompts_and_code_begin_at_the_last_target() {
        let targets = [
            TargetInfo::new("a", "openai", "x"),
            TargetInfo::new("b", "openai", "y"),
            TargetInfo::new("c", "openai", "z"),
        ];
        let chosen = |request: &ChatRequest| {
            let choice = ByPrompt::default().long(100).classify(request, &targets);
            choice.map(|choice| choice.target)
        };
        for (prompt, expected) in [
            ("hi".to_owned(), "a"),
            ("x".repeat(99), "a"),
            ("x".repeat(100), "c"),
            ("one; two; three;".to_owned(), "a"),
            ("fn main() {\n    run();\n}".to_owned(), "c"),
            ("see:\n```\nls\n```".to_owned(), "c"),
        ] {
            let request = ChatRequest::from(prompt.as_str());
            assert_eq!(chosen(&request).as_deref(), Some(expected), "{prompt}");
        }
        let half = || Message::user("x".repeat(50));
        assert_eq!(chosen(&ChatRequest::new([half(), half()])).as_deref(), Some("c"));
        assert_eq!(ByPrompt::default().classify(&ChatRequest::from("hi"), &[]), None);
    }
}
