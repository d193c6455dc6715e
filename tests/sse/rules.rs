//! The rules of the HTML Standard, section 9.2.6, applied to a whole stream in the simplest way.
//! Tests compare the parser with it. They share no code: here the text is decoded first and split
//! afterwards.

use tollgate::sse::{self, Limits, ParseError, Parser};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: Option<String>,
    pub(crate) data: String,
    pub(crate) id: String,
}

impl From<sse::Event<'_>> for Event {
    fn from(event: sse::Event<'_>) -> Self {
        Self {
            name: event.name.map(str::to_owned),
            data: event.data.to_owned(),
            id: event.id.to_owned(),
        }
    }
}

/// The result of a stream that has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) events: Vec<Event>,
    /// The text after the last blank line, and the event that it would be.
    pub(crate) unfinished: Option<Option<Event>>,
    pub(crate) last_event_id: String,
    pub(crate) retry: Option<u64>,
}

/// The events of a stream according to the rules.
pub(crate) fn by_the_rules(stream: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(stream).into_owned();
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<&str> = text.split('\n').collect();
    let tail = lines.pop().unwrap_or_default();

    let mut outcome = Outcome::default();
    let mut block: Vec<&str> = Vec::new();
    let mut id = String::new();
    for line in lines {
        let digits = field(line).filter(|(name, _)| *name == "retry").map(|(_, value)| value);
        if let Some(digits) = digits.filter(|value| is_number(value)) {
            outcome.retry = Some(digits.parse().unwrap_or(u64::MAX));
        }
        if line.is_empty() {
            let event = event(&block, &mut id);
            outcome.events.extend(event);
            outcome.last_event_id.clone_from(&id);
            block.clear();
        } else if !line.starts_with(':') {
            block.push(line);
        }
    }
    if !tail.is_empty() && !tail.starts_with(':') {
        block.push(tail);
    }
    if !block.is_empty() {
        outcome.unfinished = Some(event(&block, &mut id));
    }
    outcome
}

fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    (!name.is_empty()).then_some((name, value.strip_prefix(' ').unwrap_or(value)))
}

fn is_number(value: &str) -> bool {
    !value.is_empty() && value.chars().all(|digit| digit.is_ascii_digit())
}

/// The event that these fields are.
fn event(block: &[&str], id: &mut String) -> Option<Event> {
    let mut name = String::new();
    let mut data = String::new();
    for (field, value) in block.iter().filter_map(|line| field(line)) {
        match field {
            "event" => value.clone_into(&mut name),
            "data" => {
                data.push_str(value);
                data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(id),
            _ => {}
        }
    }
    let data = data.strip_suffix('\n')?.to_owned();
    Some(Event { name: (!name.is_empty()).then_some(name), data, id: id.clone() })
}

/// The events that the parser finds in these pieces, up to the error if there is one.
pub(crate) fn parsed<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: Limits,
) -> (Outcome, Option<ParseError>) {
    let mut parser = Parser::with_limits(limits);
    let mut outcome = Outcome::default();
    for piece in pieces {
        let pushed = parser.push(piece, |event| {
            outcome.events.push(event.into());
            Ok(())
        });
        if let Err(cause) = pushed {
            let again = parser.push(b"data: more\n\n", |_| unreachable!("a broken parser"));
            assert_eq!(again, Err(cause));
            return (outcome, Some(cause));
        }
    }
    parser.last_event_id().clone_into(&mut outcome.last_event_id);
    outcome.retry = parser.retry().map(|wait| wait.as_millis().try_into().expect("a u64"));
    match parser.finish() {
        Ok(rest) => {
            outcome.unfinished = rest.map(|rest| rest.event().map(Event::from));
            (outcome, None)
        }
        Err(cause) => (outcome, Some(cause)),
    }
}
