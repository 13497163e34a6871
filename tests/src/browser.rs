//! Chromium without a window, driven by its own driver.

use std::process::Stdio;

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{free_port, until};

/// It loads what it is told to, and nothing from anywhere else.
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1100,900",
];

/// A browser with a profile of its own.
pub struct Browser {
    /// What drives it.
    pub client: Client,
    driver: Child,
    _profile: TempDir,
}

impl Browser {
    /// Starts it.
    pub async fn start() -> Self {
        let (port, profile) = (free_port(), TempDir::new().unwrap());
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver is missing: run ./tests/run");
        let mut flags: Vec<String> = FLAGS.map(str::to_owned).to_vec();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        let options = json!({"goog:chromeOptions": {"args": flags}});
        let serde_json::Value::Object(options) = options else {
            unreachable!("an object is written above")
        };
        let url = format!("http://127.0.0.1:{port}");
        let client = until("a browser", || async {
            let mut builder =
                ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
            builder.capabilities(options.clone());
            builder.connect(&url).await.ok()
        })
        .await;
        Self {
            client,
            driver,
            _profile: profile,
        }
    }

    /// Goes to a page.
    pub async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Writes into a field.
    pub async fn write(&self, css: &str, text: &str) {
        let field = self.client.find(Locator::Css(css)).await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Clicks.
    pub async fn click(&self, css: &str) {
        let element = self.client.find(Locator::Css(css)).await.unwrap();
        element.click().await.unwrap();
    }

    /// Waits until a page shows this text; gives all that it shows, with single spaces.
    pub async fn shows(&self, text: &str) -> String {
        until(&format!("{text:?} on the page"), || async {
            let body = self.client.find(Locator::Css("body")).await.ok()?;
            let shown = body.text().await.ok()?;
            let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
            shown.contains(text).then_some(shown)
        })
        .await
    }

    /// Ends it.
    pub async fn end(mut self) {
        self.client.close().await.unwrap();
        self.driver.kill().await.unwrap();
    }
}
