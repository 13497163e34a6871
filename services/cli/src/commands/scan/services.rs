//! `--service`: asks open ports what they are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;

use portwatch_domain::job::Job;
use portwatch_domain::ports::Port;
use portwatch_domain::snapshot::{PortState, Service};
use portwatch_scanner::detect::{self, Asked, Budget, Options};
use portwatch_scanner::{Exclusions, Scan, Settings};
use tokio_util::sync::CancellationToken;

/// Asks within the limits of the scan.
pub struct Services {
    budget: Budget,
    options: Options,
    settings: Settings,
}

impl Services {
    /// At most `rate` connections per second, and no more than the settings permit.
    pub fn new(settings: &Settings, rate: u32) -> Self {
        let mut settings = settings.clone();
        let rate = NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
        settings.rate = settings.rate.min(rate);
        // A host with more open ports than this is suspect, and has none.
        let most = usize::try_from(settings.max_open_ports).unwrap_or(usize::MAX);
        let options = Options {
            ports_per_host: most,
            ..Options::default()
        };
        Self {
            budget: Budget::new(&settings),
            options,
            settings,
        }
    }

    /// The open TCP ports of a scan.
    pub fn open(scan: &Scan) -> Vec<Asked> {
        let open = |report: &portwatch_domain::snapshot::HostReport| {
            let (ip, name) = (report.ip, report.name.clone());
            let ports = report.ports.iter();
            let ports = ports.filter(|verdict| verdict.state == PortState::Open);
            let asked = ports.map(move |verdict| (ip, name.clone(), verdict.port));
            asked.collect::<Vec<_>>()
        };
        scan.hosts.iter().flat_map(open).collect()
    }

    /// Asks, and notes the answers in the scan. What is not answered by the time the token is cancelled is
    /// left out.
    pub async fn ask(
        &self,
        asked: Vec<Asked>,
        job: &Job,
        scan: &mut Scan,
        stop: &CancellationToken,
    ) {
        let options = Options {
            in_all: self.options.per_port * self.rounds(&asked),
            ..self.options
        };
        let exclusions = Exclusions::new(job.exclude.iter().chain(&self.settings.exclude.0));
        let found = detect::detect(asked, &options, &self.budget, &exclusions, stop).await;
        let found = found.into_iter().map(|(ip, port, told)| ((ip, port), told));
        let mut found: HashMap<(IpAddr, Port), Service> = found.collect();
        for report in &mut scan.hosts {
            for verdict in &mut report.ports {
                if let Some(service) = found.remove(&(report.ip, verdict.port)) {
                    verdict.service = Some(service);
                }
            }
        }
    }

    /// How many ports have to be asked one after another, if each takes the time that it may take.
    fn rounds(&self, asked: &[Asked]) -> u32 {
        let mut hosts: HashMap<IpAddr, usize> = HashMap::new();
        for (ip, ..) in asked {
            *hosts.entry(*ip).or_default() += 1;
        }
        let largest = hosts.values().max().copied().unwrap_or_default();
        let rounds = largest
            .div_ceil(self.options.per_host)
            .max(asked.len().div_ceil(self.options.at_once));
        u32::try_from(rounds).unwrap_or(u32::MAX).saturating_add(1)
    }
}
