//! Files and functions over the house's bounds.
//!
//! A line scan, not a parser: a function is what lies between a line that declares one and the closing brace at the
//! same indentation, which is exact for formatted code.

use std::path::Path;

use anyhow::{Result, bail};

use crate::tree::{root, rust_files};

const FUNCTION: usize = 60;
const FUNCTION_HARD: usize = 100;
const FILE: usize = 400;
const FILE_HARD: usize = 600;

pub(crate) fn run(check: bool) -> Result<()> {
    let root = root();
    let (mut hard, mut total) = (0, 0);
    for file in rust_files(&root)? {
        let name = file.strip_prefix(&root).unwrap_or(&file).to_path_buf();
        if is_test(&name) {
            continue;
        }
        let text = std::fs::read_to_string(&file)?;
        let lines: Vec<&str> = text.lines().take_while(|line| *line != "#[cfg(test)]").collect();
        total += lines.len();
        if lines.len() > FILE {
            println!("{:>5} lines  {}", lines.len(), name.display());
            hard += usize::from(lines.len() > FILE_HARD);
        }
        for (line, function, length) in functions(&lines) {
            if length > FUNCTION {
                println!("{length:>5} lines  {}:{line} {function}", name.display());
                hard += usize::from(length > FUNCTION_HARD);
            }
        }
    }
    println!(
        "sizes: {total} lines outside tests, {hard} over the hard bounds ({FUNCTION_HARD} a function, {FILE_HARD} a file)"
    );
    if check && hard > 0 {
        bail!("{hard} over the hard bounds");
    }
    Ok(())
}

fn is_test(name: &Path) -> bool {
    name.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "examples" | "benches")))
        || name.file_name().is_some_and(|file| file == "tests.rs")
}

fn functions<'a>(lines: &[&'a str]) -> Vec<(usize, &'a str, usize)> {
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let declaration = line.trim_start();
        let Some(at) = declaration.find("fn ") else { continue };
        let before = &declaration[..at];
        let qualifiers = ["pub", "pub(crate)", "pub(super)", "async", "const", "unsafe", "extern", "\"C\""];
        if !before.split_whitespace().all(|word| qualifiers.contains(&word)) {
            continue;
        }
        // A signature that ends in a semicolon has no body.
        let ends = lines[index..].iter().find(|line| line.ends_with('{') || line.ends_with(';') || line.ends_with('}'));
        if ends.is_some_and(|line| !line.ends_with('{')) {
            continue;
        }
        let close = format!("{}}}", " ".repeat(indent));
        if let Some(length) = lines[index..].iter().position(|candidate| *candidate == close) {
            let name = declaration[at + 3..].split(['(', '<']).next().unwrap_or_default();
            found.push((index + 1, name, length + 1));
        }
    }
    found
}
