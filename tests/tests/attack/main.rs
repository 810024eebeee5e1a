//! Attacks on an installation, by unmodified clients. What holds is said in `SECURITY.md`.
//!
//! A chapter is a file with `pub(crate) const CHAPTERS`: pairs of what is refused and a function that tries it. All run
//! on one installation, each whatever became of the others; the list at the end names those that got in. A chapter
//! takes away what it made. `EKSILE_ATTACK=long` (`make attack`) asks for more tries where chance decides.
//!
//! Needs root, nft, `aws` and `kubectl` (`make tools` installs them); what is lacking is a named skip.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod chain;
mod flood;
mod iam;
mod imds;
mod inst;
mod mounts;
mod psa;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use eksile_tests::certificate::client_certificate;
use eksile_tests::installation::{Installation, able};
use eksile_tests::pods::Pods;

/// What is attacked: an installation after quickstart, with a cluster `my-cluster`, a node, and the pod `hello` on it.
pub(crate) struct Target {
    /// The installation.
    pub at: Installation,
    /// A cluster administrator's kubeconfig with a client certificate.
    pub admin: PathBuf,
    /// Whether there is time for many tries.
    pub long: bool,
}

impl Target {
    /// Makes pods on the node.
    pub(crate) fn pods(&self) -> Pods<'_> {
        Pods::beside_hello(&self.at, &self.admin)
    }
}

/// What is refused, and how it is tried.
pub(crate) type Chapter = (&'static str, fn(&Target));

#[test]
fn attacks_on_an_installation() {
    if !able() {
        return;
    }
    let mut at = Installation::new();
    at.up();
    at.eksile(&["quickstart"]).good();
    let admin = client_certificate(&at);
    let long = std::env::var("EKSILE_ATTACK").is_ok_and(|length| length == "long");
    let target = Target { at, admin, long };
    let chapters = [
        chain::CHAPTERS,
        flood::CHAPTERS,
        iam::CHAPTERS,
        imds::CHAPTERS,
        inst::CHAPTERS,
        mounts::CHAPTERS,
        psa::CHAPTERS,
    ]
    .concat();
    // Words of those to try alone (`one|another`), for who works at them.
    let only = std::env::var("EKSILE_ATTACK_ONLY").unwrap_or_default();
    let mut won = Vec::new();
    for (what, attack) in chapters.into_iter().filter(|(what, _)| only.split('|').any(|words| what.contains(words))) {
        let begun = std::time::Instant::now();
        let held = catch_unwind(AssertUnwindSafe(|| attack(&target))).is_ok();
        println!("{} in {:.1} s: {what}", if held { "held" } else { "NOT HELD" }, begun.elapsed().as_secs_f32());
        if !held {
            won.push(what);
        }
    }
    assert!(won.is_empty(), "attacks that won: {won:#?}");
}
