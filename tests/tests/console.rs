//! The console as programs and people meet it.

#![expect(clippy::unwrap_used, reason = "tests")]

use portwatch_tests::browser::Browser;
use portwatch_tests::console::Console;
use portwatch_tests::roxy_wi::{RoxyWi, Server};
use portwatch_tests::{Listener, Portwatch, Servers, free_port, until};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

const PASSWORD: &str = "correct horse";

/// A data directory with settings, and the commands that are run there.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new(settings: &str) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("portwatch.toml"), settings).unwrap();
        std::fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// `portwatch up`, and where it answers.
    async fn up(&self) -> (Portwatch, String) {
        let (config, data) = (self.path("portwatch.toml"), self.path("data"));
        let mut arguments = vec!["up", "--config", &config, "--data-dir", &data];
        arguments.extend(["--listen", "127.0.0.1:0"]);
        let log = ("PORTWATCH__RUNTIME__LOG", "info".to_owned());
        let up = Portwatch::start(&arguments, &[log]);
        let line = up.line("health and metrics: ").await;
        let base = line
            .split("health and metrics: ")
            .nth(1)
            .unwrap()
            .to_owned();
        (up, base)
    }

    async fn run(&self, arguments: &[&str]) -> String {
        let data = self.path("data");
        let mut all = arguments.to_vec();
        all.extend(["--data-dir", &data]);
        succeeds(&all, &[]).await
    }

    async fn user(&self, name: &str, more: &[&str]) {
        let file = self.path("password");
        let mut arguments = vec!["user", "add", name, "--password-file", &file];
        arguments.extend(more);
        self.run(&arguments).await;
    }

    async fn target(&self, name: &str) -> Value {
        let out = self.run(&["targets", "--format", "ndjson"]).await;
        let mut targets = out.lines().map(|line| serde_json::from_str(line).unwrap());
        targets
            .find(|target: &Value| target["target"] == name)
            .unwrap()
    }
}

