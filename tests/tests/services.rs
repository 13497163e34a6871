//! Each service as its operator meets it, over RabbitMQ and PostgreSQL.

#![expect(clippy::unwrap_used, reason = "tests")]

use portwatch_tests::{Portwatch, Servers, until};

/// The settings of a service, by environment alone.
fn environment(servers: &Servers) -> Vec<(&'static str, String)> {
    vec![
        ("PORTWATCH__BROKER__URL", servers.broker()),
        ("PORTWATCH__STORE__URL", servers.store()),
        ("PORTWATCH__RUNTIME__LISTEN", "127.0.0.1:0".to_owned()),
    ]
}

async fn healthcheck(address: &str, path: &str) -> (Option<i32>, String) {
    let url = format!("http://{address}{path}");
    let asked = Portwatch::output(&["healthcheck", "--url", &url], &[]).await;
    (
        asked.status.code(),
        String::from_utf8(asked.stdout).unwrap(),
    )
}

#[tokio::test]
#[ignore = "needs RabbitMQ and PostgreSQL: run ./tests/run"]
async fn each_service_tells_its_health_and_stops_at_sigterm() {
    let servers = Servers::make();
    let environment = environment(&servers);
    let migrated = Portwatch::output(&["migrate"], &environment).await;
    assert!(migrated.status.success());
    for role in ["scheduler", "scanner", "differ", "notifier", "console"] {
        let service = Portwatch::start(&[role], &environment);
        let address = service.address().await;
        until(&format!("the {role} to be ready"), || async {
            (healthcheck(&address, "/readyz").await.0 == Some(0)).then_some(())
        })
        .await;
        assert_eq!(
            healthcheck(&address, "/healthz").await,
            (Some(0), "ok\n".to_owned())
        );
        let (_, metrics) = healthcheck(&address, "/metrics").await;
        assert!(metrics.contains("portwatch_"), "{role}: {metrics}");
        let (code, printed) = service.stop().await;
        assert_eq!(code, Some(0), "{role}: {printed}");
    }
}

#[tokio::test]
#[ignore = "needs RabbitMQ and PostgreSQL: run ./tests/run"]
async fn a_service_without_its_tables_says_what_to_do() {
    let servers = Servers::make();
    let ended = Portwatch::output(&["differ"], &environment(&servers)).await;
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{told}");
    assert!(told.contains("run `portwatch migrate`"), "{told}");
}

#[tokio::test]
#[ignore = "needs RabbitMQ and PostgreSQL: run ./tests/run"]
async fn malformed_messages_end_dead_with_the_reason_and_can_be_sent_again() {
    let servers = Servers::make();
    let environment = environment(&servers);
    assert!(
        Portwatch::output(&["migrate"], &environment)
            .await
            .status
            .success()
    );
    let differ = Portwatch::start(&["differ"], &environment);
    let address = differ.address().await;
    until("the differ to be ready", || async {
        (healthcheck(&address, "/readyz").await.0 == Some(0)).then_some(())
    })
    .await;
    // An operator's publish through the broker's own program, as anybody with access could make it.
    for body in ["not json", r#"{"specversion":"1.0"}"#] {
        servers.publish("snapshot.0", body);
    }
    servers.publish("job.nobody.normal", "{}");
    let dead = until("three dead messages", || async {
        let listed = Portwatch::output(&["dead", "--bodies"], &environment).await;
        let listed = String::from_utf8(listed.stdout).unwrap();
        (listed.matches("attempts:").count() == 3).then_some(listed)
    })
    .await;
    assert!(
        dead.contains("not json") && dead.contains("unroutable"),
        "{dead}"
    );
    assert!(dead.contains("specversion"), "{dead}");
    let (_, ready) = healthcheck(&address, "/readyz").await;
    assert!(ready.contains(r#""status":"ok""#), "{ready}");
    assert_eq!(differ.stop().await.0, Some(0));
}
