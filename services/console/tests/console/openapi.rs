//! `schemas/openapi.yaml` says what is answered, and what is answered is as it says.

use axum::http::Method;
use jiff::Timestamp;
use portwatch_domain::access::Role;
use serde_json::{Map, Value, json};

use crate::site::{Answered, PASSWORD, Site, servers};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/openapi.yaml");

fn document() -> Value {
    let text = std::fs::read_to_string(PATH).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

/// The operations that the console answers: path, method, and what is said of it.
fn operations(document: &Value) -> Vec<(String, Method, Map<String, Value>)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if method == "parameters" || operation["tags"] == json!(["notifier"]) {
                continue;
            }
            let method = method.to_uppercase().parse().unwrap();
            let operation = operation.as_object().unwrap().clone();
            operations.push((path.clone(), method, operation));
        }
    }
    operations
}

/// The schema of an answer of this status, with what it refers to.
fn schema(document: &Value, operation: &Map<String, Value>, status: u16) -> Value {
    let mut response = &operation["responses"][status.to_string()];
    if let Some(reference) = response["$ref"].as_str() {
        response = document.pointer(reference.trim_start_matches('#')).unwrap();
    }
    let schema = &response["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{operation:?} has no answer {status}");
    json!({"allOf": [schema], "components": document["components"]})
}

fn fits(document: &Value, operation: &Map<String, Value>, answer: &Answered) {
    let schema = schema(document, operation, answer.status.as_u16());
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    let body = answer.json();
    let wrong: Vec<_> = validator
        .iter_errors(&body)
        .map(|error| error.to_string())
        .collect();
    assert!(wrong.is_empty(), "{operation:?}\n{body:#}\n{wrong:#?}");
}

#[tokio::test]
async fn every_operation_is_answered_as_it_says() {
    let document = document();
    let site = Site::new().await;
    site.user("anna", Role::Admin, None).await;
    let now: Timestamp = "2026-11-22T12:35:53.25Z".parse().unwrap();
    site.scanned(&servers()[0], 1, "198.18.0.1", "22,80", now)
        .await;
    let token = site.token(Role::Admin, None).await;
    let asked = site
        .post(&token, "/api/v1/targets/198.18.0.1/scans", "")
        .await;
    let scan = asked.json()["scan"].as_str().unwrap().to_owned();

    let operations = operations(&document);
    assert_eq!(operations.len(), 13, "all of them");
    for (path, method, operation) in &operations {
        let path = path
            .replace("{server}", "198.18.0.1")
            .replace("{target}", "198.18.0.1")
            .replace("{scan}", &scan);
        let body = match (path.as_str(), method) {
            ("/api/login", _) => json!({"login": "anna", "password": PASSWORD}).to_string(),
            (_, &Method::PATCH) => json!({"notify": true}).to_string(),
            _ => "{}".to_owned(),
        };
        let good = site.ask(&token, method.clone(), &path, &body).await;
        assert!(good.status.is_success(), "{method} {path}: {}", good.text);
        fits(&document, operation, &good);

        // And so is what is refused: nobody, somebody without the right, a server that is not there, a wrong body.
        let viewer = site.token(Role::Viewer, Some(&["east"])).await;
        let gone = path.replace("198.18.0.1", "198.18.9.9");
        let refusals = [
            site.send(method.clone(), &path, &[], &body).await,
            site.ask(&viewer, method.clone(), &path, &body).await,
            site.ask(&token, method.clone(), &gone, &body).await,
            site.ask(&token, method.clone(), &path, "{\"enabled\":")
                .await,
            site.ask(
                &token,
                method.clone(),
                &format!("{path}?limit=0&group_id=1"),
                &body,
            )
            .await,
        ];
        for answer in refusals {
            fits(&document, operation, &answer);
        }
    }
}
