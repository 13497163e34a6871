//! Version 1 of the progress of a job.

use jiff::Timestamp;
use portwatch_domain::job::JobId;
use portwatch_domain::job::progress::Progress;
use portwatch_domain::target::TargetId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::envelope::{Message, OnWire};
use crate::error::{Misfit, Problem};

#[derive(Serialize, Deserialize)]
pub struct ProgressWire {
    job: Uuid,
    target_id: Uuid,
    worker: String,
    at: Timestamp,
    sent: u64,
    planned: u64,
    answered: u64,
    open: u64,
}

impl OnWire for Progress {
    type Wire = ProgressWire;

    fn to_wire(&self) -> ProgressWire {
        ProgressWire {
            job: self.job.0,
            target_id: self.target.0,
            worker: self.worker.clone(),
            at: self.at,
            sent: self.sent,
            planned: self.planned,
            answered: self.answered,
            open: self.open,
        }
    }

    fn from_wire(wire: ProgressWire) -> Result<Self, Misfit> {
        if wire.planned == 0 {
            return Err(Misfit::new("planned", Problem::Zero));
        }
        Ok(Self {
            job: JobId(wire.job),
            target: TargetId(wire.target_id),
            worker: wire.worker,
            at: wire.at,
            sent: wire.sent,
            planned: wire.planned,
            answered: wire.answered,
            open: wire.open,
        })
    }
}

impl Message for Progress {
    const TYPE: &'static str = "io.portwatch.progress.v1";
    const SCHEMA: &'static str = "urn:portwatch:schema:progress:v1";

    /// The job's id.
    fn subject(&self) -> String {
        self.job.to_string()
    }
}
