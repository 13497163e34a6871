//! A console on SQLite, with two groups, a user of each role, and a source that keeps its switches itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use portwatch_console::{Deps, NotSet, SetAtSource, Settings, credentials, router};
use portwatch_domain::access::{Groups, Role, Scope};
use portwatch_domain::change::diff::diff;
use portwatch_domain::job::JobId;
use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::{Answer, Evidence, HostReport, HostState, PortState, PortVerdict};
use portwatch_domain::target::{Confirm, Schedule, Switches, Switching, Target, TargetId, Zone};
use portwatch_store::access::{NewToken, Owner, SaveUser};
use portwatch_store::snapshots::{Decided, SnapshotPart};
use portwatch_store::{Store, sqlite};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;
use uuid::Uuid;

/// The password of every user.
pub const PASSWORD: &str = "correct horse";

/// What a source was asked to set.
pub type Asked = Arc<Mutex<Vec<(TargetId, Switching)>>>;

pub struct Site {
    pub store: Store,
    pub console: Router,
    /// What the source `elsewhere` was asked.
    pub asked: Asked,
    _folder: TempDir,
}

/// An answer.
pub struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answered {
    pub fn json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json");
        serde_json::from_str(&self.text).unwrap()
    }
}

pub fn target(name: &str, group: &str, address: &str) -> Target {
    Target {
        id: TargetId::derive("settings", name),
        name: name.to_owned(),
        group: group.to_owned(),
        zone: Zone::default(),
        addresses: vec![address.parse().unwrap()],
        exclude: Vec::new(),
        ports: "22,80,443".parse().unwrap(),
        expected: None,
        allowed: PortSet::empty(),
        tags: Vec::new(),
        confirm: Confirm {
            open: 1,
            close: 1,
            down: 1,
        },
        schedule: Schedule::every(SignedDuration::from_mins(5)),
        discovery: false,
        follow_names: false,
        rate: 500,
        switches: Switches::default(),
    }
}

/// lb-1 and lb-2 in `east`, and other-1 in `west`.
pub fn servers() -> Vec<Target> {
    vec![
        target("lb-1", "east", "198.18.0.1"),
        target("lb-2", "east", "198.18.0.2"),
        target("other-1", "west", "198.18.0.3"),
    ]
}

impl Site {
    pub async fn new() -> Self {
        Self::with(&servers()).await
    }

    pub async fn with(servers: &[Target]) -> Self {
        let folder = TempDir::new().unwrap();
        let store = sqlite::open(&folder.path().join("portwatch.db")).unwrap();
        let synced = store.sync_targets("settings", servers, Timestamp::now());
        synced.await.unwrap();
        let asked = Asked::default();
        let deps = Deps {
            store: store.clone(),
            sources: BTreeMap::from([("elsewhere", source(&asked))]),
        };
        let console = router(deps, Settings::default()).unwrap();
        Self {
            store,
            console,
            asked,
            _folder: folder,
        }
    }

    /// Makes a user, whose password is [`PASSWORD`].
    pub async fn user(&self, name: &str, role: Role, groups: Option<&[&str]>) {
        let user = SaveUser {
            name: name.to_owned(),
            password: Some(credentials::hash_of_password(PASSWORD).unwrap()),
            scope: Some(scope(role, groups)),
        };
        let saved = self.store.save_user(user, "tests", Timestamp::now());
        saved.await.unwrap();
    }

