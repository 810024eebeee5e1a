//! `oracle record`: ask the real server and write its answers. `oracle compare`: ask another and print the agreement.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use eksile_oracle::client::Client;
use eksile_oracle::exceptions::Exceptions;
use eksile_oracle::verdict::Verdict;
use eksile_oracle::{answer, corpus, play};

#[derive(Parser)]
#[command(about = "Compares Kubernetes API servers by a corpus of requests")]
struct Arguments {
    #[command(subcommand)]
    act: Act,
    /// Folder with requests/, answers/ and exceptions.yaml.
    #[arg(long, default_value = "tests/oracle")]
    corpus: PathBuf,
    /// `https://HOST:PORT` of the server, or a file that holds it.
    #[arg(long)]
    endpoint: String,
    /// PEM file of the CA to trust.
    #[arg(long)]
    ca: PathBuf,
    /// Only scenarios whose name contains one of these texts (separated by commas).
    #[arg(long)]
    only: Option<String>,
}

#[derive(Subcommand, Clone, Copy)]
enum Act {
    /// Write the server's answers as the recorded ones.
    Record,
    /// Compare the server's answers with the recorded ones.
    Compare,
}

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("oracle: {error}");
            return ExitCode::from(2);
        }
    };
    match runtime.block_on(run(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("oracle: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: &Arguments) -> Result<bool, Failure> {
    let endpoint = match Path::new(&arguments.endpoint).is_file() {
        true => std::fs::read_to_string(&arguments.endpoint)?,
        false => arguments.endpoint.clone(),
    };
    let client = Client::new(&endpoint, &std::fs::read(&arguments.ca)?)?;
    let exceptions = Exceptions::read(&arguments.corpus.join("exceptions.yaml"))?;
    let answers = arguments.corpus.join("answers");
    let mut verdict = Verdict::default();
    for scenario in corpus::read(&arguments.corpus.join("requests"))? {
        if arguments.only.as_ref().is_some_and(|only| !only.split(',').any(|o| scenario.name.contains(o))) {
            continue;
        }
        let got = play::play(&client, &scenario).await;
        match arguments.act {
            Act::Record => {
                let got = got?;
                verdict.asked += got.len();
                verdict.agreed += got.len();
                answer::write(&answers, &scenario.name, &got)?;
            }
            Act::Compare => {
                let expected = answer::read(&answers, &scenario.name)?;
                match got {
                    Ok(got) => verdict.add(&scenario, &expected, &got, &exceptions),
                    Err(error) => verdict.broken(&scenario.name, &expected, &error.to_string()),
                }
            }
        }
    }
    println!("{verdict}");
    Ok(verdict.holds())
}
