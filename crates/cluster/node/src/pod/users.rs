//! Who a container's program runs as: the pod's word, and the lists of users and groups of its image.

use std::path::Path;

use k8s_openapi::api::core::v1::{PodSecurityContext, SecurityContext};
use serde_json::{Value, json};

use super::environment::ConfigError;
use super::oci::Plan;
use crate::beneath;

/// Largest number of a user or group.
const ID_MAX: u32 = 0x7fff_ffff;
/// Where the kernel tells which ids this process's user namespace has (user_namespaces(7)).
const MAPS: [&str; 2] = ["/proc/self/uid_map", "/proc/self/gid_map"];
/// Most bytes read of an image's lists of users and groups.
const USERS_MAX: u64 = 1 << 20;

/// The OCI user of a container's first process: the pod's word, else the image's.
pub(super) fn user(plan: &Plan<'_>, security: &SecurityContext) -> Result<Value, ConfigError> {
    let of_pod: PodSecurityContext =
        plan.pod.spec.as_ref().and_then(|spec| spec.security_context.clone()).unwrap_or_default();
    let image = plan.image.user.as_deref().filter(|user| !user.is_empty());
    verify_run_as_non_root(plan, security, &of_pod, image)?;
    let found = image.map(|user| lookup(plan.rootfs, user)).transpose();
    let uid = match security.run_as_user.or(of_pod.run_as_user) {
        Some(uid) => u32::try_from(uid).map_err(|error| ConfigError(error.to_string()))?,
        None => found?.map_or(0, |(uid, _)| uid),
    };
    let gid = match security.run_as_group.or(of_pod.run_as_group) {
        Some(gid) => u32::try_from(gid).map_err(|error| ConfigError(error.to_string()))?,
        None => image.and_then(|user| lookup(plan.rootfs, user).ok()).map_or(0, |(_, gid)| gid),
    };
    let most = largest_id();
    if let Some(beyond) = [uid, gid].into_iter().find(|id| i64::from(*id) > most) {
        return Err(ConfigError(format!("the image's user or group {beyond} is beyond this node's largest, {most}")));
    }
    let mut groups: Vec<i64> = of_pod.supplemental_groups.unwrap_or_default();
    groups.extend(of_pod.fs_group);
    groups.push(i64::from(gid));
    if of_pod.supplemental_groups_policy.as_deref() != Some("Strict") {
        groups.extend(groups_in(plan.rootfs, uid));
    }
    groups.sort_unstable();
    groups.dedup();
    Ok(json!({"uid": uid, "gid": gid, "additionalGids": groups}))
}

/// The largest number that a user and a group of this node can have: an instance has 65,536 of each.
pub(super) fn largest_id() -> i64 {
    let largest = |map: &str| {
        let text = std::fs::read_to_string(map).unwrap_or_default();
        let range = |line: &str| {
            let mut numbers = line.split_whitespace().map(|word| word.parse::<i64>().ok());
            Some(numbers.next()?? + numbers.nth(1)?? - 1)
        };
        // Where it cannot be told, root is what there is for certain.
        text.lines().filter_map(range).max().unwrap_or(0)
    };
    MAPS.iter().map(|map| largest(map)).min().unwrap_or(0)
}

/// Upstream's function of the same name (`pkg/kubelet/kuberuntime/security_context_others.go`): an image whose user is a
/// name is not believed to be another than root.
fn verify_run_as_non_root(
    plan: &Plan<'_>,
    security: &SecurityContext,
    of_pod: &PodSecurityContext,
    image: Option<&str>,
) -> Result<(), ConfigError> {
    if security.run_as_non_root.or(of_pod.run_as_non_root) != Some(true) {
        return Ok(());
    }
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    let meta = &plan.pod.metadata;
    let pod = format!("\"{}_{}({})\"", part(&meta.name), part(&meta.namespace), part(&meta.uid));
    let refuse = |why: String| Err(ConfigError(format!("{why} (pod: {pod}, container: {})", plan.container.name)));
    let user = image.map_or("", |user| user.split(':').next().unwrap_or_default());
    match security.run_as_user.or(of_pod.run_as_user) {
        Some(0) => refuse("container's runAsUser breaks non-root policy".to_owned()),
        Some(_) => Ok(()),
        None if user.is_empty() || user.parse() == Ok(0) => {
            refuse("container has runAsNonRoot and image will run as root".to_owned())
        }
        None if !is_number(user) => refuse(format!(
            "container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root"
        )),
        None => Ok(()),
    }
}

/// `USER[:GROUP]` of an image, names looked up in its own files.
fn lookup(rootfs: &Path, user: &str) -> Result<(u32, u32), ConfigError> {
    let (user, group) = user.split_once(':').map_or((user, None), |(user, group)| (user, Some(group)));
    let entry = |file: &str, name: &str, key: usize| {
        let text = read_in(rootfs, file);
        text.lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| fields.get(key) == Some(&name))
            .map(|fields| fields.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>())
    };
    let number = |fields: &[String], at: usize| fields.get(at).and_then(|text| identity(text));
    let bad = |what: &str| ConfigError(format!("uids and gids must be in range 0-{ID_MAX}: {what}"));
    let (uid, primary) = if is_number(user) {
        let uid = identity(user).ok_or_else(|| bad(user))?;
        // One that the image does not know has the first group.
        (uid, entry("etc/passwd", user, 2).map_or(Some(0), |fields| number(&fields, 3)).ok_or_else(|| bad(user))?)
    } else {
        let fields = entry("etc/passwd", user, 0);
        let fields = fields
            .ok_or_else(|| ConfigError(format!("unable to find user {user}: no matching entries in passwd file")))?;
        let both = number(&fields, 2).zip(number(&fields, 3));
        both.ok_or_else(|| bad(user))?
    };
    let gid = match group {
        None => primary,
        Some(group) if is_number(group) => identity(group).ok_or_else(|| bad(group))?,
        Some(group) => entry("etc/group", group, 0)
            .and_then(|fields| number(&fields, 2))
            .ok_or_else(|| ConfigError(format!("unable to find group {group}: no matching entries in group file")))?,
    };
    Ok((uid, gid))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A user's or group's number. What lies beyond the range has a meaning of its own to the kernel: 4294967295 is "as
