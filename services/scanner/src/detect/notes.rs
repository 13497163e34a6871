//! What is learnt from what was said.

use portwatch_domain::ports::{Port, service_name};
use portwatch_domain::snapshot::Service;
use portwatch_domain::snapshot::service::{NameSource, SafeText, ServiceName, Tls};

use super::http;
use super::matchers::{Match, recognise, secured};

/// What one exchange came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Something that tells what it is, or at least that it can speak.
    Something,
    /// That it wants TLS.
    WantsTls,
    /// Nothing.
    Nothing,
}

/// What is known of a service so far.
#[derive(Debug, Default)]
pub(super) struct Notes(Service);

impl Notes {
    /// What is known; the usual name for the port if no answer gave one. `None` if nothing is.
    pub(super) fn service(self, port: Port) -> Option<Service> {
        let mut service = self.0;
        if service.name.is_none() {
            service.name = service_name(port).map(|name| ServiceName {
                text: SafeText::new(name),
                source: NameSource::Port,
            });
        }
        (service != Service::default()).then_some(service)
    }

    /// Takes down what was said.
    pub(super) fn note(&mut self, said: &[u8], is_inside: bool) -> Heard {
        let name = |name| if is_inside { secured(name) } else { name };
        if said.is_empty() {
            return Heard::Nothing;
        }
        if let Some(page) = http::parse(said) {
            self.is(page.application().unwrap_or_else(|| name("http")));
            self.0.product.clone_from(&page.http.server);
            let wants_tls = !is_inside && page.wants_tls();
            self.0.http = Some(Box::new(page.http));
            return if wants_tls {
                Heard::WantsTls
            } else {
                Heard::Something
            };
        }
        // A record of TLS that holds an alert.
        if !is_inside && matches!(said, [21, 3, 0..=4, 0, 2, ..]) {
            return Heard::WantsTls;
        }
        let found = recognise(said);
        if found.as_ref().is_none_or(|found| found.is_text) {
            self.0.banner = SafeText::trimmed(said);
        }
        if let Some(Match {
            name: it, product, ..
        }) = found
        {
            self.is(name(it));
            self.0.product = product.as_deref().and_then(SafeText::trimmed);
        }
        Heard::Something
    }

    pub(super) fn is(&mut self, name: &str) {
        self.0.name = Some(ServiceName {
            text: SafeText::new(name),
            source: NameSource::Probe,
        });
    }

    /// Whatever was heard before was not meant for us.
    pub(super) fn is_tls(&mut self, tls: Tls) {
        self.0 = Service {
            tls: Some(Box::new(tls)),
            ..Service::default()
        };
        self.is("tls");
    }

    /// It went on in TLS, by its own protocol.
    pub(super) fn upgraded(&mut self, tls: Tls) {
        self.0.tls = Some(Box::new(tls));
    }
}
