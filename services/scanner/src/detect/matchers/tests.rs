//! What real servers say, and what nobody says.

use proptest::prelude::*;

use super::*;

/// A packet of a server of `MySQL`, the first.
fn mysql_packet(packet: &[u8]) -> Vec<u8> {
    let length = u8::try_from(packet.len()).unwrap_or(u8::MAX);
    [&[length, 0, 0, 0][..], packet].concat()
}

fn greeting_of_mysql(version: &str) -> Vec<u8> {
    mysql_packet(&[b"\x0a", version.as_bytes(), b"\0\x08\0\0\0abcdefgh\0"].concat())
}

#[test]
fn lines() {
    for (said, name, product) in [
        (
            "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
            "ssh",
            "OpenSSH_9.2p1 Debian-2+deb12u3",
        ),
        ("SSH-1.99-Cisco-1.25\n", "ssh", "Cisco-1.25"),
        (
            "220 mx.example.org ESMTP Postfix (Debian/GNU)\r\n",
            "smtp",
            "Postfix (Debian/GNU)",
        ),
        ("220 (vsFTPd 3.0.3)\r\n", "ftp", "vsFTPd 3.0.3"),
        (
            "220 ProFTPD Server ready.\r\n",
            "ftp",
            "ProFTPD Server ready.",
        ),
        (
            "+OK Dovecot (Debian) ready.\r\n",
            "pop3",
            "Dovecot (Debian) ready.",
        ),
        (
            "* OK [CAPABILITY IMAP4rev1 ID] Dovecot ready.\r\n",
            "imap",
            "Dovecot ready.",
        ),
        ("* OK Courier-IMAP ready\r\n", "imap", "Courier-IMAP ready"),
        (
            "200 news.example.org InterNetNews NNRP server INN 2.6.4 ready\r\n",
            "nntp",
            "news.example.org InterNetNews NNRP server INN 2.6.4 ready",
        ),
        ("VERSION 1.6.21\r\n", "memcached", "1.6.21"),
        ("RFB 003.008\n", "vnc", ""),
        ("+PONG\r\n", "redis", ""),
        ("-NOAUTH Authentication required.\r\n", "redis", ""),
        (
            "-ERR wrong number of arguments for 'get' command\r\n",
            "redis",
            "",
        ),
        ("@RSYNCD: 31.0\n", "rsync", ""),
        (
            "INFO {\"server_id\":\"N\",\"version\":\"2.10\"}\r\n",
            "nats",
            "",
        ),
        (
            ":irc.example.org NOTICE * :*** Looking up your hostname...\r\n",
            "irc",
            "",
        ),
    ] {
        let found = recognise(said.as_bytes());
        let found = found.map(|found| (found.name, found.product.unwrap_or_default().into_owned()));
        assert_eq!(found, Some((name, product.as_bytes().to_vec())), "{said}");
    }
}

#[test]
fn packets() {
    let mysql = greeting_of_mysql("8.0.36");
    let mariadb = greeting_of_mysql("5.5.5-10.11.6-MariaDB-0+deb12u1");
    let refused = mysql_packet(
        b"\xff\x6a\x04Host '198.18.0.1' is not allowed to connect to this MySQL server",
    );
    let rabbit = b"\x01\0\0\0\0\0\x50\0\x0a\0\x0a\0\x09\0\0\0\x40\x07productS\0\0\0\x08RabbitMQ\x07versionS\0\0\0\x063.10.8\xce";
    for (said, name, product) in [
        (&mysql[..], "mysql", "MySQL 8.0.36"),
        (&mariadb, "mysql", "MariaDB 5.5.5-10.11.6-MariaDB-0+deb12u1"),
        (&refused, "mysql", ""),
        (rabbit, "amqp", "RabbitMQ 3.10.8"),
        (b"AMQP\0\0\x09\x01", "amqp", ""),
        (
            b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\x1f\x08\0\x02\0\0\0",
            "rdp",
            "",
        ),
        (b"\x20\x02\0\x05", "mqtt", ""),
        (b"\xff\xfd\x18\xff\xfd\x20", "telnet", ""),
        (
            b"\0\x1epw\x85\0\0\x01\0\0\0\0\0\0\x07version\x04bind",
            "domain",
            "",
        ),
        (
            b"\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\0\x04\0\x04\0",
            "ldap",
            "",
        ),
        (
            b"\x30\x84\0\0\0\x10\x02\x01\x01\x64\x84\0\0\0\x07",
            "ldap",
            "",
        ),
    ] {
        let found = recognise(said)
            .map(|found| (found.name, found.product.unwrap_or_default().into_owned()));
        assert_eq!(found, Some((name, product.as_bytes().to_vec())), "{said:?}");
    }
}

#[test]
fn nothing_is_guessed() {
    for said in [
        &b""[..],
        b"hello\r\n",
        b"220 ready\r\n",
        b"ERROR\r\n",
        b"OK\r\n",
        b"\x05\0\0\0\x0aabcd",
        b"\x30\x03\x02\x01\x05",
        b"\x01\0\0\0\0\0\x50",
        b"\x20\x02\0\x05\0",
    ] {
        assert_eq!(recognise(said), None, "{said:?}");
    }
}

#[test]
fn a_field_that_lies_about_its_length_is_left_out() {
    let said =
        b"\x01\0\0\0\0\0\x50\0\x0a\0\x0a\0\x09\0\0\0\x40\x07productS\xff\xff\xff\xffRabbitMQ";
    let found = recognise(said).map(|found| (found.name, found.product));
    assert_eq!(found, Some(("amqp", None)));
}

proptest! {
    #[test]
    fn any_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = recognise(&bytes);
    }

    #[test]
    fn any_bytes_behind_a_known_start_do_no_harm(which in 0..LINES.len(), bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let said = [LINES[which].1, &bytes].concat();
        let _ = recognise(&said);
        for start in [&b"\x01\0\0\0\0\0\x50\0\x0a\0\x0a"[..], b"\x30\x84", b"\x10\0\0\0\x0a", b"\x03\0\0"] {
            let _ = recognise(&[start, &bytes].concat());
        }
    }
}
