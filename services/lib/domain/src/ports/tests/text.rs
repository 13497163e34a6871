//! What people write, and what is printed.

use proptest::prelude::*;

use super::super::{Port, PortSet, Protocol};
use super::port;

/// One item as somebody may write it, and the ports that it stands for.
fn item() -> impl Strategy<Value = (String, Vec<Port>)> {
    let range = (port(), 0_u16..40, 0_usize..4);
    range.prop_map(|(first, more, style)| {
        let last = first.number.saturating_add(more);
        let prefix = match (first.protocol, style) {
            (Protocol::Udp, _) => "udp:",
            (Protocol::Tcp, 0) => "tcp:",
            (Protocol::Tcp, _) => "",
        };
        let text = match style {
            _ if last == first.number => format!("{prefix}{last}"),
            1 => format!(" {prefix}{} - {last} ", first.number),
            2 => format!("{prefix}0{}-{last}", first.number),
            _ => format!("{prefix}{}-{last}", first.number),
        };
        let ports = (first.number..=last).map(|number| Port { number, ..first });
        (text, ports.collect())
    })
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_the_same(
        ports in proptest::collection::vec(port(), 1..40),
    ) {
        let set: PortSet = ports.into_iter().collect();
        prop_assert_eq!(set.to_string().parse(), Ok(set));
    }

    #[test]
    fn what_is_written_means_its_items(items in proptest::collection::vec(item(), 1..8)) {
        let (texts, ports): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        let expected: PortSet = ports.into_iter().flatten().collect();
        prop_assert_eq!(texts.join(",").parse(), Ok(expected));
    }

    #[test]
    fn no_text_panics_and_what_parses_prints_stably(text in "[-,:0-9a-z ]{0,30}|.*") {
        if let Ok(set) = text.parse::<PortSet>() {
            prop_assert!(!set.is_empty());
            prop_assert_eq!(set.to_string().parse(), Ok(set));
        }
    }
}

#[test]
fn canonical_forms() {
    for (written, printed) in [
        ("22", "22"),
        ("443,22,80", "22,80,443"),
        ("22,80,443,8000-8100", "22,80,443,8000-8100"),
        ("1-3,4,5-6", "1-6"),
        ("80,80,80-80", "80"),
        (" 22 , 80 ", "22,80"),
        ("tcp:22", "22"),
        ("udp:53,22,udp:60000-61000", "22,udp:53,udp:60000-61000"),
        ("all", "all"),
        ("1-65535", "all"),
        ("all,22", "all"),
        ("udp:all", "udp:all"),
        ("all,udp:1", "all,udp:1"),
        ("65535", "65535"),
        ("0022", "22"),
    ] {
        let set: PortSet = written.parse().unwrap();
        assert_eq!(set.to_string(), printed, "{written:?}");
    }
    assert_eq!(PortSet::empty().to_string(), "");
    assert_eq!(Port::tcp(443).to_string(), "tcp/443");
    assert_eq!(Port::udp(53).to_string(), "udp/53");
}

#[test]
fn bad_input_is_told_in_words() {
    let empty = |text: &str| {
        format!(
            "empty item in the port set {text:?}: write ports as 22,80,443,8000-8100, all, top100 or \
             top1000"
        )
    };
    let item = |text: &str| {
        format!(
            "{text:?} is not a port, a range (8000-8100) or one of all, top100, top1000; UDP ports are \
             written udp:53"
        )
    };
    let range = |text: &str| format!("port {text} is out of range: ports go from 1 to 65535");
    let backwards =
        |text: &str| format!("the range {text} runs backwards: write the lower port first");
    for (written, error) in [
        ("", empty("")),
        (" ", empty(" ")),
        ("22,,80", empty("22,,80")),
        ("22,", empty("22,")),
        ("ssh", item("ssh")),
        ("22;80", item("22;80")),
        ("22 80", item("22 80")),
        ("+22", item("+22")),
        ("-22", item("-22")),
        ("22-", item("22-")),
        ("1-2-3", item("1-2-3")),
        ("0x16", item("0x16")),
        ("٢٢", item("٢٢")),
        ("top10", item("top10")),
        ("ALL", item("ALL")),
        ("sctp:22", item("sctp:22")),
        ("udp:", item("udp:")),
        ("udp:udp:53", item("udp:udp:53")),
        ("80,udp:x-9", item("udp:x-9")),
        ("0", range("0")),
        ("65536", range("65536")),
        ("0-100", range("0")),
        ("1-70000", range("70000")),
        ("99999999999999999999", range("99999999999999999999")),
        ("9-3", backwards("9-3")),
        ("22,udp:9-3", backwards("udp:9-3")),
    ] {
        let parsed = written.parse::<PortSet>();
        assert_eq!(parsed.unwrap_err().to_string(), error, "{written:?}");
    }
    assert_eq!(
        "icmp".parse::<Protocol>().unwrap_err().to_string(),
        "unknown protocol \"icmp\": use tcp or udp"
    );
}
