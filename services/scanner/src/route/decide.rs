//! Asks the kernel how it sends packets to a destination.

use std::io;
use std::net::IpAddr;

use super::RouteError;
use super::message::{self, Decision};
use super::questions::Questions;
use super::request;
use super::table::Hop;

/// The kernel's decision for a destination, and whether it is for this one alone.
pub(super) fn ask(
    questions: &mut Questions,
    destination: IpAddr,
    by_source: bool,
) -> Result<(Hop, bool), RouteError> {
    let mut ask = |source| {
        let request = request::route(destination, source);
        questions.ask(libc::RTM_GETROUTE, &request, message::decision)
    };
    let decided = ask(None).and_then(|first| {
        let source = first
            .source
            .filter(|source| !source.is_unspecified())
            .ok_or_else(|| io::Error::from_raw_os_error(libc::EADDRNOTAVAIL))?;
        // As for any socket without an address, the route gives the source. Rules that go by the source are for
        // the packets, which have it.
        if by_source && first.kind == libc::RTN_UNICAST {
            return ask(Some(source)).map(|second| (second, source));
        }
        Ok((first, source))
    });
    match decided {
        Ok((decision, source)) => Ok((hop(decision, source), decision.of_one)),
        Err(error) => match error.raw_os_error() {
            Some(errno) if is_refusal(errno) => Ok((Hop::Refused(errno), false)),
            _ => Err(RouteError::Ask {
                destination,
                source: error,
            }),
        },
    }
}

fn hop(decision: Decision, source: IpAddr) -> Hop {
    match decision.interface {
        Some(interface) if decision.kind == libc::RTN_UNICAST && !decision.is_wrapped => {
            Hop::Link {
                source,
                interface,
                gateway: decision.gateway,
            }
        }
        _ => Hop::Kernel { source },
    }
}

/// No route or a throw route, `unreachable`, `prohibit`, `blackhole`; no address of ours; no such family here.
fn is_refusal(errno: i32) -> bool {
    matches!(
        errno,
        libc::ENETUNREACH
            | libc::EHOSTUNREACH
            | libc::ENETDOWN
            | libc::EACCES
            | libc::EINVAL
            | libc::EADDRNOTAVAIL
            | libc::EOPNOTSUPP
            | libc::EAFNOSUPPORT
    )
}
