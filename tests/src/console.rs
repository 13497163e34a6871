//! The console's APIs, as a program calls them.

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

/// A program that is logged in.
pub struct Console {
    client: Client,
    base: String,
    token: String,
}

impl Console {
    /// Logs in by `POST /api/login`.
    pub async fn log_in(base: &str, login: &str, password: &str) -> Self {
        // Every client wants to know how it would speak TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut console = Self {
            client: Client::builder().no_proxy().build().unwrap(),
            base: base.to_owned(),
            token: String::new(),
        };
        let body = json!({"login": login, "password": password});
        let (status, answer) = console.call(Method::POST, "/api/login", Some(body)).await;
        assert_eq!(status, 200, "{answer}");
        answer["access_token"]
            .as_str()
            .unwrap()
            .clone_into(&mut console.token);
        console
    }

    /// The answer, which has to be 200.
    pub async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.call(Method::GET, path, None).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Status and answer.
    pub async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Status and answer of any call.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.base);
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap())
    }
}
