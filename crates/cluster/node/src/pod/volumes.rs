//! Volumes: directories on the node that are bound into containers.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{
    DownwardAPIVolumeFile, HostPathVolumeSource, KeyToPath, Pod, ProjectedVolumeSource, Volume, VolumeMount,
};

use super::environment::{ConfigError, Facts, field_value, resource_value};
use super::publish::{FileIn, Files, publish};
use super::source::{Data, Sources};
use crate::beneath;
use crate::quantity;
use eksile_linux::tree::remove_tree;

/// Shortest life of a token (TokenRequest API).
const TOKEN_SECONDS: i64 = 3600;
const MODE: i32 = 0o644;

/// What a mount binds.
pub(crate) struct Source {
    pub(crate) place: Place,
    pub(crate) read_only: bool,
}

/// Where it is.
pub(crate) enum Place {
    /// A volume, whose own name no container can change.
    Whole(PathBuf),
    /// Something in a volume, which must not be looked for by name again.
    Part(OwnedFd),
}

/// The volumes of one pod.
pub(crate) struct Volumes {
    root: PathBuf,
    tokens: HashMap<String, (String, Instant)>,
}

impl Volumes {
    /// Below `pod`, the pod's directory (`/var/lib/kubelet/pods/UID`).
    pub(crate) fn new(pod: &Path) -> Self {
        Self { root: pod.join("volumes"), tokens: HashMap::new() }
    }

    /// Makes every volume, or brings its content up to date.
    pub(crate) async fn prepare(&mut self, sources: &Sources<'_>, pod: &Pod, facts: &Facts) -> Result<(), ConfigError> {
        let Some(spec) = &pod.spec else { return Ok(()) };
        let group = spec.security_context.as_ref().and_then(|context| context.fs_group);
        for volume in spec.volumes.iter().flatten() {
            let failed = |error: ConfigError| {
                ConfigError(format!("MountVolume.SetUp failed for volume \"{}\" : {error}", volume.name))
            };
            self.one(sources, pod, facts, volume, group).await.map_err(failed)?;
        }
        Ok(())
    }

    async fn one(
        &mut self,
        sources: &Sources<'_>,
        pod: &Pod,
        facts: &Facts,
        volume: &Volume,
        group: Option<i64>,
    ) -> Result<(), ConfigError> {
        let path = self.path(volume);
        let files = if let Some(map) = &volume.config_map {
            let data = sources.config_map(&map.name, map.optional).await?;
            pick(data, map.items.as_deref(), map.default_mode, map.optional, &map.name)?
        } else if let Some(secret) = &volume.secret {
            let name = secret.secret_name.clone().unwrap_or_default();
            let data = sources.secret(&name, secret.optional).await?;
            pick(data, secret.items.as_deref(), secret.default_mode, secret.optional, &name)?
        } else if let Some(api) = &volume.downward_api {
            downward(pod, facts, api.items.as_deref().unwrap_or_default(), api.default_mode)?
        } else if let Some(projected) = &volume.projected {
            self.projected(sources, pod, facts, &volume.name, projected).await?
        } else if volume.empty_dir.is_some() {
            return empty(&path, volume, group).map_err(|error| ConfigError(error.to_string()));
        } else if let Some(host) = &volume.host_path {
            return host_path(host);
        } else {
            return Err(ConfigError("this kind of volume is not supported".to_owned()));
        };
        publish(&path, &files, group).map_err(|error| ConfigError(error.to_string()))
    }

    /// Where an `emptyDir` lies on the node.
    pub(crate) fn empty(&self, name: &str) -> PathBuf {
        self.root.join("kubernetes.io~empty-dir").join(name)
    }

    /// Where a volume lies on the node.
    fn path(&self, volume: &Volume) -> PathBuf {
        if let Some(host) = &volume.host_path {
            return PathBuf::from(&host.path);
        }
        let kind = match volume {
            Volume { config_map: Some(_), .. } => "configmap",
            Volume { secret: Some(_), .. } => "secret",
            Volume { downward_api: Some(_), .. } => "downward-api",
            Volume { projected: Some(_), .. } => "projected",
            _ => "empty-dir",
        };
        self.root.join(format!("kubernetes.io~{kind}")).join(&volume.name)
    }

