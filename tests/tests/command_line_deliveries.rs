//! The commands that show what was sent, send it again, and try and switch channels, beside `portwatch up`.

#![expect(clippy::unwrap_used, reason = "tests")]

use portwatch_tests::{Listener, Portwatch, Receiver, SECRET, free_port, until};
use serde_json::Value;
use tempfile::TempDir;

/// Where the data and the settings are, as arguments.
struct Place {
    folder: TempDir,
    port: u16,
}

impl Place {
    fn new(url: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let text = format!(
            "[runtime]\nlisten = '127.0.0.1:0'\n[notifier]\nallow = '127.0.0.0/8'\n\
             [[notifier.channels]]\nname = 'hook'\nkind = 'webhook'\nurl = '{url}'\nsecret = '{SECRET}'\n\
             [[notifier.channels]]\nname = 'nobody'\nkind = 'discord'\n\
             url = 'http://127.0.0.1:9/api/webhooks/verysecrettoken'\ngroup_wait = '0s'\n\
             [[notifier.routes]]\nname = 'all'\nchannels = ['hook', 'nobody']"
        );
        std::fs::write(folder.path().join("portwatch.toml"), text).unwrap();
        Self {
            folder,
            port: free_port(),
        }
    }

    fn config(&self) -> String {
        let path = self.folder.path().join("portwatch.toml");
        path.to_str().unwrap().to_owned()
    }

    fn state(&self) -> [String; 4] {
        let data = self.folder.path().join("data");
        let data = data.to_str().unwrap().to_owned();
        [
            "--data-dir".to_owned(),
            data,
            "--config".to_owned(),
            self.config(),
        ]
    }

    async fn up(&self) -> Portwatch {
        let (ports, state) = (self.port.to_string(), self.state());
        let mut arguments = vec!["up", "127.0.0.1", "--ports", &ports, "--interval", "1s"];
        arguments.extend(state.iter().map(String::as_str));
        let up = Portwatch::start(&arguments, &[]);
        up.line("baseline").await;
        up
    }

    /// Runs a command that looks at the state.
    async fn run(&self, arguments: &[&str]) -> (i32, String) {
        let state = self.state();
        let arguments = arguments.iter().copied();
        let arguments: Vec<&str> = arguments.chain(state.iter().map(String::as_str)).collect();
        run(&arguments).await
    }

    /// The lines that such a command prints for programs.
    async fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        let arguments = arguments.iter().copied().chain(["--format", "ndjson"]);
        let (_, out) = self.run(&arguments.collect::<Vec<_>>()).await;
        out.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The newest delivery to the hook, once it is delivered after so many attempts.
    async fn delivered(&self, attempts: u64) -> Value {
        until("a delivery", || async {
            let list = [
                "deliveries",
                "list",
                "--channel",
                "hook",
                "--in",
                "delivered",
            ];
            let lines = self.lines(&list).await;
            let newest = lines.first().cloned()?;
            (newest["attempts"] == attempts).then_some(newest)
        })
        .await
    }
}

/// The code, and what was printed on both ways.
async fn run(arguments: &[&str]) -> (i32, String) {
    let output = Portwatch::output(arguments, &[]).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout) + &text(output.stderr))
}

#[tokio::test]
async fn a_channel_is_tried() {
    let mut receiver = Receiver::start().await;
    let place = Place::new(&receiver.url());
    let test =
        async |name: &str| run(&["channel", "test", name, "--config", &place.config()]).await;
    let (code, out) = test("hook").await;
    assert_eq!(code, 0, "{out}");
    assert!(
        out.starts_with("hook: taken after ") && out.trim().ends_with("with 200"),
        "{out}"
    );
    let change = receiver.change().await;
    assert_eq!(change["kind"], "channel.test");
    assert_eq!(
        change["text"],
        "channel hook: this is a test, nothing has changed"
    );
    receiver.refuse(1);
    let (code, out) = test("hook").await;
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("not taken") && out.contains("503"), "{out}");
    // Nobody listens there.
    let (code, out) = test("nobody").await;
    assert_eq!(code, 1, "{out}");
    assert!(
        out.contains("onnect") && !out.contains("verysecrettoken"),
        "{out}"
    );
    let (code, out) = test("other").await;
    assert_eq!(code, 2, "{out}");
    assert!(out.contains("there are hook, nobody"), "{out}");
}

