//! Sending over HTTP, once for all channels: time limits, how much is read, no redirects, no secrets in errors.

mod answer;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use portwatch_domain::notification::Content;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, Proxy, Response, Url, redirect};
use serde_json::Value;

use super::guard::{self, Allowed, Guard};
use super::look::Look;
use super::secrets::Secrets;
use super::template::Template;
use super::{Channel, Failed, Message, Sent, address};
use crate::settings::Settings;

pub(crate) use answer::{Answer, parse_retry_after, said_no, usual};

/// How long all of an attempt may take, the answers' bodies included.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(15);

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer's body may take: once the status is there, the body only explains it.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// How much of an answer is read.
const READ_LIMIT: usize = 64 * 1024;

/// How many requests of one attempt are out at once.
const AT_ONCE: usize = 8;

/// A request to make.
pub(crate) struct Post {
    /// Beside the channel's own.
    pub headers: HeaderMap,
    /// JSON.
    pub body: Vec<u8>,
    /// Put under this name below the address, rather than posted.
    pub put: Option<String>,
}

/// What a message becomes, in words that the template makes.
type Posts = Box<dyn Fn(&Message, &Template) -> Result<Vec<Post>, String> + Send + Sync>;

/// How a channel speaks to its receiver.
pub(crate) struct Plan {
    /// Where to post; it may hold a secret.
    pub url: Url,
    /// Sent with each request.
    pub headers: HeaderMap,
    /// What a message becomes.
    pub posts: Posts,
    /// What an answer means.
    pub judge: fn(&Answer) -> Result<(), Failed>,
    /// What never stands in an error, nor in what is kept of an answer.
    pub secrets: Secrets,
    /// How messages read.
    pub template: Template,
}

impl Plan {
    /// A plan that posts the JSON which `payloads` makes.
    pub fn json(
        url: Url,
        judge: fn(&Answer) -> Result<(), Failed>,
        payloads: impl Fn(&Content, &Look) -> Vec<Value> + Send + Sync + 'static,
    ) -> Self {
        let posts = move |message: &Message, template: &Template| {
            let content = &message.content;
            let payloads = payloads(content, &template.look(content));
            let post = |payload: Value| Post {
                headers: HeaderMap::new(),
                body: payload.to_string().into_bytes(),
                put: None,
            };
            Ok(payloads.into_iter().map(post).collect())
        };
        Self {
            url,
            headers: HeaderMap::new(),
            posts: Box::new(posts),
            judge,
            secrets: Secrets::default(),
            template: Template::default(),
        }
    }

    /// As it is, with `Authorization: Bearer`; without a token, nothing is added.
    pub fn with_token(mut self, token: &str) -> Result<Self, String> {
        if !token.is_empty() {
            let value = HeaderValue::try_from(format!("Bearer {token}"));
            let mut value =
                value.map_err(|_| "token: it has characters that no token has".to_owned())?;
            value.set_sensitive(true);
            self.headers.insert(AUTHORIZATION, value);
        }
        Ok(self)
    }
}

/// How far requests may go, and by which way.
#[derive(Clone)]
pub(crate) struct Reach {
    pub(super) allow: Arc<[Allowed]>,
    proxy: Option<Proxy>,
}

impl Reach {
    /// As the settings say.
    pub fn of(settings: &Settings) -> Result<Self, String> {
        let proxy = Some(settings.proxy.reveal()).filter(|url| !url.is_empty());
        let proxy = proxy.map(|url| address(url).and_then(|url| by(&url)));
        Ok(Self {
            allow: settings.allow.0.as_slice().into(),
            proxy: proxy.transpose()?,
        })
    }

    /// As it is, and to the addresses that stand in what a person typed.
    pub fn and_typed(&self, url: &Url) -> Self {
        let allow = self.allow.iter().copied().chain(Allowed::typed(url));
        Self {
            allow: allow.collect(),
            proxy: self.proxy.clone(),
        }
    }
}

fn by(url: &Url) -> Result<Proxy, String> {
    Proxy::all(url.clone()).map_err(|error| format!("url: {}", error.without_url()))
}

