//! The structure of the crate: no two modules import each other, and every file begins with a doc
//! comment.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules that each module imports, by their names below the root of the crate.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// All files of Rust below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The top-level module that a file belongs to; `None` for files above all modules and for tests,
/// which may import anything.
fn module(path: &Path, src: &Path) -> Option<String> {
    let below = path.strip_prefix(src).ok()?.with_extension("");
    let mut names = below.iter().map(|name| name.to_string_lossy().into_owned());
    let first = names.next()?;
    let is_test = names.any(|name| name == "tests" || name == "model");
    (!is_test && first != "lib" && first != "internals").then_some(first)
}

/// The names directly below `crate::` in the code of a file, without comments and its tests.
fn imports(text: &str) -> BTreeSet<String> {
    let code = text.split("\nmod tests {").next().unwrap_or_default();
    let code: Vec<&str> =
        code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let mut names = BTreeSet::new();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for (at, _) in code.match_indices("crate::") {
        // `in_crate::x` is another path.
        if code[..at].ends_with(is_name) {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let name = |text: &str| -> String { text.chars().take_while(|c| is_name(*c)).collect() };
        match rest.strip_prefix('{') {
            None => drop(names.insert(name(rest))),
            Some(group) => {
                let mut depth = 0;
                let mut start = true;
                for (at, char) in group.char_indices() {
                    match char {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        _ if start && is_name(char) => {
                            names.insert(name(&group[at..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    names
}

/// The pairs that import each other.
fn circles(imports: &Imports) -> Vec<String> {
    let uses = |one: &str, other: &str| imports.get(one).is_some_and(|set| set.contains(other));
    let mut circles = Vec::new();
    for one in imports.keys() {
        for other in imports.keys().filter(|other| *other > one) {
            if uses(one, other) && uses(other, one) {
                circles.push(format!("{one} and {other}"));
            }
        }
    }
    circles
}

#[test]
fn no_two_modules_import_each_other() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&src, &mut found);
    let mut all = Imports::new();
    for path in found {
        let Some(module) = module(&path, &src) else { continue };
        let text = fs::read_to_string(&path).expect("the file can be read");
        all.entry(module).or_default().extend(imports(&text));
    }
    assert!(all.len() > 20, "only {} modules found", all.len());
    assert!(all["call"].contains("wire") && all["wire"].contains("chat"), "{all:?}");
    assert!(!all["cost"].contains("wire"), "budgets know no wire format");
    assert_eq!(circles(&all), [""; 0], "these modules import each other");
    // Every module may use `error`, so it rests on these alone.
    let mut below: BTreeSet<&str> = BTreeSet::from(["error"]);
    for _ in 0..all.len() {
        below = below
            .iter()
            .flat_map(|name| &all[*name])
            .map(String::as_str)
            .chain(below.clone())
            .collect();
    }
    assert_eq!(below.into_iter().collect::<Vec<_>>(), ["base64", "error", "key", "scan", "unseen"]);
}

#[test]
fn every_file_begins_with_a_doc_comment() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&src, &mut found);
    let lacking: Vec<PathBuf> = found
        .into_iter()
        .filter(|path| {
            let text = fs::read_to_string(path).expect("the file can be read");
            let line = text.lines().next().and_then(|line| line.strip_prefix("//! "));
            line.is_none_or(|sentence| sentence.trim().is_empty())
        })
        .collect();
    assert!(lacking.is_empty(), "no `//!` line at the top of {lacking:?}");
}

#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::one::A;\nuse crate::{two::{B, C}, three, four::D};\n// crate::no\n\
                fn f() -> crate::five::E { in_crate::no() }\n#[cfg(test)]\nmod tests {\n\
                use crate::no;\n}";
    let names: Vec<String> = imports(text).into_iter().collect();
    assert_eq!(names, ["five", "four", "one", "three", "two"]);
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let circle = [("a", set(&["b"])), ("b", set(&["a", "c"])), ("c", set(&[]))];
    let circle: Imports = circle.map(|(name, uses)| (name.to_owned(), uses)).into();
    assert_eq!(circles(&circle), ["a and b"]);
}