    async fn projected(
        &mut self,
        sources: &Sources<'_>,
        pod: &Pod,
        facts: &Facts,
        name: &str,
        projected: &ProjectedVolumeSource,
    ) -> Result<Files, ConfigError> {
        let mode = projected.default_mode;
        let mut files = Files::new();
        for (number, source) in projected.sources.iter().flatten().enumerate() {
            if let Some(map) = &source.config_map {
                let data = sources.config_map(&map.name, map.optional).await?;
                files.extend(pick(data, map.items.as_deref(), mode, map.optional, &map.name)?);
            } else if let Some(secret) = &source.secret {
                let data = sources.secret(&secret.name, secret.optional).await?;
                files.extend(pick(data, secret.items.as_deref(), mode, secret.optional, &secret.name)?);
            } else if let Some(api) = &source.downward_api {
                files.extend(downward(pod, facts, api.items.as_deref().unwrap_or_default(), mode)?);
            } else if let Some(token) = &source.service_account_token {
                let seconds = token.expiration_seconds.unwrap_or(TOKEN_SECONDS);
                let key = format!("{name}/{number}");
                let content = self.token(sources, pod, key, token.audience.as_deref(), seconds).await?;
                let owner = user_of_all(pod);
                let group = pod.spec.as_ref().and_then(|spec| spec.security_context.as_ref()?.fs_group);
                let mode = if owner.is_some() || group.is_some() { 0o600 } else { file_mode(None, mode) };
                files.insert(relative(&token.path)?, FileIn { content: content.into_bytes(), mode, owner });
            } else {
                return Err(ConfigError("this kind of projected source is not supported".to_owned()));
            }
        }
        Ok(files)
    }

    /// A kept token until four fifths of its life.
    async fn token(
        &mut self,
        sources: &Sources<'_>,
        pod: &Pod,
        key: String,
        audience: Option<&str>,
        seconds: i64,
    ) -> Result<String, ConfigError> {
        if let Some((token, until)) = self.tokens.get(&key)
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let (token, granted) = sources.token(pod, audience, seconds).await?;
        let until = Instant::now() + Duration::from_secs(granted.max(1).cast_unsigned() * 4 / 5);
        self.tokens.insert(key, (token.clone(), until));
        Ok(token)
    }

    /// What a container's mount binds.
    pub(crate) fn source(&self, pod: &Pod, mount: &VolumeMount) -> Result<Source, ConfigError> {
        let volumes = pod.spec.iter().filter_map(|spec| spec.volumes.as_ref()).flatten();
        let volume = volumes.into_iter().find(|volume| volume.name == mount.name);
        let volume = volume.ok_or_else(|| ConfigError(format!("no volume {}", mount.name)))?;
        let path = self.path(volume);
        // What the API gives is the API's to change.
        let managed = volume.empty_dir.is_none() && volume.host_path.is_none();
        let read_only = managed || mount.read_only == Some(true);
        let Some(below) = mount.sub_path.as_deref().filter(|below| !below.is_empty()) else {
            return Ok(Source { place: Place::Whole(path), read_only });
        };
        let bad = |error: io::Error| {
            ConfigError(format!("failed to prepare subPath for volumeMount \"{}\": {error}", mount.name))
        };
        let below = relative(below)?;
        let found = beneath::root(&path).and_then(|root| beneath::make(&root, &below)).map_err(bad)?;
        Ok(Source { place: Place::Part(found), read_only })
    }

    /// Where they all are.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }
}

/// Removes all volumes below `root`; memory-backed ones are unmounted first.
pub(crate) fn remove(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root.join("kubernetes.io~empty-dir")).into_iter().flatten().flatten() {
        // Only those on a tmpfs are mounts; the others say EINVAL.
        let _ = nix::mount::umount2(&entry.path(), nix::mount::MntFlags::MNT_DETACH);
    }
    remove_tree(root)
}

