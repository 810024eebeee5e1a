//! Pulling from registries that lie, stall, and name what is not theirs.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use eksile_node::aws::Metadata;
use eksile_node::images::{Image, Images, PullError, Puller};
use eksile_node::web;
use parking_lot::Mutex;
use serde_json::{Value, json};

fn sha(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(digest(&SHA256, bytes)))
}

/// What a registry answers to a path.
#[derive(Clone)]
enum Says {
    Bytes(Vec<u8>),
    /// The beginning, and then nothing.
    Half(Vec<u8>),
}

/// A registry on loopback. Ends with the test's process.
struct Registry {
    host: String,
    content: Arc<Mutex<HashMap<String, Says>>>,
    asked: Arc<Mutex<Vec<String>>>,
    _held: Sender<()>,
}

impl Registry {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let content = Arc::new(Mutex::new(HashMap::new()));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (held, hold) = channel::<()>();
        let hold = Arc::new(Mutex::new(hold));
        let (kept, log) = (content.clone(), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, log, hold) = (kept.clone(), log.clone(), hold.clone());
                std::thread::spawn(move || answer(stream, &kept, &log, &hold));
            }
        });
        Self { host, content, asked, _held: held }
    }

    fn put(&self, path: String, says: Says) {
        self.content.lock().insert(path, says);
    }

    /// An image of these layers (archive, and what is served as its blob). Returns its name.
    fn image(&self, repository: &str, layers: &[(&[u8], &[u8])]) -> String {
        let ids: Vec<String> = layers.iter().map(|(archive, _)| sha(archive)).collect();
        let blobs: Vec<&[u8]> = layers.iter().map(|(_, blob)| *blob).collect();
        self.image_with(repository, &ids, &blobs, |_| {})
    }

    fn image_with(&self, repository: &str, ids: &[String], blobs: &[&[u8]], change: impl Fn(&mut Value)) -> String {
        let config = json!({"rootfs": {"diff_ids": ids}}).to_string().into_bytes();
        for blob in blobs.iter().copied().chain([config.as_slice()]) {
            self.put(format!("/v2/{repository}/blobs/{}", sha(blob)), Says::Bytes(blob.to_vec()));
        }
        let layers: Vec<Value> = blobs.iter().map(|blob| json!({"digest": sha(blob), "size": blob.len()})).collect();
        let mut manifest = json!({"config": {"digest": sha(&config), "size": config.len()}, "layers": layers});
        change(&mut manifest);
        self.put(format!("/v2/{repository}/manifests/latest"), Says::Bytes(manifest.to_string().into_bytes()));
        format!("{}/{repository}", self.host)
    }
}

fn answer(
    mut stream: TcpStream,
    content: &Mutex<HashMap<String, Says>>,
    asked: &Mutex<Vec<String>>,
    hold: &Mutex<Receiver<()>>,
) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    for line in lines.by_ref() {
        if line.is_empty() {
            break;
        }
    }
    let words: Vec<&str> = first.split(' ').collect();
    asked.lock().push(format!("{} {}", words[0], words[1]));
    let found = content.lock().get(words[1]).cloned();
    let head = |status: &str, length: usize| format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n");
    let said = match found {
        None => stream.write_all(head("404 Not Found", 0).as_bytes()),
        Some(Says::Bytes(bytes)) => {
            let body = if words[0] == "HEAD" { &[][..] } else { &bytes };
            stream.write_all(&[head("200 OK", bytes.len()).as_bytes(), body].concat())
        }
        Some(Says::Half(bytes)) => {
            stream.write_all(&[head("200 OK", bytes.len() * 2).as_bytes(), &bytes].concat()).unwrap();
            // Until the test is over.
            let _ = hold.lock().recv();
            Ok(())
        }
    };
    // A client may have gone.
    let _ = said;
}

fn archive(name: &str, data: &[u8]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    let id = nix::unistd::geteuid().as_raw().into();
    header.set_uid(id);
    header.set_gid(nix::unistd::getegid().as_raw().into());
    header.set_mode(0o644);
    header.set_mtime(1);
    header.set_size(data.len() as u64);
    archive.append_data(&mut header, name, data).unwrap();
    archive.into_inner().unwrap()
}

/// A node's store, and who pulls into it.
struct Node {
    directory: tempfile::TempDir,
    images: Arc<Images>,
    puller: Puller,
}

impl Node {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let images = Arc::new(Images::open(directory.path()).unwrap());
        let tls = web::tls(&[], None, &[]).unwrap();
        let metadata = Arc::new(Metadata::new("http://127.0.0.1:9", tls.clone()));
        let puller = Puller::new(images.clone(), tls, metadata).with_patience(Duration::from_millis(300));
        Self { directory, images, puller }
    }

    async fn pull(&self, name: &str) -> Result<Image, PullError> {
        self.puller.pull(name, None).await
    }

    async fn refused(&self, name: &str) -> String {
        self.pull(name).await.unwrap_err().to_string()
    }

    fn file(&self, image: &Image, name: &str) -> Option<Vec<u8>> {
        image.layers.iter().find_map(|layer| std::fs::read(self.images.layer(layer).join(name)).ok())
    }

    fn count(&self, below: &str) -> usize {
        std::fs::read_dir(Path::new(self.directory.path()).join(below)).unwrap().count()
    }
}

