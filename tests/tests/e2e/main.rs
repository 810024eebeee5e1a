//! The slice, shown by unmodified clients: aws, kubectl, openssl.
//!
//! Needs root, nft, `aws` and `kubectl` (`make tools` installs them); what is lacking is a named skip.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod bad_input;
mod disconnected;
mod figures;
mod pods;
mod reset;
mod restarts;
mod slice;

use eksile_tests::installation::{Installation, able};

/// One installation, one story: its chapters share the cluster, since making one is most of the time.
#[test]
fn the_slice() {
    if !able() {
        return;
    }
    let mut at = Installation::new();
    let up = at.up();
    slice::quickstart(&at);
    figures::print(&at, up);
    slice::clients_see_it(&at);
    slice::logs_are_at_hand(&at);
    slice::the_machine_is_out_of_sight(&at);
    slice::a_stranger_is_refused(&at);
    let admin = eksile_tests::certificate::client_certificate(&at);
    pods::wishes(&at, &admin);
    disconnected::cut_by_command(&at, &admin);
    disconnected::cut_by_our_own_rule(&at, &admin);
    restarts::the_region_is_killed(&at, &admin);
    restarts::everything_else_is_killed(&at, &admin);
    restarts::a_shim_is_killed(&at);
    restarts::an_instance_is_killed(&at, &admin);
    restarts::the_world_is_killed(&at, &admin);
    bad_input::every_listener(&at);
    restarts::up_is_killed(&mut at, &admin);
    reset::refused_while_running(&at);
    slice::taken_down(&at);
    reset::all_is_removed(&mut at);
}