fn file_mode(own: Option<i32>, default: Option<i32>) -> u32 {
    own.or(default).unwrap_or(MODE).cast_unsigned() & 0o777
}

/// A path within a volume; the API refuses others, and so does the node.
fn relative(text: &str) -> Result<PathBuf, ConfigError> {
    let path = Path::new(text);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if plain && !text.is_empty() { Ok(path.to_owned()) } else { Err(ConfigError(format!("bad path {text:?}"))) }
}

fn pick(
    data: Option<Data>,
    items: Option<&[KeyToPath]>,
    default: Option<i32>,
    optional: Option<bool>,
    name: &str,
) -> Result<Files, ConfigError> {
    let mut data = data.unwrap_or_default();
    let Some(items) = items.filter(|items| !items.is_empty()) else {
        let mode = file_mode(None, default);
        return data
            .into_iter()
            .map(|(key, content)| Ok((relative(&key)?, FileIn { content, mode, owner: None })))
            .collect();
    };
    let mut files = Files::new();
    for item in items {
        match data.remove(&item.key) {
            Some(content) => {
                files.insert(
                    relative(&item.path)?,
                    FileIn { content, mode: file_mode(item.mode, default), owner: None },
                );
            }
            None if optional == Some(true) => {}
            None => return Err(ConfigError(format!("references non-existent config key: {} in {name}", item.key))),
        }
    }
    Ok(files)
}

fn downward(
    pod: &Pod,
    facts: &Facts,
    items: &[DownwardAPIVolumeFile],
    default: Option<i32>,
) -> Result<Files, ConfigError> {
    let mut files = Files::new();
    for item in items {
        let content = if let Some(field) = &item.field_ref {
            field_value(pod, facts, &field.field_path)?
        } else if let Some(resource) = &item.resource_field_ref {
            resource_value(pod, None, resource, &facts.room)?
        } else {
            continue;
        };
        let mode = file_mode(item.mode, default);
        files.insert(relative(&item.path)?, FileIn { content: content.into_bytes(), mode, owner: None });
    }
    Ok(files)
}

fn empty(path: &Path, volume: &Volume, group: Option<i64>) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    fs::create_dir_all(path)?;
    if volume.empty_dir.as_ref().and_then(|empty| empty.medium.as_deref()) == Some("Memory") {
        let flags = nix::mount::MsFlags::MS_NOSUID | nix::mount::MsFlags::MS_NODEV;
        let limit = volume.empty_dir.as_ref().and_then(|empty| empty.size_limit.as_ref());
        let size = limit.and_then(|limit| quantity::units(&limit.0)).filter(|size| *size > 0);
        let size = size.map(|size| format!("size={size}"));
        nix::mount::mount(Some("tmpfs"), path, Some("tmpfs"), flags, size.as_deref())?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o777))?;
    if let Some(group) = group.and_then(|group| u32::try_from(group).ok()) {
        chown(path, None, Some(group))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o2777))?;
    }
    Ok(())
}

/// Checks what the pod expects to be there (API reference, `hostPath.type`).
fn host_path(host: &HostPathVolumeSource) -> Result<(), ConfigError> {
    let path = Path::new(&host.path);
    let kind = host.type_.as_deref().unwrap_or("");
    let there = fs::metadata(path).map(|meta| meta.file_type());
    let missing = there.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    let made = match kind {
        // Without a kind the runtime makes a directory.
        "DirectoryOrCreate" | "" if missing => Some(fs::create_dir_all(path)),
        "FileOrCreate" if missing => Some(fs::File::create_new(path).map(drop)),
        _ => None,
    };
    if let Some(made) = made {
        return made.map_err(|error| ConfigError(error.to_string()));
    }
    let is = |test: fn(&fs::FileType) -> bool| there.as_ref().is_ok_and(test);
    let (right, word) = match kind {
        "" => return Ok(()),
        "Directory" | "DirectoryOrCreate" => (is(fs::FileType::is_dir), "a directory"),
        "File" | "FileOrCreate" => (is(fs::FileType::is_file), "a file"),
        "Socket" => (is(fs::FileType::is_socket), "a socket file"),
        "CharDevice" => (is(fs::FileType::is_char_device), "a character device"),
        "BlockDevice" => (is(fs::FileType::is_block_device), "a block device"),
        _ => return Err(ConfigError(format!("{kind} is an invalid volume type"))),
    };
    if right { Ok(()) } else { Err(ConfigError(format!("hostPath type check failed: {} is not {word}", host.path))) }
}

