//! The corpus against a control plane of ours, compared with what the real server answered. Prints the agreement.

use std::path::Path;

use eksile_oracle::client::Client;
use eksile_oracle::exceptions::Exceptions;
use eksile_oracle::verdict::Verdict;
use eksile_oracle::{answer, corpus, play};

/// A control plane without controllers (the real server ran without them too), on a free loopback port.
async fn control_plane(folder: &Path, corpus: &Path) -> Client {
    let folder = folder.canonicalize().expect("the folder is there");
    let shown = folder.display().to_string();
    std::fs::copy(corpus.join("tokens.csv"), folder.join("tokens.csv")).expect("tokens");
    let text = std::fs::read_to_string(corpus.join("plane.json")).expect("configuration").replace("FOLDER", &shown);
    let config: eksile_plane::Config = serde_json::from_str(&text).expect("a configuration");
    let (ready, told) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut ready = Some(ready);
        let ended = eksile_plane::run_with(config, |said| {
            if let Some(ready) = ready.take() {
                let _ = ready.send(said.listeners[0]);
            }
        })
        .await;
        panic!("the control plane ended: {ended:?}");
    });
    let address = told.await.expect("the control plane serves");
    let ca = std::fs::read(folder.join("pki/ca.crt")).expect("the CA's certificate");
    Client::new(&format!("https://{address}"), &ca).expect("a client")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eksile_answers_as_the_real_server_does() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a folder");
    let client = control_plane(folder.path(), corpus).await;
    let exceptions = Exceptions::read(&corpus.join("exceptions.yaml")).expect("exceptions");
    let mut verdict = Verdict::default();
    let scenarios = corpus::read(&corpus.join("requests")).expect("scenarios");
    for name in exceptions.names() {
        let (scenario, request) = name.split_once('/').expect("SCENARIO/REQUEST");
        let known = scenarios.iter().any(|s| s.name == scenario && s.requests.iter().any(|r| r.id == request));
        assert!(known, "the exception {name} names no request");
    }
    for scenario in &scenarios {
        let expected = answer::read(&corpus.join("answers"), &scenario.name).expect("recorded answers");
        match play::play(&client, scenario).await {
            Ok(got) => verdict.add(scenario, &expected, &got, &exceptions),
            Err(error) => verdict.broken(&scenario.name, &expected, &error.to_string()),
        }
    }
    println!("{verdict}");
    assert!(verdict.asked >= 300, "the corpus has {} requests, at least 300 are promised", verdict.asked);
    assert!(verdict.holds(), "{verdict}");
}
