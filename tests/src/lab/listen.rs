//! Real listeners of a kernel that plays targets.

use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpListener as Bound};

use tokio::net::{TcpListener, UdpSocket};

use super::address::{Family, host};
use super::scenario::{Link, Player, Scenario};

/// The port of name servers.
const DNS: u16 = 53;

/// Listens on every open port of every host that the kernel plays, one listener for each. Connections are accepted
/// and closed again, datagrams answered, for ever. `ready` is called when all listen.
pub async fn listen(
    scenario: &Scenario,
    family: Family,
    link: Link,
    ready: impl FnOnce(),
) -> io::Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for block in scenario
        .host
        .iter()
        .filter(|host| host.played_by == Player::Kernel)
    {
        for number in block.at.iter() {
            for port in block.open.iter() {
                let address = SocketAddr::new(host(block.place(link), number, family), port);
                let bound = Bound::bind(address)
                    .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
                bound.set_nonblocking(true)?;
                let listener = TcpListener::from_std(bound)?;
                tasks.spawn(async move { while listener.accept().await.is_ok() {} });
            }
            for port in block.udp.open.iter().chain(block.udp.mute.iter()) {
                let address = SocketAddr::new(host(block.place(link), number, family), port);
                let socket = UdpSocket::bind(address)
                    .await
                    .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
                let is_mute = block.udp.mute.contains(port);
                tasks.spawn(async move { while answer(&socket, port, is_mute).await.is_ok() {} });
            }
        }
    }
    ready();
    while tasks.join_next().await.is_some() {}
    std::future::pending().await
}

/// Takes a datagram and answers it.
async fn answer(socket: &UdpSocket, port: u16, is_mute: bool) -> io::Result<()> {
    let mut datagram = [0; 2048];
    let (length, from) = socket.recv_from(&mut datagram).await?;
    if is_mute {
        return Ok(());
    }
    if port == DNS && length > 3 {
        // RFC 1035 section 4.1.1: a response, and the code for a query that is refused.
        datagram[2] |= 0x80;
        datagram[3] |= 5;
    }
    socket.send_to(&datagram[..length], from).await?;
    Ok(())
}

/// Ends when whoever started this process closes its standard input, or is no more.
pub async fn end_with_stdin() {
    let ended = tokio::task::spawn_blocking(|| {
        let mut nothing = [0; 16];
        while io::stdin()
            .read(&mut nothing)
            .is_ok_and(|length| length > 0)
        {}
    });
    // A task that panicked has ended as well.
    let _ = ended.await;
}
