//! Network namespaces that live as long as a process of the lab holds them.
//!
//! None has a name, so none can be left behind: the holder ends when its standard input is closed, which also
//! happens when the test panics or is killed, and the kernel then takes the namespace down with all in it.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Why something of the lab cannot be had on this machine.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// This machine cannot do it.
    Missing(String),
    /// It should have worked.
    Failed(String),
}

/// How namespaces are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// As root.
    Root,
    /// By anybody, within a user namespace.
    User,
}

impl Privilege {
    /// What this process may do.
    pub fn find() -> Result<Self, Trouble> {
        if succeeds(&["--net", "true"])? {
            Ok(Self::Root)
        } else if succeeds(&["--user", "--map-root-user", "--net", "true"])? {
            Ok(Self::User)
        } else {
            Err(Trouble::Missing(
                "cannot make network namespaces: neither root nor user namespaces".into(),
            ))
        }
    }
}

fn succeeds(arguments: &[&str]) -> Result<bool, Trouble> {
    let output = Command::new("unshare").args(arguments).output();
    let output =
        output.map_err(|error| Trouble::Missing(format!("cannot run unshare: {error}")))?;
    Ok(output.status.success())
}

/// A process of the lab, which ends when dropped.
pub struct Role {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Role {
    /// Starts it and waits until it is ready.
    pub fn start(mut command: Command) -> Result<Self, Trouble> {
        let failed = |what: &dyn std::fmt::Display, command: &Command| {
            Trouble::Failed(format!("{command:?}: {what}"))
        };
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|error| failed(&error, &command))?;
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut role = Self { child, output };
        let mut line = String::new();
        let read = role.output.read_line(&mut line);
        if read.is_ok() && line.trim() == "ready" {
            return Ok(role);
        }
        let mut told = String::new();
        let mut stderr = role.child.stderr.take().unwrap();
        drop(role.child.stdin.take());
        stderr.read_to_string(&mut told).unwrap();
        Err(failed(&format!("{line}{told}"), &command))
    }

    /// Ends it; what it said at its end.
    pub fn finish(mut self) -> String {
        drop(self.child.stdin.take());
        let mut told = String::new();
        self.output.read_to_string(&mut told).unwrap();
        told
    }

    fn pid(&self) -> String {
        self.child.id().to_string()
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A network namespace without any link to another.
pub struct Namespace {
    holder: Role,
    user: Option<String>,
    program: PathBuf,
}

impl Namespace {
    /// The first of a world.
    pub fn first(privilege: Privilege, program: &Path) -> Result<Self, Trouble> {
        let mut unshare = Command::new("unshare");
        if privilege == Privilege::User {
            unshare.args(["--user", "--map-root-user"]);
        }
        let holder = Role::start(hold(unshare, program))?;
        let user = (privilege == Privilege::User).then(|| holder.pid());
        Ok(Self {
            holder,
            user,
            program: program.to_owned(),
        })
    }

    /// Another one that links may lead to.
    pub fn beside(&self) -> Result<Self, Trouble> {
        let mut unshare = Command::new("unshare");
        if let Some(user) = &self.user {
            unshare = Command::new("nsenter");
            unshare.args([
                "--target",
                user,
                "--user",
                "--preserve-credentials",
                "unshare",
            ]);
        }
        Ok(Self {
            holder: Role::start(hold(unshare, &self.program))?,
            user: self.user.clone(),
            program: self.program.clone(),
        })
    }

    /// What `ip link … netns` takes.
    pub fn pid(&self) -> String {
        self.holder.pid()
    }

    /// A command within.
    pub fn command<P: AsRef<OsStr>>(&self, program: P) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid(), "--net"]);
        if self.user.is_some() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--").arg(program);
        command
    }

    /// A role of the lab within. It may have as many files open as this process could.
    pub fn role(&self, arguments: &[&OsStr]) -> Result<Role, Trouble> {
        let mut command = self.command("sh");
        command.args(["-c", "ulimit -Sn \"$(ulimit -Hn)\"; exec \"$0\" \"$@\""]);
        command.arg(&self.program).args(arguments);
        Role::start(command)
    }

    /// Runs a program within, with this input; an error if it fails.
    pub fn run(&self, program: &str, arguments: &[&str], input: &str) -> Result<(), Trouble> {
        let failed =
            |what: String| Trouble::Failed(format!("{program} {arguments:?}: {what}\n{input}"));
        let child = self
            .command(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|error| failed(error.to_string()))?;
        let mut stdin = child.stdin.take().unwrap();
        // One that has failed reads no more; its exit code says so.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child
            .wait_with_output()
            .map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.status.code() == Some(127) {
            return Err(Trouble::Missing(format!("{program} is not installed")));
        }
        Err(failed(told))
    }
}

fn hold(mut unshare: Command, program: &Path) -> Command {
    unshare.arg("--net").arg(program).arg("hold");
    unshare
}
