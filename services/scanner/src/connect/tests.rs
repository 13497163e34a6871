#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{Ipv4Addr, TcpStream as StdStream};
use std::process::Command;

use portwatch_packet::{Addresses, Flow, Ports};

use super::*;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Tells the test that it runs again, with few file descriptors.
const FEW_FILES: &str = "PORTWATCH_TEST_FEW_FILES";

fn probe(destination: u16) -> Probe {
    let ports = Ports {
        source: 1,
        destination,
    };
    let addresses = Addresses::new(LOCALHOST, LOCALHOST).unwrap();
    Probe {
        host: 0,
        by_kernel: false,
        flow: Flow { addresses, ports },
        sequence: 1000,
    }
}

/// A port that answers no SYN: its queue of connections is full.
fn silent() -> (Socket, Vec<StdStream>) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(LOCALHOST, 0).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let wait = Duration::from_millis(200);
    let queued = (0..8).map_while(|_| StdStream::connect_timeout(&address, wait).ok());
    let queued = queued.collect();
    (socket, queued)
}

fn hear(wire: &mut Connections, wait: Duration) -> Vec<Event> {
    let mut events = Vec::new();
    wire.receive(wait, &mut events).unwrap();
    events
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shortage_of_file_descriptors_is_no_verdict() {
    if std::env::var_os(FEW_FILES).is_none() {
        let again = Command::new("sh")
            .args(["-c", "ulimit -n 40 && exec \"$0\" --exact \"$1\""])
            .arg(std::env::current_exe().unwrap())
            .arg("connect::tests::a_shortage_of_file_descriptors_is_no_verdict")
            .env(FEW_FILES, "1")
            .status();
        assert!(again.unwrap().success());
        return;
    }
    let (silent, _queued) = silent();
    let port = silent.local_addr().unwrap().as_socket().unwrap().port();
    let mut wire = Connections::new(Handle::current(), 100);
    assert_eq!(wire.send(&[probe(port); 100]).unwrap(), 100);
    let mut unsent = 0;
    for _ in 0..100 {
        let events = hear(&mut wire, Duration::from_millis(100));
        assert!(
            events
                .iter()
                .all(|event| *event == Event::Unsent(probe(port))),
            "{events:?}"
        );
        unsent += events.len();
        if events.is_empty() && unsent > 0 {
            break;
        }
    }
    assert!(
        (60..100).contains(&unsent),
        "{unsent} of 100 found no file descriptor"
    );
    let taken = wire.send(&[probe(port); 100]).unwrap();
    assert!(
        taken <= FEWEST,
        "{taken} more were taken, with {unsent} too many before"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_is_no_event_and_ends_in_time() {
    let (silent, _queued) = silent();
    let port = silent.local_addr().unwrap().as_socket().unwrap().port();
    let mut wire = Connections::new(Handle::current(), FEWEST);
    assert_eq!(
        wire.send(&[probe(port); 10]).unwrap(),
        FEWEST,
        "as many as there is room for"
    );
    let start = std::time::Instant::now();
    while wire.room.available_permits() < FEWEST {
        assert!(start.elapsed() < 4 * PATIENCE, "it does not give up");
        assert_eq!(hear(&mut wire, Duration::from_millis(50)), []);
    }
    assert!(start.elapsed() + Duration::from_millis(100) > PATIENCE);
}

#[tokio::test]
async fn a_connection_that_is_broken_off_at_once_was_made() {
    let listener = std::net::TcpListener::bind((LOCALHOST, 0)).unwrap();
    let socket = begin(listener.local_addr().unwrap()).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    // Closed so, it sends a RST.
    let accepted = Socket::from(accepted);
    accepted.set_linger(Some(Duration::ZERO)).unwrap();
    drop(accepted);
    let stream = TcpStream::from_std(socket.into()).unwrap();
    // It is here before anybody looks. Waited for: a process that another test starts holds a copy for a moment.
    stream.ready(Interest::ERROR).await.unwrap();
    assert_eq!(made(&stream, LOCALHOST).await, Outcome::Connected);
}

#[tokio::test]
async fn where_nobody_listens_it_is_reset() {
    // The port is this test's own, and nobody can listen there.
    let bound = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    bound.bind(&SocketAddr::new(LOCALHOST, 0).into()).unwrap();
    let address = bound.local_addr().unwrap().as_socket().unwrap();
    assert_eq!(attempt(address).await, Outcome::Reset);
}
