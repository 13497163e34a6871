//! A database and a virtual host of a test's own, on the private servers that `tests/run` starts.

use std::process::Command;

use uuid::Uuid;

/// A database and a virtual host; both go when this is dropped.
pub struct Servers {
    name: String,
}

impl Servers {
    /// Makes them.
    pub fn make() -> Self {
        let servers = Self {
            name: format!("pw_{}", Uuid::new_v4().simple()),
        };
        let name = &servers.name;
        psql(&format!("CREATE DATABASE {name}"));
        rabbitmqctl(&["add_vhost", name]);
        rabbitmqctl(&["set_permissions", "-p", name, "guest", ".*", ".*", ".*"]);
        servers
    }

    /// The broker's address with this virtual host.
    pub fn broker(&self) -> String {
        let url = variable("PORTWATCH_TEST_AMQP_URL");
        let (server, _) = url
            .rsplit_once('/')
            .expect("an AMQP address with a virtual host");
        format!("{server}/{}", self.name)
    }

    /// The database's address.
    pub fn store(&self) -> String {
        let url = variable("PORTWATCH_TEST_POSTGRES_URL");
        let (server, _) = url
            .rsplit_once('/')
            .expect("a PostgreSQL address with a database");
        format!("{server}/{}", self.name)
    }

    /// What a query on this database prints.
    pub fn query(&self, sql: &str) -> String {
        run(Command::new("psql").args(["-XqAt", "-d", &self.store(), "-c", sql]))
    }

    /// Publishes a body to the exchange `pw.work` with this routing key, through the broker's
    /// management command line: as any program with access to the broker could.
    pub fn publish(&self, key: &str, body: &str) {
        let publish = format!(
            "rabbit_basic:publish(rabbit_misc:r(<<\"{}\">>, exchange, <<\"pw.work\">>), <<\"{key}\">>, [], <<{:?}>>).",
            self.name, body,
        );
        rabbitmqctl(&["eval", &publish]);
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // A test that fails leaves them to the end of the run.
        if !std::thread::panicking() {
            psql(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
            rabbitmqctl(&["delete_vhost", &self.name]);
        }
    }
}

/// Stops the private broker and starts it again; returns when it answers. Nothing else may use it
/// meanwhile, so a test that does this is alone in its file.
pub fn restart_broker() {
    run(&mut Command::new(variable("PORTWATCH_TEST_BROKER_RESTART")));
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run ./tests/run"))
}

fn psql(sql: &str) {
    run(Command::new("psql").args([
        "-XqAt",
        "-d",
        &variable("PORTWATCH_TEST_POSTGRES_URL"),
        "-c",
        sql,
    ]));
}

fn rabbitmqctl(arguments: &[&str]) -> String {
    run(Command::new(variable("PORTWATCH_TEST_RABBITMQCTL"))
        .arg("-q")
        .args(arguments))
}

fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}
