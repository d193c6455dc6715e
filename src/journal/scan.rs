//! Reads a journal into an index.

use std::io::{self, BufRead};

use super::index::{Index, LARGEST};
use super::line::{Header, Summary, VERSION, Version};
use crate::chat::json_line_problem;

/// What a journal turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scanned {
    /// The first line; `None` if the journal is empty.
    pub(super) header: Option<String>,
    /// How many bytes are whole lines. What follows is a torn line.
    pub(super) whole: u64,
    /// Whether the last whole line lacks its line break.
    pub(super) lacks_break: bool,
    /// The batches that are not over, the oldest first.
    pub(super) batches: Vec<OpenBatch>,
}

/// A batch that is not over, and where the journal has its lines.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OpenBatch {
    pub(crate) name: String,
    pub(crate) steps: Vec<u64>,
}

/// Why a journal cannot be used.
#[derive(Debug)]
pub(super) enum Unreadable {
    Io(io::Error),
    /// The number of the line, from 1, and what is wrong with it.
    Line(u64, String),
    /// It has this version of the format.
    Newer(u32),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads all lines. The last one may be torn, because the process that wrote it was killed; it is
/// whole if it is valid JSON.
pub(super) fn scan(mut journal: impl BufRead, index: &mut Index) -> Result<Scanned, Unreadable> {
    let mut scanned = Scanned { header: None, whole: 0, lacks_break: false, batches: Vec::new() };
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if journal.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let is_last = !line.ends_with(b"\n");
        if scanned.header.is_none() {
            // The other lines of a newer version may mean something else.
            if let Some(newer) = newer_version(&line) {
                return Err(Unreadable::Newer(newer));
            }
        }
        let read = match scanned.header.is_none() {
            true => header(&line).map(|header| scanned.header = Some(header)),
            false => note(&line, scanned.whole, index, &mut scanned.batches),
        };
        match read {
            Ok(()) => {
                scanned.whole += line.len() as u64;
                scanned.lacks_break = is_last;
            }
            Err(_) if is_last => break,
            // A machine that lost its power can leave zeros at the end of a file.
            Err(_) if only_zeros(&line, &mut journal)? => break,
            Err(problem) => return Err(Unreadable::Line(number, problem)),
        }
    }
    Ok(scanned)
}

/// The version of a journal that begins with this line, if it cannot be read.
fn newer_version(line: &[u8]) -> Option<u32> {
    let Version { version } = serde_json::from_slice(line).ok()?;
    (version > VERSION).then_some(version)
}

fn header(line: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(line).map_err(|error| error.to_string())?.trim_end();
    match serde_json::from_str::<Header<'_>>(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("it is not the first line of a journal of tollgate".to_owned()),
    }
}

/// Notes a line about an item or a batch.
fn note(
    line: &[u8],
    offset: u64,
    index: &mut Index,
    batches: &mut Vec<OpenBatch>,
) -> Result<(), String> {
    let line: Summary<'_> =
        serde_json::from_slice(line.trim_ascii_end()).map_err(|error| json_line_problem(&error))?;
    if offset >= LARGEST {
        return Err("the journal is larger than 1 TiB".to_owned());
    }
    if let Some(name) = line.batch {
        match (line.step.is_some(), batches.iter_mut().find(|batch| batch.name == name)) {
            (true, Some(batch)) => batch.steps.push(offset),
            (true, None) => batches.push(OpenBatch { name: name.into(), steps: vec![offset] }),
            (false, _) => batches.retain(|batch| batch.name != name),
        }
        return Ok(());
    }
    let (Some(id), Some(request)) = (line.id, line.request) else {
        return Err("it has no id or no fingerprint of the request".to_owned());
    };
    if line.failed.is_none() && line.answer.is_none() {
        return Err("it has neither an answer nor a failure".to_owned());
    }
    index.note(&id, request, line.failed.is_some(), offset);
    Ok(())
}

