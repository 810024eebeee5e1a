//! Tasks of the house: `cargo xtask lists | arrows | recipes | security | sizes`.
//!
//! `lists` writes the operation tables from the folders (`--check` only compares), `arrows` checks that crates
//! depend downwards only, `recipes` that docs/recipes show the code as it is, `security` that the tests which
//! SECURITY.md names are there, `sizes` prints functions and files over
//! the bounds of `ARCHITECTURE.md`.

mod arrows;
mod lists;
mod recipes;
mod security;
mod sizes;
mod tree;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let check = arguments.iter().any(|argument| argument == "--check");
    let done = match arguments.first().map(String::as_str) {
        Some("lists") => lists::run(check),
        Some("arrows") => arrows::run(),
        Some("recipes") => recipes::run(),
        Some("security") => security::run(),
        Some("sizes") => sizes::run(check),
        _ => Err(anyhow::anyhow!("usage: cargo xtask lists [--check] | arrows | recipes | security | sizes [--check]")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
