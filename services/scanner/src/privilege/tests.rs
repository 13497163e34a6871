//! Privileges belong to threads, so each test gives up those of a thread of its own.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::process::Command;

use socket2::{Domain, Protocol, Socket, Type};

use super::*;
use crate::skipped::skip;

/// `CAP_CHOWN` and `CAP_DAC_OVERRIDE`.
const FILE_ACCESS: u64 = 0b11;

fn on_a_thread(test: impl FnOnce() + Send + 'static) {
    std::thread::spawn(test).join().unwrap();
}

fn status() -> String {
    std::fs::read_to_string("/proc/thread-self/status").unwrap()
}

fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
}

fn assert_left(left: u64, was_root: bool) {
    let status = status();
    for (set, wanted) in [
        ("CapEff:", left),
        ("CapPrm:", left),
        ("CapInh:", 0),
        ("CapAmb:", 0),
    ] {
        assert_eq!(field(&status, set), wanted, "{set}\n{status}");
    }
    if was_root {
        assert_eq!(field(&status, "CapBnd:"), left, "{status}");
    }
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(status.contains(line), "{line}\n{status}");
    }
}

fn is_root(test: &str) -> bool {
    let permitted = field(&status(), "CapPrm:");
    let root = permitted & (1 << 8) != 0 && permitted & FILE_ACCESS == FILE_ACCESS;
    if !root {
        skip(test, "root's capabilities are needed");
    }
    root
}

#[test]
fn nothing_is_left_on_a_thread_and_on_those_that_it_starts() {
    let root = is_root("privilege: the bounding set");
    on_a_thread(move || {
        give_up(Keep::Nothing).unwrap();
        assert_left(0, root);
        on_a_thread(move || assert_left(0, root));
        assert!(give_up(Keep::Nothing).is_ok(), "twice is no mistake");
    });
}

#[test]
fn access_to_files_can_be_kept() {
    if !is_root("privilege: access to files is kept") {
        return;
    }
    on_a_thread(|| {
        give_up(Keep::FileAccess).unwrap();
        assert_left(FILE_ACCESS, true);
    });
}

#[test]
fn a_process_of_several_threads_keeps_what_it_has() {
    // The test runs on another thread than the one that waits for it.
    assert!(matches!(
        drop(Keep::Nothing),
        Err(PrivilegeError::Threads { threads: 2.. })
    ));
}

#[test]
fn what_is_not_needed_is_denied() {
    on_a_thread(|| {
        filter::apply().unwrap();
        let denied = |result: std::io::Result<()>, what: &str| {
            let error = result.expect_err(what);
            assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{what}: {error}");
        };
        let program = Command::new("/bin/true").status();
        denied(program.map(|_| ()), "another program");
        denied(std::os::unix::fs::chroot("/"), "another root");
        let netfilter = Protocol::from(libc::NETLINK_NETFILTER);
        for (domain, kind, protocol, what) in [
            (Domain::PACKET, Type::RAW, None, "a packet socket"),
            (Domain::PACKET, Type::DGRAM, None, "a cooked packet socket"),
            (Domain::IPV4, Type::RAW, Some(Protocol::TCP), "raw IPv4"),
            (Domain::IPV6, Type::RAW, Some(Protocol::TCP), "raw IPv6"),
            (netlink(), Type::RAW, Some(netfilter), "the firewall"),
        ] {
            denied(Socket::new(domain, kind, protocol).map(|_| ()), what);
        }
    });
}

fn netlink() -> Domain {
    Domain::from(libc::AF_NETLINK)
}

#[test]
fn what_is_needed_works() {
    on_a_thread(|| {
        give_up(Keep::Nothing).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let mut out = TcpStream::connect(address).unwrap();
        let (mut into, _) = listener.accept().unwrap();
        out.write_all(b"x").unwrap();
        into.read_exact(&mut [0]).unwrap();
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(("localhost", 1).to_socket_addrs().unwrap().count() > 0);
        let route = Protocol::from(libc::NETLINK_ROUTE);
        Socket::new(netlink(), Type::RAW, Some(route)).unwrap();
        assert!(!std::fs::read("/proc/self/limits").unwrap().is_empty());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let work = || tokio::task::spawn_blocking(|| 1);
        assert_eq!(runtime.block_on(async { work().await.unwrap() }), 1);
    });
}
