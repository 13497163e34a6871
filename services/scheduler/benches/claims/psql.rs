//! A session of psql beside the scheduler: it finishes jobs as the differ would, and looks at what is stored.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const END: &str = "that was all";

/// A session, and the number of the database's process that serves it.
pub struct Psql {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    pub backend: u32,
}

impl Psql {
    pub fn open(url: &str) -> Self {
        let mut child = Command::new(program())
            .args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"])
            .args(["--set", "ON_ERROR_STOP=1", url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut session = Self {
            child,
            stdin,
            stdout: BufReader::new(stdout),
            backend: 0,
        };
        session.backend = session.one("SELECT pg_backend_pid()").parse().unwrap();
        session
    }

    /// Runs statements, and gives the lines that they print.
    pub fn run(&mut self, sql: &str) -> Vec<String> {
        writeln!(self.stdin, "{sql};\n\\echo {END}").unwrap();
        self.stdin.flush().unwrap();
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert!(
                self.stdout.read_line(&mut line).unwrap() > 0,
                "psql ended at: {sql}"
            );
            let line = line.trim_end();
            if line == END {
                return lines;
            }
            lines.push(line.to_owned());
        }
    }

    /// Runs a query of one value.
    pub fn one(&mut self, sql: &str) -> String {
        self.run(sql).pop().unwrap_or_default()
    }

    pub fn close(mut self) {
        drop(self.stdin);
        self.child.wait().unwrap();
    }
}

/// The psql of the newest PostgreSQL of Debian's packages, or the one in the path.
fn program() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let newest = installed
        .filter_map(|entry| Some(entry.ok()?.path().join("bin/psql")))
        .filter(|program| program.exists())
        .max();
    newest.unwrap_or_else(|| "psql".into())
}
