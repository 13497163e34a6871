#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

fn wrong(bytes: &[u8]) -> String {
    list("list", bytes).unwrap_err().to_string()
}

#[test]
fn a_list_may_be_written_in_many_ways() {
    let text = "\u{feff}# ours\r\n127.0.0.1\r\n\r\n  127.0.0.2 \t# the second\n::1\n127.0.1.0/28\n\t\n127.0.0.3-127.0.0.5";
    assert_eq!(
        list("list", text.as_bytes()).unwrap(),
        [
            "127.0.0.1",
            "127.0.0.2",
            "::1",
            "127.0.1.0/28",
            "127.0.0.3-127.0.0.5"
        ]
    );
}

#[test]
fn a_bad_line_is_named_with_its_number_and_text() {
    let told = wrong(b"127.0.0.1\n\n# fine\n127.0.0.1, 127.0.0.2\n");
    assert!(told.starts_with("list, line 4: "), "{told}");
    assert!(told.contains("\"127.0.0.1, 127.0.0.2\""), "{told}");

    let told = wrong(b"127.0.0.1\n\x1b[2J\n");
    assert!(
        told.contains("line 2") && !told.contains('\u{1b}'),
        "{told:?}"
    );

    let told = wrong(b"caf\xe9.example\n");
    assert!(told.contains("line 1") && told.contains("UTF-8"), "{told}");
}

#[test]
fn an_empty_list_is_a_mistake() {
    for empty in ["", "\n\n", "# nothing yet\n"] {
        assert_eq!(wrong(empty.as_bytes()), "list names no target");
    }
}
