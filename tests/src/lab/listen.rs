//! Real listeners of a kernel that plays targets.

use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpListener as Bound};

use tokio::net::TcpListener;

use super::address::{Family, host};
use super::scenario::{Link, Player, Scenario};

/// Listens on every open port of every host that the kernel plays, one listener for each, accepts what comes and
/// closes it again, for ever. `ready` is called when all listen.
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
        }
    }
    ready();
    while tasks.join_next().await.is_some() {}
    std::future::pending().await
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
