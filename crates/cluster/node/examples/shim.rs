//! Kubelet and shim without the rest of the product: `shim DIRECTORY`, `node ARGUMENTS`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    match arguments.split_first() {
        Some((first, rest)) if first == "shim" => eksile_node::shim::main(rest),
        Some((first, rest)) if first == "node" => {
            tracing_subscriber::fmt().with_writer(std::io::stderr).init();
            let words: Vec<String> = rest.iter().map(|word| word.to_string_lossy().into_owned()).collect();
            eksile_node::main(&words)
        }
        _ => {
            eprintln!("usage: shim shim DIRECTORY");
            ExitCode::from(2)
        }
    }
}
