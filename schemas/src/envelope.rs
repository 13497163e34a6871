//! The envelope: CloudEvents 1.0 in structured JSON, with the distributed tracing extension.

use jiff::Timestamp;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{DecodeError, EncodeError, Misfit, Problem};
use crate::text::Text;
use crate::trace::TraceParent;

/// The most bytes of one message, envelope included: what the broker's queues are sized for.
pub const MAX_MESSAGE_BYTES: usize = 262_144;

const SPEC_VERSION: &str = "1.0";
const CONTENT_TYPE: &str = "application/json";

/// What is known of a message beside what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The message's own id; together with `source` it names the message.
    pub id: Uuid,
    /// Who sent it, such as `/portwatch/scheduler`.
    pub source: String,
    /// When.
    pub time: Timestamp,
    /// On behalf of which trace.
    pub trace: TraceParent,
}

/// The wire form of a domain type; `wire` and `domain` are each other's inverse.
pub trait OnWire: Sized {
    /// The `data` of the message.
    type Wire: Serialize + DeserializeOwned;

    /// Writes it.
    fn to_wire(&self) -> Self::Wire;

    /// Reads and checks it.
    fn from_wire(wire: Self::Wire) -> Result<Self, Misfit>;
}

/// A domain type that travels.
pub trait Message: OnWire {
    /// The type and major version of the message, such as `io.portwatch.job.v1`.
    const TYPE: &'static str;
    /// The name of its schema, such as `urn:portwatch:schema:job:v1`.
    const SCHEMA: &'static str;

    /// What the message is about, for people who look into queues.
    fn subject(&self) -> String;
}

#[derive(Serialize, Deserialize)]
struct Envelope<D> {
    specversion: String,
    id: Uuid,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    time: Timestamp,
    datacontenttype: String,
    dataschema: String,
    subject: String,
    traceparent: Text<TraceParent>,
    data: D,
}

#[derive(Deserialize)]
struct Data<D> {
    data: D,
}

/// Makes the message's bytes.
///
/// # Errors
/// If the message has more than [`MAX_MESSAGE_BYTES`].
pub fn encode<M: Message>(meta: &Meta, message: &M) -> Result<Vec<u8>, EncodeError> {
    let envelope = Envelope {
        specversion: SPEC_VERSION.to_owned(),
        id: meta.id,
        source: meta.source.clone(),
        kind: M::TYPE.to_owned(),
        time: meta.time,
        datacontenttype: CONTENT_TYPE.to_owned(),
        dataschema: M::SCHEMA.to_owned(),
        subject: message.subject(),
        traceparent: Text(meta.trace),
        data: message.to_wire(),
    };
    let bytes = serde_json::to_vec(&envelope).map_err(|source| EncodeError::Json {
        message: M::TYPE,
        source,
    })?;
    if bytes.len() > MAX_MESSAGE_BYTES {
        let (message, bytes) = (M::TYPE, bytes.len());
        return Err(EncodeError::TooLarge { message, bytes });
    }
    Ok(bytes)
}

/// Reads a message and checks all of it.
///
/// # Errors
/// If anything is wrong with it; the error says what, and where.
pub fn decode<M: Message>(bytes: &[u8]) -> Result<(Meta, M), DecodeError> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        let bytes = bytes.len();
        return Err(DecodeError::TooLarge { bytes });
    }
    // The envelope first: data of another type would only give a misleading error.
    let envelope: Envelope<IgnoredAny> = read(bytes)?;
    if envelope.specversion != SPEC_VERSION {
        return Err(DecodeError::SpecVersion(envelope.specversion));
    }
    if envelope.kind != M::TYPE {
        return Err(DecodeError::Type {
            expected: M::TYPE,
            found: envelope.kind,
        });
    }
    if envelope.datacontenttype != CONTENT_TYPE {
        return Err(DecodeError::ContentType(envelope.datacontenttype));
    }
    if envelope.source.is_empty() {
        return Err(DecodeError::Check {
            path: "source".to_owned(),
            problem: Problem::Empty,
        });
    }
    let Data { data } = read::<Data<M::Wire>>(bytes)?;
    let message = M::from_wire(data).map_err(|misfit| DecodeError::Check {
        path: format!("data.{}", misfit.path),
        problem: misfit.problem,
    })?;
    let meta = Meta {
        id: envelope.id,
        source: envelope.source,
        time: envelope.time,
        trace: envelope.traceparent.0,
    };
    Ok((meta, message))
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        // A "?" is a step that the parser took and could not name.
        let path = match error.path().to_string().trim_end_matches(['?', '.']) {
            "" => ".".to_owned(),
            named => named.to_owned(),
        };
        let source = error.into_inner();
        DecodeError::Field { path, source }
    })?;
    let end = json.end();
    end.map(|()| value).map_err(|source| DecodeError::Field {
        path: ".".to_owned(),
        source,
    })
}