/// before", which is root.
fn identity(text: &str) -> Option<u32> {
    text.parse().ok().filter(|id| *id <= ID_MAX)
}

/// The groups that an image's own files put a user into (Kubernetes documentation, "Configure a Security Context",
/// `supplementalGroupsPolicy`).
fn groups_in(rootfs: &Path, uid: u32) -> Vec<i64> {
    let users = read_in(rootfs, "etc/passwd");
    let mut users = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let user = users.find(|fields| fields.get(2).is_some_and(|text| text.parse() == Ok(uid)));
    let Some(name) = user.and_then(|fields| fields.first().copied()) else { return Vec::new() };
    let groups = read_in(rootfs, "etc/group");
    let member = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        fields.get(3)?.split(',').any(|one| one == name).then(|| identity(fields[2]).map(i64::from))?
    };
    groups.lines().filter_map(member).collect()
}

/// A small file of the image; its links are followed inside of it only. One that cannot be read has no users.
fn read_in(rootfs: &Path, file: &str) -> String {
    let bytes = beneath::read_in(rootfs, file, USERS_MAX).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_image_puts_its_users_into_groups() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/passwd"), "root:x:0:0::/:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n").unwrap();
        fs::write(root.path().join("etc/group"), "broken\nstaff:x:50000:bob,alice\nother:x:7:bob\n").unwrap();
        assert_eq!(groups_in(root.path(), 1000), [50_000]);
        assert_eq!(groups_in(root.path(), 4), [0_i64; 0]);
        assert_eq!(lookup(root.path(), "alice:staff").unwrap(), (1000, 50_000));
    }

    #[test]
    fn a_user_is_never_root_by_an_odd_number() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        let users = "max:x:4294967295:0\nodd:x:many:0\nminus:x:-1:0\nshort:x\nfine:x:5:6\n";
        fs::write(root.path().join("etc/passwd"), users).unwrap();
        for bad in ["4294967295", "99999999999", "-1", "max", "odd", "minus", "short", "0x0", "1:4294967295", "", "1:"]
        {
            assert!(lookup(root.path(), bad).is_err(), "{bad:?}");
        }
        assert_eq!(lookup(root.path(), "fine").unwrap(), (5, 6));
        assert_eq!(lookup(root.path(), "77").unwrap(), (77, 0));
    }

    #[test]
    fn this_process_has_ids() {
        // All of the machine's, or those of a user namespace.
        assert!(largest_id() >= 65_535, "{}", largest_id());
    }

    #[test]
    fn who_must_not_be_root_is_not_believed_to_be_another_by_name() {
        use k8s_openapi::api::core::v1::{Container, Pod};
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/passwd"), "web:x:1000:1000::/:/bin/sh\n").unwrap();
        let container = Container { name: "c".to_owned(), ..Container::default() };
        let mut pod = Pod::default();
        (pod.metadata.name, pod.metadata.namespace) = (Some("p".to_owned()), Some("default".to_owned()));
        pod.metadata.uid = Some("u".to_owned());
        let ask = |image: &str, run_as_user: Option<i64>| {
            let image = crate::images::ImageConfig { user: Some(image.to_owned()), ..Default::default() };
            let plan = Plan {
                pod: &pod,
                container: &container,
                image: &image,
                variables: Default::default(),
                rootfs: root.path(),
                netns: None,
                ipc: None,
                hostname: String::new(),
                cgroup: Path::new("/"),
                cover: Path::new("/"),
                binds: Vec::new(),
            };
            let security = SecurityContext { run_as_non_root: Some(true), run_as_user, ..Default::default() };
            user(&plan, &security).map(|user| user["uid"].clone()).map_err(|error| error.to_string())
        };
        let of = "(pod: \"p_default(u)\", container: c)";
        let named = format!(
            "container has runAsNonRoot and image has non-numeric user (web), cannot verify user is non-root {of}"
        );
        assert_eq!(ask("web", None), Err(named.clone()));
        assert_eq!(ask("web:web", None), Err(named));
        let root = format!("container has runAsNonRoot and image will run as root {of}");
        for image in ["", "0", "0:1000", "00"] {
            assert_eq!(ask(image, None), Err(root.clone()), "{image:?}");
        }
        let broken = format!("container's runAsUser breaks non-root policy {of}");
        assert_eq!(ask("1000", Some(0)), Err(broken));
        assert_eq!(ask("1000", None), Ok(json!(1000)));
        assert_eq!(ask("web", Some(7)), Ok(json!(7)));
    }

    proptest::proptest! {
        #[test]
        fn odd_lists_of_users_are_survived(list in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400), user in "[ -~]{0,20}") {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir(root.path().join("etc")).unwrap();
            fs::write(root.path().join("etc/passwd"), &list).unwrap();
            fs::write(root.path().join("etc/group"), &list).unwrap();
            let _ = lookup(root.path(), &user);
            groups_in(root.path(), 0);
        }
    }
}
