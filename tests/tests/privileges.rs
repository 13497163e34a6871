//! What a process that scans may still do: nothing that any other could not, on none of its threads; and
//! that it scans all the same, as root and as nobody.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use portwatch_tests::{Listener, PATIENCE, Portwatch, free_port, skip, until};
use tokio::io::{AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

const NOBODY: u32 = 65534;
/// `CAP_CHOWN` and `CAP_DAC_OVERRIDE`.
const FILE_ACCESS: u64 = 0b11;

/// A field of the status of each thread of a process.
fn threads(process: u32, field: &str) -> Vec<String> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{process}/task")) else {
        return Vec::new();
    };
    let value = |task: std::fs::DirEntry| {
        // A thread may have ended since.
        let status = std::fs::read_to_string(task.path().join("status")).ok()?;
        let line = status.lines().find(|line| line.starts_with(field))?;
        Some(line.split_whitespace().nth(1)?.to_owned())
    };
    tasks.filter_map(|task| value(task.ok()?)).collect()
}

fn assert_left(process: u32, left: u64, bounding: bool) {
    let wanted = format!("{left:016x}");
    let nothing = format!("{:016x}", 0);
    let mut fields = vec![
        ("CapEff:", wanted.as_str()),
        ("CapPrm:", &wanted),
        ("CapInh:", &nothing),
        ("CapAmb:", &nothing),
        ("NoNewPrivs:", "1"),
        ("Seccomp:", "2"),
    ];
    if bounding {
        fields.push(("CapBnd:", &wanted));
    }
    for (field, wanted) in fields {
        let values = threads(process, field);
        assert!(values.len() > 2, "the threads of a scan: {values:?}");
        assert!(
            values.iter().all(|value| value == wanted),
            "{field} {values:?}, not {wanted}"
        );
    }
}

fn is_root() -> bool {
    let own = threads(std::process::id(), "CapEff:");
    let sets = own.iter().map(|set| u64::from_str_radix(set, 16).unwrap());
    // CAP_SETPCAP, CAP_SETUID and those for files.
    let needed = FILE_ACCESS | 1 << 8 | 1 << 7 | 1 << 6;
    sets.into_iter().all(|set| set & needed == needed)
}

/// The command where every user may run it.
fn copy_for_all(folder: &Path) -> std::path::PathBuf {
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
    let copy = folder.join("portwatch");
    std::fs::copy(Portwatch::path(), &copy).unwrap();
    copy
}

fn spawn(command: &mut Command) -> Child {
    command
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// A scan that takes a few seconds; returns what it printed, after looking at it while it runs.
async fn look_at_a_scan(program: &Path, user: Option<u32>) -> String {
    let listener = Listener::start(free_port()).await;
    let ports = format!("{},1-400", listener.port());
    let mut command = Command::new(program);
    command.args([
        "scan",
        "127.0.0.1",
        "--rate",
        "200",
        "--format",
        "ndjson",
        "--ports",
        &ports,
    ]);
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    let mut child = spawn(&mut command);
    let process = child.id().unwrap();
    until("the thread of the scan", || async {
        let mut names = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
        let is_scan = |task: std::fs::DirEntry| {
            let name = std::fs::read_to_string(task.path().join("comm")).ok()?;
            (name.trim() == "scan").then_some(())
        };
        names.find_map(|task| is_scan(task.ok()?))
    })
    .await;
    assert_left(process, 0, is_root() && user.is_none());
    let mut printed = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let all = out.read_to_string(&mut printed);
    tokio::time::timeout(PATIENCE, all).await.unwrap().unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    let open = format!(
        "\"port\":{},\"protocol\":\"tcp\",\"state\":\"open\"",
        listener.port()
    );
    assert!(printed.contains(&open), "{printed}");
    let summary = printed.lines().last().unwrap();
    assert!(summary.contains("\"unknown\":0"), "{printed}");
    listener.stop().await;
    printed
}

// One test: a copy that is written while another test forks cannot be run (ETXTBSY).
#[tokio::test]
async fn nothing_is_left_that_is_not_needed_and_scans_are_right() {
    let folder = tempfile::TempDir::new().unwrap();
    let program = copy_for_all(folder.path());
    let printed = look_at_a_scan(&program, None).await;
    if !is_root() {
        skip("privileges of root", "the tests do not run as root");
        return;
    }
    assert!(printed.contains("\"method\":\"syn\""), "{printed}");
    let printed = look_at_a_scan(&program, Some(NOBODY)).await;
    assert!(printed.contains("\"method\":\"connect\""), "{printed}");
    access_to_files_is_kept_for_those_of_others(&program, folder.path()).await;
}

async fn access_to_files_is_kept_for_those_of_others(program: &Path, folder: &Path) {
    for (owner, left) in [(0, 0), (NOBODY, FILE_ACCESS)] {
        let data = folder.join(format!("data-of-{owner}"));
        std::fs::create_dir(&data).unwrap();
        std::fs::set_permissions(&data, PermissionsExt::from_mode(0o700)).unwrap();
        std::os::unix::fs::chown(&data, Some(owner), Some(owner)).unwrap();
        let mut command = Command::new(program);
        command.args(["up", "127.0.0.1", "--ports", "1", "--listen", "127.0.0.1:0"]);
        let mut child = spawn(command.arg("--data-dir").arg(&data));
        let mut out = child.stdout.take().unwrap();
        let mut printed = String::new();
        let baseline = async {
            let mut bytes = [0; 4096];
            while !printed.contains("scan of 127.0.0.1") {
                let length = out.read(&mut bytes).await.unwrap();
                assert!(length > 0, "it ended: {printed}");
                printed.push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        };
        tokio::time::timeout(PATIENCE, baseline).await.unwrap();
        assert_left(child.id().unwrap(), left, true);
        assert!(data.join("portwatch.db").exists());
        child.kill().await.unwrap();
    }
}
