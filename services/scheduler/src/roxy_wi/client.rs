//! Roxy-WI over HTTP: one request and its answer. Time limits, how much is read, no redirects, no secrets in errors.

use std::time::Duration;

use reqwest::header::{ACCEPT, SET_COOKIE};
use reqwest::{Method, RequestBuilder, Response, Url, redirect};
use serde_json::{Value, json};

use super::answer::{Answer, Problem};
use super::settings::{Access, UserSettings};

/// How long a request and its answer may take.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(15);

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How much of an answer is read, in MiB: ten thousand servers are five.
const READ_LIMIT: usize = 16;

/// The cookie that a login through the web panel is given.
const COOKIE: &str = "access_token_cookie=";

/// A call failed; says which, for whom, and why.
#[derive(Debug, thiserror::Error)]
#[error("{call} as {login:?}: {problem}")]
pub struct CallError {
    call: String,
    login: String,
    /// Why.
    pub problem: Problem,
}

/// What a login is answered with. It counts for an hour, and dies when the user's active group changes.
#[derive(Clone)]
pub(super) struct Token(String);

/// Speaks with one Roxy-WI.
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
}

impl Client {
    pub fn new(access: &Access) -> Result<Self, String> {
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(TOTAL_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .tls_certs_merge(access.ca.iter().cloned())
            .user_agent(concat!("portwatch/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            http: http.map_err(|error| format!("preparing HTTP: {}", described(&error)))?,
            base: access.base.clone(),
        })
    }

    /// Logs in through the API; where that does not work, as the web panel does.
    pub async fn login(&self, user: &UserSettings) -> Result<Token, CallError> {
        let (login, password) = (&user.login, user.password.reveal());
        let body = json!({ "login": login, "password": password });
        let (answer, _) = self.login_at("api/login", user, &body).await?;
        let refused = match answer.judge(password) {
            Ok(json) => match json["access_token"].as_str() {
                Some(token) => return Ok(Token(token.to_owned())),
                None => Problem::Unreadable("no access_token".to_owned()),
            },
            Err(problem @ (Problem::Subscription | Problem::Redirected(_))) => {
                return Err(failed("POST /api/login", user, problem));
            }
            Err(problem) => problem,
        };
        // Some builds refuse everybody at /api/login, and let users in at the panel.
        let body = json!({ "login": login, "pass": password });
        let (answer, cookie) = self.login_at("login", user, &body).await?;
        if let Some(token) = cookie.filter(|_| answer.status == 200) {
            return Ok(token);
        }
        let problem = Problem::Login(refused.to_string());
        Err(failed("POST /api/login", user, problem))
    }

    async fn login_at(
        &self,
        path: &str,
        user: &UserSettings,
        body: &Value,
    ) -> Result<(Answer, Option<Token>), CallError> {
        let request = self.request(Method::POST, path).body(body.to_string());
        let call = || format!("POST /{path}");
        let answer = send(request).await;
        let answer = answer.map_err(|problem| failed(&call(), user, problem))?;
        let cookies = answer.headers().get_all(SET_COOKIE).iter();
        let mut tokens = cookies.filter_map(|cookie| {
            let token = cookie.to_str().ok()?.strip_prefix(COOKIE)?;
            let token = token.split(';').next().unwrap_or_default().trim();
            (!token.is_empty()).then(|| Token(token.to_owned()))
        });
        let token = tokens.next_back();
        let answer = read(answer).await;
        let answer = answer.map_err(|problem| failed(&call(), user, problem))?;
        Ok((answer, token))
    }

    /// Gets what is at a path.
    pub async fn get(
        &self,
        user: &UserSettings,
        token: &Token,
        path: &str,
    ) -> Result<Value, CallError> {
        let request = self.request(Method::GET, path);
        self.call(user, token, request, &format!("GET /{path}"))
            .await
    }

    /// Posts JSON.
    pub async fn post(
        &self,
        user: &UserSettings,
        token: &Token,
        path: &str,
        body: &Value,
    ) -> Result<Value, CallError> {
        let request = self.request(Method::POST, path).body(body.to_string());
        self.call(user, token, request, &format!("POST /{path}"))
            .await
    }

    async fn call(
        &self,
        user: &UserSettings,
        token: &Token,
        request: RequestBuilder,
        call: &str,
    ) -> Result<Value, CallError> {
        let answered = async {
            let answer = read(send(request.bearer_auth(&token.0)).await?).await?;
            answer.judge(&token.0)
        };
        answered
            .await
            .map_err(|problem| failed(call, user, problem))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        // The base ends in a slash and the path is ours, so that joining them always works.
        let url = self.base.join(path).unwrap_or_else(|_| self.base.clone());
        let request = self
            .http
            .request(method, url)
            .header(ACCEPT, "application/json");
        request.header(reqwest::header::CONTENT_TYPE, "application/json")
    }
}

/// A failure of a call that answered in some way.
pub(super) fn failed(call: &str, user: &UserSettings, problem: Problem) -> CallError {
    CallError {
        call: call.to_owned(),
        login: user.login.clone(),
        problem,
    }
}

async fn send(request: RequestBuilder) -> Result<Response, Problem> {
    let sent = request.send().await;
    sent.map_err(|error| Problem::Unreachable(described(&error.without_url())))
}

async fn read(mut answer: Response) -> Result<Answer, Problem> {
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    loop {
        let chunk = answer.chunk().await;
        let chunk = chunk.map_err(|error| Problem::Unreachable(described(&error.without_url())))?;
        let Some(chunk) = chunk else {
            return Ok(Answer { status, body });
        };
        body.extend_from_slice(&chunk);
        if body.len() > READ_LIMIT << 20 {
            return Err(Problem::TooLong(READ_LIMIT));
        }
    }
}

/// An error with its causes, which say what really happened.
fn described(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
