//! A real SMTP server, started for one test.

use std::path::Path;
use std::process::{Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
use tokio::sync::mpsc;

use crate::skipped::skip;

/// Debian's, for which its packages are made.
const PYTHON: &str = "/usr/bin/python3";

pub const USER: &str = "portwatch@example.org";
pub const PASSWORD: &str = "s3cret/p@ss:w#rd";

/// How it is protected, whom it lets in.
#[derive(Clone, Copy)]
pub enum Mode {
    StartTls,
    Tls,
    /// No TLS, but a login.
    None,
    /// Neither.
    Open,
}

/// The server; it ends with the test.
pub struct SmtpServer {
    mode: Mode,
    port: u64,
    /// The authority that signed its certificate for `localhost`.
    pub ca: String,
    said: mpsc::UnboundedReceiver<String>,
    _child: Child,
    _folder: TempDir,
}

impl SmtpServer {
    /// `None`, and said so, if this machine has no aiosmtpd.
    pub async fn start(test: &str, mode: Mode) -> Option<Self> {
        let there = Command::new(PYTHON)
            .args(["-c", "import aiosmtpd"])
            .stderr(Stdio::null())
            .status();
        if !there.is_ok_and(|status| status.success()) {
            skip(test, "needs Debian's python3-aiosmtpd");
            return None;
        }
        let folder = TempDir::new().unwrap();
        let ca = certificate(folder.path());
        let (tls, user) = match mode {
            Mode::StartTls => ("starttls", USER),
            Mode::Tls => ("tls", USER),
            Mode::None => ("none", USER),
            Mode::Open => ("none", ""),
        };
        let settings = json!({
            "tls": tls,
            "user": user,
            "password": PASSWORD,
            "certificate": folder.path().join("certificate"),
            "key": folder.path().join("key"),
        });
        let program =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("src/channels/mail/tests/server.py");
        let mut child = tokio::process::Command::new(PYTHON)
            .arg(program)
            .arg(settings.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, said) = mpsc::unbounded_channel();
        // At once, or the server would wait until it is read.
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let _ = sender.send(line);
            }
        });
        let mut server = Self {
            mode,
            port: 0,
            ca,
            said,
            _child: child,
            _folder: folder,
        };
        server.port = server.next().await["port"].as_u64().unwrap();
        Some(server)
    }

    /// The address with the right login.
    pub fn url(&self) -> String {
        self.url_with("s3cret%2Fp%40ss%3Aw%23rd")
    }

    /// The address with this password, percent-encoded.
    pub fn url_with(&self, password: &str) -> String {
        let login = format!("portwatch%40example.org:{password}@");
        let port = self.port;
        match self.mode {
            Mode::StartTls => format!("smtp://{login}localhost:{port}"),
            Mode::Tls => format!("smtps://{login}localhost:{port}"),
            Mode::None => format!("smtp://{login}localhost:{port}?tls=none"),
            Mode::Open => format!("smtp://localhost:{port}?tls=none"),
        }
    }

    /// The next mail that it took.
    pub async fn next(&mut self) -> Value {
        let line = self.said.recv().await.expect("the SMTP server ended");
        serde_json::from_str(&line).unwrap()
    }
}

/// Makes an authority, which it returns, and in the folder a certificate for `localhost`.
fn certificate(folder: &Path) -> String {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = names.signed_by(&key, &authority).unwrap();
    std::fs::write(folder.join("certificate"), certificate.pem()).unwrap();
    std::fs::write(folder.join("key"), key.serialize_pem()).unwrap();
    authority.pem()
}
