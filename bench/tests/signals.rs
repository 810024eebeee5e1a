//! A race that is told to end leaves nothing behind.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn servers_and_folders_go_with_a_signal() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let place = tempfile::tempdir().unwrap();
        let (data, started, server) =
            (place.path().join("data"), place.path().join("started"), place.path().join("server"));
        assert!(Command::new("mkfifo").arg(&started).status().unwrap().success());
        // A server that tells its process id and never becomes ready.
        std::fs::write(&server, format!("#!/bin/sh\necho $$ > {}\nexec sleep 600\n", started.display())).unwrap();
        std::fs::set_permissions(&server, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut race = Command::new(env!("CARGO_BIN_EXE_eksile-bench"))
            .args(["race", "--eksile", server.to_str().unwrap(), "--data", data.to_str().unwrap()])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pid = std::fs::read_to_string(&started).unwrap();
        let process = Path::new("/proc").join(pid.trim());
        assert!(process.exists() && std::fs::read_dir(&data).unwrap().count() == 1);
        assert!(Command::new("kill").args([&format!("-{signal}"), &race.id().to_string()]).status().unwrap().success());
        assert_eq!(race.wait().unwrap().code(), Some(code), "{signal}");
        assert!(!process.exists(), "{signal}: the server runs on");
        assert_eq!(std::fs::read_dir(&data).unwrap().count(), 0, "{signal}: a folder is left");
    }
}
