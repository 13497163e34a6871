//! A server that answers as Roxy-WI 8.3.0 was seen to answer: JSON as `text/html`, ids as numbers here and texts there,
//! 404 with three meanings, 401 with two.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::sync::Notify;

mod answers;
mod site;

pub use answers::NO_SUBSCRIPTION;
pub use site::{Site, switches};

/// A server that Roxy-WI manages.
#[derive(Clone, Debug)]
pub struct Server {
    /// `server_id`.
    pub id: u64,
    /// Its name, as it is stored.
    pub hostname: String,
    /// An address, or a name.
    pub ip: String,
    /// The number of its group.
    pub group: u64,
    /// Managed at all.
    pub enabled: bool,
    /// `type_ip`: an address that moves.
    pub is_virtual: bool,
    /// enabled, notify, history; `None` if nobody ever set them.
    pub switches: Option<[bool; 3]>,
}

impl Server {
    /// A server whose switches are all on, in group 2.
    pub fn new(id: u64, hostname: &str, ip: &str) -> Self {
        Self {
            id,
            hostname: hostname.to_owned(),
            ip: ip.to_owned(),
            group: 2,
            enabled: true,
            is_virtual: false,
            switches: Some([true; 3]),
        }
    }
}

/// A user of Roxy-WI.
#[derive(Clone, Debug)]
pub struct User {
    /// In the clear.
    pub password: String,
    /// The active group.
    pub group: u64,
    /// 1 superAdmin, 2 admin, 3 user, 4 guest.
    pub role: u64,
}

/// What it holds, for tests to look at and to change.
pub struct World {
    /// In the order in which they are listed.
    pub servers: Vec<Server>,
    /// Names, by number.
    pub groups: BTreeMap<u64, String>,
    /// By login.
    pub users: BTreeMap<String, User>,
    /// The settings of group 1, as texts.
    pub settings: BTreeMap<String, String>,
    /// Without one, every call of the API is refused.
    pub has_subscription: bool,
    /// Some builds let nobody in at `/api/login`.
    pub api_login_works: bool,
    /// Answers in the place of true ones: path → status, content type, body.
    pub broken: BTreeMap<String, (u16, &'static str, String)>,
    /// Every request that came: `GET /api/servers`.
    pub requests: Vec<String>,
    /// Bodies that were posted to switches.
    pub posted: Vec<Value>,
    /// The next answer at this path is made, and waits.
    pub held: Option<(String, Arc<Notify>)>,
    tokens: BTreeMap<String, (String, u64)>,
    made: u64,
}

impl World {
    /// Tokens count no longer, as after an hour.
    pub fn expire_tokens(&mut self) {
        self.tokens.clear();
    }

    /// How many of the requests that came begin so.
    pub fn count(&self, beginning: &str) -> usize {
        let requests = self.requests.iter();
        requests
            .filter(|request| request.starts_with(beginning))
            .count()
    }

    /// The server with this id.
    pub fn server(&mut self, id: u64) -> &mut Server {
        self.servers
            .iter_mut()
            .find(|server| server.id == id)
            .unwrap()
    }

    fn token(&mut self, login: &str) -> String {
        self.made += 1;
        let token = format!("eyJ0eXAiOiJKV1QifQ.secret-token-{}", self.made);
        let group = self.users[login].group;
        self.tokens.insert(token.clone(), (login.to_owned(), group));
        token
    }