/// Whether nothing but zeros is left of the journal.
fn only_zeros(line: &[u8], journal: &mut impl BufRead) -> io::Result<bool> {
    let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| matches!(byte, 0 | b'\n'));
    if !is_zero(line) {
        return Ok(false);
    }
    loop {
        let bytes = journal.fill_buf()?;
        let length = bytes.len();
        if length == 0 || !is_zero(bytes) {
            return Ok(length == 0);
        }
        journal.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use super::super::index::Entered;
    use super::super::line::{answered, batch_step, failed, written};
    use super::*;
    use crate::error::{Error, ErrorKind};
    use crate::fingerprint::Fingerprint;

    const PRINT: Fingerprint = Fingerprint(5);

    fn lines() -> Vec<Vec<u8>> {
        let error = Error::new(ErrorKind::Server, "it broke\nat once").with_status(500);
        vec![
            written(&Header::new("chat", Some("job"), None)).unwrap(),
            answered("a", PRINT, None, &"text").unwrap(),
            failed("b \u{2028}\n\"", PRINT, &error).unwrap(),
            answered("c", PRINT, Some("a"), &"text").unwrap(),
        ]
    }

    #[test]
    fn every_cut_leaves_the_lines_before_it() {
        let lines = lines();
        let journal = lines.concat();
        for cut in 0..=journal.len() {
            let mut index = Index::new();
            let scanned = scan(&journal[..cut], &mut index).unwrap();
            let mut whole = 0;
            let mut count = 0;
            for line in &lines {
                // A line that lacks only its break is whole.
                if cut + 1 >= whole + line.len() {
                    (whole, count) = (whole + line.len(), count + 1);
                } else {
                    break;
                }
            }
            let lacks_break = whole > cut;
            let expected = whole - usize::from(lacks_break);
            assert_eq!(
                (scanned.whole, scanned.lacks_break),
                (expected as u64, lacks_break),
                "{cut}"
            );
            let known = ["a", "b \u{2028}\n\"", "c"]
                .into_iter()
                .filter(|id| matches!(index.enter(id, Some(PRINT)), Entered::Known(_)));
            assert_eq!(known.count(), usize::saturating_sub(count, 1), "{cut}");
        }
    }

    #[test]
    fn the_lines_of_a_batch_are_found_until_it_is_over() {
        let step = |name, step: Option<u32>| batch_step(name, step.as_ref()).unwrap();
        let mut lines = lines();
        let of_items = lines.concat().len() as u64;
        lines.extend([step("one", Some(1)), step("two", Some(1)), step("one", Some(2))]);
        let after = |count: usize| lines[..count].concat().len() as u64;
        let scanned = |journal: Vec<u8>| scan(&journal[..], &mut Index::new()).unwrap().batches;
        let open = |name: &str, steps: &[u64]| OpenBatch { name: name.into(), steps: steps.into() };
        let (one, two) = (open("one", &[of_items, after(6)]), open("two", &[after(5)]));
        assert_eq!(scanned(lines.concat()), [one, open("two", &[after(5)])]);
        let over = [lines.concat(), step("one", None)].concat();
        assert_eq!(scanned(over), [two]);
    }

    #[test]
    fn a_damaged_line_in_the_middle_is_named() {
        let mut lines = lines();
        lines[1] = b"{\"id\": \"a\", \"requ\n".to_vec();
        let error = scan(&lines.concat()[..], &mut Index::new()).unwrap_err();
        let is_named = matches!(&error, Unreadable::Line(2, why) if why.contains("at column"));
        assert!(is_named && !format!("{error:?}").contains("line 1"), "{error:?}");
        let other = scan(&b"{\"id\": 1}\n{}\n"[..], &mut Index::new()).unwrap_err();
        assert!(matches!(other, Unreadable::Line(1, _)), "{other:?}");
    }

    #[test]
    fn zeros_after_a_power_loss_are_a_torn_end() {
        let mut journal = lines().concat();
        let whole = journal.len() as u64;
        journal.extend([0; 700]);
        journal.push(b'\n');
        journal.extend([0; 20]);
        assert_eq!(scan(&journal[..], &mut Index::new()).unwrap().whole, whole);
    }
}
