//! Names that move.

use std::net::IpAddr;

use super::super::names::{Moved, Names, resolve};
use super::{Target, target};

fn ips(text: &str) -> Vec<IpAddr> {
    text.split_whitespace()
        .map(|ip| ip.parse().unwrap())
        .collect()
}

fn names(all: &[(&str, &str)]) -> Names {
    all.iter()
        .map(|&(name, addresses)| (name.to_owned(), ips(addresses)))
        .collect()
}

fn watching(addresses: &[&str]) -> Target {
    Target {
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        follow_names: true,
        ..target()
    }
}

#[test]
fn a_name_that_moves_is_told_once() {
    let target = Target {
        follow_names: false,
        ..watching(&["a.example"])
    };
    let (known, moved) = resolve(
        &target,
        &Names::new(),
        &names(&[("a.example", "198.18.0.1")]),
    );
    assert_eq!(moved, [], "the first time is no move");
    let now = names(&[("a.example", "198.18.0.2 198.18.0.3")]);
    let (known, moved) = resolve(&target, &known, &now);
    let expected = Moved {
        name: "a.example".to_owned(),
        before: ips("198.18.0.1"),
        after: ips("198.18.0.2 198.18.0.3"),
        hosts: Vec::new(),
    };
    assert_eq!(moved, [expected]);
    let (known, moved) = resolve(&target, &known, &now);
    assert_eq!((known, moved), (now, Vec::new()));
}

#[test]
fn a_name_server_that_is_away_moves_nothing() {
    let target = watching(&["a.example", "b.example"]);
    let known = names(&[("a.example", "198.18.0.1"), ("gone.example", "198.18.0.9")]);
    let now = names(&[("b.example", "198.18.0.2")]);
    let (after, moved) = resolve(&target, &known, &now);
    assert_eq!(moved, []);
    assert_eq!(
        after,
        names(&[("a.example", "198.18.0.1"), ("b.example", "198.18.0.2")])
    );
    let (_, moved) = resolve(&target, &after, &names(&[("a.example", "198.18.0.1")]));
    assert_eq!(moved, []);
}

/// Whose state follows: `FROM TO`.
fn moves(addresses: &[&str], before: &[(&str, &str)], now: &[(&str, &str)]) -> Vec<String> {
    let (_, moved) = resolve(&watching(addresses), &names(before), &names(now));
    let hosts = moved.into_iter().flat_map(|moved| moved.hosts);
    hosts.map(|(from, to)| format!("{from} {to}")).collect()
}

#[test]
fn state_follows_where_the_address_is_nobody_elses() {
    let one = &["a.example"][..];
    assert_eq!(
        moves(
            one,
            &[("a.example", "198.18.0.1")],
            &[("a.example", "198.18.0.2")]
        ),
        ["198.18.0.1 198.18.0.2"]
    );
    // One of two moves; the other stays what it is.
    assert_eq!(
        moves(
            one,
            &[("a.example", "198.18.0.1 198.18.0.2")],
            &[("a.example", "198.18.0.2 198.18.0.3")]
        ),
        ["198.18.0.1 198.18.0.3"]
    );
    // One more, or one less, is no move.
    assert!(
        moves(
            one,
            &[("a.example", "198.18.0.1")],
            &[("a.example", "198.18.0.1 198.18.0.2")]
        )
        .is_empty()
    );
}

#[test]
fn an_address_that_is_watched_for_itself_keeps_its_state() {
    let with_block = &["a.example", "198.18.0.0/30"];
    assert!(
        moves(
            with_block,
            &[("a.example", "198.18.0.1")],
            &[("a.example", "198.18.9.1")]
        )
        .is_empty()
    );
    assert!(
        moves(
            with_block,
            &[("a.example", "198.18.9.1")],
            &[("a.example", "198.18.0.1")]
        )
        .is_empty()
    );
}

#[test]
fn two_names_move_together_or_not_at_all() {
    // Two names that swap their addresses leave both hosts where they are.
    let two = &["a.example", "b.example"];
    assert!(
        moves(
            two,
            &[("a.example", "198.18.0.1"), ("b.example", "198.18.0.2")],
            &[("a.example", "198.18.0.2"), ("b.example", "198.18.0.1")]
        )
        .is_empty()
    );
    // Two names of one host move together.
    assert_eq!(
        moves(
            two,
            &[("a.example", "198.18.0.1"), ("b.example", "198.18.0.1")],
            &[("a.example", "198.18.0.2"), ("b.example", "198.18.0.2")]
        ),
        ["198.18.0.1 198.18.0.2"]
    );
}
