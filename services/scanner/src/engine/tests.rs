#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::{Answer, HostReport, HostState, PortState};
use portwatch_packet::{Addresses, Key};

use super::simulation::{Conditions, Network, Port as Does, Target};
use super::*;
use crate::drive::{Clock, End, drive};
use crate::exclude::Exclusions;

mod durations;
mod rates;
mod verdicts;

const US: [u8; 4] = [198, 18, 0, 1];
const TARGET: [u8; 4] = [198, 18, 1, 1];

fn rates(pps: u32) -> Rates {
    let pps = NonZeroU32::new(pps).unwrap();
    Rates {
        total: pps,
        network: pps,
        host: pps,
    }
}

fn ports(text: &str) -> PortSet {
    text.parse().unwrap()
}

fn host(address: [u8; 4], known_open: &str) -> PlannedHost {
    let known_open = if known_open.is_empty() {
        PortSet::empty()
    } else {
        ports(known_open)
    };
    PlannedHost {
        addresses: Addresses::new(US.into(), address.into()).unwrap(),
        known_open,
    }
}

fn plan(hosts: Vec<PlannedHost>, scanned: &str, seed: u64) -> Plan {
    Plan {
        hosts,
        ports: ports(scanned),
        rate: 10_000,
        window: None,
        attempts: u8::MAX,
        deadline: Moment::from_mins(10),
        max_open_ports: 500,
        first_source_port: 40_000,
        secrets: Secrets {
            sweep: Key::new([seed.to_le_bytes(), [1; 8]].concat().try_into().unwrap()),
            verify: Key::new([seed.to_le_bytes(), [2; 8]].concat().try_into().unwrap()),
            order: seed,
        },
    }
}

fn target(behaviour: &[(u16, Does)], otherwise: Does) -> HashMap<IpAddr, Target> {
    let target = Target {
        ports: behaviour.iter().copied().collect(),
        otherwise,
    };
    HashMap::from([(TARGET.into(), target)])
}

/// Scans to the end and returns the reports and the network as it is then.
fn scan(plan: Plan, network: Network) -> (Vec<HostReport>, Network) {
    scan_at(plan, network, rates(100_000))
}

fn scan_at(plan: Plan, mut network: Network, rates: Rates) -> (Vec<HostReport>, Network) {
    let time = network.time.clone();
    let mut engine = Engine::new(plan, Arc::new(Pacer::new(rates)), time.now());
    let none = Exclusions::default();
    let end = drive(&mut engine, &mut network, &time, &none, &mut |_| {
        assert!(
            time.now() < Duration::from_mins(15),
            "the scan does not end"
        );
        ControlFlow::Continue(())
    });
    assert_eq!(end.unwrap(), End::Finished);
    let reports = engine.reports();
    for report in &reports {
        report.check().unwrap();
    }
    (reports, network)
}

/// The states of a report: what is said of each port, `None` where nothing is.
fn state(report: &HostReport, port: u16) -> Option<PortState> {
    let port = Port::tcp(port);
    let told = report.ports.iter().find(|verdict| verdict.port == port);
    if !report.coverage.contains(port) {
        None
    } else if let Some(verdict) = told {
        Some(verdict.state)
    } else if report.filtered.contains(port) {
        Some(PortState::Filtered)
    } else {
        Some(PortState::Closed)
    }
}

fn answer(report: &HostReport, port: u16) -> Option<Answer> {
    let told = report
        .ports
        .iter()
        .find(|verdict| verdict.port == Port::tcp(port));
    told.map(|verdict| verdict.evidence.answer)
}
