//! Pages, whole and broken.

#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn title_of(page: &str) -> Option<String> {
    parse(page.as_bytes())
        .unwrap()
        .http
        .title
        .map(|title| title.to_string())
}

#[test]
fn the_request_names_the_host_and_asks_to_be_left_alone() {
    let request = String::from_utf8(request("db1.example.org:8080")).unwrap();
    assert_eq!(
        request,
        "GET / HTTP/1.1\r\nHost: db1.example.org:8080\r\nUser-Agent: portwatch\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n"
    );
}

#[test]
fn the_host_header_is_a_name_or_an_address() {
    let v4 = "198.18.0.1".parse().unwrap();
    let v6 = "fd00:198:18::1".parse().unwrap();
    for (name, ip, port, is_inside, header) in [
        (Some("db1"), v4, 80, false, "db1"),
        (Some("db1"), v4, 80, true, "db1:80"),
        (None, v4, 443, true, "198.18.0.1"),
        (None, v6, 8443, true, "[fd00:198:18::1]:8443"),
    ] {
        assert_eq!(host(name, ip, port, is_inside), header);
    }
}

#[test]
fn status_server_and_title() {
    let page = parse(
        b"HTTP/1.1 302 Found\r\nserver: nginx/1.24.0\r\nLocation: /login\r\n\r\n<TITLE lang=en>\n Sign &amp; in \t</title>",
    )
    .unwrap();
    assert_eq!(page.http.status, 302);
    assert_eq!(page.http.server.unwrap().as_str(), "nginx/1.24.0");
    assert_eq!(page.http.title.unwrap().as_str(), "Sign & in");
    let bare = parse(b"HTTP/1.0 404 Not Found").unwrap();
    assert_eq!(
        (bare.http.status, bare.http.server, bare.http.title),
        (404, None, None)
    );
    for no_http in [
        "",
        "HTTP/",
        "HTTP/1.1 2",
        "HTTP/1.1 abc d",
        "HTTP/1.1 099 x",
        "SSH-2.0-x",
        "HTTP/12345 200 x",
    ] {
        assert!(parse(no_http.as_bytes()).is_none(), "{no_http:?}");
    }
}

#[test]
fn a_title_is_made_safe_after_it_is_resolved() {
    let page = |title: &str| format!("HTTP/1.1 200 OK\r\n\r\n<title>{title}</title>");
    for (title, expected) in [
        ("&#x1b;[2J&#8238;x", Some("\\x1b[2J\\u{202e}x")),
        ("a\r\n b", Some("a b")),
        ("&bogus; &#xd800; & &amp", Some("&bogus; &#xd800; & &amp")),
        ("&lt;script&gt;", Some("<script>")),
        ("  ", None),
    ] {
        assert_eq!(title_of(&page(title)).as_deref(), expected, "{title:?}");
    }
    assert_eq!(title_of("HTTP/1.1 200 OK\r\n\r\n<title>never ends"), None);
    let long = title_of(&page(&"x".repeat(10_000))).unwrap();
    assert_eq!(long.len(), 256);
}

#[test]
fn chunks_are_put_together() {
    let page = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9;a=b\r\n<title>Ho\r\n4\r\nme</\r\n6\r\ntitle>\r\n0\r\n\r\n";
    assert_eq!(title_of(page).as_deref(), Some("Home"));
    assert!(is_whole(page.as_bytes()));
    for broken in ["zz\r\n<title>", "ffffffffffffffff\r\n<title>x</title>", "5"] {
        let page = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{broken}");
        let _ = title_of(&page);
    }
}

#[test]
fn it_is_whole_when_nothing_more_is_needed() {
    for (said, whole) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhi", false),
        ("HTTP/1.1 200 OK\r\n\r\n<title>a</Title>", true),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", true),
    ] {
        assert_eq!(is_whole(said.as_bytes()), whole, "{said:?}");
    }
}

#[test]
fn applications_are_told_from_plain_pages() {
    for (said, name) in [
        (
            "HTTP/1.1 200 OK\r\n\r\n{\"tagline\" : \"You Know, for Search\"}",
            Some("elasticsearch"),
        ),
        (
            "HTTP/1.0 200 OK\r\n\r\nIt looks like you are trying to access MongoDB over HTTP on the native driver port.\r\n",
            Some("mongodb"),
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\n<title>Statistics Report for HAProxy</title>",
            Some("haproxy-stats"),
        ),
        (
            "HTTP/1.1 404 Not Found\r\nServer: Docker/24.0.7 (linux)\r\n\r\n",
            Some("docker"),
        ),
        (
            "HTTP/1.1 403 Forbidden\r\nX-Jenkins: 2.440\r\n\r\n",
            Some("jenkins"),
        ),
        (
            "HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n<title>Welcome</title>",
            None,
        ),
    ] {
        assert_eq!(
            parse(said.as_bytes()).unwrap().application(),
            name,
            "{said}"
        );
    }
    let nginx = "HTTP/1.1 400 Bad Request\r\n\r\n<title>400 The plain HTTP request was sent to HTTPS port</title>";
    assert!(parse(nginx.as_bytes()).unwrap().wants_tls());
}

proptest! {
    #[test]
    fn any_answer_does_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400), head in "[ -~\r\n]{0,80}") {
        let said = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", head.as_bytes(), b"\r\n\r\n", &bytes].concat();
        for said in [&bytes, &said] {
            let _ = is_whole(said);
            if let Some(page) = parse(said) {
                let _ = (page.application(), page.wants_tls());
            }
        }
    }
}
