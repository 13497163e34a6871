//! Every scenario of `tests/scenarios`, played by the network lab.

#![expect(clippy::unwrap_used, reason = "tests")]

use portwatch_tests::lab::{self, Link, Privilege};

const PROGRAM: &str = env!("CARGO_BIN_EXE_portwatch-lab");

/// A test for each scenario: all its links, families and methods. Another list says which links one is played over,
/// each in a test of its own, because not every kernel has all of them.
macro_rules! scenarios {
    ($($name:ident: $file:literal $(over $link:ident)?,)*) => {
        $(
            #[test]
            #[ignore = "needs network namespaces: run ./tests/run"]
            fn $name() {
                let over = None::<Link>;
                $(let over = over.or(Some(Link::$link));)?
                lab::run($file, over, PROGRAM, None);
            }
        )*

        const FILES: &[&str] = &[$($file),*];
    };
}

scenarios! {
    plain: "plain",
    all_ports_lossy: "all-ports-lossy",
    loss_each_way: "loss-each-way",
    loss_one_way: "loss-one-way",
    loss_large: "loss-large",
    bursts: "bursts",
    blackouts_out: "blackouts-out",
    blackouts_back: "blackouts-back",
    duplicated_and_reordered: "duplicated-and-reordered",
    slow_and_far: "slow-and-far",
    narrow: "narrow",
    tarpit: "tarpit",
    syn_proxy: "syn-proxy",
    rst_rate_limit: "rst-rate-limit",
    late_answers: "late-answers",
    very_late_answers: "very-late-answers",
    wrong_acknowledgements: "wrong-acknowledgements",
    spoofed_answers: "spoofed-answers",
    false_icmp: "false-icmp",
    unreachable_codes: "unreachable-codes",
    icmp_rate_limit: "icmp-rate-limit",
    kernel_icmp_rate_limit: "kernel-icmp-rate-limit",
    silent_hosts: "silent-hosts",
    empty_addresses: "empty-addresses",
    reboot: "reboot",
    many_addresses: "many-addresses",
    firewall: "firewall",
    excluded: "excluded",
    udp: "udp",
    udp_lossy: "udp-lossy",
    rate_cap: "rate-cap",
    everything: "everything",
    interface_matrix_wire: "interface-matrix" over Wire,
    interface_matrix_veth: "interface-matrix" over Veth,
    interface_matrix_loopback: "interface-matrix" over Loopback,
    interface_matrix_tun: "interface-matrix" over Tun,
    interface_matrix_wireguard: "interface-matrix" over Wireguard,
    interface_matrix_bridge_nat: "interface-matrix" over BridgeNat,
}

#[test]
#[ignore = "needs network namespaces: run ./tests/run"]
fn plain_in_a_user_namespace() {
    lab::run("plain", None, PROGRAM, Some(Privilege::User));
}

#[test]
#[ignore = "needs network namespaces: run ./tests/run"]
fn a_packet_to_what_is_excluded_is_found() {
    for faults in lab::run_without_exclusions("excluded", PROGRAM)
        .into_iter()
        .flatten()
    {
        let is_found = faults
            .iter()
            .any(|fault| fault.contains("which is excluded"));
        assert!(is_found, "{faults:?}");
    }
}

#[test]
fn every_scenario_is_right_and_has_a_test() {
    for file in std::fs::read_dir(lab::folder()).unwrap() {
        let path = file.unwrap().path();
        let scenario = lab::Scenario::read(&path);
        assert!(scenario.is_ok(), "{}", scenario.unwrap_err());
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(
            FILES.contains(&name),
            "no test plays {name}: add it to the list in tests/lab.rs"
        );
    }
}

#[test]
fn an_unknown_key_is_named_with_its_file() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("wrong.toml");
    let right = std::fs::read_to_string(lab::folder().join("plain.toml")).unwrap();
    std::fs::write(&path, right.replace("silent =", "silnet =")).unwrap();
    let told = lab::Scenario::read(&path).unwrap_err();
    assert!(
        told.contains("wrong.toml") && told.contains("silnet"),
        "{told}"
    );
}
