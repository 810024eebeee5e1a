//! `RuntimeDefault`: a filter that lets pass what programs usually call and refuses the rest with EPERM.
//!
//! The runtime library knows filters only through a C library; this one is made here and set in the container's
//! process right before its program starts.

mod calls;

use std::io;

use eksile_linux::seccomp::Instruction;
use nix::libc;
use rustix::thread::{CapabilitySet, capabilities, remove_capability_from_bounding_set, set_capabilities};
use serde::{Deserialize, Serialize};

const CAN_ADMINISTER: &str = "CAP_SYS_ADMIN";

/// What a container may call beside what every container may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The container's own capabilities, each of which allows some calls.
    pub capabilities: Vec<String>,
    /// Not among them, but in the OCI configuration: a process that may gain privileges needs these to set the filter,
    /// and gives them back at once.
    pub lent: Vec<String>,
}

impl Profile {
    /// For a container with these capabilities. `sealed`: it cannot gain privileges, so nothing need be lent.
    #[must_use]
    pub fn new(capabilities: Vec<String>, sealed: bool) -> Self {
        let lent = LENT.iter().filter(|(name, _)| !sealed && !capabilities.iter().any(|one| one == name));
        let lent = lent.map(|(name, _)| (*name).to_owned()).collect();
        Self { capabilities, lent }
    }
}

/// What setting a filter takes, and giving that back.
const LENT: [(&str, CapabilitySet); 2] =
    [(CAN_ADMINISTER, CapabilitySet::SYS_ADMIN), ("CAP_SETPCAP", CapabilitySet::SETPCAP)];

/// Confines the calling process for good, and takes back what it was lent for that.
///
/// # Errors
/// When the kernel refuses; then the process must not go on.
pub(super) fn confine(profile: &Profile) -> io::Result<()> {
    eksile_linux::seccomp::set_filter(&filter(profile)).map_err(io::Error::other)?;
    let lent = LENT.iter().filter(|(name, _)| profile.lent.iter().any(|one| one == name));
    let lent = lent.fold(CapabilitySet::empty(), |all, (_, one)| all | *one);
    if lent.is_empty() {
        return Ok(());
    }
    for one in lent.iter() {
        remove_capability_from_bounding_set(one)?;
    }
    let mut sets = capabilities(None)?;
    for set in [&mut sets.effective, &mut sets.permitted, &mut sets.inheritable] {
        set.remove(lent);
    }
    Ok(set_capabilities(None, sets)?)
}

/// `AUDIT_ARCH_…` of linux/audit.h.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// Offsets in `struct seccomp_data` of linux/seccomp.h; of an argument the lower half, little-endian.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const fn argument(index: u32) -> u32 {
    16 + 8 * index
}

/// Personalities that a program may take: Linux, its 32-bit form, without a randomised layout, and the question.
const PERSONALITIES: [u32; 5] = [0, 0x0008, 0x2_0000, 0x2_0008, 0xffff_ffff];
/// `clone` flags that make namespaces.
const NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWCGROUP)
    .cast_unsigned();

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const fn refuse(errno: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno.cast_unsigned()
}

/// The filter of a profile.
pub(super) fn filter(profile: &Profile) -> Vec<Instruction> {
    let held = |name: &str| profile.capabilities.iter().any(|one| one == name);
    let more = calls::BY_CAPABILITY.iter().filter(|(name, _)| held(name)).flat_map(|(_, calls)| *calls);
    let mut allowed: Vec<u32> =
        calls::ALWAYS.iter().chain(calls::OWN).chain(more).filter_map(|number| u32::try_from(*number).ok()).collect();
    allowed.sort_unstable();
    allowed.dedup();
    // Programs of another architecture (32-bit ones) have other numbers; for them the machine is one without.
    let mut program =
        vec![load(ARCH), jump(libc::BPF_JEQ, ARCHITECTURE, 1, 0), end(refuse(libc::ENOSYS)), load(NUMBER)];
    for (first, last) in ranges(&allowed) {
        program.extend([jump(libc::BPF_JGE, first, 0, 2), jump(libc::BPF_JGT, last, 1, 0), end(ALLOW)]);
    }
    let with_argument = |program: &mut Vec<Instruction>, call: libc::c_long, test: &[Instruction]| {
        // The test ends every path through it.
        let past = test.len() as u8 + 1;
        program.push(jump(libc::BPF_JEQ, call as u32, 0, past));
        program.push(load(argument(0)));
        program.extend_from_slice(test);
    };
    let known = PERSONALITIES.iter().flat_map(|one| [jump(libc::BPF_JEQ, *one, 0, 1), end(ALLOW)]);
    let known: Vec<_> = known.chain([end(refuse(libc::EPERM))]).collect();
    with_argument(&mut program, libc::SYS_personality, &known);
    // A socket to the machine below would leave every namespace.
    let vsock = libc::AF_VSOCK.cast_unsigned();
    let elsewhere = [jump(libc::BPF_JEQ, vsock, 0, 1), end(refuse(libc::EPERM)), end(ALLOW)];
    with_argument(&mut program, libc::SYS_socket, &elsewhere);
    if !held(CAN_ADMINISTER) {
        let plain = [jump(libc::BPF_JSET, NAMESPACES, 0, 1), end(refuse(libc::EPERM)), end(ALLOW)];
        with_argument(&mut program, libc::SYS_clone, &plain);
        // Its flags lie in memory, where a filter cannot look; without it programs fall back to `clone`.
        program.extend([jump(libc::BPF_JEQ, libc::SYS_clone3 as u32, 0, 1), end(refuse(libc::ENOSYS))]);
    }
    program.push(end(refuse(libc::EPERM)));
    program
}

