//! Writes and reads the history.

use deadpool_postgres::Transaction;
use portwatch_domain::target::TargetId;
use tokio_postgres::{Error, Row};

use super::super::{Problem, rows};
use crate::columns::{ChangeColumns, EvidenceColumns, PortPart};

const SAVE: &str = "INSERT INTO history (target_id, change_id, ip, job_id, at, protocol, port, \
     before, after, answer, ttl, rtt_us, probes, expected, suspect, service) \
     SELECT $1, change_id, ip, job_id, at, protocol, port, before, after, answer, ttl, rtt_us, \
     probes, expected, suspect, service FROM unnest($2::uuid[], $3::inet[], $4::uuid[], $5::timestamptz[], \
     $6::text[], $7::integer[], $8::text[], $9::text[], $10::text[], $11::smallint[], \
     $12::bigint[], $13::integer[], $14::boolean[], $15::boolean[], $16::text[]) WITH ORDINALITY \
     AS r (change_id, ip, job_id, at, protocol, port, before, after, answer, ttl, rtt_us, probes, \
     expected, suspect, service, place) ORDER BY place ON CONFLICT (change_id) DO NOTHING";

/// Adds transitions; a known one is left as it is.
pub(super) async fn save(
    transaction: &Transaction<'_>,
    target: TargetId,
    changes: &[ChangeColumns],
) -> Result<(), Problem> {
    if changes.is_empty() {
        return Ok(());
    }
    let save = transaction.prepare_cached(SAVE).await?;
    transaction
        .execute(
            &save,
            &[
                &target.0,
                &column(changes, |change| change.id),
                &column(changes, |change| change.ip),
                &column(changes, |change| change.job),
                &column(changes, |change| change.at),
                &of_ports(changes, |port| Some(port.protocol.as_str())),
                &of_ports(changes, |port| Some(port.number)),
                &column(changes, |change| change.before.as_str()),
                &column(changes, |change| change.after.as_str()),
                &of_ports(changes, |port| Some(port.evidence.answer.as_str())),
                &of_ports(changes, |port| port.evidence.ttl),
                &of_ports(changes, |port| port.evidence.rtt_us),
                &of_ports(changes, |port| Some(port.evidence.probes)),
                &of_ports(changes, |port| Some(port.expected)),
                &column(changes, |change| change.suspect),
                &of_ports(changes, |port| port.service.as_deref()),
            ],
        )
        .await?;
    Ok(())
}

fn column<'a, T>(changes: &'a [ChangeColumns], of: impl Fn(&'a ChangeColumns) -> T) -> Vec<T> {
    changes.iter().map(of).collect()
}

/// A column that is NULL for the host's own transitions.
fn of_ports<'a, T>(
    changes: &'a [ChangeColumns],
    of: impl Fn(&'a PortPart) -> Option<T>,
) -> Vec<Option<T>> {
    let ports = changes.iter().map(|change| change.port.as_ref());
    ports.map(|port| port.and_then(&of)).collect()
}

/// A row of `history`.
pub(super) fn change(row: &Row) -> Result<ChangeColumns, Error> {
    let protocol: Option<String> = row.try_get("protocol")?;
    let port = protocol
        .map(|protocol| {
            let evidence: EvidenceColumns = rows::evidence(row)?;
            Ok::<_, Error>(PortPart {
                protocol,
                number: row.try_get("port")?,
                evidence,
                expected: row.try_get("expected")?,
                service: row.try_get("service")?,
            })
        })
        .transpose()?;
    Ok(ChangeColumns {
        id: row.try_get("change_id")?,
        ip: row.try_get("ip")?,
        job: row.try_get("job_id")?,
        at: row.try_get("at")?,
        before: row.try_get("before")?,
        after: row.try_get("after")?,
        port,
        suspect: row.try_get("suspect")?,
    })
}