/// The user that every container of a pod runs as, if the pod says so of each: projected tokens are that user's.
fn user_of_all(pod: &Pod) -> Option<u32> {
    let spec = pod.spec.as_ref()?;
    let of_pod = spec.security_context.as_ref().and_then(|context| context.run_as_user);
    let all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let mut users = all.map(|one| one.security_context.as_ref().and_then(|own| own.run_as_user).or(of_pod));
    let first = users.next()??;
    users.all(|user| user == Some(first)).then(|| u32::try_from(first).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_stay_inside() {
        assert!(relative("a/b").is_ok());
        for bad in ["", "/a", "../a", "a/../../b"] {
            assert!(relative(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_host_path_is_what_it_is_said_to_be() {
        use std::os::unix::fs::symlink;
        let base = tempfile::tempdir().unwrap();
        let at = |name: &str| base.path().join(name).display().to_string();
        fs::create_dir(at("directory")).unwrap();
        fs::write(at("file"), "").unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        symlink("/dev/null", at("null")).unwrap();
        let check = |name: &str, kind: &str| {
            let host = HostPathVolumeSource { path: at(name), type_: Some(kind.to_owned()) };
            host_path(&host).map_err(|error| error.to_string())
        };
        for (name, kind) in [
            ("directory", "Directory"),
            ("directory", "DirectoryOrCreate"),
            ("file", "File"),
            ("file", "FileOrCreate"),
            ("socket", "Socket"),
            ("null", "CharDevice"),
            ("new", "DirectoryOrCreate"),
            ("new-file", "FileOrCreate"),
            ("plain", ""),
        ] {
            assert_eq!(check(name, kind), Ok(()), "{name} {kind}");
        }
        for (name, kind, word) in [
            ("file", "Directory", "a directory"),
            ("file", "DirectoryOrCreate", "a directory"),
            ("directory", "File", "a file"),
            ("fifo", "FileOrCreate", "a file"),
            ("file", "Socket", "a socket file"),
            ("file", "CharDevice", "a character device"),
            ("null", "BlockDevice", "a block device"),
            ("missing", "Socket", "a socket file"),
        ] {
            assert_eq!(check(name, kind), Err(format!("hostPath type check failed: {} is not {word}", at(name))));
        }
        assert!(check("file", "Odd").unwrap_err().contains("invalid volume type"));
        assert!(base.path().join("new").is_dir() && base.path().join("new-file").is_file());
    }

    #[test]
    fn the_owner_of_tokens_is_the_user_of_all_containers() {
        let pod = |of_pod: serde_json::Value, users: &[Option<i64>]| -> Pod {
            let one = |user: &Option<i64>| json!({"name": "c", "securityContext": {"runAsUser": user}});
            let containers: Vec<_> = users.iter().map(one).collect();
            serde_json::from_value(
                json!({"metadata": {}, "spec": {"securityContext": {"runAsUser": of_pod}, "containers": containers}}),
            )
            .unwrap()
        };
        for (of_pod, users, expected) in [
            (json!(null), vec![None], None),
            (json!(0), vec![None], Some(0)),
            (json!(1000), vec![None, Some(1000)], Some(1000)),
            (json!(1000), vec![None, Some(1001)], None),
            (json!(null), vec![Some(7), None], None),
        ] {
            assert_eq!(user_of_all(&pod(of_pod.clone(), &users)), expected, "{of_pod} {users:?}");
        }
    }
}
