//! A virtual host for one test.

use std::path::PathBuf;

use tokio::process::Command;
use uuid::Uuid;

/// Deleted when it is dropped.
pub(crate) struct Vhost {
    pub(crate) name: String,
    /// The broker's URL, up to the virtual host.
    base: String,
}

impl Vhost {
    pub(crate) async fn create() -> Self {
        let url = variable("PORTWATCH_TEST_AMQP_URL");
        let (base, _) = url.rsplit_once('/').unwrap();
        let name = format!("test-{}", Uuid::new_v4().simple());
        rabbitmqctl(&["add_vhost", &name]).await;
        let (_, login) = base.split_once("://").unwrap();
        let (user, _) = login.split_once(':').unwrap();
        rabbitmqctl(&["set_permissions", "-p", &name, user, ".*", ".*", ".*"]).await;
        let base = base.to_owned();
        Self { name, base }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/{}", self.base, self.name)
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        let program = variable("PORTWATCH_TEST_RABBITMQCTL");
        let mut delete = std::process::Command::new(program);
        let deleted = delete.args(["-q", "delete_vhost", &self.name]).status();
        assert!(
            std::thread::panicking() || deleted.is_ok_and(|status| status.success()),
            "the virtual host {} was not deleted",
            self.name
        );
    }
}

/// Runs `rabbitmqctl` on the test broker; gives what it prints.
pub(crate) async fn rabbitmqctl(arguments: &[&str]) -> String {
    let program = PathBuf::from(variable("PORTWATCH_TEST_RABBITMQCTL"));
    let output = Command::new(program).arg("-q").args(arguments).output();
    let output = output.await.unwrap();
    assert!(
        output.status.success(),
        "rabbitmqctl {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run ./tests/run"))
}