    /// Who asks: the token has to be known, and of the group that the user is in now.
    fn caller(&self, headers: &HeaderMap) -> Option<&User> {
        let bearer = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (login, group) = self.tokens.get(bearer.strip_prefix("Bearer ")?)?;
        self.users.get(login).filter(|user| user.group == *group)
    }
}

/// A Roxy-WI on a port of its own.
pub struct RoxyWi {
    address: SocketAddr,
    world: Arc<Mutex<World>>,
}

/// The password of each user.
pub const PASSWORD: &str = "Lab-User-Pass-1";

impl RoxyWi {
    /// Starts one with two groups, no servers, and a service user of group 2: `portwatch`, an admin.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        let user = |group, role| User {
            password: PASSWORD.to_owned(),
            group,
            role,
        };
        let texts =
            |pairs: [(&str, &str); 2]| pairs.map(|(a, b)| (a.to_owned(), b.to_owned())).into();
        let world = World {
            servers: Vec::new(),
            groups: [(1, "Default".to_owned()), (2, "lab-east".to_owned())].into(),
            users: [
                ("portwatch".to_owned(), user(2, 2)),
                ("super".to_owned(), user(1, 1)),
            ]
            .into(),
            settings: texts([
                ("port_scan_interval", "5"),
                ("portscanner_keep_history_range", "14"),
            ]),
            has_subscription: true,
            api_login_works: true,
            broken: BTreeMap::new(),
            requests: Vec::new(),
            posted: Vec::new(),
            held: None,
            tokens: BTreeMap::new(),
            made: 0,
        };
        let world = Arc::new(Mutex::new(world));
        let app = Router::new().fallback(answer).with_state(world.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, world }
    }

    /// What it holds.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A `[scheduler.roxy_wi]` section that names it, both users, and more.
    pub fn settings(&self, more: &str) -> String {
        let mut text = format!("[scheduler.roxy_wi]\nurl = '{}'\n", self.url());
        writeln!(text, "login = 'portwatch'\npassword = '{PASSWORD}'").unwrap();
        writeln!(
            text,
            "users = [{{ login = 'super', password = '{PASSWORD}' }}]\n{more}"
        )
        .unwrap();
        text
    }
}

async fn answer(
    State(world): State<Arc<Mutex<World>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (response, held) = {
        let mut world = world.lock().unwrap();
        let held = world.held.take_if(|(path, _)| path == uri.path());
        (
            answered(&mut world, &method, uri.path(), &headers, &body),
            held,
        )
    };
    if let Some((_, release)) = held {
        release.notified().await;
    }
    response
}

fn answered(
    world: &mut World,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Response {
    world.requests.push(format!("{method} {path}"));
    if let Some((status, kind, body)) = world.broken.get(path) {
        let status = StatusCode::from_u16(*status).unwrap();
        return (status, [(header::CONTENT_TYPE, *kind)], body.clone()).into_response();
    }
    if path.starts_with("/api/") && !world.has_subscription {
        return answers::failed(401, &format!("401 Unauthorized: {NO_SUBSCRIPTION}"));
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    match (method, path) {
        (&Method::POST, "/api/login") => return api_login(world, &body),
        (&Method::POST, "/login") => return panel_login(world, &body),
        _ => {}
    }
    let Some(caller) = world.caller(headers).cloned() else {
        return answers::unauthorized();
    };
    match (method, path) {
        (&Method::GET, "/api/servers") if caller.role <= 2 => answers::servers(world, caller.group),
        (&Method::GET, "/api/groups") if caller.role <= 1 => answers::groups(world),
        (&Method::GET, "/api/settings/monitoring") if caller.role <= 2 => {
            answers::monitoring(world, caller.group)
        }
        (_, path) if caller.role <= 3 => match path.strip_prefix("/api/server/portscanner/") {
            Some(id) => answers::portscanner(world, caller.group, method, id, &body),
            None => answers::forbidden(),
        },
        _ => answers::forbidden(),
    }
}

fn is_right(world: &World, login: &Value, password: &Value) -> Option<String> {
    let login = login.as_str()?;
    let user = world.users.get(login)?;
    (user.password == password.as_str()?).then(|| login.to_owned())
}

fn api_login(world: &mut World, body: &Value) -> Response {
    match is_right(world, &body["login"], &body["password"]) {
        Some(login) if world.api_login_works => {
            let token = world.token(&login);
            answers::json(200, &json!({ "access_token": token }))
        }
        _ => answers::failed(401, "Internal server error"),
    }
}

/// As the panel's form logs in: the token comes as a cookie. Who is not let in gets 200, and no cookie.
fn panel_login(world: &mut World, body: &Value) -> Response {
    let Some(login) = is_right(world, &body["login"], &body["pass"]) else {
        return answers::failed(200, "ban");
    };
    let token = world.token(&login);
    let cookies = [
        "csrf_access_token=x; Path=/".to_owned(),
        format!("access_token_cookie={token}; Secure; HttpOnly; Path=/"),
    ];
    let mut response = answers::html(200, "{\"status\": \"done\"}".to_owned());
    for cookie in cookies {
        response
            .headers_mut()
            .append(header::SET_COOKIE, cookie.parse().unwrap());
    }
    response
}
