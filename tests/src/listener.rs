//! Something that listens on a port of this machine.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::until;

/// Python's HTTP server on a port of 127.0.0.1, as a newcomer would start it.
pub struct Listener {
    child: Child,
    port: u16,
}

impl Listener {
    /// Starts it and waits until it accepts connections.
    pub async fn start(port: u16) -> Self {
        let child = Command::new("python3")
            .args([
                "-m",
                "http.server",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
            ])
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("python3 has to be installed");
        until("python's HTTP server", || async move {
            tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                .await
                .ok()
        })
        .await;
        Self { child, port }
    }

    /// The port it listens on.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Stops it and waits until it is gone.
    pub async fn stop(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// A port of 127.0.0.1 on which nothing listens. It lies below the ports that the kernel gives to
/// outgoing connections, so that nobody takes it by chance.
pub fn free_port() -> u16 {
    let mut port = 20_000 + u16::try_from(uuid::Uuid::new_v4().as_u128() % 12_000).unwrap();
    while TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
        port = if port < 32_000 { port + 1 } else { 20_000 };
    }
    port
}
