//! The `portwatch` command as a child process.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use crate::until;

/// A running `portwatch`.
pub struct Portwatch {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Portwatch {
    /// Where the command is: `PORTWATCH_TEST_BIN`, or beside the folder of the test itself.
    pub fn path() -> PathBuf {
        if let Some(path) = std::env::var_os("PORTWATCH_TEST_BIN") {
            return path.into();
        }
        let own = std::env::current_exe().unwrap();
        let path = own.ancestors().nth(2).unwrap().join("portwatch");
        assert!(
            path.exists(),
            "{} is missing: run `cargo build` first",
            path.display()
        );
        path
    }

    /// A command with this environment alone, so that nothing of the developer's leaks in.
    pub fn command<A: AsRef<OsStr>>(arguments: &[A], environment: &[(&str, String)]) -> Command {
        let mut command = Command::new(Self::path());
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap());
        command.envs(environment.iter().map(|(key, value)| (key, value)));
        command.kill_on_drop(true).stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub async fn output<A: AsRef<OsStr>>(
        arguments: &[A],
        environment: &[(&str, String)],
    ) -> Output {
        let running = Self::command(arguments, environment).output();
        tokio::time::timeout(crate::PATIENCE, running)
            .await
            .expect("portwatch did not end")
            .unwrap()
    }

    /// Starts it; what it prints on both streams is kept.
    pub fn start<A: AsRef<OsStr>>(arguments: &[A], environment: &[(&str, String)]) -> Self {
        Self::spawn(Self::command(arguments, environment))
    }

    /// Starts it by a command of the caller's.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        keep(child.stdout.take().unwrap(), lines.clone());
        keep(child.stderr.take().unwrap(), lines.clone());
        Self { child, lines }
    }

    /// The lines printed so far that contain this text.
    pub fn lines_with(&self, text: &str) -> Vec<String> {
        self.lines
            .lock()
            .unwrap()
            .iter()
            .filter(|line| line.contains(text))
            .cloned()
            .collect()
    }

    /// Waits for a line that contains this text.
    pub async fn line(&self, text: &str) -> String {
        let what = format!("a line with {text:?}; printed so far:");
        let found = tokio::time::timeout(
            crate::PATIENCE,
            until(&what, || async { self.lines_with(text).into_iter().next() }),
        );
        found
            .await
            .unwrap_or_else(|_| panic!("{what}\n{}", self.lines.lock().unwrap().join("\n")))
    }

    /// The address on which its health is answered, from its log.
    pub async fn address(&self) -> String {
        let line = self.line("address=").await;
        let address = line.split("address=").nth(1).unwrap();
        address.split_whitespace().next().unwrap().to_owned()
    }

    /// Ends it at once, as a power cut would.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks it to stop with SIGTERM, waits, and returns its exit code with all that it printed.
    pub async fn stop(mut self) -> (Option<i32>, String) {
        let pid = self
            .child
            .id()
            .expect("portwatch has ended by itself")
            .to_string();
        let asked = Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .await
            .unwrap();
        assert!(asked.success());
        let ended = tokio::time::timeout(crate::PATIENCE, self.child.wait()).await;
        let code = ended
            .expect("portwatch did not stop at SIGTERM")
            .unwrap()
            .code();
        (code, self.lines.lock().unwrap().join("\n"))
    }
}

fn keep(stream: impl AsyncRead + Unpin + Send + 'static, lines: Arc<Mutex<Vec<String>>>) {
    tokio::spawn(async move {
        let mut reader = BufReader::new(stream).lines();
        while let Ok(Some(line)) = reader.next_line().await {
            if std::env::var_os("PORTWATCH_TEST_SHOW").is_some() {
                eprintln!("| {line}");
            }
            lines.lock().unwrap().push(line);
        }
    });
}
