//! The judge finds each kind of lie, and no other.

use super::*;

fn scenario() -> Scenario {
    let text = r#"
about = "one host"
[[host]]
at = "1"
open = "80-81"
silent = "90"
[scan]
ports = "80-81,90,100-101"
rate = 1
[expect]
within_s = 1
unknown = 1
"#;
    toml::from_str(text).unwrap()
}

/// The faults found when these ports are told so, and so many closed and unknown.
fn faults(told: &[(u16, &str)], closed: usize, unknown: usize) -> Vec<String> {
    let row = |(port, state): &(u16, &str)| serde_json::json!({"ip": "198.18.0.1", "port": port, "protocol": "tcp", "state": state});
    let mut lines: Vec<_> = told.iter().map(row).collect();
    lines.push(serde_json::json!({
        "type": "summary", "hosts": 1, "hosts_up": 1, "closed": closed, "unknown": unknown, "complete": true,
    }));
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let said = lines.join("\n");
    judge(&scenario(), Family::V4, Link::Wire, &said, None)
}

#[test]
fn the_truth_and_silence_within_bounds_are_well() {
    let truth = [(80, "open"), (81, "open"), (90, "filtered")];
    assert_eq!(faults(&truth, 2, 0), [""; 0]);
    assert_eq!(faults(&truth, 1, 1), [""; 0]);
    assert_eq!(faults(&truth[1..], 2, 1), [""; 0]);
}

#[test]
fn lies_are_found() {
    let truth = [(80, "open"), (81, "open"), (90, "filtered")];
    for (told, closed, unknown, expected) in [
        (
            &[(80, "open"), (81, "open"), (90, "open")][..],
            2,
            0,
            "90 is told open",
        ),
        (&truth[1..], 3, 0, "3 ports are told closed"),
        (&truth[1..], 2, 0, "not told"),
        (&truth, 0, 2, "2 ports are unknown"),
        (
            &[(80, "filtered"), (81, "open"), (90, "filtered")],
            2,
            0,
            "told filtered",
        ),
        (
            &[(80, "open"), (80, "open"), (81, "open"), (90, "filtered")],
            2,
            0,
            "twice",
        ),
        (
            &[(80, "open"), (81, "open"), (90, "filtered"), (7, "open")],
            2,
            0,
            "not asked",
        ),
    ] {
        let found = faults(told, closed, unknown);
        assert!(
            found.iter().any(|fault| fault.contains(expected)),
            "{expected}: {found:?}"
        );
    }
}