fn load(offset: u32) -> Instruction {
    Instruction { code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, jt: 0, jf: 0, k: offset }
}

fn jump(test: u32, value: u32, yes: u8, no: u8) -> Instruction {
    Instruction { code: (libc::BPF_JMP | test | libc::BPF_K) as u16, jt: yes, jf: no, k: value }
}

fn end(verdict: u32) -> Instruction {
    Instruction { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: verdict }
}

/// Runs of consecutive numbers in a sorted list.
fn ranges(sorted: &[u32]) -> Vec<(u32, u32)> {
    let mut found: Vec<(u32, u32)> = Vec::new();
    for number in sorted {
        match found.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => found.push((*number, *number)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would answer: the instructions used here, run one by one.
    fn ask(program: &[Instruction], architecture: u32, call: libc::c_long, first: u32) -> u32 {
        let (mut at, mut value) = (0, 0_u32);
        loop {
            let Instruction { code, jt, jf, k } = program[at];
            at += 1;
            let code = u32::from(code);
            match code & 0x07 {
                libc::BPF_LD => {
                    value = match k {
                        NUMBER => call as u32,
                        ARCH => architecture,
                        _ => first,
                    }
                }
                libc::BPF_RET => return k,
                _ => {
                    let yes = match code & 0xf0 {
                        libc::BPF_JEQ => value == k,
                        libc::BPF_JGE => value >= k,
                        libc::BPF_JGT => value > k,
                        _ => value & k != 0,
                    };
                    at += usize::from(if yes { jt } else { jf });
                }
            }
        }
    }

    #[test]
    fn usual_calls_pass_and_others_are_refused() {
        let plain = filter(&Profile::new(vec!["CAP_SYS_CHROOT".to_owned()], false));
        let admin = filter(&Profile::new(vec![CAN_ADMINISTER.to_owned()], true));
        let eperm = refuse(libc::EPERM);
        let thread = (libc::CLONE_VM | libc::CLONE_THREAD).cast_unsigned();
        let namespace = libc::CLONE_NEWUSER.cast_unsigned();
        for (call, first, expected) in [
            (libc::SYS_read, 0, ALLOW),
            (libc::SYS_execve, 0, ALLOW),
            (libc::SYS_chroot, 0, ALLOW),
            (libc::SYS_keyctl, 0, eperm),
            (libc::SYS_reboot, 0, eperm),
            (libc::SYS_mount, 0, eperm),
            (libc::SYS_unshare, 0, eperm),
            (libc::SYS_personality, 0xffff_ffff, ALLOW),
            (libc::SYS_personality, 5, eperm),
            (libc::SYS_socket, 2, ALLOW),
            (libc::SYS_socket, libc::AF_VSOCK.cast_unsigned(), eperm),
            (libc::SYS_clone, thread, ALLOW),
            (libc::SYS_clone, namespace, eperm),
            (libc::SYS_clone3, 0, refuse(libc::ENOSYS)),
            (100_000, 0, eperm),
        ] {
            assert_eq!(ask(&plain, ARCHITECTURE, call, first), expected, "{call} {first}");
        }
        for (call, first) in [(libc::SYS_mount, 0), (libc::SYS_clone, namespace), (libc::SYS_clone3, 0)] {
            assert_eq!(ask(&admin, ARCHITECTURE, call, first), ALLOW, "{call} {first}");
        }
        assert_eq!(ask(&admin, ARCHITECTURE, libc::SYS_keyctl, 0), eperm);
        assert_eq!(ask(&plain, 0x4000_0003, libc::SYS_read, 0), refuse(libc::ENOSYS));
    }

    /// Every call there is, with every capability alone, against what containerd's own function answered.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn allows_what_containerd_allows_and_nothing_else() {
        let recorded: Vec<(&str, Vec<(&str, libc::c_long)>)> = include_str!("containerd.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                let (capability, calls) = line.split_once(' ').expect("a capability and its calls");
                let call =
                    |one: &'static str| one.split_once('=').map(|(name, number)| (name, number.parse().unwrap()));
                (capability, calls.split(' ').map(|one| call(one).expect("name=number")).collect())
            })
            .collect();
        let always = recorded.iter().find(|(name, _)| *name == "-").map(|(_, calls)| calls).expect("a line for all");
        let by_argument = [libc::SYS_personality, libc::SYS_socket, libc::SYS_clone, libc::SYS_clone3];
        for (capability, calls) in &recorded {
            let program = filter(&Profile::new(vec![(*capability).to_owned()], true));
            let expected: std::collections::BTreeSet<_> =
                calls.iter().chain(always).map(|(_, number)| *number).collect();
            for number in (0..600).filter(|number| !by_argument.contains(number)) {
                let allowed = ask(&program, ARCHITECTURE, number, 0) == ALLOW;
                assert_eq!(allowed, expected.contains(&number), "system call {number} with {capability}");
            }
        }
    }

    #[test]
    fn a_filter_is_short_enough_for_the_kernel() {
        let every: Vec<String> = calls::BY_CAPABILITY.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert!(filter(&Profile::new(every, true)).len() < 4096);
        assert_eq!(ranges(&[1, 2, 3, 5, 7, 8]), [(1, 3), (5, 5), (7, 8)]);
    }
}