/// A channel that follows a plan.
///
/// # Errors
/// If HTTP cannot be prepared.
pub(crate) fn channel(name: &str, plan: Plan, reach: &Reach) -> Result<Channel, String> {
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .timeout(TOTAL_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("portwatch/", env!("CARGO_PKG_VERSION")));
    let client = match &reach.proxy {
        // It resolves the receivers' names; its own is what the operator says.
        Some(proxy) => client.proxy(proxy.clone()),
        None => client
            .no_proxy()
            .dns_resolver(Guard(Arc::clone(&reach.allow))),
    };
    let client = client
        .build()
        .map_err(|error| format!("url: preparing HTTP: {error}"))?;
    let sender = Arc::new(Sender {
        plan,
        client,
        reach: reach.clone(),
    });
    Ok(Channel::new(name, move |message| {
        let sender = Arc::clone(&sender);
        Box::pin(async move { sender.send(&message).await })
    }))
}

struct Sender {
    plan: Plan,
    client: Client,
    reach: Reach,
}

impl Sender {
    async fn send(&self, message: &Message) -> Result<Sent, Failed> {
        let Reach { allow, proxy } = &self.reach;
        guard::check(&self.plan.url, allow, proxy.is_some()).map_err(refused)?;
        let posts = (self.plan.posts)(message, &self.plan.template)
            .map_err(|error| Failed::permanent(format!("the body cannot be made: {error}")))?;
        let sent = tokio::time::timeout(TOTAL_TIMEOUT, self.all(posts, message.at)).await;
        let late = || Failed::temporary(format!("not done within {TOTAL_TIMEOUT:?}"));
        sent.unwrap_or_else(|_| Err(late()))
    }

    /// Makes all requests; the first that fails ends it.
    async fn all(&self, posts: Vec<Post>, now: Timestamp) -> Result<Sent, Failed> {
        let mut answers = stream::iter(posts)
            .map(|post| self.post(post, now))
            .buffered(AT_ONCE);
        let mut sent = Sent::default();
        while let Some(answer) = answers.next().await {
            let answer = answer?;
            (self.plan.judge)(&answer)?;
            sent = Sent {
                status: Some(answer.status.as_u16()),
                answer: answer.kept(),
            };
        }
        Ok(sent)
    }

    async fn post(&self, post: Post, now: Timestamp) -> Result<Answer, Failed> {
        let mut url = self.plan.url.clone();
        let method = match &post.put {
            None => Method::POST,
            Some(name) => {
                if let Ok(mut path) = url.path_segments_mut() {
                    path.push(name);
                }
                Method::PUT
            }
        };
        let request = self
            .client
            .request(method, url)
            .header(CONTENT_TYPE, "application/json")
            .headers(self.plan.headers.clone())
            .headers(post.headers)
            .body(post.body);
        let hidden = |text| self.plan.secrets.hidden(text);
        // The error would print the address, and with it any token that stands there.
        let answer = request
            .send()
            .await
            .map_err(|error| match guard::refusal(&error) {
                Some(why) => refused(why),
                None => Failed::temporary(hidden(describe(&error.without_url()))),
            })?;
        let retry_after = answer.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok());
        Ok(Answer {
            status: answer.status(),
            retry_after: retry_after.and_then(|value| parse_retry_after(value, now)),
            // Hidden before anything is cut, so that no half of a secret is left.
            body: hidden(String::from_utf8_lossy(&read(answer).await).into_owned()),
        })
    }
}

/// Tried again like any failure: once the setting is changed, nothing is lost.
pub(super) fn refused(why: guard::Refused) -> Failed {
    Failed::temporary(why.to_string())
}

/// An error with its causes, which say what really happened.
fn describe(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Reads the answer up to [`READ_LIMIT`] and [`BODY_TIMEOUT`]; a longer one costs its sender the connection.
async fn read(mut answer: Response) -> Vec<u8> {
    let mut body = Vec::new();
    let whole = async {
        while let Ok(Some(chunk)) = answer.chunk().await {
            let room = READ_LIMIT.saturating_sub(body.len());
            body.extend(chunk.iter().take(room));
            if chunk.len() >= room {
                break;
            }
        }
    };
    // What came until then counts.
    let _ = tokio::time::timeout(BODY_TIMEOUT, whole).await;
    body
}
