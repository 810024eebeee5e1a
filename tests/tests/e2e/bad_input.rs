//! Garbage on every listener gets the protocol's own error, and no process dies of it.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    time::Duration,
};

use eksile_tests::installation::{Done, Installation};

pub(crate) fn every_listener(at: &Installation) {
    let before = at.status();
    let endpoint = at.aws("eks describe-cluster --name my-cluster --query cluster.endpoint --output text").good();
    let cluster = endpoint.strip_prefix("https://").unwrap().to_owned();
    let env = at.eksile(&["--output", "json", "env"]).json();
    let door = env["AWS_ENDPOINT_URL"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
    for address in [&door, &cluster] {
        for garbage in
            [&b"\x16\x03\x01\xff\xff garbage"[..], b"GET", b"\0\0\0\0", &[0xff; 4096], b"POST / HTTP/9.9\r\n\r\n"]
        {
            garble(address, garbage);
        }
    }
    foreign_certificate(at, &endpoint);
    unknown_fields_and_too_much(at, &door);
    let after = at.status();
    assert_eq!(before["processes"], after["processes"], "a process was started again");
    at.kubectl("get nodes").good();
}

fn garble(address: &str, garbage: &[u8]) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let sent = stream.write_all(garbage).and_then(|()| stream.shutdown(std::net::Shutdown::Write));
    if sent.is_ok() {
        let mut answer = Vec::new();
        // An answer or the end of the stream: both are fine, a silent open stream is not.
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{address}: {error}");
        }
    }
}

/// A certificate of an authority of our own, and one that has expired.
fn foreign_certificate(at: &Installation, endpoint: &str) {
    let folder = at.scratch.path().join("foreign");
    std::fs::create_dir(&folder).unwrap();
    let (key, crt) = (folder.join("key").display().to_string(), folder.join("crt").display().to_string());
    for days in ["1", "-1"] {
        let subject = "/O=system:masters/CN=admin";
        let new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject];
        let output = ["-days", days, "-keyout", &key, "-out", &crt];
        if !Command::new("openssl").args(new).args(output).output().unwrap().status.success() {
            continue;
        }
        let words = ["-sk", "--max-time", "5", "--cert", &crt, "--key", &key, &format!("{endpoint}/api/v1/nodes")];
        let answer = Done::from(Command::new("curl").args(words).output().unwrap());
        let refused = !answer.ok || answer.out.contains("\"code\":401") || answer.out.contains("\"code\": 401");
        assert!(refused, "a foreign certificate was believed: {}", answer.out);
    }
}

fn unknown_fields_and_too_much(at: &Installation, door: &str) {
    let unsigned =
        Done::from(Command::new("curl").args(["-s", &format!("http://{door}/?Action=Nonsense")]).output().unwrap());
    assert!(
        unsigned.out.contains("MissingAuthenticationToken") || unsigned.out.contains("InvalidAction"),
        "{}",
        unsigned.out
    );
    let refused = at.aws("ec2 describe-instances --instance-ids i-nonsense").bad();
    assert!(refused.contains("InvalidInstanceID.Malformed"), "{refused}");
    let not_built = at.aws("eks list-addons --cluster-name my-cluster").bad();
    assert!(not_built.contains("NotImplemented") && not_built.contains("ListAddons"), "{not_built}");
    let manifest = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"dat":{}}"#;
    let file = at.scratch.path().join("unknown.json");
    std::fs::write(&file, manifest).unwrap();
    let refused = at.client("kubectl", &["create", "-f", &file.display().to_string()]).bad();
    assert!(refused.contains("unknown field \"dat\""), "{refused}");
    let big = format!(
        r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"c"}},"data":{{"a":"{}"}}}}"#,
        "x".repeat(4 << 20)
    );
    std::fs::write(&file, big).unwrap();
    let refused = at.client("kubectl", &["create", "--validate=false", "-f", &file.display().to_string()]).bad();
    assert!(refused.contains("too large"), "{refused}");
}