#[tokio::test]
async fn what_was_sent_is_shown_and_sent_again() {
    let mut receiver = Receiver::start().await;
    let place = Place::new(&receiver.url());
    let up = place.up().await;
    receiver.refuse(1);
    let listener = Listener::start(place.port).await;
    receiver.expect("port.opened", place.port).await;
    let delivery = place.delivered(2).await;
    let id = delivery["id"].as_str().unwrap();
    assert!(
        delivery["text"].as_str().unwrap().contains("opened"),
        "{delivery}"
    );
    let show = ["deliveries", "show", &id[..8], "--body"];
    let shown = place.lines(&show).await.remove(0);
    assert_eq!(shown["log"][0]["status"], 503);
    assert_eq!(
        (&shown["log"][1]["status"], &shown["log"][1]["error"]),
        (&200.into(), &Value::Null)
    );
    assert_eq!(shown["body"]["changes"][0]["port"], place.port);
    let (code, out) = place.run(&show).await;
    assert!(code == 0 && out.contains("attempt 2: "), "{out}");

    let (code, out) = place.run(&["deliveries", "resend", id]).await;
    assert!(code == 0 && out.contains("goes out again"), "{out}");
    // The receiver has seen the id and drops it.
    place.delivered(3).await;
    let (code, out) = place.run(&["deliveries", "resend", "0000000"]).await;
    assert!(code == 2 && out.contains("no delivery"), "{out}");
    let (code, out) = place.run(&["deliveries", "show", "what"]).await;
    assert!(code == 2 && out.contains("is no id"), "{out}");
    until("a failure", || async {
        let lines = place
            .lines(&["deliveries", "list", "--channel", "nobody"])
            .await;
        lines.first()?["error"].as_str().map(str::to_owned)
    })
    .await;
    listener.stop().await;
    receiver.expect("port.closed", place.port).await;
    let printed = up.lines_with("").join("\n");
    assert!(printed.contains("delivery failed"), "{printed}");
    up.stop().await;
    for secret in ["verysecrettoken", SECRET.trim_start_matches("whsec_")] {
        assert!(!printed.contains(secret), "{printed}");
        for file in std::fs::read_dir(place.folder.path().join("data")).unwrap() {
            let path = file.unwrap().path();
            let held = std::fs::read(&path).unwrap();
            let found = held
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "{} holds a secret", path.display());
        }
    }
}

#[tokio::test]
async fn nobody_is_told_by_a_channel_that_is_off() {
    let mut receiver = Receiver::start().await;
    let place = Place::new(&receiver.url());
    let up = place.up().await;
    let (code, out) = place.run(&["channel", "list"]).await;
    assert_eq!(code, 0, "{out}");
    let off = [
        "channel", "off", "hook", "--reason", "moving", "--by", "ann",
    ];
    let (code, out) = place.run(&off).await;
    assert_eq!(code, 0, "{out}");
    let (code, out) = place.run(&off).await;
    assert!(code == 2 && out.contains("is off already"), "{out}");
    let (code, out) = place.run(&["channel", "list"]).await;
    assert!(code == 1 && out.contains("ann: moving"), "{out}");
    let (_, out) = place.run(&["problems"]).await;
    assert!(out.contains("channel hook: switched off"), "{out}");

    let listener = Listener::start(place.port).await;
    up.line("opened").await;
    let (code, out) = place.run(&["channel", "on", "hook"]).await;
    assert_eq!(code, 0, "{out}");
    let (code, out) = place.run(&["channel", "on", "hook"]).await;
    assert!(code == 2 && out.contains("is not off"), "{out}");
    let (code, out) = place.run(&["channel", "on", "other"]).await;
    assert!(code == 2 && out.contains("there are hook, nobody"), "{out}");
    let (_, out) = place.run(&["audit"]).await;
    let entries: Vec<_> = out.lines().skip(1).collect();
    assert_eq!(entries.len(), 2, "{out}");
    assert!(
        entries[0].contains("ann") && entries[0].contains("channel.off"),
        "{out}"
    );
    assert!(
        entries[0].contains("moving") && entries[1].contains("channel.on"),
        "{out}"
    );
    listener.stop().await;
    let change = receiver.change().await;
    assert_eq!(change["kind"], "port.closed", "the first that is told");
    up.stop().await;
}
