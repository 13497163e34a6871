//! Targets that come from Roxy-WI: `portwatch roxy-wi sync`, `portwatch targets set`, and the scheduler, against a
//! server that answers as Roxy-WI does.

#![expect(clippy::unwrap_used, reason = "tests")]

use portwatch_tests::roxy_wi::{NO_SUBSCRIPTION, PASSWORD, RoxyWi, Server};
use portwatch_tests::{Portwatch, free_port};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A data directory, and settings that name a Roxy-WI.
struct Site {
    folder: TempDir,
    roxy_wi: RoxyWi,
}

impl Site {
    /// With what `portwatch up` leaves behind: 127.0.0.1 was once watched.
    async fn new(settings: &str) -> Self {
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

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes the settings: the section, `more` in it and behind it.
    fn settings(&self, more: &str) {
        std::fs::write(self.path("portwatch.toml"), self.roxy_wi.settings(more)).unwrap();
    }

    /// Runs a command here; gives its exit code and what it printed on both streams.
    async fn run(&self, arguments: &[&str]) -> (i32, String, String) {
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
    async fn sync(&self, more: &[&str]) -> Vec<Value> {
        let mut arguments = vec!["roxy-wi", "sync", "--format", "ndjson"];
        arguments.extend(more);
        let (code, out, err) = self.run(&arguments).await;
        assert!(code <= 1 && err.is_empty(), "{code} {out}{err}");
        lines(&out)
    }

    /// The targets, without the one that did not come from Roxy-WI and must always be there.
    async fn targets(&self) -> Vec<Value> {
        let (code, out, err) = self.run(&["targets", "--format", "ndjson"]).await;
        assert_eq!(code, 0, "{err}");
        let (own, others): (Vec<_>, Vec<_>) = lines(&out)
            .into_iter()
            .partition(|t| t["target"] == "127.0.0.1");
        assert_eq!(own.len(), 1, "{out}");
        others
    }

    async fn target(&self, name: &str) -> Value {
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

fn switches(target: &Value) -> [bool; 3] {
    ["enabled", "notify", "history"].map(|key| target[key].as_bool().unwrap())
}

#[tokio::test]
async fn each_server_is_a_target_as_its_switches_say() {
    let site = Site::new("").await;
    let with = |server: Server, change: fn(&mut Server)| {
        let mut server = server;
        change(&mut server);
        server
    };
    site.roxy_wi.world().servers = vec![
        Server::new(1, "lb-1", "127.0.0.2"),
        with(Server::new(2, "'lb 2'", "127.0.0.3"), |s| {
            s.switches = Some([true, false, true])
        }),
        with(Server::new(3, "lb-3", "127.0.0.4"), |s| s.enabled = false),
        with(Server::new(4, "vip", "127.0.0.5"), |s| s.is_virtual = true),
        with(Server::new(5, "lb-5", "127.0.0.6"), |s| s.switches = None),
        Server::new(6, "by name", "LOCALHOST"),
        Server::new(7, "lb-7", "::1"),
        with(Server::new(8, "other-1", "127.0.0.8"), |s| s.group = 1),
    ];
    site.roxy_wi
        .world()
        .settings
        .insert("port_scan_interval".to_owned(), "7".to_owned());

    let planned = site.sync(&["--dry-run"]).await;
    assert_eq!(planned.len(), 7, "{planned:#?}");
    assert!(planned.iter().all(|line| line["becomes"] == "new"));
    assert_eq!(
        site.targets().await,
        Vec::<Value>::new(),
        "a dry run changes nothing"
    );

    assert_eq!(site.sync(&[]).await, planned);
    let targets = site.targets().await;
    let seen = |target: &Value| {
        let what = |key: &str| target[key].as_str().unwrap().to_owned();
        let address = target["addresses"][0].as_str().unwrap().to_owned();
        (what("target"), what("group"), address, switches(target))
    };
    let one = |name: &str, group: &str, address: &str, switches| {
        (
            name.to_owned(),
            group.to_owned(),
            address.to_owned(),
            switches,
        )
    };
    let expected = [
        one("by name", "lab-east", "localhost", [true; 3]),
        one("lb 2", "lab-east", "127.0.0.3", [true, false, true]),
        one("lb-1", "lab-east", "127.0.0.2", [true; 3]),
        one("lb-3", "lab-east", "127.0.0.4", [false, true, true]),
        one("lb-5", "lab-east", "127.0.0.6", [false; 3]),
        one("lb-7", "lab-east", "::1", [true; 3]),
        one("other-1", "Default", "127.0.0.8", [true; 3]),
    ];
    assert_eq!(targets.iter().map(seen).collect::<Vec<_>>(), expected);
    assert!(
        targets
            .iter()
            .all(|target| target["schedule"] == "every 7m"),
        "{targets:#?}"
    );
    assert_eq!(
        site.sync(&[]).await,
        Vec::<Value>::new(),
        "what is known does not change"
    );
    let (_, out, _) = site.run(&["roxy-wi", "sync"]).await;
    assert!(
        out.contains("7 targets by Roxy-WI's list; 0 changed"),
        "{out}"
    );
}

#[tokio::test]
async fn a_target_is_the_same_whatever_becomes_of_its_server() {
    let site = Site::new("").await;
    site.roxy_wi.world().servers = vec![
        Server::new(1, "lb-1", "127.0.0.2"),
        Server::new(2, "lb-2", "127.0.0.3"),
    ];
    site.sync(&[]).await;
    let before = site.target("lb-1").await;
    {
        let mut world = site.roxy_wi.world();
        let server = world.server(1);
        (server.hostname, server.ip, server.group) = ("edge".to_owned(), "127.0.0.9".to_owned(), 1);
    }
    let changes = site.sync(&[]).await;
    assert_eq!(changes.len(), 1, "{changes:#?}");
    let what = "name lb-1 → edge, group lab-east → Default, address 127.0.0.2 → 127.0.0.9";
    let what: Vec<_> = what.split(", ").collect();
    assert_eq!(
        (&changes[0]["becomes"], &changes[0]["what"]),
        (&json!("changed"), &json!(what))
    );
    let after = site.target("edge").await;
    assert_eq!(after["id"], before["id"]);

    // A virtual address is no server; one that is deleted is watched no longer, and takes up its state if it is back.
    site.roxy_wi.world().server(1).is_virtual = true;
    let second = site.roxy_wi.world().servers.remove(1);
    let gone = site.sync(&[]).await;
    assert!(
        gone.len() == 2 && gone.iter().all(|line| line["becomes"] == "gone"),
        "{gone:#?}"
    );
    assert_eq!(site.targets().await, Vec::<Value>::new());
    site.roxy_wi.world().server(1).is_virtual = false;
    site.roxy_wi.world().servers.push(second);
    site.sync(&[]).await;
    assert_eq!(site.target("edge").await["id"], before["id"]);
    assert_eq!(site.targets().await.len(), 2);
}

#[tokio::test]
async fn what_roxy_wi_does_not_know_comes_from_the_settings() {
    let more = "prefix = 'roxy: '\ngroups = { 1 = 'office' }\n\
         [[scheduler.groups]]\nname = 'office'\nzone = 'dmz'\nports = '22,80'\ncron = '*/10 * * * *'\nnotify = false\n";
    let site = Site::new(more).await;
    site.roxy_wi.world().servers = vec![
        Server::new(1, "same", "127.0.0.2"),
        Server::new(2, "same", "127.0.0.3"),
        Server {
            group: 1,
            ..Server::new(3, "web", "127.0.0.4")
        },
    ];
    site.roxy_wi.world().groups.remove(&2);
    site.sync(&[]).await;
    let web = site.target("roxy: web").await;
    assert_eq!(
        (&web["group"], &web["zone"]),
        (&json!("office"), &json!("dmz"))
    );
    assert_eq!(switches(&web), [true; 3], "the switches are Roxy-WI's");
    assert!(web["schedule"].as_str().unwrap().contains("*/10"), "{web}");
    // Nobody names group 2, and two servers have one name.
    for (name, address) in [
        ("roxy: same (1)", "127.0.0.2"),
        ("roxy: same (2)", "127.0.0.3"),
    ] {
        let target = site.target(name).await;
        assert_eq!(target["group"], "roxy-wi-2");
        assert_eq!(target["addresses"], json!([address]));
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_watched_is_named_and_the_others_go_on() {
    let site = Site::new("").await;
    site.roxy_wi.world().servers = vec![
        Server::new(1, "lb-1", "127.0.0.2"),
        Server::new(2, "lb-2", "127.0.0.3"),
    ];
    site.sync(&[]).await;
    for (ip, why) in [
        ("10.0.0.0/8", "is more than one"),
        ("127.0.0.1-127.0.0.9", "is more than one"),
        ("127.0.0.300", "is not a target"),
        ("", "is not a target"),
        ("fe80::1%eth0", "names an interface"),
        ("0.0.0.0", "is not the address of a host"),
    ] {
        site.roxy_wi.world().server(1).ip = ip.to_owned();
        let lines = site.sync(&[]).await;
        let refused = lines[0]["refused"].as_str().unwrap();
        assert!(
            refused.starts_with("server 1: ") && refused.contains(why),
            "{refused}"
        );
        assert_eq!(
            site.target("lb-1").await["addresses"],
            json!(["127.0.0.2"]),
            "it stays as it was"
        );
    }
    let (code, out, _) = site.run(&["roxy-wi", "sync"]).await;
    assert!(
        code == 1 && out.contains("cannot be watched: server 1: "),
        "{code} {out}"
    );
    // Its switches still count.
    site.roxy_wi.world().server(1).switches = Some([false, true, false]);
    site.roxy_wi.world().server(2).switches = Some([true, true, false]);
    site.sync(&[]).await;
    assert_eq!(switches(&site.target("lb-1").await), [false, true, false]);
    assert_eq!(switches(&site.target("lb-2").await), [true, true, false]);
}

#[tokio::test]
async fn if_anything_cannot_be_read_nothing_changes() {
    const HTML: &str = "text/html; charset=utf-8";
    const JSON: &str = "application/json";
    let site = Site::new("").await;
    site.roxy_wi.world().servers = vec![
        Server::new(1, "lb-1", "127.0.0.2"),
        Server::new(2, "lb-2", "127.0.0.3"),
    ];
    site.sync(&[]).await;
    let before = site.targets().await;
    // Each of these would change something if it were read in part.
    site.roxy_wi.world().server(1).switches = Some([false; 3]);
    site.roxy_wi.world().servers.remove(1);

    let failed = r#"{"error":"no database","status":"failed"}"#;
    let paths = [
        "/api/servers",
        "/api/groups",
        "/api/settings/monitoring",
        "/api/server/portscanner/1",
    ];
    for path in paths {
        for (status, kind, body, said) in [
            (
                500,
                HTML,
                "<html>Internal Server Error</html>",
                "500: <html>Internal",
            ),
            (502, HTML, "", "502"),
            (
                200,
                JSON,
                failed,
                "Roxy-WI says that it failed: no database",
            ),
            (200, HTML, "<!doctype html>", "the answer is no JSON"),
            (200, JSON, "[{\"server_id\":1", "the answer is no JSON"),
            (200, JSON, "null", "and this came: null"),
            (
                200,
                JSON,
                "[{}]",
                if path.ends_with("/1") {
                    "and this came: [{}]"
                } else {
                    " is missing"
                },
            ),
            (302, HTML, "", "redirects are not followed"),
            (404, HTML, "<html>nginx</html>", "the answer is no JSON"),
            (
                401,
                JSON,
                failed,
                "401, also after a new login: no database",
            ),
        ] {
            let answer = (status, kind, body.to_owned());
            site.roxy_wi.world().broken = [(path.to_owned(), answer)].into();
            let (code, out, err) = site.run(&["roxy-wi", "sync"]).await;
            assert_eq!((code, out.as_str()), (2, ""), "{path} {status} {body}");
            assert!(err.contains(said), "{path} {status}: {err}");
            assert!(err.contains(&format!("GET {path} as ")), "{path}: {err}");
            assert!(err.contains(&site.roxy_wi.url()), "{err}");
        }
    }
    // A server that is listed and cannot be found is no server without switches: it went meanwhile, or we see it no more.
    for said in [
        "Cannot find server: Resource not found",
        "Cannot find server: Resource not found in group",
    ] {
        let body = json!({ "error": said, "status": "failed" }).to_string();
        let answer = ("/api/server/portscanner/1".to_owned(), (404, JSON, body));
        site.roxy_wi.world().broken = [answer].into();
        let (code, _, err) = site.run(&["roxy-wi", "sync"]).await;
        assert!(code == 2 && err.contains(said), "{err}");
    }
    site.roxy_wi.world().broken.clear();
    for (param, value) in [
        ("port_scan_interval", "0"),
        ("port_scan_interval", "often"),
        ("portscanner_keep_history_range", "-1"),
    ] {
        let was = site
            .roxy_wi
            .world()
            .settings
            .insert(param.to_owned(), value.to_owned())
            .unwrap();
        let (code, _, err) = site.run(&["roxy-wi", "sync"]).await;
        assert!(
            code == 2 && err.contains(&format!("{param} is \"{value}\": set it to 1 to ")),
            "{err}"
        );
        site.roxy_wi.world().settings.insert(param.to_owned(), was);
    }
    assert_eq!(site.targets().await, before, "nothing changed");
    site.sync(&[]).await;
    assert_eq!(site.targets().await.len(), 1);
}

#[tokio::test]
async fn who_is_not_let_in_is_told_why() {
    let site = Site::new("").await;
    site.roxy_wi.world().servers = vec![Server::new(1, "lb-1", "127.0.0.2")];
    site.roxy_wi.world().has_subscription = false;
    let (code, _, err) = site.run(&["roxy-wi", "sync"]).await;
    assert_eq!(code, 2);
    assert!(
        err.contains(NO_SUBSCRIPTION) && err.contains("import the servers from a file"),
        "{err}"
    );
    assert_eq!(
        site.roxy_wi.world().count("POST /login"),
        0,
        "another way in does not help"
    );

    site.roxy_wi.world().has_subscription = true;
    site.roxy_wi.world().api_login_works = false;
    assert_eq!(site.sync(&[]).await.len(), 1, "in by the panel's way");
    assert_eq!(
        site.roxy_wi.world().count("POST /login"),
        2,
        "once for each user"
    );

    for user in site.roxy_wi.world().users.values_mut() {
        user.password = "another".to_owned();
    }
    let (code, _, err) = site.run(&["roxy-wi", "sync"]).await;
    assert_eq!(code, 2);
    assert!(
        err.contains("as \"portwatch\": the login is refused") && err.contains("scheduler.roxy_wi"),
        "{err}"
    );
    assert_eq!(site.targets().await.len(), 1);

    for user in site.roxy_wi.world().users.values_mut() {
        user.password = PASSWORD.to_owned();
        user.role = 3;
    }
    let (code, _, err) = site.run(&["roxy-wi", "sync"]).await;
    assert!(
        code == 2 && err.contains("403 Forbidden") && err.contains("role admin"),
        "{err}"
    );
}

#[tokio::test]
async fn a_switch_is_set_in_roxy_wi_and_comes_back() {
    let site = Site::new("").await;
    site.roxy_wi.world().servers = vec![
        Server {
            switches: Some([true, true, false]),
            ..Server::new(1, "lb-1", "127.0.0.2")
        },
        Server {
            switches: None,
            enabled: false,
            ..Server::new(2, "lb-2", "127.0.0.3")
        },
        Server {
            group: 1,
            ..Server::new(3, "same", "127.0.0.4")
        },
        Server::new(4, "other", "127.0.0.5"),
    ];
    site.sync(&[]).await;
    let set = ["targets", "set", "lb-1", "--notify", "off"];
    let (code, _, err) = site.run(&set).await;
    assert!(
        code == 2 && err.contains("scheduler.roxy_wi.write_back is not set"),
        "{err}"
    );
    assert!(site.roxy_wi.world().posted.is_empty());

    site.settings("write_back = true");
    let (code, out, err) = site.run(&set).await;
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("lb-1: enabled on, notify off, history off"),
        "{out}"
    );
    let all_three = json!({ "enabled": true, "notify": false, "history": false });
    assert_eq!(
        site.roxy_wi.world().posted,
        [all_three],
        "what is left out would become true"
    );
    assert_eq!(switches(&site.target("lb-1").await), [true, false, false]);

    // Nobody ever set this one's; and it is off as a whole.
    let (code, _, err) = site
        .run(&["targets", "set", "lab-east/lb-2", "--enabled", "on"])
        .await;
    assert!(code == 0 && err.contains("disabled in Roxy-WI"), "{err}");
    assert_eq!(
        site.roxy_wi.world().server(2).switches,
        Some([true, false, false])
    );
    assert_eq!(switches(&site.target("lb-2").await), [false; 3]);

    // As the user of its group.
    let (code, _, err) = site
        .run(&["targets", "set", "same", "--history", "off"])
        .await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(
        site.roxy_wi.world().server(3).switches,
        Some([true, true, false])
    );

    // What is changed there counts again, whatever was set here.
    site.roxy_wi.world().server(1).switches = Some([true; 3]);
    site.sync(&[]).await;
    assert_eq!(switches(&site.target("lb-1").await), [true; 3]);

    for (arguments, said) in [
        (
            vec!["127.0.0.1", "--notify", "off"],
            "the switches of other targets are in the settings file",
        ),
        (vec!["lb-1"], "--enabled, --notify or --history"),
    ] {
        let arguments: Vec<_> = ["targets", "set"].into_iter().chain(arguments).collect();
        let (code, _, err) = site.run(&arguments).await;
        assert!(code == 2 && err.contains(said), "{err}");
    }
    let refused = json!({ "error": "locked", "status": "failed" }).to_string();
    let before = site.targets().await;
    site.roxy_wi.world().posted.clear();
    let path = "/api/server/portscanner/1".to_owned();
    site.roxy_wi.world().broken = [(path, (200, "text/html", refused))].into();
    let (code, _, err) = site.run(&set).await;
    assert!(code == 2 && err.contains("failed: locked"), "{err}");
    assert_eq!(site.targets().await, before);
    assert!(site.roxy_wi.world().posted.is_empty());
}

#[tokio::test]
async fn wrong_settings_are_named() {
    let site = Site::new("").await;
    let url = site.roxy_wi.url();
    let user = format!("login = 'a'\npassword = '{PASSWORD}'\n");
    for (section, said) in [
        (format!("url = '{url}'"), "scheduler.roxy_wi.login: not set"),
        (
            format!("url = '{url}'\nlogin = 'a'"),
            "scheduler.roxy_wi.password: not set",
        ),
        (
            format!("url = '{url}'\n{user}users = [{{ login = 'b' }}]"),
            "scheduler.roxy_wi.users.0.password: not set",
        ),
        (user.clone(), "scheduler.roxy_wi.url: not set"),
        (format!("url = 'roxy'\n{user}"), "scheduler.roxy_wi.url: "),
        (
            format!("url = 'ftp://roxy'\n{user}"),
            "must begin with https://",
        ),
        (
            format!("url = 'https://me:{PASSWORD}@roxy'\n{user}"),
            "keys of their own",
        ),
        (
            format!("url = '{url}'\n{user}every = '0s'"),
            "scheduler.roxy_wi.every: from 1s to 24h",
        ),
        (
            format!("url = '{url}'\n{user}ca = 'x'"),
            "scheduler.roxy_wi.ca: certificates in PEM",
        ),
        (
            format!("url = '{url}'\n{user}groups = {{ lab = 'x' }}"),
            "scheduler.roxy_wi.groups.lab: not the number",
        ),
        (
            format!("url = '{url}'\n{user}groups = {{ 2 = ' ' }}"),
            "scheduler.roxy_wi.groups.2: a group needs a name",
        ),
        (
            format!("url = '{url}'\n{user}evry = '1m'"),
            "did you mean `scheduler.roxy_wi.every`?",
        ),
        (String::new(), "scheduler.roxy_wi.url is not set"),
    ] {
        std::fs::write(
            site.path("portwatch.toml"),
            format!("[scheduler.roxy_wi]\n{section}\n"),
        )
        .unwrap();
        let (code, _, err) = site.run(&["roxy-wi", "sync"]).await;
        assert!(code == 2 && err.contains(said), "{section}: {err}");
    }
    assert!(site.roxy_wi.world().requests.is_empty());
}
