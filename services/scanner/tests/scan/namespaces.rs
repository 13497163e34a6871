//! Two network namespaces that a test makes itself, with a wire between them and no way out.
//!
//! The test runs itself again inside them: once as the target, once as the scanner.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::skipped::skip;

/// Tells the test that it runs inside, and as what.
const ROLE: &str = "PORTWATCH_TEST_ROLE";

/// The wire. `A` is the scanner's namespace, `B` the target's.
const WIRE: &str = "
ip netns add A
ip netns add B
ip -n A link add wire type veth peer name wire netns B
ip -n A link set lo up
ip -n B link set lo up
ip -n A address add 198.18.0.1/24 dev wire
ip -n B address add 198.18.0.2/24 dev wire
ip -n A address add fd00:198:18::1/64 dev wire nodad
ip -n B address add fd00:198:18::2/64 dev wire nodad
ip -n A link set wire up
ip -n B link set wire up
";

/// Two namespaces and the wire between them; gone when dropped.
struct Namespaces {
    names: [String; 2],
}

impl Namespaces {
    /// With what `layout` adds to the wire: commands with `A` and `B` for the namespaces.
    fn make(layout: &str) -> Result<Self, String> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let names = ["a", "b"].map(|side| format!("portwatch-test-{process}-{number}-{side}"));
        let made = Self { names };
        for line in WIRE.trim().lines().chain(layout.trim().lines()) {
            let mut words = line.split(' ').map(|word| match word {
                "A" => &made.names[0],
                "B" => &made.names[1],
                word => word,
            });
            let output = Command::new(words.next().unwrap())
                .args(words)
                .output()
                .map_err(|error| format!("cannot run {line}: {error}"))?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(format!("{line}: {}", said.trim()));
            }
        }
        Ok(made)
    }

    /// This test again, inside one of them.
    fn enter(&self, side: usize, test: &str, role: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names[side]]);
        command.arg(std::env::current_exe().unwrap());
        command
            .args(["--exact", test, "--nocapture"])
            .env(ROLE, role);
        command
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = Command::new("ip").args(["netns", "delete", name]).output();
        }
    }
}

/// The target, stopped when dropped.
struct Target(Child);

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `scan` in the one namespace while what `listen` returns is alive in the other. Skips the test where no
/// namespaces can be made. `test` is the whole name of the test that calls this.
pub fn between<T>(test: &str, layout: &str, listen: impl FnOnce() -> T, scan: impl FnOnce()) {
    match std::env::var(ROLE).as_deref() {
        Ok("target") => {
            let _listening = listen();
            println!("listening");
            let _ = std::io::stdin().read(&mut [0]);
            return;
        }
        Ok("scanner") => return scan(),
        _ => {}
    }
    let namespaces = match Namespaces::make(layout) {
        Ok(namespaces) => namespaces,
        Err(why) => return skip(test, &format!("cannot make network namespaces: {why}")),
    };
    let target = namespaces
        .enter(1, test, "target")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut target = Target(target);
    let mut lines = BufReader::new(target.0.stdout.take().unwrap()).lines();
    assert!(
        lines.any(|line| line.unwrap().contains("listening")),
        "the target ended"
    );
    let status = namespaces.enter(0, test, "scanner").status().unwrap();
    assert!(
        status.success(),
        "the scan inside the namespace failed: {status}"
    );
}
