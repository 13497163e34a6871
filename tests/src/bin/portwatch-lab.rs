//! What the network lab runs inside its namespaces. Tests start it; see `portwatch_tests::lab`.
//!
//! ```text
//! portwatch-lab hold                                 keeps a namespace alive
//! portwatch-lab carry SCENARIO tap|tun               the wire, with the simulated hosts
//! portwatch-lab listen SCENARIO v4|v6 routed|loopback  real listeners
//! portwatch-lab forward ADDRESS SOCKET               carries connections to a Unix socket
//! ```
//! Each says `ready` when it is, and ends when its standard input does.

use std::error::Error;
use std::path::Path;

use portwatch_tests::lab::{Family, Link, Scenario, carry, end_with_stdin, forward, listen};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let code = match run(&arguments).await {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{error}");
            1
        }
    };
    // To return would be to wait for the reader of standard input.
    std::process::exit(code);
}

async fn run(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let ready = || println!("ready");
    match arguments {
        ["hold"] => {
            ready();
            end_with_stdin().await;
        }
        ["carry", file, layer] => {
            let scenario = Scenario::read(Path::new(file))?;
            let report = carry(&scenario, *layer == "tap", ready, end_with_stdin()).await?;
            println!("{}", serde_json::to_string(&report)?);
        }
        ["listen", file, family, place] => {
            let scenario = Scenario::read(Path::new(file))?;
            let family = if *family == "v4" {
                Family::V4
            } else {
                Family::V6
            };
            let link = if *place == "loopback" {
                Link::Loopback
            } else {
                Link::Veth
            };
            tokio::select! {
                failed = listen(&scenario, family, link, ready) => failed?,
                () = end_with_stdin() => {}
            }
        }
        ["forward", address, socket] => {
            tokio::select! {
                failed = forward(address.parse()?, Path::new(socket), ready) => failed?,
                () = end_with_stdin() => {}
            }
        }
        other => return Err(format!("{other:?} is nothing that the lab does").into()),
    }
    Ok(())
}
