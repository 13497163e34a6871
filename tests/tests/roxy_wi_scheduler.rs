//! A scheduler that reads Roxy-WI again and again: in one process, and as two beside each other.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use portwatch_tests::roxy_wi::{PASSWORD, RoxyWi, Server};
use portwatch_tests::{Listener, Portwatch, Receiver, SECRET, Servers, free_port, until};
use serde_json::Value;
use tempfile::TempDir;

async fn run(state: &[&str], arguments: &[&str]) -> String {
    let arguments: Vec<&str> = arguments.iter().chain(state).copied().collect();
    let output = Portwatch::output(&arguments, &[]).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        text(output.stderr)
    );
    text(output.stdout)
}

async fn objects(state: &[&str], arguments: &[&str]) -> Vec<Value> {
    let with_format: Vec<&str> = arguments
        .iter()
        .chain(&["--format", "ndjson"])
        .copied()
        .collect();
    let out = run(state, &with_format).await;
    out.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Waits until a target of this name is as `is` says; gives it.
async fn target(state: &[&str], name: &str, is: impl Fn(&Value) -> bool) -> Value {
    until(&format!("another {name}"), || async {
        let targets = objects(state, &["targets"]).await;
        targets
            .into_iter()
            .find(|target| target["target"] == name && is(target))
    })
    .await
}

/// What is answered at this path of the health address.
async fn asked(up: &Portwatch, path: &str) -> String {
    let line = up.line("health and metrics: ").await;
    let address = line.split("health and metrics: ").nth(1).unwrap();
    run(&[], &["healthcheck", "--url", &format!("{address}{path}")]).await
}

/// Settings, a data directory and a Roxy-WI with one server.
struct Site {
    folder: TempDir,
    roxy_wi: RoxyWi,
}

impl Site {
    async fn new(server: Server) -> Self {
        let (folder, roxy_wi) = (TempDir::new().unwrap(), RoxyWi::start().await);
        roxy_wi.world().servers = vec![server];
        Self { folder, roxy_wi }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, text: &str) {
        std::fs::write(self.path("portwatch.toml"), text).unwrap();
    }

    /// `portwatch up` with the settings that were written.
    async fn up(&self) -> Portwatch {
        let (config, data) = (self.path("portwatch.toml"), self.path("data"));
        let mut arguments = vec!["up", "--config", &config, "--data-dir", &data];
        arguments.extend(["--listen", "127.0.0.1:0"]);
        let up = Portwatch::start(
            &arguments,
            &[("PORTWATCH__RUNTIME__LOG", "info".to_owned())],
        );
        up.line("health and metrics: ").await;
        up
    }

    /// As many more syncs as this have begun with both users.
    async fn syncs(&self, number: usize) {
        let count = || self.roxy_wi.world().count("GET /api/servers");
        let wanted = count() + 2 * number;
        until("more syncs", || async { (count() >= wanted).then_some(()) }).await;
    }
}

fn is_off(key: &str) -> impl Fn(&Value) -> bool {
    move |target| target[key] == false
}

#[tokio::test]
async fn its_switches_drive_what_is_scanned_and_told() {
    let (site, port) = (
        Site::new(Server::new(1, "'lb 1'", "127.0.0.1")).await,
        free_port(),
    );
    let mut receiver = Receiver::start().await;
    let (section, url) = (site.roxy_wi.settings("every = '1s'"), receiver.url());
    site.write(&format!(
        "{section}\n[[scheduler.groups]]\nname = 'lab-east'\nports = '{port}'\ninterval = '1s'\nconfirm_close = 1\n\
         [notifier]\nallow = '127.0.0.0/8'\n[notifier.webhook]\nurl = '{url}'\nsecret = '{SECRET}'\n"
    ));
    let data = site.path("data");
    let state = ["--data-dir", data.as_str()];
    let set = |switches| site.roxy_wi.world().server(1).switches = Some(switches);
    let kept = async |kind| {
        objects(&state, &["history", "lb 1", "--kind", kind])
            .await
            .len()
    };
    let up = site.up().await;
    up.line(": baseline:").await;
    let listener = Listener::start(port).await;
    let opened = receiver.expect("port.opened", port).await;
    assert_eq!(opened["target"], "lb 1", "{opened:#}");

    // Nobody is told, and history goes on.
    set([true, false, true]);
    target(&state, "lb 1", is_off("notify")).await;
    listener.stop().await;
    let closed = async || (kept("port.closed").await == 1).then_some(());
    until("the closing in the history", closed).await;

    // Told again, and history does not go on.
    set([true, true, false]);
    target(&state, "lb 1", is_off("history")).await;
    let listener = Listener::start(port).await;
    receiver.expect("port.opened", port).await;
    assert_eq!(kept("port.opened").await, 1);

    // Not scanned at all, once the scan that was out is done.
    set([false, true, true]);
    let off = target(&state, "lb 1", is_off("enabled")).await;
    until("the last scan to end", || async {
        let scans = objects(&state, &["scans", "lb 1", "--limit", "1"]).await;
        scans[0]["finished_at"].is_string().then_some(())
    })
    .await;
    listener.stop().await;
    assert!(receiver.rest(Duration::from_secs(3)).await.is_empty());
    assert_eq!(target(&state, "lb 1", |_| true).await["run"], off["run"]);
    set([true; 3]);
    receiver.expect("port.closed", port).await;
    up.stop().await;
}

#[tokio::test]
async fn without_the_section_its_targets_are_watched_no_longer() {
    let off = Server {
        switches: None,
        ..Server::new(1, "lb-1", "127.0.0.1")
    };
    let site = Site::new(off).await;
    let data = site.path("data");
    let state = ["--data-dir", data.as_str()];
    let own = "[[scheduler.targets]]\nname = 'own'\naddresses = '127.0.0.1'\nports = '9'\n";
    site.write(&format!("{}\n{own}", site.roxy_wi.settings("")));
    let up = site.up().await;
    target(&state, "lb-1", |_| true).await;
    up.stop().await;
    assert_eq!(objects(&state, &["targets"]).await.len(), 2);

    site.write(own);
    let up = site.up().await;
    until("only its own target", || async {
        let targets = objects(&state, &["targets"]).await;
        (targets.len() == 1 && targets[0]["target"] == "own").then_some(())
    })
    .await;
    up.stop().await;
}

#[tokio::test]
async fn a_login_is_made_again_when_its_token_counts_no_longer() {
    let site = Site::new(Server::new(1, "lb-1", "127.0.0.1")).await;
    site.write(&site.roxy_wi.settings("every = '1s'"));
    let up = site.up().await;
    let logins = || site.roxy_wi.world().count("POST /api/login");
    site.syncs(3).await;
    assert_eq!(logins(), 2, "one for each user");
    site.roxy_wi.world().expire_tokens();
    site.syncs(3).await;
    assert_eq!(logins(), 4, "one more for each");
    let ready = asked(&up, "/readyz").await;
    assert!(
        ready.contains("\"roxy-wi\":\"1 target, read at "),
        "{ready}"
    );

    // Whoever the answer is 401 to for ever is asked to log in once at each sync, and no more often.
    let (path, before) = ("/api/servers".to_owned(), logins());
    let refused = (
        401,
        "application/json",
        "{\"error\":\"no\",\"status\":\"failed\"}".to_owned(),
    );
    let asked = site.roxy_wi.world().count("GET /api/servers");
    site.roxy_wi.world().broken.insert(path, refused);
    up.line("401, also after a new login").await;
    site.syncs(2).await;
    let (logins, asks) = {
        let world = site.roxy_wi.world();
        (
            world.count("POST /api/login"),
            world.count("GET /api/servers"),
        )
    };
    assert!(logins - before <= asks - asked);
    up.stop().await;
}

#[tokio::test]
async fn a_failure_is_told_once_and_changes_nothing() {
    let off = Server {
        switches: Some([false, true, true]),
        ..Server::new(1, "lb-1", "127.0.0.1")
    };
    let site = Site::new(off).await;
    site.write(&site.roxy_wi.settings("every = '1s'"));
    let data = site.path("data");
    let state = ["--data-dir", data.as_str()];
    let up = site.up().await;
    let before = target(&state, "lb-1", is_off("enabled")).await;

    let broken = (500, "text/html", "<html>down</html>".to_owned());
    site.roxy_wi
        .world()
        .broken
        .insert("/api/servers".to_owned(), broken);
    let told = up.line("no sync with Roxy-WI").await;
    assert!(
        told.contains("GET /api/servers as") && told.contains("500"),
        "{told}"
    );
    site.syncs(2).await;
    let lines = up.lines_with("Roxy-WI");
    assert_eq!(
        lines.iter().filter(|line| line.contains("ERROR")).count(),
        1,
        "{lines:#?}"
    );
    let ready = asked(&up, "/readyz").await;
    assert!(
        ready.contains("\"status\":\"ok\"") && ready.contains("failing since"),
        "{ready}"
    );
    let metrics = asked(&up, "/metrics").await;
    for line in [
        "portwatch_roxy_wi_failing 1",
        "portwatch_roxy_wi_sync_total{result=\"failed\"}",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
    assert_eq!(target(&state, "lb-1", |_| true).await, before);

    site.roxy_wi.world().broken.clear();
    up.line("Roxy-WI can be read again").await;
    let (code, printed) = up.stop().await;
    assert_eq!(code, Some(0), "{printed}");
    for secret in [PASSWORD, "secret-token"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

/// Two schedulers over RabbitMQ and PostgreSQL, with a target of the settings besides.
struct Stack {
    site: Site,
    servers: Servers,
}

impl Stack {
    async fn new() -> Self {
        let (site, servers) = (
            Site::new(Server::new(1, "lb-1", "127.0.0.2")).await,
            Servers::make(),
        );
        let section = site.roxy_wi.settings("every = '1s'\nwrite_back = true");
        let (broker, store) = (servers.broker(), servers.store());
        site.write(&format!(
            "[runtime]\nlisten = '127.0.0.1:0'\n[broker]\nurl = '{broker}'\n[store]\nurl = '{store}'\n{section}\n\
             [[scheduler.groups]]\nname = 'office'\nkeep_history = '48h'\n\
             [[scheduler.targets]]\nname = 'own'\naddresses = ['127.0.0.4']\nports = '9'\n"
        ));
        let stack = Self { site, servers };
        stack.run(&["migrate"]).await;
        stack
    }

    async fn run(&self, arguments: &[&str]) {
        run(&["--config", &self.site.path("portwatch.toml")], arguments).await;
    }

    fn schedulers(&self) -> [Portwatch; 2] {
        let config = self.site.path("portwatch.toml");
        [0, 1].map(|_| Portwatch::start(&["scheduler", "--config", &config], &[]))
    }

    /// Waits until these are the names of the targets that are listed.
    async fn targets(&self, names: &str) {
        let sql = "SELECT string_agg(name, ' ' ORDER BY name) FROM targets WHERE listed";
        until(names, || async {
            (self.servers.query(sql).trim() == names).then_some(())
        })
        .await;
    }

    fn kept_days(&self) -> String {
        let sql = "SELECT string_agg(name || ' ' || keep_history_us / 86400000000, ', ' ORDER BY name) FROM groups";
        self.servers.query(sql).trim().to_owned()
    }
}

async fn stop(schedulers: [Portwatch; 2]) {
    for scheduler in schedulers {
        let (code, printed) = scheduler.stop().await;
        assert_eq!(code, Some(0), "{printed}");
    }
}

#[tokio::test]
#[ignore = "needs RabbitMQ and PostgreSQL: run ./tests/run"]
async fn two_schedulers_and_targets_of_two_sources() {
    let stack = Stack::new().await;
    let roxy_wi = &stack.site.roxy_wi;
    let other = Server {
        group: 1,
        ..Server::new(2, "other", "127.0.0.3")
    };
    roxy_wi.world().servers.push(other);
    let days = ("portscanner_keep_history_range".to_owned(), "30".to_owned());
    roxy_wi.world().settings.extend([days]);
    let schedulers = stack.schedulers();
    stack.targets("lb-1 other own").await;
    assert_eq!(stack.kept_days(), "Default 30, lab-east 30, office 2");
    let ids = "SELECT name, id FROM targets ORDER BY name";
    let before = stack.servers.query(ids);

    stack
        .run(&["targets", "set", "lb-1", "--notify", "off"])
        .await;
    assert_eq!(
        roxy_wi.world().server(1).switches,
        Some([true, false, true])
    );
    let notify = "SELECT notify FROM targets WHERE name = 'lb-1'";
    until("the switch", || async {
        (stack.servers.query(notify).trim() == "f").then_some(())
    })
    .await;
    roxy_wi.world().servers.remove(1);
    stack.targets("lb-1 own").await;
    stop(schedulers).await;
    assert_eq!(
        stack.servers.query(ids),
        before,
        "what is gone stays in the database"
    );
}

#[tokio::test]
#[ignore = "needs RabbitMQ and PostgreSQL: run ./tests/run"]
async fn schedulers_that_start_while_it_is_away_leave_its_targets() {
    let stack = Stack::new().await;
    let schedulers = stack.schedulers();
    stack.targets("lb-1 own").await;
    stop(schedulers).await;
    let away = (503, "text/html", String::new());
    stack
        .site
        .roxy_wi
        .world()
        .broken
        .insert("/api/servers".to_owned(), away);
    let schedulers = stack.schedulers();
    for scheduler in &schedulers {
        scheduler.line("no sync with Roxy-WI").await;
    }
    stack.targets("lb-1 own").await;
    stop(schedulers).await;
    // Nor is its history forgotten sooner than before.
    assert_eq!(stack.kept_days(), "lab-east 14, office 2");
}
