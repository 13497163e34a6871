//! In network namespaces of the tests' own.

#![expect(clippy::unwrap_used, reason = "tests")]

mod decisions;
mod lab;
mod updates;

use std::net::{IpAddr, TcpStream};
use std::time::{Duration, Instant};

use super::*;
use lab::{FAR, NEAR, ip};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn towards(routes: &mut Routes, destination: &str) -> Path {
    routes.towards(address(destination)).unwrap()
}

/// The errno with which the kernel refuses the destination.
fn refused(routes: &mut Routes, destination: &str) -> i32 {
    match routes.towards(address(destination)) {
        Err(RouteError::None { source, .. }) => source.raw_os_error().unwrap(),
        other => panic!("{destination}: {other:?}"),
    }
}

fn wire() -> u32 {
    let index = std::process::Command::new("ip")
        .args(["-o", "link", "show", "wire"])
        .output()
        .unwrap()
        .stdout;
    let text = String::from_utf8(index).unwrap();
    text.split(':').next().unwrap().parse().unwrap()
}

fn ethernet(source: &str, to: [u8; 6]) -> Path {
    Path {
        source: address(source),
        via: Via::Ethernet {
            interface: wire(),
            from: NEAR,
            to,
        },
    }
}

fn kernel(source: &str) -> Path {
    Path {
        source: address(source),
        via: Via::Kernel,
    }
}

/// Lets the kernel find out the hardware address of the other end, where nobody listens.
fn meet(neighbour: &str) {
    let refused = TcpStream::connect((address(neighbour), 9)).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}

/// Until something has changed.
fn wait_for_change(routes: &mut Routes) {
    let start = Instant::now();
    while !routes.changed().unwrap() {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "nothing has changed"
        );
        std::thread::yield_now();
    }
}
