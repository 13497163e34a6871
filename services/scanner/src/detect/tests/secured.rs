//! What speaks TLS.

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::servers::{BOTH, TLS12, V4, V6, on, silence, tls_on};
use super::*;

const PAGE: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: test/1\r\nContent-Length: 18\r\n\r\n<title>In</title>\n";

/// Answers one request with this.
async fn page<S>(mut stream: S, page: &'static [u8])
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut request = [0; 1024];
    if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
        let _ = stream.write_all(page).await;
        let _ = stream.flush().await;
    }
    silence(&mut stream).await;
}

#[tokio::test]
async fn tls_shows_its_certificate_and_what_is_inside() {
    let (new, certificate) = tls_on(V4, BOTH, &["h2", "http/1.1"], |line| page(line, PAGE)).await;
    let (old, _) = tls_on(V6, TLS12, &[], |line| page(line, PAGE)).await;
    let found = ask(&[new, old], &Options::default()).await;
    for (found, version, alpn) in [
        (&found[0], "TLS 1.3", Some("http/1.1")),
        (&found[1], "TLS 1.2", None),
    ] {
        let found = found.as_ref().unwrap();
        assert_eq!(found.proven_name(), Some("https"));
        assert_eq!(product(found), Some("test/1"));
        assert_eq!(
            found
                .http
                .as_ref()
                .unwrap()
                .title
                .as_ref()
                .unwrap()
                .as_str(),
            "In"
        );
        let tls = found.tls.as_ref().unwrap();
        assert_eq!(tls.version.as_ref().unwrap().as_str(), version);
        assert_eq!(tls.alpn.as_ref().map(SafeText::as_str), alpn);
        let shown = tls.certificate.as_ref().unwrap();
        assert_eq!(shown.subject.as_str(), "CN=db1.example.org");
        assert_eq!(shown.issuer.as_str(), "CN=db1.example.org");
        let names: Vec<_> = shown.names.iter().map(SafeText::as_str).collect();
        assert_eq!(names, ["db1.example.org", "198.18.0.1"]);
        assert_eq!(shown.not_before.to_string(), "2020-01-01T00:00:00Z");
        assert_eq!(shown.not_after.to_string(), "2021-01-01T00:00:00Z");
    }
    let shown = found[0].as_ref().unwrap().tls.as_ref().unwrap();
    let hash: [u8; 32] = Sha256::digest(&certificate).into();
    assert_eq!(shown.certificate.as_ref().unwrap().sha256, hash);
}

#[tokio::test]
async fn a_server_of_other_protocols_shows_its_certificate_all_the_same() {
    let (address, _) = tls_on(V4, BOTH, &["imap"], |mut line| async move {
        let _ = line
            .write_all(b"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n")
            .await;
        let _ = line.flush().await;
        silence(&mut line).await;
    })
    .await;
    let found = ask(&[address], &Options::default())
        .await
        .remove(0)
        .unwrap();
    assert_eq!(found.proven_name(), Some("imaps"));
    assert_eq!(product(&found), Some("Dovecot ready."));
    let tls = found.tls.unwrap();
    assert_eq!(tls.alpn, None);
    assert!(tls.certificate.is_some());
}

#[tokio::test]
async fn a_server_of_old_tls_is_tls_with_its_alert() {
    // It answers any greeting with a fatal alert: protocol version (RFC 8446 section 6.2).
    let address = on(V4, |mut line| async move {
        let mut hello = [0; 2048];
        if line.read(&mut hello).await.is_ok_and(|read| read > 0) {
            let _ = line.write_all(&[21, 3, 1, 0, 2, 2, 70]).await;
        }
    })
    .await;
    let found = ask(&[address], &Options::default())
        .await
        .remove(0)
        .unwrap();
    assert_eq!(found.proven_name(), Some("tls"));
    let tls = found.tls.unwrap();
    assert_eq!(tls.refused.unwrap().as_str(), "alert: protocol version");
    assert_eq!((tls.version, tls.certificate), (None, None));
}
