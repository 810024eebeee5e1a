//! Certificates of processes that outlive them.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use eksile_pki::{Authority, ClientAuth, Renewed, SanName, client_config_renewed, server_config};
use jiff::{SignedDuration, Timestamp};
use rustls::{ClientConnection, Connection, ServerConnection};

use crate::tls::pass;

/// What both ends see of each other.
fn meet(authority: &Authority, server: &Arc<Renewed>, client: &Arc<Renewed>) -> [Vec<u8>; 2] {
    let config = server_config(server, ClientAuth::Required(authority.pem()), &[]).unwrap();
    let mut server = Connection::Server(ServerConnection::new(Arc::new(config)).unwrap());
    let config = client_config_renewed(authority.pem(), client).unwrap();
    let mut client = Connection::Client(ClientConnection::new(Arc::new(config), "api".try_into().unwrap()).unwrap());
    while server.is_handshaking() || client.is_handshaking() {
        pass(&mut client, &mut server).unwrap();
        pass(&mut server, &mut client).unwrap();
    }
    [&client, &server].map(|end| end.peer_certificates().unwrap()[0].to_vec())
}

#[test]
fn a_certificate_is_renewed_before_it_ends_without_a_restart() {
    let authority = Arc::new(Authority::create("cluster", 1).unwrap());
    let passed = Arc::new(AtomicI64::new(0));
    let life = SignedDuration::from_hours(100);
    let kind = |server: bool| {
        let (authority, passed) = (Arc::clone(&authority), Arc::clone(&passed));
        let issue = move || match server {
            true => authority.issue_server(&[SanName::Dns("api".into())], life),
            false => authority.issue_client("site", &["sites"], life),
        };
        Renewed::by_clock(issue, move || Timestamp::now() + SignedDuration::from_hours(passed.load(Ordering::SeqCst)))
            .unwrap()
    };
    let (server, client) = (kind(true), kind(false));
    let first = meet(&authority, &server, &client);
    passed.store(79, Ordering::SeqCst);
    assert_eq!(meet(&authority, &server, &client), first, "kept for four fifths of its life");
    passed.store(81, Ordering::SeqCst);
    let later = meet(&authority, &server, &client);
    assert!(later[0] != first[0] && later[1] != first[1], "both ends have new ones");
}

#[test]
fn where_none_can_be_issued_the_old_one_serves_on() {
    let authority = Arc::new(Authority::create("cluster", 1).unwrap());
    let (issued, hours) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(0)));
    let issue = {
        let (authority, issued) = (Arc::clone(&authority), Arc::clone(&issued));
        move || match issued.fetch_add(1, Ordering::SeqCst) {
            1 => Err(eksile_pki::PkiError::Tls("no entropy".to_owned())),
            _ => authority.issue_server(&[SanName::Dns("api".into())], SignedDuration::from_hours(100)),
        }
    };
    let clock = {
        let hours = Arc::clone(&hours);
        move || Timestamp::now() + SignedDuration::from_hours(*hours.lock().unwrap())
    };
    let server = Renewed::by_clock(issue, clock).unwrap();
    let client = {
        let authority = Arc::clone(&authority);
        Renewed::new(move || authority.issue_client("site", &[], SignedDuration::from_hours(100))).unwrap()
    };
    let first = meet(&authority, &server, &client);
    *hours.lock().unwrap() = 90;
    assert_eq!(meet(&authority, &server, &client), first);
    assert_ne!(meet(&authority, &server, &client)[0], first[0], "tried again at the next handshake");
}
