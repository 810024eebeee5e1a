//! The part of the product's binary that makes instances, for tests: `instance …`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(2).collect();
    eksile_site::instance::main(&arguments)
}
