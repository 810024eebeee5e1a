//! The shim alone, for the tests of the runtime: `shim DIRECTORY`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, rest)) if first == "shim" => eksile_node::shim::main(rest),
        _ => {
            eprintln!("usage: shim shim DIRECTORY");
            ExitCode::from(2)
        }
    }
}
