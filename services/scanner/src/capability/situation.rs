//! Where a process runs and what the kernel says of it: from that follows how raw sockets can be granted.

use std::path::Path;

/// The number of `CAP_NET_RAW` in capability sets (linux/capability.h).
const CAP_NET_RAW: u32 = 13;
/// The user namespace of the machine itself maps every user to itself (`user_namespaces(7)`).
const EVERYBODY: [&str; 3] = ["0", "0", "4294967295"];

/// What the kernel says of this process in /proc/self, and where it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact by itself")]
pub(super) struct Situation {
    /// `CAP_NET_RAW` is in effect.
    granted: bool,
    /// `CAP_NET_RAW` can be had at all: it is in the bounding set.
    obtainable: bool,
    /// `no_new_privs` is set, so that capabilities on the file do not count.
    no_new_privileges: bool,
    /// System calls are filtered.
    seccomp: bool,
    /// Its users are not those of the machine.
    user_namespace: bool,
    place: Place,
}

/// Where a process gets its capabilities from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Shell,
    Container,
    Unit,
}

impl Situation {
    pub(super) fn of_this_process() -> Self {
        let read = |file| std::fs::read_to_string(file).unwrap_or_default();
        let marks = ["/.dockerenv", "/run/.containerenv"];
        let has_mark = marks.iter().any(|mark| Path::new(mark).exists());
        // A unit may run within a container; a container knows nothing of the unit that started it.
        let place = if std::env::var_os("INVOCATION_ID").is_some() {
            Place::Unit
        } else if has_mark || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
            Place::Container
        } else {
            Place::Shell
        };
        Self {
            place,
            ..Self::of(&read("/proc/self/status"), &read("/proc/self/uid_map"))
        }
    }

    fn of(status: &str, users: &str) -> Self {
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)
        };
        let has = |name: &str| {
            let set = field(name).and_then(|set| u64::from_str_radix(set, 16).ok());
            set.map(|set| set & (1 << CAP_NET_RAW) != 0)
        };
        Self {
            granted: has("CapEff:").unwrap_or(false),
            obtainable: has("CapBnd:").unwrap_or(true),
            no_new_privileges: field("NoNewPrivs:") == Some("1"),
            seccomp: field("Seccomp:") == Some("2"),
            user_namespace: !users.is_empty() && !users.split_whitespace().eq(EVERYBODY),
            place: Place::default(),
        }
    }

    /// Whether the capability itself is there.
    pub(super) fn is_granted(self) -> bool {
        self.granted
    }

    /// What to do, given the kernel's error.
    pub(super) fn mend(self, error: Option<i32>) -> String {
        if error == Some(libc::EAFNOSUPPORT) {
            return self.mend_family();
        }
        if self.granted {
            return self.mend_granted();
        }
        match self.place {
            Place::Container if self.obtainable => "in a container, run it as root, or grant the capability to its user: docker run --cap-add NET_RAW --user 0; user 0 needs no other capability".to_owned(),
            Place::Container => "the container was started without it: docker run --cap-add NET_RAW, cap_add: [NET_RAW] in docker-compose.yml, or capabilities: {add: [NET_RAW]} in the securityContext of a pod".to_owned(),
            Place::Unit => "in the systemd unit: AmbientCapabilities=CAP_NET_RAW and CapabilityBoundingSet=CAP_NET_RAW, and no PrivateUsers=yes".to_owned(),
            Place::Shell => self.mend_shell(),
        }
    }

    fn mend_shell(self) -> String {
        if !self.obtainable {
            return "it is not in this process' bounding set, and no child of this shell can have it: start portwatch from somewhere that has CAP_NET_RAW".to_owned();
        }
        let program = std::env::current_exe().map_or_else(
            |_| "portwatch".to_owned(),
            |path| path.display().to_string(),
        );
        if self.no_new_privileges {
            return format!(
                "no_new_privs is set, so neither sudo nor a capability on the file counts: have whoever starts {program} grant CAP_NET_RAW as an ambient capability (setpriv --inh-caps +net_raw --ambient-caps +net_raw, or AmbientCapabilities= in a systemd unit)"
            );
        }
        format!("run `sudo setcap cap_net_raw+ep {program}` once, or run it with sudo")
    }

    /// It has what it needs, and was refused.
    fn mend_granted(self) -> String {
        if self.user_namespace {
            return "the capability holds in a user namespace only, and the network belongs to another: give that namespace a network of its own (podman, rootless Docker and unshare --user need --net as well), or run it outside".to_owned();
        }
        if self.seccomp {
            return match self.place {
                Place::Container => "a seccomp profile forbids the sockets: start the container with the default profile, or with one that allows socket() with AF_PACKET and SOCK_RAW (docker run --security-opt seccomp=PROFILE)".to_owned(),
                _ => "a seccomp filter forbids the sockets: in a systemd unit, SystemCallFilter= has to allow @network-io".to_owned(),
            };
        }
        "CAP_NET_RAW is there and the kernel refuses all the same: look for a security module (AppArmor, SELinux) in `dmesg` and in the audit log".to_owned()
    }

    /// The kernel knows no such sockets, or was told to say so.
    fn mend_family(self) -> String {
        if self.place == Place::Unit {
            return "in the systemd unit: RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK AF_PACKET".to_owned();
        }
        "this kernel or its sandbox (gVisor, an old WSL) has no raw or packet sockets: run it on a Linux kernel of its own".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tportwatch\nCapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff\nNoNewPrivs:\t0\nSeccomp:\t0\n";
    const HOST_USERS: &str = "         0          0 4294967295\n";
    const ROOTLESS: &str = "         0       1000          1\n";

    fn of(status: &str) -> Situation {
        Situation::of(status, HOST_USERS)
    }

    fn at(place: Place, situation: Situation) -> String {
        Situation { place, ..situation }.mend(Some(libc::EPERM))
    }

    #[test]
    fn what_is_missing_decides_the_advice() {
        let free = of(STATUS);
        assert!(free.mend(None).contains("setcap cap_net_raw+ep"));
        assert!(at(Place::Unit, free).contains("AmbientCapabilities=CAP_NET_RAW"));
        assert!(at(Place::Container, free).contains("--user 0"));

        let locked = of(&STATUS.replace("NoNewPrivs:\t0", "NoNewPrivs:\t1"));
        let advice = at(Place::Shell, locked);
        assert!(!advice.contains("setcap"), "it would not help: {advice}");
        assert!(advice.contains("ambient"), "{advice}");

        // Docker without NET_RAW: bit 13 is missing.
        let bare = of(&STATUS.replace("1ffffffffff", "00000005fb"));
        assert!(at(Place::Shell, bare).contains("bounding set"));
        assert!(at(Place::Container, bare).contains("--cap-add NET_RAW"));
    }

    #[test]
    fn what_is_there_and_refused_has_other_causes() {
        let granted = STATUS.replace("CapEff:\t0000000000000000", "CapEff:\t0000000000002000");
        assert!(of(&granted).is_granted());
        assert!(at(Place::Shell, of(&granted)).contains("security module"));

        let filtered = of(&granted.replace("Seccomp:\t0", "Seccomp:\t2"));
        assert!(at(Place::Container, filtered).contains("seccomp=PROFILE"));
        assert!(at(Place::Unit, filtered).contains("SystemCallFilter"));

        let rootless = Situation::of(&granted, ROOTLESS);
        assert!(at(Place::Shell, rootless).contains("user namespace"));
    }

    #[test]
    fn a_family_that_is_not_there_is_no_matter_of_capabilities() {
        let unit = Situation {
            place: Place::Unit,
            ..of(STATUS)
        };
        let advice = unit.mend(Some(libc::EAFNOSUPPORT));
        assert!(advice.contains("RestrictAddressFamilies"), "{advice}");
        assert!(of(STATUS).mend(Some(libc::EAFNOSUPPORT)).contains("kernel"));
    }

    #[test]
    fn an_unreadable_status_is_no_reason_to_despair() {
        let nothing = Situation::of("", "");
        assert!(nothing.obtainable && !nothing.user_namespace && !nothing.granted);
    }
}
