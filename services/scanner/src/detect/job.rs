//! What listens on the ports of a job that are newly open.

use std::time::Duration;

use jiff::Timestamp;
use portwatch_domain::job::Job;
use portwatch_domain::ports::Protocol;
use portwatch_domain::snapshot::{HostReport, PortState, PortVerdict};
use portwatch_domain::target::IpRange;
use tokio_util::sync::CancellationToken;

use super::{Asked, Budget, Options, detect};
use crate::exclude::Exclusions;
use crate::scan::Scan;
use crate::settings::{ServicesSetting, Settings};

/// Asks the open ports of jobs what listens there, as far as the settings want to know.
#[derive(Clone, Debug)]
pub(crate) struct Inquiry {
    which: ServicesSetting,
    exclude: Vec<IpRange>,
    budget: Budget,
    options: Options,
}

impl Inquiry {
    /// Connections count against `budget`.
    pub(crate) fn new(settings: &Settings, budget: Budget) -> Self {
        Self {
            which: settings.services,
            exclude: settings.exclude.0.clone(),
            budget,
            options: Options::default(),
        }
    }

    /// Writes what listens there into the verdicts; gives how many ports were asked.
    ///
    /// Takes at most half of the time that is left until the job's deadline, and never fails: a verdict stands
    /// without it.
    pub(crate) async fn fill(&self, job: &Job, scan: &mut Scan, stop: &CancellationToken) -> usize {
        let asked = self.asked(job, &scan.hosts);
        let left = job.deadline.duration_since(Timestamp::now());
        let left = Duration::try_from(left).unwrap_or_default();
        if asked.is_empty() || left.is_zero() {
            return 0;
        }
        let count = asked.len();
        let options = Options {
            in_all: self.options.in_all.min(left / 2),
            ..self.options
        };
        let budget = self.budget.of_job(job.rate);
        let exclusions = Exclusions::new(job.exclude.iter().chain(&self.exclude));
        let mut reports: Vec<&mut HostReport> = scan.hosts.iter_mut().collect();
        for (ip, port, service) in detect(asked, &options, &budget, &exclusions, stop).await {
            let mut verdicts = reports
                .iter_mut()
                .filter(|report| report.ip == ip)
                .flat_map(|report| &mut report.ports);
            if let Some(verdict) = verdicts.find(|verdict| verdict.port == port) {
                verdict.service = Some(service);
            }
        }
        count
    }

    /// The ports to ask, in the order of the job: of each host no more than are asked.
    fn asked(&self, job: &Job, reports: &[HostReport]) -> Vec<Asked> {
        let mut asked = Vec::new();
        if self.which == ServicesSetting::Off {
            return asked;
        }
        for (host, report) in job.hosts.iter().zip(reports) {
            let is_wanted = |verdict: &&PortVerdict| {
                verdict.state == PortState::Open
                    && verdict.port.protocol == Protocol::Tcp
                    && (self.which == ServicesSetting::All
                        || !host.known_open.contains(verdict.port))
            };
            let wanted = report.ports.iter().filter(is_wanted);
            let ports = wanted.map(|verdict| (report.ip, host.name.clone(), verdict.port));
            asked.extend(ports.take(self.options.ports_per_host));
        }
        asked
    }
}