#[tokio::test]
async fn a_layer_is_not_had_by_naming_its_content() {
    let (ours, theirs) = (Registry::new(), Registry::new());
    let (secret, other) = (archive("secret", b"of the team"), archive("bait", b"x"));
    let node = Node::new();
    let image = node.pull(&ours.image("team", &[(&secret, &secret)])).await.unwrap();
    assert_eq!(node.file(&image, "secret").as_deref(), Some(&b"of the team"[..]));

    let name = theirs.image_with("by-diff-id", &[sha(&secret)], &[&other], |_| {});
    assert!(node.refused(&name).await.contains("wrong diff id"), "other bytes under the diff id of a layer here");

    let name = theirs.image("by-blob", &[(&secret, &secret)]);
    let blob = format!("/v2/by-blob/blobs/{}", sha(&secret));
    let lie = vec![0; secret.len()];
    theirs.put(blob, Says::Bytes(lie));
    assert!(node.refused(&name).await.contains("unexpected digest"), "a registry that has not the bytes");

    let name = ours.image("no-right", &[(&secret, &secret)]);
    ours.content.lock().remove(&format!("/v2/no-right/blobs/{}", sha(&secret)));
    assert!(node.refused(&name).await.contains("not found"), "the same registry does not give it to this repository");

    // Who has the bytes, or the right to them, gets the layer.
    let before = ours.asked.lock().len();
    node.pull(&ours.image("friend", &[(&secret, &secret)])).await.unwrap();
    let asked = ours.asked.lock()[before..].join("\n");
    assert!(
        asked.contains("HEAD /v2/friend/blobs/") && !asked.contains(&format!("GET /v2/friend/blobs/{}", sha(&secret))),
        "{asked}"
    );
    node.pull(&theirs.image("honest", &[(&secret, &secret)])).await.unwrap();
    assert_eq!(node.count("partial"), 0);
}

#[tokio::test]
async fn a_pull_that_fails_leaves_nothing() {
    let registry = Registry::new();
    let node = Node::new();
    let good = archive("good", &vec![1; 1 << 20]);
    let cut = &good[..600_000];
    let name = registry.image("app", &[(&good, &good), (cut, cut)]);
    for _ in 0..3 {
        node.refused(&name).await;
    }
    let wrong = registry.image_with("wrong", &[sha(b"else")], &[&good], |_| {});
    node.refused(&wrong).await;
    assert_eq!((node.count("partial"), node.count("layers"), node.count("images")), (0, 0, 0));
}

#[tokio::test]
async fn a_registry_that_falls_silent_is_given_up() {
    let registry = Registry::new();
    let node = Node::new();
    let layer = archive("file", b"data");
    let name = registry.image("app", &[(&layer, &layer)]);
    registry.put(format!("/v2/app/blobs/{}", sha(&layer)), Says::Half(layer[..layer.len() / 2].to_vec()));
    assert!(node.refused(&name).await.contains("no progress for"));
    registry.put("/v2/app/manifests/latest".to_owned(), Says::Half(b"{}".to_vec()));
    assert!(node.refused(&name).await.contains("no progress for"));
    assert_eq!(node.count("partial"), 0);
}

#[tokio::test]
async fn what_a_manifest_promises_is_checked() {
    let registry = Registry::new();
    let node = Node::new();
    let layer = archive("file", b"data");
    let ids = [sha(&layer)];
    let many = vec![json!({"digest": sha(&layer), "size": 1}); 128];
    for (reason, change) in [
        ("descriptor says", json!({"config": {"size": 1}})),
        ("no sha256 digest", json!({"config": {"digest": "../../other/blobs/x"}})),
        ("no sha256 digest", json!({"config": {"digest": "sha512:00"}})),
        ("both one of an image and a list", json!({"manifests": []})),
        ("bytes less than its manifest says", json!({"layers": [{"digest": sha(&layer), "size": layer.len() + 1}]})),
        ("larger than its manifest says", json!({"layers": [{"digest": sha(&layer), "size": 1}]})),
        ("room", json!({"layers": [{"digest": sha(&layer), "size": 1_u64 << 60}]})),
        ("mismatched", json!({"layers": many})),
        ("unsupported digest", json!({"layers": [{"digest": "sha256:../x", "size": 1}]})),
    ] {
        let name = registry.image_with("app", &ids, &[&layer], |manifest| merge(manifest, &change));
        let refused = node.refused(&name).await;
        assert!(refused.contains(reason), "{change}: {refused}");
    }
    let ids = vec![sha(&layer); 128];
    let name = registry.image_with("many", &ids, &[layer.as_slice(); 128], |_| {});
    assert!(node.refused(&name).await.contains("may have 127 layers"));
    assert_eq!((node.count("partial"), node.count("layers")), (0, 0));
}

fn merge(into: &mut Value, change: &Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (name, value) in change {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, change) => *into = change.clone(),
    }
}