async fn succeeds(arguments: &[&str], environment: &[(&str, String)]) -> String {
    let output = Portwatch::output(arguments, environment).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let error = text(output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    text(output.stdout)
}

fn settings(port: u16) -> String {
    format!(
        "[[scheduler.targets]]\nname = 'lb-1'\ngroup = 'lab-east'\naddresses = ['127.0.0.1']\nports = '{port}'\n\
         interval = '1h'\n\
         [[scheduler.targets]]\nname = 'other-1'\ngroup = 'lab-west'\naddresses = ['127.0.0.2']\nports = '{port}'\n\
         interval = '1h'\n"
    )
}

#[tokio::test]
async fn a_script_for_roxy_wi_reads_and_drives_it() {
    let port = free_port();
    let site = Site::new(&settings(port));
    let _listener = Listener::start(port).await;
    let (up, base) = site.up().await;
    up.line("scan of lb-1").await;
    site.user("script", &["--role", "operator", "--group", "lab-east"])
        .await;
    let console = Console::log_in(&base, "script", PASSWORD).await;

    let servers = console.get("/api/servers").await;
    assert_eq!(servers.as_array().unwrap().len(), 1, "{servers}");
    let id = servers[0]["server_id"].as_u64().unwrap();
    let own = format!("/api/server/portscanner/{id}");
    let history = console.get(&format!("{own}/ports")).await;
    assert_eq!(
        (&history[0]["port"], &history[0]["status"]),
        (&json!(port), &json!("opened"))
    );

    // Off: nobody can have it scanned. On again: it is scanned at once, an hour too soon.
    let (status, answer) = console.post(&own, json!({"enabled": 0})).await;
    assert_eq!((status.as_u16(), answer), (201, json!({"status": "Ok"})));
    let before = site.target("lb-1").await;
    assert_eq!(before["enabled"], false);
    let scans = format!("/api/v1/targets/{id}/scans");
    let (status, _) = console.post(&scans, json!({})).await;
    assert_eq!(status, 409);
    let (status, _) = console.post(&own, json!({"enabled": 1})).await;
    assert_eq!(status, 201);
    until("a scan of what was switched on", || async {
        let run = site.target("lb-1").await["run"].as_u64();
        (run > before["run"].as_u64()).then_some(())
    })
    .await;

    // What was set stays after a restart, whatever the settings say.
    let (status, _) = console.post(&own, json!({"notify": false})).await;
    assert_eq!(status, 201);
    up.stop().await;
    let (_up, base) = site.up().await;
    let console = Console::log_in(&base, "script", PASSWORD).await;
    assert_eq!(console.get(&own).await["notify"], 0);
    let listed = site.run(&["targets"]).await;
    assert!(listed.contains("not told by script"), "{listed}");
    let set = site
        .run(&["targets", "set", "lb-1", "--as-configured"])
        .await;
    assert_eq!(set, "lb-1: enabled on, notify on, history on\n");
    assert_eq!(console.get(&own).await["notify"], 1);

    let audit = site.run(&["audit", "--format", "ndjson"]).await;
    let actors = |line: &str| serde_json::from_str::<Value>(line).unwrap()["actor"].clone();
    let actors: Vec<_> = audit.lines().map(actors).collect();
    assert_eq!(
        actors.iter().filter(|actor| **actor == "script").count(),
        3,
        "{audit}"
    );
}

#[tokio::test]
async fn a_switch_of_roxy_wi_is_set_in_roxy_wi() {
    let roxy_wi = RoxyWi::start().await;
    roxy_wi.world().servers = vec![Server::new(7, "lb-1", "127.0.0.1")];
    for write_back in [false, true] {
        roxy_wi.world().posted.clear();
        let site =
            Site::new(&roxy_wi.settings(&format!("every = '1s'\nwrite_back = {write_back}")));
        let (up, base) = site.up().await;
        up.line("scan of lb-1").await;
        site.user("anna", &["--role", "operator"]).await;
        let console = Console::log_in(&base, "anna", PASSWORD).await;
        // Its number is that of Roxy-WI.
        let own = "/api/server/portscanner/7";
        assert_eq!(console.get(own).await["server_id"], 7);
        assert_eq!(console.get("/api/servers").await[0]["group_id"], "2");
        let (status, answer) = console.post(own, json!({"notify": 0})).await;
        if write_back {
            assert_eq!(status, 201, "{answer}");
            assert_eq!(
                roxy_wi.world().server(7).switches,
                Some([true, false, true])
            );
            assert_eq!(console.get(own).await, switches_of(7, 1, 0, 1));
        } else {
            assert_eq!(status, 409, "{answer}");
            let error = answer["error"].as_str().unwrap();
            assert!(error.contains("scheduler.roxy_wi.write_back"), "{error}");
            assert_eq!(roxy_wi.world().posted, Vec::<Value>::new());
            assert_eq!(console.get(own).await, switches_of(7, 1, 1, 1));
        }
        up.stop().await;
    }
}

fn switches_of(id: u64, enabled: u8, notify: u8, history: u8) -> Value {
    json!({"server_id": id, "enabled": enabled, "notify": notify, "history": history})
}

#[tokio::test]
async fn somebody_looks_at_it_in_a_browser() {
    let port = free_port();
    let site = Site::new(&settings(port));
    let _listener = Listener::start(port).await;
    let (up, base) = site.up().await;
    up.line("scan of lb-1").await;
    site.user("anna", &["--role", "operator"]).await;

    let browser = Browser::start().await;
    browser.goto(&base).await;
    browser.shows("Log in").await;
    browser.write("[name=login]", "anna").await;
    browser.write("[name=password]", PASSWORD).await;
    browser.click(".login button").await;
    let page = browser.shows("Total opened ports: 1").await;
    for words in [
        "Port scanner",
        "lb-1",
        "other-1",
        "Last scan:",
        "Keep history",
        "Run scan",
    ] {
        assert!(page.contains(words), "{words} is not on {page}");
    }

    // A tick is enough, and it lasts.
    browser.click("section:first-of-type [name=notify]").await;
    browser
        .shows("Set by hand: notify off (last by anna)")
        .await;
    assert_eq!(site.target("lb-1").await["notify"], false);

    browser
        .click("section:first-of-type form:last-of-type button")
        .await;
    let scan = browser.shows("State").await;
    assert!(
        scan.contains(&format!("127.0.0.1 {port}/tcp open")),
        "{scan}"
    );

    browser.click("h1 a").await;
    let history = browser.shows("Possible service name").await;
    assert!(
        history.contains(&format!("OPENED 127.0.0.1 {port}/tcp")),
        "{history}"
    );

    browser.click("header form button").await;
    browser.shows("Log in").await;
    browser.goto(&format!("{base}/portscanner")).await;
    browser.shows("Log in").await;
    browser.end().await;
}

#[tokio::test]
#[ignore = "needs RabbitMQ and PostgreSQL: run ./tests/run"]
async fn it_runs_alone_on_postgresql() {
    let servers = Servers::make();
    let environment = [
        ("PORTWATCH__STORE__URL", servers.store()),
        ("PORTWATCH__RUNTIME__LISTEN", "127.0.0.1:0".to_owned()),
    ];
    succeeds(&["migrate"], &environment).await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, PASSWORD).unwrap();
    let file = file.to_str().unwrap();
    succeeds(
        &["user", "add", "anna", "--password-file", file],
        &environment,
    )
    .await;
    let console = Portwatch::start(&["console"], &environment);
    let base = format!("http://{}", console.address().await);
    let health = format!("{base}/readyz");
    succeeds(&["healthcheck", "--url", &health], &[]).await;
    let program = Console::log_in(&base, "anna", PASSWORD).await;
    assert_eq!(program.get("/api/servers").await, json!([]));

    users_change(&environment, &base, program).await;

    let made = succeeds(
        &["token", "add", "nightly", "--role", "viewer"],
        &environment,
    )
    .await;
    assert!(made.contains("pwt_"), "{made}");
    let listed = succeeds(&["token", "list"], &environment).await;
    assert!(
        listed.contains("nightly") && listed.contains("never"),
        "{listed}"
    );
    let (code, printed) = console.stop().await;
    assert_eq!(code, Some(0), "{printed}");
}

