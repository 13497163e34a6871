//! A data directory whose settings name a Roxy-WI, and the commands that are run there.

use serde_json::Value;
use tempfile::TempDir;

use super::{PASSWORD, RoxyWi};
use crate::{Portwatch, free_port};

/// A data directory, and settings that name a Roxy-WI.
pub struct Site {
    folder: TempDir,
    /// The Roxy-WI.
    pub roxy_wi: RoxyWi,
}

impl Site {
    /// With what `portwatch up` leaves behind: 127.0.0.1 was once watched.
    pub async fn new(settings: &str) -> Self {
        let site = Self {
            folder: TempDir::new().unwrap(),
            roxy_wi: RoxyWi::start().await,
        };
        site.settings(settings);
        let port = free_port().to_string();
        let (data, log) = (
            site.path("data"),
            ("PORTWATCH__RUNTIME__LOG", "off".to_owned()),
        );
        let mut arguments = vec!["up", "127.0.0.1", "--ports", &port, "--interval", "1h"];
        arguments.extend(["--data-dir", &data, "--listen", "127.0.0.1:0"]);
        let up = Portwatch::start(&arguments, &[log]);
        up.line(": baseline:").await;
        up.stop().await;
        site
    }

    /// A path in its folder.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes the settings: the section, `more` in it and behind it.
    pub fn settings(&self, more: &str) {
        std::fs::write(self.path("portwatch.toml"), self.roxy_wi.settings(more)).unwrap();
    }

    /// Runs a command here; gives its exit code and what it printed on both streams.
    pub async fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let (config, data) = (self.path("portwatch.toml"), self.path("data"));
        let mut all = arguments.to_vec();
        all.extend(["--config", &config, "--data-dir", &data]);
        let output = Portwatch::output(&all, &[]).await;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(output.stdout), text(output.stderr));
        for secret in [PASSWORD, "secret-token"] {
            assert!(!out.contains(secret) && !err.contains(secret), "{out}{err}");
        }
        (output.status.code().unwrap(), out, err)
    }

    /// A sync that has to work; gives the lines that it prints.
    pub async fn sync(&self, more: &[&str]) -> Vec<Value> {
        let mut arguments = vec!["roxy-wi", "sync", "--format", "ndjson"];
        arguments.extend(more);
        let (code, out, err) = self.run(&arguments).await;
        assert!(code <= 1 && err.is_empty(), "{code} {out}{err}");
        lines(&out)
    }

    /// The targets, without the one that did not come from Roxy-WI and must always be there.
    pub async fn targets(&self) -> Vec<Value> {
        let (code, out, err) = self.run(&["targets", "--format", "ndjson"]).await;
        assert_eq!(code, 0, "{err}");
        let (own, others): (Vec<_>, Vec<_>) = lines(&out)
            .into_iter()
            .partition(|t| t["target"] == "127.0.0.1");
        assert_eq!(own.len(), 1, "{out}");
        others
    }

    /// The target of this name.
    pub async fn target(&self, name: &str) -> Value {
        let targets = self.targets().await;
        let found = targets.iter().find(|target| target["target"] == name);
        found
            .unwrap_or_else(|| panic!("no {name}: {targets:#?}"))
            .clone()
    }
}

fn lines(out: &str) -> Vec<Value> {
    out.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The three switches of a target.
pub fn switches(target: &Value) -> [bool; 3] {
    ["enabled", "notify", "history"].map(|key| target[key].as_bool().unwrap())
}
