//! The JSON Schemas, as files and as validators.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jsonschema::{Registry, Validator};
use serde_json::{Value, json};

/// The folder of the crate.
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of a folder with their names, in the order of the names.
pub fn files(name: &str) -> Vec<(String, PathBuf)> {
    let folder = folder().join(name);
    let entries = std::fs::read_dir(&folder).expect("the folder");
    let mut files: Vec<_> = entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            (
                entry.file_name().into_string().expect("UTF-8"),
                entry.path(),
            )
        })
        .filter(|(_, path)| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "nothing in {}", folder.display());
    files
}

/// A file's JSON.
pub fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("a readable file");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

static REGISTRY: LazyLock<Registry<'static>> = LazyLock::new(|| {
    let mut registry = Registry::new();
    for (_, path) in files("json") {
        let schema = read(&path);
        let id = schema["$id"].as_str().expect("an $id").to_owned();
        registry = registry.add(id, schema).expect("a schema");
    }
    registry.prepare().expect("references that lead somewhere")
});

fn validator(id: &str) -> Validator {
    jsonschema::options()
        .with_registry(&REGISTRY)
        .offline()
        .should_validate_formats(true)
        .build(&json!({ "$ref": id }))
        .unwrap_or_else(|error| panic!("{id}: {error}"))
}

/// Whole messages.
pub static MESSAGE: LazyLock<Validator> =
    LazyLock::new(|| validator("urn:portwatch:schema:envelope:v1"));

/// The body of a webhook.
pub static BODY: LazyLock<Validator> =
    LazyLock::new(|| validator("urn:portwatch:schema:notification:v1"));

/// What the validator has against the value; nothing if it is valid.
pub fn complaints(validator: &Validator, value: &Value) -> Vec<String> {
    validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn every_schema_is_one_and_is_named_like_its_file() {
    for (name, path) in files("json") {
        let schema = read(&path);
        if let Err(error) = jsonschema::meta::validate(&schema) {
            panic!("{name}: {error}");
        }
        assert_eq!(
            schema["$schema"], "https://json-schema.org/draft/2020-12/schema",
            "{name}"
        );
        let stem = name.strip_suffix(".schema.json").expect(".schema.json");
        let id = format!("urn:portwatch:schema:{}", stem.replace('.', ":"));
        assert_eq!(schema["$id"], id.as_str(), "{name}");
        validator(&id);
    }
}

#[test]
fn every_field_of_a_message_is_described() {
    fn walk(schema: &Value, at: &str, missing: &mut Vec<String>) {
        let Value::Object(fields) = schema else {
            return;
        };
        for (name, field) in fields
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if field.get("description").or(field.get("$ref")).is_none() {
                missing.push(format!("{at}/{name}"));
            }
            walk(field, &format!("{at}/{name}"), missing);
        }
        if let Some(items) = fields.get("items") {
            walk(items, &format!("{at}/items"), missing);
        }
        for (name, definition) in fields
            .get("$defs")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if !name.starts_with("of_a_") {
                walk(definition, &format!("{at}/{name}"), missing);
            }
        }
    }
    let mut missing = Vec::new();
    for (name, path) in files("json") {
        walk(&read(&path), &name, &mut missing);
    }
    assert_eq!(
        missing,
        Vec::<String>::new(),
        "fields without a description"
    );
}
