//! Against real servers on loopback: usual ones, and such that mean harm.

#![expect(clippy::unwrap_used, reason = "tests")]

mod hostile;
mod protocols;
mod secured;
mod servers;
mod usual;

use std::net::{IpAddr, SocketAddr};

use portwatch_domain::snapshot::service::SafeText;
use portwatch_domain::target::IpRange;

use super::*;
use crate::settings::Settings;

/// Asks these ports of loopback with little patience.
async fn ask(addresses: &[SocketAddr], options: &Options) -> Vec<Option<Service>> {
    ask_as(addresses, options, None).await
}

/// The same, where the host has a name.
async fn ask_as(
    addresses: &[SocketAddr],
    options: &Options,
    name: Option<&str>,
) -> Vec<Option<Service>> {
    let asked: Vec<Asked> = addresses
        .iter()
        .map(|address| {
            let name = name.map(ToOwned::to_owned);
            (address.ip(), name, Port::tcp(address.port()))
        })
        .collect();
    let budget = Budget::new(&Settings::default());
    let none = Exclusions::default();
    let stop = CancellationToken::new();
    let mut found = detect(asked, options, &budget, &none, &stop).await;
    let of = |address: &SocketAddr| {
        let is_it = |(ip, port, _): &(IpAddr, Port, Service)| {
            *ip == address.ip() && port.number == address.port()
        };
        let place = found.iter().position(is_it)?;
        Some(found.remove(place).2)
    };
    addresses.iter().map(of).collect()
}

fn product(service: &Service) -> Option<&str> {
    service.product.as_ref().map(SafeText::as_str)
}

fn excluded(range: &str) -> Exclusions {
    let ip: IpAddr = range.parse().unwrap();
    Exclusions::new(&[IpRange::new(ip, ip).unwrap()])
}
