//! Links between the project's Markdown files lead somewhere: to a file, and to a heading in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The files with links, apart from those in `docs/`. Some are not in every package.
const FILES: [&str; 6] = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "examples/README.md",
    "src/guide/links.md",
];

/// Where rustdoc takes the guide's images from.
const IMAGES: &str = "https://raw.githubusercontent.com/tollgate-rs/tollgate/main/docs";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("docs")).expect("there is a guide");
    let files = entries.map(|entry| entry.expect("the folder can be read").path());
    let mut pages: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|extension| extension == "md")).collect();
    pages.sort();
    pages
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The lines outside of fenced code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fence = None;
    text.lines().filter(move |line| {
        let start = line.trim_start();
        let ticks = start.len() - start.trim_start_matches('`').len();
        match fence {
            None if ticks >= 3 => fence = Some(ticks),
            None => return true,
            Some(open) if ticks >= open && start[ticks..].trim().is_empty() => fence = None,
            Some(_) => {}
        }
        false
    })
}

/// A line without its code spans, in which brackets are no links.
fn without_code(line: &str) -> String {
    let mut kept = String::new();
    let mut rest = line;
    while let Some((before, from)) = rest.split_once('`') {
        let ticks = 1 + from.len() - from.trim_start_matches('`').len();
        let close = "`".repeat(ticks);
        kept.push_str(before);
        match from[ticks - 1..].split_once(&close) {
            Some((_, behind)) => rest = behind,
            None => return kept + from,
        }
    }
    kept + rest
}

/// What a Markdown file says about links.
#[derive(Default)]
struct Links {
    /// The targets of `[text](target)`.
    inline: Vec<String>,
    /// The labels of `[text][label]`.
    labels: BTreeSet<String>,
    /// `[label]: target`.
    definitions: BTreeMap<String, String>,
}

impl Links {
    fn of(text: &str) -> Self {
        let mut links = Self::default();
        for line in prose(text) {
            if let Some((label, target)) = definition(line) {
                links.definitions.insert(label.to_owned(), target.to_owned());
                continue;
            }
            let line = without_code(line);
            for (at, _) in line.match_indices("](") {
                let target = line[at + 2..].split([')', ' ']).next().unwrap_or_default();
                links.inline.push(target.to_owned());
            }
            for (at, _) in line.match_indices("][") {
                let label = line[at + 2..].split(']').next().unwrap_or_default();
                links.labels.insert(label.to_owned());
            }
        }
        links
    }

    fn targets(&self) -> impl Iterator<Item = &String> {
        self.inline.iter().chain(self.definitions.values())
    }
}

fn definition(line: &str) -> Option<(&str, &str)> {
    let (label, target) = line.strip_prefix('[')?.split_once("]: ")?;
    Some((label, target.trim()))
}

/// The anchors of a file's headings, as GitHub makes them (the page "Basic writing and
/// formatting syntax", "Section links"): letters in lower case, spaces as hyphens, no other
/// punctuation than hyphens and underscores, and a number behind one that was there before.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for line in prose(text) {
        let words = line.trim_start_matches('#');
        if !(1..=6).contains(&(line.len() - words.len())) || !words.starts_with(' ') {
            continue;
        }
        let anchor: String = shown(words.trim())
            .to_lowercase()
            .chars()
            .filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'))
            .map(|char| if char == ' ' { '-' } else { char })
            .collect();
        let mut numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let mut free = anchor.clone();
        while !anchors.insert(free.clone()) {
            free = numbered.next().expect("there is another number");
        }
    }
    anchors
}

/// A heading's words, without the targets of its links.
fn shown(heading: &str) -> String {
    let mut shown = String::new();
    let mut rest = heading;
    while let Some((before, target)) = rest.split_once("](") {
        shown.push_str(before);
        rest = target.split_once(')').map_or("", |(_, behind)| behind);
    }
    shown + rest
}

