//! A process with all that came of it, ended together.

use std::collections::HashMap;
use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How often new descendants are looked for; each round stops those it found, so a growing family soon stands still.
const ROUNDS: u32 = 50;

/// Kills a process that is not reaped yet, and its descendants. They are stopped first, so that none escapes by being
/// made meanwhile; those whose parent has ended before are nobody's any more, and stay.
pub(super) fn end(first: i32) {
    let mut family = vec![first];
    // One that is gone is what is wanted; so below.
    let _ = kill(Pid::from_raw(first), Signal::SIGSTOP);
    for _ in 0..ROUNDS {
        let children = children();
        let mut found = Vec::new();
        let mut next: Vec<i32> = vec![first];
        while let Some(pid) = next.pop() {
            for child in children.get(&pid).into_iter().flatten() {
                next.push(*child);
                if !family.contains(child) {
                    found.push(*child);
                }
            }
        }
        if found.is_empty() {
            break;
        }
        for pid in found {
            let _ = kill(Pid::from_raw(pid), Signal::SIGSTOP);
            family.push(pid);
        }
    }
    for pid in family {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// The children of every process that can be seen.
fn children() -> HashMap<i32, Vec<i32>> {
    let mut all: HashMap<i32, Vec<i32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        if let Some(parent) = parent(&fs::read_to_string(entry.path().join("stat")).unwrap_or_default()) {
            all.entry(parent).or_default().push(pid);
        }
    }
    all
}

/// The parent in a line of `/proc/PID/stat` (proc(5)); the name before it may hold anything.
fn parent(stat: &str) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_does_not_hide_a_parent() {
        assert_eq!(parent("7 (a) S 9 (b)) R 3 7 7"), Some(3));
        assert_eq!(parent(""), None);
    }

    #[test]
    fn children_of_children_end_too() {
        let script = "sh -c 'sleep 300 & echo $!; wait' & wait";
        let mut command = std::process::Command::new("sh");
        let mut first = command.args(["-c", script]).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(first.stdout.as_mut().unwrap()), &mut line).unwrap();
        let deepest: i32 = line.trim().parse().unwrap();
        end(i32::try_from(first.id()).unwrap());
        first.wait().unwrap();
        let gone = || {
            let stat = fs::read_to_string(format!("/proc/{deepest}/stat")).unwrap_or_default();
            stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z'))
        };
        let begin = std::time::Instant::now();
        while !gone() {
            assert!(begin.elapsed().as_secs() < 10, "the sleep goes on");
            std::thread::yield_now();
        }
    }
}
