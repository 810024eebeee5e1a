//! Handshakes in memory: who gets in, and as whom.

use std::sync::Arc;

use eksile_pki::{
    Authority, ClientAuth, ClientVerifier, Identity, KeyPair, PkiError, SanName, client_config, server_config,
};
use jiff::{SignedDuration, Timestamp};
use rustls::{ClientConnection, Connection, Error, ServerConnection, pki_types::CertificateDer};

struct Place {
    authority: Authority,
    server: KeyPair,
}

fn day() -> SignedDuration {
    SignedDuration::from_hours(24)
}

impl Place {
    fn new() -> Place {
        let authority = Authority::create("cluster", 1).unwrap();
        let server = authority.issue_server(&[SanName::Dns("api".into())], day()).unwrap();
        Place { authority, server }
    }

    /// What the server sees of the client's chain.
    fn meet(
        &self,
        clients: ClientAuth<'_>,
        client: Option<&KeyPair>,
    ) -> Result<Option<Vec<CertificateDer<'static>>>, Error> {
        let config = server_config(&self.server, clients, &["h2", "http/1.1"]).unwrap();
        let mut server = Connection::Server(ServerConnection::new(Arc::new(config)).unwrap());
        let config = client_config(self.authority.pem(), client).unwrap();
        let name = "api".try_into().unwrap();
        let mut client = Connection::Client(ClientConnection::new(Arc::new(config), name).unwrap());
        while server.is_handshaking() || client.is_handshaking() {
            pass(&mut client, &mut server)?;
            pass(&mut server, &mut client)?;
        }
        Ok(server.peer_certificates().map(<[_]>::to_vec))
    }
}

pub(crate) fn pass(from: &mut Connection, to: &mut Connection) -> Result<(), Error> {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire).unwrap();
    }
    let mut rest = &*wire;
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}

#[test]
fn who_gets_in() {
    let place = Place::new();
    let foreign = Authority::create("cluster", 1).unwrap();
    let own = place.authority.issue_client("admin", &["system:masters"], day()).unwrap();
    let stranger = foreign.issue_client("admin", &["system:masters"], day()).unwrap();
    let pem = place.authority.pem();
    assert_eq!(place.meet(ClientAuth::None, Some(&own)), Ok(None));
    assert_eq!(place.meet(None.into(), None), Ok(None));
    assert_eq!(place.meet(Some(pem).into(), None), Ok(None));
    assert!(place.meet(ClientAuth::Optional(pem), Some(&own)).unwrap().is_some());
    assert!(place.meet(ClientAuth::Optional(pem), Some(&stranger)).is_err());
    assert!(place.meet(ClientAuth::Required(pem), None).is_err());
    assert!(place.meet(ClientAuth::Required(pem), Some(&own)).unwrap().is_some());
    // A serving certificate is not a client's.
    assert!(place.meet(ClientAuth::Required(pem), Some(&place.server)).is_err());
    assert!(place.meet(ClientAuth::Asked(place.authority.pem()), Some(&stranger)).unwrap().is_some());
    assert_eq!(place.meet(ClientAuth::Asked(place.authority.pem()), None), Ok(None));
}

#[test]
fn asked_for_and_verified_later() {
    let place = Place::new();
    let verifier = ClientVerifier::new(place.authority.pem()).unwrap();
    let now = Timestamp::now();
    let own = place.authority.issue_client("jane", &["b", "a", "b"], day()).unwrap();
    let chain = place.meet(ClientAuth::Asked(place.authority.pem()), Some(&own)).unwrap().unwrap();
    let identity = verifier.verify(&chain, now).unwrap();
    assert_eq!(
        (identity.common_name.as_str(), identity.organizations),
        ("jane", vec!["b".into(), "a".into(), "b".into()])
    );
    assert!(identity.not_after > now && identity.not_before < now);
    let refused =
        |chain: &[CertificateDer<'static>], now| matches!(verifier.verify(chain, now), Err(PkiError::Refused(_)));
    assert!(refused(&chain, now + SignedDuration::from_hours(25)));
    assert!(refused(&chain, now - SignedDuration::from_hours(1)));
    let foreign = Authority::create("cluster", 1).unwrap().issue_client("jane", &[], day()).unwrap();
    assert!(refused(&place.meet(ClientAuth::Asked(place.authority.pem()), Some(&foreign)).unwrap().unwrap(), now));
    assert!(refused(&place.meet(ClientAuth::Asked(place.authority.pem()), Some(&place.server)).unwrap().unwrap(), now));
    assert!(verifier.verify(&[], now).is_err());
}

/// Whoever shows another's certificate without its key does not get in, whatever is asked for.
#[test]
fn a_certificate_without_its_key() {
    let place = Place::new();
    let own = place.authority.issue_client("admin", &[], day()).unwrap();
    let other = place.authority.issue_client("other", &[], day()).unwrap();
    let mixed = KeyPair { cert_pem: own.cert_pem, key_pem: other.key_pem };
    // Our own client refuses to be built so; that a thief's would not is why Asked checks the handshake's signature.
    assert!(matches!(client_config(place.authority.pem(), Some(&mixed)), Err(PkiError::Tls(_))));
    assert!(matches!(server_config(&mixed, ClientAuth::None, &[]), Err(PkiError::Tls(_))));
    assert!(client_config("", None).is_err());
    assert!(Identity::read(b"garbage").is_err());
}
