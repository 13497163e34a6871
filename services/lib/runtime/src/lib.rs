//! What every service has around it: settings, telemetry, health and an orderly end.

pub mod health;
pub mod settings;
pub mod shutdown;
pub mod telemetry;