    /// Makes a token.
    pub async fn token(&self, role: Role, groups: Option<&[&str]>) -> String {
        let fresh = credentials::token().unwrap();
        let token = NewToken {
            id: Uuid::new_v4(),
            hash: fresh.hash,
            name: format!("a program, {role}"),
            owner: Owner::Program(scope(role, groups)),
            expires_at: None,
        };
        let added = self.store.add_token(token, "tests", Timestamp::now());
        assert!(added.await.unwrap());
        fresh.token
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answered {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let from = SocketAddr::from(([127, 0, 0, 1], 40000));
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        request.extensions_mut().insert(ConnectInfo(from));
        let response = self.console.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answered {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// Asks with a token.
    pub async fn ask(&self, token: &str, method: Method, path: &str, body: &str) -> Answered {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        self.send(method, path, &headers, body).await
    }

    pub async fn get(&self, token: &str, path: &str) -> Answered {
        self.ask(token, Method::GET, path, "").await
    }

    pub async fn post(&self, token: &str, path: &str, body: &str) -> Answered {
        self.ask(token, Method::POST, path, body).await
    }

    /// The number of a server.
    pub async fn number(&self, target: &Target) -> u64 {
        use portwatch_store::numbers::Numbered;
        let name = target.id.to_string();
        let numbers = self.store.numbers(Numbered::Target, vec![name.clone()]);
        numbers.await.unwrap()[&name]
    }

    /// lb-1 was scanned three times, a minute after each other: port 80 opened and closed again.
    pub async fn scanned_three_times(&self) {
        let listed = &servers()[0];
        let at: Timestamp = "2026-11-22T12:35:53.9Z".parse().unwrap();
        for (run, open) in [(1, "22"), (2, "22,80"), (3, "22")] {
            let minutes = SignedDuration::from_mins(i64::try_from(run).unwrap() - 1);
            self.scanned(listed, run, "198.18.0.1", open, at + minutes)
                .await;
        }
    }

    /// A scan of a target, of one host, has found these ports open and the others closed.
    pub async fn scanned(&self, target: &Target, run: u64, ip: &str, open: &str, at: Timestamp) {
        let report = report(ip, open);
        let job = JobId::derive(target.id, run, 0);
        let part = SnapshotPart {
            job,
            part: 0,
            target: target.id,
            run,
            hosts: vec![report.ip],
            now: at,
        };
        let decide = Box::new(move |loaded: portwatch_store::snapshots::Loaded| {
            let mut decided = Decided::default();
            for record in loaded.hosts {
                let outcome = diff(&loaded.target, record, &report, run, at);
                let changes = outcome.changes.into_iter();
                decided
                    .history
                    .extend(changes.map(|change| (report.ip, change)));
                decided.hosts.push(outcome.after);
            }
            decided
        });
        self.store.apply_snapshot(part, decide).await.unwrap();
    }
}

fn scope(role: Role, groups: Option<&[&str]>) -> Scope {
    let these = |groups: &[&str]| {
        let groups = groups.iter().map(|&group| group.to_owned());
        Groups::These(groups.collect())
    };
    Scope {
        role,
        groups: groups.map_or(Groups::All, these),
    }
}

fn source(asked: &Asked) -> SetAtSource {
    let asked = asked.clone();
    Arc::new(move |target, switching| {
        let asked = asked.clone();
        Box::pin(async move {
            if switching.history == Some(false) {
                return Err(NotSet::Refused("the source does not want to".to_owned()));
            }
            if switching.enabled == Some(false) {
                return Err(NotSet::Failed("the source does not answer".to_owned()));
            }
            asked.lock().unwrap().push((target, switching));
            Ok(())
        })
    })
}

fn report(ip: &str, open: &str) -> HostReport {
    let open: PortSet = if open.is_empty() {
        PortSet::empty()
    } else {
        open.parse().unwrap()
    };
    let covered: PortSet = "22,80,443".parse().unwrap();
    let verdict = |port: Port| PortVerdict {
        port,
        state: if open.contains(port) {
            PortState::Open
        } else {
            PortState::Closed
        },
        evidence: Evidence {
            answer: Answer::SynAck,
            ttl: None,
            rtt: None,
            probes: 1,
        },
        service: None,
    };
    HostReport {
        ip: ip.parse().unwrap(),
        name: None,
        state: HostState::Up,
        suspect: false,
        ports: covered.iter().map(verdict).collect(),
        coverage: covered,
        filtered: PortSet::empty(),
    }
}
