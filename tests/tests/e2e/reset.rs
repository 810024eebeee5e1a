//! Removing an installation.

use std::collections::BTreeSet;

use eksile_tests::installation::Installation;

/// Names of what lies in the data folder.
fn content(at: &Installation) -> BTreeSet<String> {
    let entries = std::fs::read_dir(at.data.path()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Needs no root: nothing is started.
#[test]
fn a_folder_of_others_is_left_alone() {
    let at = Installation::new();
    for name in ["run", "sites"] {
        std::fs::create_dir(at.data.path().join(name)).unwrap();
    }
    let before = content(&at);
    assert!(at.eksile(&["reset", "--yes"]).bad().contains("no installation in"));
    // Another's file of that name does not make it ours.
    std::fs::write(at.data.path().join("world.json"), r#"{"planets": 8}"#).unwrap();
    assert!(at.eksile(&["reset", "--yes"]).bad().contains("world.json"));
    std::fs::remove_file(at.data.path().join("world.json")).unwrap();
    assert_eq!(content(&at), before);
}

/// A chapter of the story.
pub(crate) fn refused_while_running(at: &Installation) {
    let before = content(at);
    assert!(at.eksile(&["reset", "--yes"]).bad().contains("eksile down"));
    assert_eq!(content(at), before);
}

/// The last chapter: what the installation has made goes, what the story put beside it stays.
pub(crate) fn all_is_removed(at: &mut Installation) {
    let outposts =
        |at: &Installation| at.aws("outposts list-outposts --query Outposts[].OutpostId --output text").good();
    let first = outposts(at);
    at.eksile(&["down"]).good();
    at.down();
    std::fs::write(at.data.path().join("notes"), "mine").unwrap();
    let before = content(at);
    assert!(at.eksile(&["reset"]).bad().contains("--yes"));
    assert_eq!(content(at), before);
    at.eksile(&["reset", "--yes"]).good();
    let ours = ["lock", "notes"].map(str::to_owned);
    let left: Vec<String> = content(at).into_iter().filter(|name| !ours.contains(name)).collect();
    assert_eq!(left, Vec::<String>::new());
    assert!(content(at).contains("notes"));
    assert!(at.eksile(&["reset", "--yes"]).bad().contains("no installation in"), "it is gone already");
    at.up();
    assert_ne!(outposts(at), first, "the next one begins anew");
}
