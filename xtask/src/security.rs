//! `SECURITY.md` names the tests that show what it promises: each must be there, by its whole name.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};

use crate::tree::{root, rust_files};

/// A name of words joined by this many is a test's, also without a path before it.
const JOINS: usize = 3;

pub(crate) fn run() -> Result<()> {
    let root = root();
    let text = std::fs::read_to_string(root.join("SECURITY.md")).context("reading SECURITY.md")?;
    let (mut functions, mut modules) = (BTreeSet::new(), BTreeSet::new());
    for path in rust_files(&root)? {
        let code = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let tests = if path.parent().is_some_and(|folder| folder.ends_with("tests/tests/attack")) {
            chapters(&code)
        } else {
            tests(&code)
        };
        if !tests.is_empty() {
            modules.extend(path.iter().map(|part| part.to_string_lossy().trim_end_matches(".rs").to_owned()));
        }
        functions.extend(tests);
    }
    let names = named(&text);
    let missing: Vec<&String> =
        names.iter().filter(|name| !functions.contains(*name) && !modules.contains(*name)).collect();
    if !missing.is_empty() {
        bail!("SECURITY.md names what is not there: {missing:?}");
    }
    println!("security: {} names of tests and modules, all there", names.len());
    Ok(())
}

/// The functions that an attribute makes tests.
fn tests(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut marked = false;
    for line in code.lines().map(str::trim) {
        if let Some(attribute) = line.strip_prefix("#[") {
            let name = attribute.split(['(', ']']).next().unwrap_or_default();
            marked |= name == "test" || name.ends_with("::test");
        } else if let Some((before, name)) = line.split_once("fn ")
            && matches!(before, "" | "async ")
        {
            found.extend(std::mem::take(&mut marked).then(|| identifier(name).to_owned()));
        }
    }
    found
}

/// The functions that chapters of attacks name: pairs of words and a function.
fn chapters(code: &str) -> Vec<String> {
    let list = code.split("const CHAPTERS").nth(1).and_then(|rest| rest.split("];").next()).unwrap_or_default();
    list.match_indices("\",").map(|(at, _)| identifier(list[at + 2..].trim_start()).to_owned()).collect()
}

fn identifier(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(text.len());
    &text[..end]
}

/// The last parts of the paths between back quotes; of `a::{b, c}` both, of `a::tests::*` the module.
fn named(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for span in text.split('`').skip(1).step_by(2) {
        let span = span.replace('\n', " ");
        let path = span.rsplit_once("::").map_or(span.as_str(), |(_, last)| last);
        if let Some((_, group)) = span.split_once("::{") {
            let group = group.split('}').next().unwrap_or_default();
            names.extend(group.split(',').map(|name| name.trim().to_owned()));
        } else if span.contains("::") && path == "*" {
            let module = span.trim_end_matches("::*").trim_end_matches("::tests");
            names.insert(identifier(module.rsplit([':', ' ']).next().unwrap_or_default()).to_owned());
        } else if span.contains("::") || path.matches('_').count() >= JOINS {
            names.extend(path.split([' ', '/']).next_back().map(str::to_owned));
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_runs_is_a_test() {
        let code = "#[test]\nfn one() {}\nfn two() {}\n#[tokio::test(flavor = \"x\")]\n#[cfg(y)]\nasync fn three() {}\n// fn four";
        assert_eq!(tests(code), ["one", "three"]);
        let code =
            "pub(crate) const CHAPTERS: &[Chapter] = &[\n(\"a, b\", first),\n(\"c\",\n second),\n];\nfn third() {}";
        assert_eq!(chapters(code), ["first", "second"]);
    }

    #[test]
    fn names_are_found_in_every_form() {
        let text = "`eksile-a::it::b::first_one`, `c::{second, third}`, `d::tests::*`, `e f::*`, `a_b_c_d`, `plain`, \
                    `cut_short_of_it_…`";
        let found: Vec<String> = named(text).into_iter().collect();
        assert_eq!(found, ["a_b_c_d", "cut_short_of_it_…", "d", "f", "first_one", "second", "third"]);
    }
}
