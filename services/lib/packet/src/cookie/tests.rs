use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::flow::{Addresses, Pair, Ports};

fn flow() -> impl Strategy<Value = Flow> {
    let v4 = any::<(Ipv4Addr, Ipv4Addr)>().prop_map(|(source, destination)| {
        Addresses::V4(Pair {
            source,
            destination,
        })
    });
    let v6 = any::<(Ipv6Addr, Ipv6Addr)>().prop_map(|(source, destination)| {
        Addresses::V6(Pair {
            source,
            destination,
        })
    });
    (prop_oneof![v4, v6], any::<(u16, u16)>()).prop_map(|(addresses, (source, destination))| Flow {
        addresses,
        ports: Ports {
            source,
            destination,
        },
    })
}

fn syn_ack(flow: Flow, acknowledged: u32) -> Reply {
    Reply {
        flow,
        ttl: Some(64),
        answer: Answer::SynAck {
            sequence: 7,
            acknowledged,
        },
    }
}

fn rst(flow: Flow, acknowledged: u32) -> Reply {
    Reply {
        flow,
        ttl: Some(64),
        answer: Answer::Rst {
            sequence: 0,
            acknowledged,
        },
    }
}

fn unreachable(flow: Flow, sequence: u32) -> Reply {
    Reply {
        flow,
        ttl: Some(64),
        answer: Answer::Unreachable {
            reporter: flow.addresses.destination(),
            code: 1,
            sequence,
        },
    }
}

proptest! {
    #[test]
    fn only_the_right_acknowledgement_is_proof(key: [u8; 16], flow in flow(), other: u32) {
        let key = Key::new(key);
        let sequence = key.sequence(&flow);
        let next = sequence.wrapping_add(1);
        prop_assert!(key.proves(&syn_ack(flow, next)));
        prop_assert!(!key.proves(&syn_ack(flow, sequence)), "a SYN takes one sequence number");
        prop_assert!(key.proves(&rst(flow, next)));
        prop_assert!(key.proves(&rst(flow, sequence)));
        prop_assert!(key.proves(&unreachable(flow, sequence)));
        prop_assert!(!key.proves(&unreachable(flow, next)));
        if other != sequence && other != next {
            prop_assert!(!key.proves(&syn_ack(flow, other)));
            prop_assert!(!key.proves(&rst(flow, other)));
            prop_assert!(!key.proves(&unreachable(flow, other)));
        }
    }

    #[test]
    fn every_part_of_the_flow_and_the_key_counts(bits: [u8; 16], flow in flow(), bit in 0_usize..128) {
        let key = Key::new(bits);
        let sequence = key.sequence(&flow);
        let mut changed = bits;
        changed[bit / 8] ^= 1 << (bit % 8);
        let mut other = Vec::new();
        other.push(Key::new(changed).sequence(&flow));
        for port_bit in 0..16 {
            let mut by_source = flow;
            by_source.ports.source ^= 1 << port_bit;
            let mut by_destination = flow;
            by_destination.ports.destination ^= 1 << port_bit;
            other.extend([key.sequence(&by_source), key.sequence(&by_destination)]);
        }
        // One chance hit in 2^32 is possible; two in one case are not.
        prop_assert!(other.iter().filter(|&&it| it == sequence).count() < 2);
    }
}

#[test]
fn the_hash_is_siphash_2_4() {
    // The vector in appendix A of the SipHash paper.
    let key: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    let input = &key[..15];
    assert_eq!(
        SipHasher24::new_with_key(&key).hash(input),
        0xa129_ca61_49be_45e5
    );
}

#[test]
fn the_key_is_not_printed() {
    assert_eq!(format!("{:?}", Key::new([7; 16])), "Key(..)");
}
