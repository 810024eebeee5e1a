//! The recipes show code as it is: what a diff of theirs adds is in the file that it names, in this order.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::tree::root;

pub(crate) fn run() -> Result<()> {
    let root = root();
    let folder = root.join("docs/recipes");
    let (mut diffs, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let recipe = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        for diff in diffs_of(&recipe) {
            diffs += 1;
            let code = std::fs::read_to_string(root.join(diff.file)).with_context(|| diff.file.to_owned())?;
            if let Some(line) = missing(&diff.added, &code) {
                wrong.push(format!("{}: {} has no line {line:?} here", name(&path), diff.file));
            }
        }
    }
    if !wrong.is_empty() {
        bail!("recipes that are not as the code:\n  {}", wrong.join("\n  "));
    }
    println!("recipes: {diffs} diffs, all as the code");
    Ok(())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// One file of a diff.
struct Diff<'a> {
    file: &'a str,
    added: Vec<&'a str>,
}

fn diffs_of(recipe: &str) -> Vec<Diff<'_>> {
    let mut found: Vec<Diff<'_>> = Vec::new();
    let mut inside = false;
    for line in recipe.lines() {
        if line.starts_with("```") {
            inside = line == "```diff";
        } else if let Some(file) = line.strip_prefix("+++ b/").filter(|_| inside) {
            found.push(Diff { file, added: Vec::new() });
        } else if let (true, Some(added), Some(diff)) = (inside, line.strip_prefix('+'), found.last_mut()) {
            diff.added.push(added);
        }
    }
    found
}

/// The first of the lines that does not follow the ones before it.
fn missing<'a>(added: &[&'a str], code: &str) -> Option<&'a str> {
    let mut rest = code.lines();
    added.iter().copied().find(|line| !rest.any(|other| other == *line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_the_code_has_not_is_found() {
        let recipe = "text\n```diff\n--- /dev/null\n+++ b/one.rs\n+a\n+\n+b\n+++ b/two.rs\n+c\n```\n+no diff\n";
        let diffs = diffs_of(recipe);
        let shown: Vec<_> = diffs.iter().map(|diff| (diff.file, diff.added.clone())).collect();
        assert_eq!(shown, [("one.rs", vec!["a", "", "b"]), ("two.rs", vec!["c"])]);
        assert_eq!(missing(&["a", "b"], "x\na\nx\nb\n"), None);
        assert_eq!(missing(&["b", "a"], "a\nb\n"), Some("a"));
    }
}
