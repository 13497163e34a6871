//! Evidence, as it stands in snapshots and changes.

use std::time::Duration;

use portwatch_domain::snapshot::{Answer, Evidence};
use serde::{Deserialize, Serialize};

use crate::error::{Misfit, Problem};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AnswerWire {
    SynAck,
    Rst,
    #[serde(rename = "udp-response")]
    UdpReply,
    IcmpUnreachable,
    NoResponse,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct EvidenceWire {
    answer: AnswerWire,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_us: Option<u64>,
    probes: u16,
}

impl From<&Evidence> for EvidenceWire {
    fn from(evidence: &Evidence) -> Self {
        let (answer, code) = match evidence.answer {
            Answer::SynAck => (AnswerWire::SynAck, None),
            Answer::Rst => (AnswerWire::Rst, None),
            Answer::UdpReply => (AnswerWire::UdpReply, None),
            Answer::IcmpUnreachable(code) => (AnswerWire::IcmpUnreachable, Some(code)),
            Answer::NoResponse => (AnswerWire::NoResponse, None),
        };
        let micros = |rtt: Duration| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
        Self {
            answer,
            code,
            ttl: evidence.ttl,
            rtt_us: evidence.rtt.map(micros),
            probes: evidence.probes,
        }
    }
}

impl TryFrom<EvidenceWire> for Evidence {
    type Error = Misfit;

    fn try_from(wire: EvidenceWire) -> Result<Self, Misfit> {
        let answer = match (wire.answer, wire.code) {
            (AnswerWire::SynAck, None) => Answer::SynAck,
            (AnswerWire::Rst, None) => Answer::Rst,
            (AnswerWire::UdpReply, None) => Answer::UdpReply,
            (AnswerWire::NoResponse, None) => Answer::NoResponse,
            (AnswerWire::IcmpUnreachable, Some(code)) => Answer::IcmpUnreachable(code),
            _ => return Err(Misfit::new("evidence.code", Problem::Code)),
        };
        Ok(Self {
            answer,
            ttl: wire.ttl,
            rtt: wire.rtt_us.map(Duration::from_micros),
            probes: wire.probes,
        })
    }
}
