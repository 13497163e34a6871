//! Targets that come from Roxy-WI: `portwatch roxy-wi sync` and `portwatch targets set`, against a server that answers
//! as Roxy-WI does.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use portwatch_tests::roxy_wi::{Server, Site, switches};
use portwatch_tests::until;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// Eight servers of all sorts.
fn lab() -> Vec<Server> {
    let plain = Server::new(0, "", "");
    let server = |id, hostname: &str, ip: &str| Server {
        id,
        hostname: hostname.to_owned(),
        ip: ip.to_owned(),
        ..plain.clone()
    };
    let quiet = Some([true, false, true]);
    vec![
        server(1, "lb-1", "127.0.0.2"),
        Server {
            switches: quiet,
            ..server(2, "'lb 2'", "127.0.0.3")
        },
        Server {
            enabled: false,
            ..server(3, "lb-3", "127.0.0.4")
        },
        Server {
            is_virtual: true,
            ..server(4, "vip", "127.0.0.5")
        },
        Server {
            switches: None,
            ..server(5, "lb-5", "127.0.0.6")
        },
        server(6, "by name", "LOCALHOST"),
        server(7, "lb-7", "::1"),
        Server {
            group: 1,
            ..server(8, "other-1", "127.0.0.8")
        },
    ]
}

#[tokio::test]
async fn each_server_is_a_target_as_its_switches_say() {
    let site = Site::new("").await;
    site.roxy_wi.world().servers = lab();
    let interval = ("port_scan_interval".to_owned(), "7".to_owned());
    site.roxy_wi.world().settings.extend([interval]);

    let planned = site.sync(&["--dry-run"]).await;
    assert_eq!(planned.len(), 7, "{planned:#?}");
    assert!(planned.iter().all(|line| line["becomes"] == "new"));
    assert!(site.targets().await.is_empty(), "a dry run changes nothing");

    assert_eq!(site.sync(&[]).await, planned);
    let expected = [
        ("by name", "lab-east", "localhost", [true; 3]),
        ("lb 2", "lab-east", "127.0.0.3", [true, false, true]),
        ("lb-1", "lab-east", "127.0.0.2", [true; 3]),
        ("lb-3", "lab-east", "127.0.0.4", [false, true, true]),
        ("lb-5", "lab-east", "127.0.0.6", [false; 3]),
        ("lb-7", "lab-east", "::1", [true; 3]),
        ("other-1", "Default", "127.0.0.8", [true; 3]),
    ];
    let targets = site.targets().await;
    assert_eq!(targets.len(), expected.len(), "{targets:#?}");
    for (target, (name, group, address, on)) in targets.iter().zip(expected) {
        assert_eq!(
            (&target["target"], &target["group"]),
            (&json!(name), &json!(group))
        );
        assert_eq!(
            (&target["addresses"], switches(target)),
            (&json!([address]), on),
            "{name}"
        );
        assert_eq!(target["schedule"], "every 7m");
    }
    assert!(
        site.sync(&[]).await.is_empty(),
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
async fn a_switch_is_set_in_roxy_wi_and_comes_back() {
    let site = Site::new("write_back = true").await;
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
            ..Server::new(3, "other", "127.0.0.4")
        },
    ];
    site.sync(&[]).await;
    let (code, out, err) = site
        .run(&["targets", "set", "lb-1", "--notify", "off"])
        .await;
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
        .run(&["targets", "set", "other", "--history", "off"])
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
}

#[tokio::test]
async fn what_was_read_earlier_does_not_take_the_place_of_what_was_set() {
    let site = Site::new("write_back = true").await;
    site.roxy_wi.world().servers = vec![Server::new(1, "lb-1", "127.0.0.2")];
    site.sync(&[]).await;
    let (path, release) = (
        "/api/server/portscanner/1".to_owned(),
        Arc::new(Notify::new()),
    );
    site.roxy_wi.world().held = Some((path.clone(), Arc::clone(&release)));
    let slow = site.sync(&[]);
    let others = async {
        // Its answer, with the switch on, is on the way.
        until("the answer to be held", || async {
            site.roxy_wi.world().held.is_none().then_some(())
        })
        .await;
        let (code, _, err) = site
            .run(&["targets", "set", "lb-1", "--notify", "off"])
            .await;
        assert_eq!(code, 0, "{err}");
        release.notify_one();
    };
    let (changes, ()) = tokio::join!(slow, others);
    assert!(changes.is_empty(), "{changes:#?}");
    assert_eq!(switches(&site.target("lb-1").await), [true, false, true]);
}

#[tokio::test]
async fn a_switch_that_is_not_set_in_roxy_wi_is_not_set() {
    let site = Site::new("").await;
    site.roxy_wi.world().servers = vec![
        Server::new(1, "lb-1", "127.0.0.2"),
        Server::new(2, "same", "127.0.0.3"),
        Server {
            group: 1,
            ..Server::new(3, "same", "127.0.0.4")
        },
    ];
    site.sync(&[]).await;
    let before = site.targets().await;
    let refused = async |arguments: &[&str], said: &str| {
        let arguments: Vec<_> = ["targets", "set"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        let (code, _, err) = site.run(&arguments).await;
        assert!(code == 2 && err.contains(said), "{arguments:?}: {err}");
    };
    let off = ["lb-1", "--notify", "off"];
    refused(&off, "scheduler.roxy_wi.write_back is not set").await;
    site.settings("write_back = true");
    refused(&["lb-1"], "--enabled, --notify or --history").await;
    refused(
        &["lb-1", "--as-configured"],
        "kept in Roxy-WI: nothing else is set",
    )
    .await;
    let user = site.roxy_wi.world().users["super"].clone();
    site.roxy_wi.world().users.get_mut("super").unwrap().role = 4;
    refused(&off, "403").await;
    site.roxy_wi.world().users.insert("super".to_owned(), user);

    let failed = json!({ "error": "locked", "status": "failed" }).to_string();
    let path = "/api/server/portscanner/1".to_owned();
    site.roxy_wi.world().broken = [(path, (200, "text/html", failed))].into();
    refused(&off, "failed: locked").await;
    assert!(site.roxy_wi.world().posted.is_empty());
    assert_eq!(site.targets().await, before);
}
