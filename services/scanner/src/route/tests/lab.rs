//! Two network namespaces that the test makes itself, with a wire between them and no way out. The test runs itself
//! again inside the first.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::skipped::skip;

/// Tells the test that it runs inside.
const INSIDE: &str = "PORTWATCH_TEST_ROUTES";
/// How to make a namespace: as anybody, or as root where users may not make any.
const WAYS: [&str; 2] = ["-Urn", "-n"];

/// Our end of the wire, and the other.
pub(super) const NEAR: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub(super) const FAR: [u8; 6] = [2, 0, 0, 0, 0, 2];

const NEAR_LAYOUT: &str = "
link set lo up
link add name wire address 02:00:00:00:00:01 type veth peer name wire address 02:00:00:00:00:02 netns FAR
link set wire addrgenmode none
address add 198.18.0.1/24 brd + dev wire
address add fd00:198:18::1/64 dev wire nodad
address add fe80::1/64 dev wire nodad
link set wire up
";
const FAR_LAYOUT: &str = "
link set lo up
link set wire addrgenmode none
address add 198.18.0.2/24 dev wire
address add fd00:198:18::2/64 dev wire nodad
address add fe80::2/64 dev wire nodad
link set wire up
";

/// The other namespace, which lives for as long as its process does.
pub(super) struct Lab {
    far: Child,
}

impl Lab {
    fn make() -> Self {
        let mut far = Command::new("unshare")
            .args(["-n", "sh", "-c", "echo made; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(far.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "made\n");
        let lab = Self { far };
        let pid = lab.far.id().to_string();
        for line in NEAR_LAYOUT.trim().lines() {
            ip(&line.replace("FAR", &pid));
        }
        for line in FAR_LAYOUT.trim().lines() {
            let arguments = ["-t", &pid, "-n", "ip"];
            assert!(run("nsenter", arguments.into_iter().chain(line.split(' '))));
        }
        lab
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.far.kill();
        let _ = self.far.wait();
    }
}

fn run<'a>(program: &str, arguments: impl Iterator<Item = &'a str>) -> bool {
    let status = Command::new(program).args(arguments).status().unwrap();
    status.success()
}

/// Runs ip in our namespace.
pub(super) fn ip(line: &str) {
    assert!(run("ip", line.split(' ')), "ip {line}");
}

/// Whether ip does it here, where a kernel may not be able to.
pub(super) fn can_ip(line: &str) -> bool {
    let ip = Command::new("ip")
        .args(line.split(' '))
        .stderr(Stdio::null())
        .status();
    ip.unwrap().success()
}

/// Runs many lines at once.
pub(super) fn ip_batch(lines: &str) {
    let mut ip = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut ip.stdin.take().unwrap(), lines.as_bytes()).unwrap();
    assert!(ip.wait().unwrap().success());
}

/// Runs the body in namespaces of its own. `test` is the name of the test that calls it, without its module's.
pub(super) fn inside(test: &str, body: impl FnOnce()) {
    let module = module_path!().trim_start_matches(concat!(env!("CARGO_CRATE_NAME"), "::"));
    let test = format!("{}::{test}", module.trim_end_matches("::lab"));
    if std::env::var_os(INSIDE).is_some() {
        let _lab = Lab::make();
        return body();
    }
    let works = |way: &&&str| {
        let made = Command::new("unshare")
            .args([way, "ip", "link"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        made.is_ok_and(|status| status.success())
    };
    let Some(way) = WAYS.iter().find(works) else {
        return skip(&test, "cannot make network namespaces");
    };
    let output = Command::new("unshare")
        .arg(way)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &test, "--nocapture"])
        .env(INSIDE, "yes")
        .output()
        .unwrap();
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    eprintln!("{err}");
    assert!(
        output.status.success() && out.contains("1 passed"),
        "{test} inside a namespace:\n{out}"
    );
    // What was measured.
    out.lines()
        .filter(|line| line.contains(" calls"))
        .for_each(|line| println!("{line}"));
}
