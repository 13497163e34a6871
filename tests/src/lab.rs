//! The network lab: `portwatch scan` against networks and hosts that do what real ones do.
//!
//! A *scenario* is a file in `tests/scenarios`: how the wire loses, delays and repeats, which hosts are there and
//! what they answer, the scan, and what it must say. A *trial* is one scenario over one kind of link, by one method,
//! with one family of addresses. A trial makes its own network namespaces, runs the real command inside, and is
//! judged on what that printed:
//!
//! ```text
//! scenario file ─ Scenario ─┬─ World: namespaces, links, routes, nftables
//!                           ├─ `portwatch-lab carry`: Wire (loss, delay, …) and Simulator
//!                           ├─ `portwatch-lab listen`: what the target's kernel accepts
//!                           └─ `portwatch scan` ─ lines ─ judge
//! ```
//!
//! **The rule of truth**: each port of each host is told exactly once, and as it is. To say nothing, or that nothing
//! was heard, is allowed as often as the scenario permits.
//!
//! Nothing leaves the namespaces: they have no default route and no link to the outside, and a scenario can only
//! name hosts by number, which become addresses of 198.18.0.0/15, `fd00:198:18::/48`, 127.0.0.0/8 or `::1`.

mod address;
mod carry;
mod forward;
mod frame;
mod judge;
mod listen;
mod namespace;
mod ports;
mod random;
mod scenario;
mod simulator;
mod stage;
mod topology;
mod trial;
mod truth;
mod wire;
mod world;

pub use address::Family;
pub use carry::{Report, carry};
pub use forward::forward;
pub use listen::{end_with_stdin, listen};
pub use namespace::Privilege;
pub use scenario::{Link, Scenario, folder};
pub use stage::{Door, Stage, Switch};
pub use trial::{run, run_without_exclusions};
