//! A way out of a namespace for one service: to a server of this machine, over a Unix socket, which is no part of any
//! network. So a scanner that sees nothing but the lab can still speak to the broker.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// The half within: carries what connects to `address` to the socket, for ever. `ready` is called when it listens.
pub async fn forward(address: SocketAddr, socket: &Path, ready: impl FnOnce()) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    ready();
    loop {
        let (near, _) = listener.accept().await?;
        let far = UnixStream::connect(socket).await?;
        tokio::spawn(carry(near, far));
    }
}

/// The half outside: carries what connects to the socket to `server`, until the runtime ends.
pub(super) fn relay(socket: &Path, server: String) -> io::Result<()> {
    let listener = UnixListener::bind(socket)?;
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let server = server.clone();
            tokio::spawn(async move {
                if let Ok(far) = TcpStream::connect(server).await {
                    carry(near, far).await;
                }
            });
        }
    });
    Ok(())
}

async fn carry(
    mut near: impl AsyncRead + AsyncWrite + Unpin,
    mut far: impl AsyncRead + AsyncWrite + Unpin,
) {
    // Whichever side goes first, the other sees its end.
    let _ = copy_bidirectional(&mut near, &mut far).await;
}
