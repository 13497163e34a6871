//! Servers that mean harm: what they do costs a few seconds and a few KiB, and nobody else's port anything.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::servers::{V4, V6, on, saying, silence};
use super::*;

/// Nothing may take longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(20);

async fn alone(address: SocketAddr) -> Option<Service> {
    let (address, options) = ([address], Options::default());
    let asking = ask(&address, &options);
    tokio::time::timeout(PATIENCE, asking)
        .await
        .unwrap()
        .remove(0)
}

#[tokio::test]
async fn a_greeting_without_end_is_cut() {
    let address = on(V4, |mut line| async move {
        while line.write_all(&[b'A'; 4096]).await.is_ok() {}
    })
    .await;
    let banner = alone(address).await.unwrap().banner.unwrap();
    assert_eq!(banner.as_str(), "A".repeat(512));
}

#[tokio::test]
async fn a_page_of_a_gigabyte_is_cut() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let address = on(V4, move |mut line| {
        let count = count.clone();
        async move {
            let mut request = [0; 1024];
            let _ = line.read(&mut request).await;
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\nServer: big\r\n\r\n";
            let _ = line.write_all(head).await;
            let spaces = vec![b' '; 65_536];
            while line.write_all(&spaces).await.is_ok() {
                count.fetch_add(65_536, Ordering::Relaxed);
            }
        }
    })
    .await;
    let found = alone(address).await.unwrap();
    assert_eq!(product(&found), Some("big"));
    // What the kernel keeps on the way is not read.
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent < 32 * 1024 * 1024, "{sent} bytes were taken");
}

#[tokio::test]
async fn a_slow_drip_ends_in_time() {
    let address = on(V6, |mut line| async move {
        while line.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let begun = Instant::now();
    let banner = alone(address).await.unwrap().banner.unwrap();
    assert!(banner.as_str().starts_with("xx"));
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn garbage_escapes_and_turned_text_are_harmless() {
    let bytes: &[u8] = b"\x1b[2J\x1b]0;owned\x07\xe2\x80\xae\xff\xfe<script>@everyone\r\nX: y\r\n";
    let banner = alone(saying(V4, bytes).await)
        .await
        .unwrap()
        .banner
        .unwrap();
    assert_eq!(
        banner.as_str(),
        "\\x1b[2J\\x1b]0;owned\\x07\\u{202e}\u{fffd}\u{fffd}<script>@everyone\\r\\nX: y"
    );
    let zeros = alone(saying(V4, &[0; 3000]).await).await.unwrap();
    assert!(zeros.banner.unwrap().as_str().starts_with("\\x00\\x00"));
}

#[tokio::test]
async fn what_closes_at_once_tells_nothing() {
    let address = on(V4, |line| {
        drop(line);
        std::future::ready(())
    })
    .await;
    let found = alone(address).await;
    assert!(found.is_none_or(|found| found.proven_name().is_none()));
}

#[tokio::test]
async fn a_handshake_that_stalls_or_floods_ends_in_time() {
    let stalls = on(V4, |mut line| async move {
        let mut hello = [0; 2048];
        let _ = line.read(&mut hello).await;
        // The head of a record that never comes whole.
        let _ = line.write_all(&[22, 3, 3, 0x3f, 0xff, 2]).await;
        silence(&mut line).await;
    })
    .await;
    let floods = on(V4, |mut line| async move {
        let mut hello = [0; 2048];
        let _ = line.read(&mut hello).await;
        // Records of a handshake message that claims to be of 16 MB.
        let mut record = vec![0; 5 + 16_384];
        record[..9].copy_from_slice(&[22, 3, 3, 0x40, 0, 2, 0xff, 0xff, 0xff]);
        while line.write_all(&record).await.is_ok() {}
    })
    .await;
    let begun = Instant::now();
    let asked = [stalls, floods];
    let options = Options::default();
    let asking = ask(&asked, &options);
    let found = tokio::time::timeout(PATIENCE, asking).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(15));
    for found in found.into_iter().flatten() {
        assert!(found.tls.is_none_or(|tls| tls.certificate.is_none()));
    }
}

#[tokio::test]
async fn one_bad_port_costs_the_others_nothing_and_time_is_kept() {
    let mut addresses = Vec::new();
    for _ in 0..40 {
        addresses.push(on(V4, |mut line| async move { silence(&mut line).await }).await);
    }
    let good = saying(V6, b"SSH-2.0-good\r\n").await;
    addresses.push(good);
    let options = Options {
        in_all: Duration::from_secs(2),
        ..Options::default()
    };
    let begun = Instant::now();
    let found = ask(&addresses, &options).await;
    assert!(begun.elapsed() < Duration::from_secs(6));
    let found = found.last().unwrap().as_ref().unwrap();
    assert_eq!(found.proven_name(), Some("ssh"));
}

#[tokio::test]
async fn stop_ends_it_and_keeps_what_is_known() {
    let good = saying(V4, b"SSH-2.0-good\r\n").await;
    let mute = saying(V6, b"").await;
    let stop = CancellationToken::new();
    let asked = [good, mute].map(|address| (address.ip(), None, Port::tcp(address.port())));
    let budget = Budget::new(&Settings::default());
    let options = Options {
        per_port: Duration::from_mins(1),
        in_all: Duration::from_mins(2),
        ..Options::default()
    };
    let soon = stop.clone();
    let connected = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        soon.cancel();
    });
    let begun = Instant::now();
    let found = detect(
        asked.into(),
        &options,
        &budget,
        &Exclusions::default(),
        &stop,
    )
    .await;
    connected.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(4));
    assert!(found.iter().any(|(ip, ..)| *ip == good.ip()));
}