async fn users_change(environment: &[(&str, String)], base: &str, program: Console) {
    // A role counts at once; with a new password, whoever was logged in by the old one no longer is.
    let audit = async |program: &Console| {
        let (status, _) = program.call(Method::GET, "/api/v1/audit", None).await;
        status.as_u16()
    };
    assert_eq!(audit(&program).await, 403);
    let set = ["user", "set", "anna", "--role", "admin"];
    succeeds(&set, environment).await;
    assert_eq!(audit(&program).await, 200);
    let set = ["user", "set", "anna", "--new-password"];
    let made = succeeds(&set, environment).await;
    assert_eq!(audit(&program).await, 401);
    let password = made.trim().rsplit(' ').next().unwrap();
    let program = Console::log_in(base, "anna", password).await;
    succeeds(&["user", "remove", "anna"], environment).await;
    assert_eq!(audit(&program).await, 401);
    for (wrong, said) in [
        (
            vec!["user", "set", "bert", "--role", "admin"],
            "no user \"bert\"",
        ),
        (vec!["user", "add", "b\ne"], "is no name"),
        (vec!["user", "add", "bert", "--role", "king"], "king"),
        (vec!["token", "revoke", "00"], "no token"),
    ] {
        let output = Portwatch::output(&wrong, environment).await;
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(2) && error.contains(said),
            "{error}"
        );
    }
}