/// What is wrong with the links of a file.
fn broken(file: &Path, text: &str) -> Vec<String> {
    let links = Links::of(text);
    let mut problems = Vec::new();
    for label in links.labels.iter().filter(|label| !links.definitions.contains_key(*label)) {
        problems.push(format!("[{label}] has no definition"));
    }
    for target in links.targets() {
        let is_elsewhere = ["https:", "http:", "mailto:", "crate::"];
        if is_elsewhere.iter().any(|start| target.starts_with(start)) {
            continue;
        }
        let (path, anchor) = match target.split_once('#') {
            Some((path, anchor)) => (path, Some(anchor)),
            None => (target.as_str(), None),
        };
        let folder = file.parent().expect("a file is in a folder");
        let linked = if path.is_empty() { file.to_owned() } else { folder.join(path) };
        if !linked.exists() {
            problems.push(format!("{target}: there is no such file"));
        } else if let Some(anchor) = anchor {
            let found = if path.is_empty() { anchors(text) } else { anchors(&read(&linked)) };
            if !found.contains(anchor) {
                problems.push(format!("{target}: there is no such heading"));
            }
        }
    }
    problems
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let files = FILES.iter().map(|file| root().join(file)).filter(|file| file.exists());
    let mut problems = Vec::new();
    for file in files.chain(pages()) {
        let found = broken(&file, &read(&file));
        problems.extend(found.iter().map(|problem| format!("{}: {problem}", file.display())));
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// In rustdoc the definitions of `src/guide/links.md` come before those of the page.
#[test]
fn the_links_of_the_guide_lead_to_the_same_places_in_rustdoc() {
    let in_rustdoc = Links::of(&read(&root().join("src/guide/links.md"))).definitions;
    let modules = read(&root().join("src/guide.rs"));
    let mut defined = BTreeMap::new();
    for page in pages() {
        let links = Links::of(&read(&page));
        let name = page.file_name().expect("it is a file").to_str().expect("it is ASCII");
        for (label, target) in links.definitions {
            assert!(links.labels.contains(&label), "{name}: nothing uses [{label}]");
            let link = match label.strip_prefix("tollgate::") {
                Some(item) => {
                    let source = read(&page.parent().expect("it is in a folder").join(&target));
                    assert!(declares(&source, item), "{name}: {target} has no {item}");
                    format!("crate::{item}")
                }
                None => module(&target),
            };
            let before = defined.insert(label.clone(), link.clone());
            assert!(
                before.is_none_or(|before| before == link),
                "{name}: two meanings of [{label}]"
            );
        }
        for target in links.inline {
            let is_for_both = target.starts_with('#') || target.starts_with("https:");
            assert!(is_for_both, "{name}: write {target} as [text][label]");
        }
        assert!(
            name == "README.md" || modules.contains(&format!("/{name}\"")),
            "{name}: no module"
        );
    }
    assert_eq!(in_rustdoc, defined);
}

/// What rustdoc links to for a page or an image: `crate::guide::costs#budgets` for
/// `costs.md#budgets`.
fn module(target: &str) -> String {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let Some(page) = path.strip_suffix(".md") else { return format!("{IMAGES}/{path}") };
    let module = page.replace('-', "_");
    format!("crate::guide::{module}#{anchor}").trim_end_matches('#').to_owned()
}

/// Whether a source file declares a public item of this path's last name.
fn declares(source: &str, item: &str) -> bool {
    let name = item.rsplit("::").next().unwrap_or_default();
    source.lines().any(|line| {
        let mut words = line.split(|char: char| !(char.is_alphanumeric() || char == '_'));
        words.next() == Some("pub") && words.nth(1) == Some(name)
    })
}

#[test]
fn headings_become_anchors_as_on_github() {
    let text = "# Survive a provider's outage\n\n## `PoolConfig`\n```sh\n# no heading\n```\n\
                ## What is 5xx, and 429?\n## [A link](x.md#y) here\n## Again\n## Again\n#None\n";
    let expected = [
        "a-link-here",
        "again",
        "again-1",
        "poolconfig",
        "survive-a-providers-outage",
        "what-is-5xx-and-429",
    ];
    assert_eq!(anchors(text).into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_broken_link_is_found() {
    let file = root().join("docs/README.md");
    for (text, problem) in [
        ("[a](nothing.md)", Some("nothing.md: there is no such file")),
        ("[a](costs.md#nothing)", Some("costs.md#nothing: there is no such heading")),
        ("# Here\n[a](#there)", Some("#there: there is no such heading")),
        ("[a][b]", Some("[b] has no definition")),
        ("[a][b]\n\n[b]: nothing.md", Some("nothing.md: there is no such file")),
        ("# Here\n[a](#here), [b](../Cargo.toml), [c](costs.md#budgets)", None),
        ("`[a](nothing.md)` and ``[`a`][b]``", None),
        ("```text\n[a](nothing.md)\n```", None),
        ("[`Client`](https://docs.rs/tollgate)", None),
    ] {
        assert_eq!(broken(&file, text), problem.into_iter().collect::<Vec<_>>(), "{text}");
    }
}
