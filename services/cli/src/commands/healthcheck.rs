//! `portwatch healthcheck`, for containers that have no other HTTP client.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long the service may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The most of an answer that is read.
const READ_LIMIT: u64 = 64 * 1024;

/// Ask a running service whether it is ready (for container health checks)
///
/// Asks a service whether it is ready, and prints what it says. Exit code 0 if it is ready, 1 if it
/// is not, 2 if it could not be asked.
#[derive(clap::Args)]
pub struct Arguments {
    /// What to ask
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8911/readyz"
    )]
    url: String,
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let asked = tokio::time::timeout(TIMEOUT, ask(&arguments.url)).await;
    let answer = asked.context("no answer in time")?.context(arguments.url)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    io::stdout().write_all(body.as_bytes())?;
    let ready = head.split_whitespace().nth(1) == Some("200");
    Ok(ExitCode::from(u8::from(!ready)))
}

/// Gets a plain-HTTP address: a request that needs no HTTP library.
async fn ask(url: &str) -> Result<String> {
    let Some(rest) = url.strip_prefix("http://") else {
        bail!("the address must begin with http://")
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(authority).await?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(READ_LIMIT).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
