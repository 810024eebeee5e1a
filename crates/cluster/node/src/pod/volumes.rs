//! Volumes: directories on the node that are bound into containers.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{
    DownwardAPIVolumeFile, HostPathVolumeSource, KeyToPath, Pod, ProjectedVolumeSource, Volume, VolumeMount,
};

use super::environment::{ConfigError, Facts, field_value, resource_value};
use super::source::{Data, Sources};
use crate::quantity;

/// Shortest life of a token (TokenRequest API).
const TOKEN_SECONDS: i64 = 3600;
const MODE: i32 = 0o644;

/// A file of a volume.
struct FileIn {
    content: Vec<u8>,
    mode: u32,
}

type Files = HashMap<PathBuf, FileIn>;

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
                let mode = file_mode(None, mode);
                files.insert(relative(&token.path)?, FileIn { content: content.into_bytes(), mode });
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

    /// What a container's mount binds: the volume, or a path below it.
    pub(crate) fn source(&self, pod: &Pod, mount: &VolumeMount) -> Result<PathBuf, ConfigError> {
        let volumes = pod.spec.iter().filter_map(|spec| spec.volumes.as_ref()).flatten();
        let volume = volumes.into_iter().find(|volume| volume.name == mount.name);
        let volume = volume.ok_or_else(|| ConfigError(format!("no volume {}", mount.name)))?;
        let path = self.path(volume);
        let Some(below) = mount.sub_path.as_deref().filter(|below| !below.is_empty()) else { return Ok(path) };
        let bad = |error: io::Error| {
            ConfigError(format!("failed to prepare subPath for volumeMount \"{}\": {error}", mount.name))
        };
        let target = path.join(relative(below)?);
        if fs::symlink_metadata(&target).is_err() {
            fs::create_dir_all(&target).map_err(bad)?;
        }
        // A link inside the volume must not lead out of it.
        let (target, path) = (target.canonicalize().map_err(bad)?, path.canonicalize().map_err(bad)?);
        if target.starts_with(&path) {
            Ok(target)
        } else {
            Err(ConfigError(format!("subPath {below} leads out of the volume")))
        }
    }

    /// Removes all; memory-backed ones are unmounted first.
    pub(crate) fn remove(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.root.join("kubernetes.io~empty-dir")).into_iter().flatten().flatten() {
            // Only those on a tmpfs are mounts; the others say EINVAL.
            let _ = nix::mount::umount2(&entry.path(), nix::mount::MntFlags::MNT_DETACH);
        }
        match fs::remove_dir_all(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
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
        return data.into_iter().map(|(key, content)| Ok((relative(&key)?, FileIn { content, mode }))).collect();
    };
    let mut files = Files::new();
    for item in items {
        match data.remove(&item.key) {
            Some(content) => {
                files.insert(relative(&item.path)?, FileIn { content, mode: file_mode(item.mode, default) });
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
        files.insert(relative(&item.path)?, FileIn { content: content.into_bytes(), mode });
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
    let made = match kind {
        "DirectoryOrCreate" => fs::create_dir_all(path),
        "FileOrCreate" => fs::OpenOptions::new().create(true).append(true).open(path).map(|_| ()),
        _ => Ok(()),
    };
    made.map_err(|error| ConfigError(error.to_string()))?;
    let right = match kind {
        "" => return Ok(()),
        "Directory" | "DirectoryOrCreate" => path.is_dir(),
        "File" | "FileOrCreate" => path.is_file(),
        _ => path.exists(),
    };
    let word = if kind.starts_with("Dir") { "directory" } else { "file" };
    if right { Ok(()) } else { Err(ConfigError(format!("hostPath type check failed: {} is not a {word}", host.path))) }
}

/// Publishes files so that a reader sees all the old ones or all the new ones: `..data` is a link to a directory that
/// is exchanged as a whole, and each name a link through it.
fn publish(volume: &Path, files: &Files, group: Option<i64>) -> io::Result<()> {
    fs::create_dir_all(volume)?;
    let data = volume.join("..data");
    let same = |(path, file): (&PathBuf, &FileIn)| fs::read(data.join(path)).is_ok_and(|now| now == file.content);
    let before = fs::read_link(&data).ok();
    if before.is_some() && files.iter().all(same) && count(&data) == files.len() {
        return Ok(());
    }
    let stamp = format!("..{}", jiff::Timestamp::now().strftime("%Y_%m_%d_%H_%M_%S.%9f"));
    let new = volume.join(&stamp);
    for (path, file) in files {
        let target = new.join(path);
        fs::create_dir_all(target.parent().unwrap_or(&new))?;
        fs::write(&target, &file.content)?;
        fs::set_permissions(&target, fs::Permissions::from_mode(file.mode))?;
        if let Some(group) = group.and_then(|group| u32::try_from(group).ok()) {
            chown(&target, None, Some(group))?;
            fs::set_permissions(&target, fs::Permissions::from_mode(file.mode | 0o040))?;
        }
    }
    fs::create_dir_all(&new)?;
    let next = volume.join("..data_tmp");
    // Left by a crash, perhaps; if it stays, the next line says so.
    let _ = fs::remove_file(&next);
    symlink(&stamp, &next)?;
    fs::rename(&next, &data)?;
    let mut wanted: Vec<_> = files.keys().filter_map(|path| path.components().next()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    for top in wanted {
        let link = volume.join(top);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new("..data").join(top), link)?;
        }
    }
    match before {
        Some(old) => fs::remove_dir_all(volume.join(old)),
        None => Ok(()),
    }
}

fn count(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(pairs: &[(&str, &str)]) -> Files {
        let one = |(path, text): &(&str, &str)| {
            (PathBuf::from(path), FileIn { content: text.as_bytes().to_vec(), mode: 0o640 })
        };
        pairs.iter().map(one).collect()
    }

    #[test]
    fn files_are_exchanged_as_a_whole() {
        let directory = tempfile::tempdir().unwrap();
        let volume = directory.path().join("v");
        publish(&volume, &files(&[("a", "1"), ("d/b", "2")]), None).unwrap();
        assert_eq!(fs::read_to_string(volume.join("d/b")).unwrap(), "2");
        let first = fs::read_link(volume.join("..data")).unwrap();
        publish(&volume, &files(&[("a", "1"), ("d/b", "2")]), None).unwrap();
        assert_eq!(fs::read_link(volume.join("..data")).unwrap(), first, "nothing changed, nothing exchanged");
        publish(&volume, &files(&[("a", "3"), ("d/b", "2")]), None).unwrap();
        assert_eq!(fs::read_to_string(volume.join("a")).unwrap(), "3");
        assert!(!volume.join(first).exists());
        assert_eq!(fs::metadata(volume.join("a")).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn paths_stay_inside() {
        assert!(relative("a/b").is_ok());
        for bad in ["", "/a", "../a", "a/../../b"] {
            assert!(relative(bad).is_err(), "{bad}");
        }
    }
}
