//! `kith up`.

use std::net::{Ipv4Addr, SocketAddr};

use node_core::{Request, Response};
use node_runtime::{Handle, Indexing, Network, NodeEvent, StartConfig, Started, start};
use serde_json::json;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::broadcast::error::RecvError,
};

use crate::{
    args::{Global, Up},
    client::{default_names, key_seal},
    doorway::{Doorway, bind, bind_socket, local_token, web_app},
    error::CliError,
    home::{Home, Taken, load_or_create, take},
    show::line,
};

/// Where nodes listen unless told otherwise; a node that keeps its port is found
/// again after a restart.
const NODE_PORT: u16 = 4717;

/// Where the doorway listens unless told otherwise.
const DOORWAY_PORT: u16 = 4718;

pub(super) async fn run(args: Up, global: &Global) -> Result<(), CliError> {
    let home = Home::find(global.data_dir.as_deref())?;
    home.prepare()?;
    let lock = match take(&home).await? {
        Taken::Lock(lock) => lock,
        Taken::Running(holder, _) => {
            let message = format!(
                "a node runs on {} already (process {})",
                home.root().display(),
                holder.pid
            );
            let kind = node_core::FailureKind::Conflict;
            return Err(node_core::Failure::new(kind, message, "kith status").into());
        }
    };
    let web = args.web.map(web_app).transpose()?;
    let has_web = web.is_some();
    let doorway_port = match args.doorway {
        Some(address) => bind(address).await?,
        None => bind_default().await?,
    };
    let (keys, is_new) = load_or_create(&home, key_seal(global))?;
    let (user, device_name) = default_names();
    let addresses = if args.listen.is_empty() { default_addresses() } else { args.listen };
    let addresses = if addresses == [NOWHERE] { vec![] } else { addresses };
    let started = start(StartConfig {
        data_dir: home.root().to_owned(),
        keys,
        agent_name: args.name.unwrap_or(user),
        device_name,
        sync_interval: args.sync_interval,
        network: Network::Listen { addresses, mdns: !args.no_mdns, circuits: !args.no_circuits },
        indexing: Indexing::AsItGoes,
    })
    .await
    .map_err(|error| CliError::from(node_core::Failure::from(error)))?;
    started.handle.begin_keeping().await;

    let path = home.socket();
    let socket = bind_socket(&home, &path)?;
    lock.announce(&path).map_err(|error| home.unusable(&error))?;
    let token = local_token(&home)?;
    let doorway = Doorway::open(&started.handle, doorway_port, token, &home, Some(socket), web)?;
    // Whoever reads that it is ready may end it at once.
    let end = End::awaited();
    announce(&started, &doorway, has_web, (global.json, is_new)).await?;

    let warming = tokio::spawn(warm(started.handle.clone()));
    let events = tokio::spawn(show_events(started.handle.clone(), global.json));
    end.comes().await;
    if !global.json {
        line("stopping");
    }
    events.abort();
    warming.abort();
    doorway.close().await;
    started.stop().await;
    // It would be in the way of nobody, but it is ours to tidy.
    let _ = std::fs::remove_file(&path);
    drop(lock);
    Ok(())
}

async fn announce(
    started: &Started,
    doorway: &Doorway,
    has_web: bool,
    (is_json, is_new): (bool, bool),
) -> Result<(), CliError> {
    let Response::Identity(identity) = started.handle.request(Request::Identity).await? else {
        return Err(CliError::machine("the node does not know who it is", "kith up -v"));
    };
    if is_json {
        let ready = json!({
            "ready": true, "node": identity.device.to_string(),
            "agent": identity.agent.to_string(), "listen": started.listening,
            "doorway": doorway.url, "entry": doorway.entry,
        });
        line(&ready.to_string());
        return Ok(());
    }
    if is_new {
        line(&format!("Welcome, {}. This node is new.", identity.name));
    }
    line(&format!("node     {}", identity.device));
    line(&format!("agent    {}", identity.agent));
    for address in &started.listening {
        line(&format!("listen   {address}"));
    }
    line(&format!("doorway  {}", doorway.url));
    line(&format!("enter    {}", doorway.entry));
    if has_web {
        line(&format!("web app  {}/app/", doorway.url));
    }
    line("ready");
    Ok(())
}

async fn bind_default() -> Result<tokio::net::TcpListener, CliError> {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match bind(at(DOORWAY_PORT)).await {
        Ok(listener) => Ok(listener),
        // Another node of this machine may have it; nobody asked for this port.
        Err(_) => bind(at(0)).await,
    }
}

/// What stands for no address to listen on.
const NOWHERE: &str = "none";

fn default_addresses() -> Vec<String> {
    let all = (Ipv4Addr::UNSPECIFIED, NODE_PORT);
    let is_free =
        std::net::TcpListener::bind(all).is_ok() && std::net::UdpSocket::bind(all).is_ok();
    let port = if is_free { NODE_PORT } else { 0 };
    vec![format!("/ip4/0.0.0.0/tcp/{port}"), format!("/ip4/0.0.0.0/udp/{port}/quic-v1")]
}

/// The first list of a space's documents opens them all: better now than when
/// somebody waits for it.
async fn warm(handle: Handle) {
    let Ok(Response::Spaces(spaces)) = handle.request(Request::Spaces).await else {
        return;
    };
    for info in spaces {
        if let Err(error) = handle.request(Request::Documents { space: info.space }).await {
            tracing::debug!(space = %info.space, %error, "cannot list documents");
        }
    }
}

/// Shows what somebody at this device needs to see.
async fn show_events(handle: Handle, is_json: bool) {
    let mut events = handle.events();
    loop {
        match events.recv().await {
            Ok(NodeEvent::PairingCode { device, code }) => {
                if is_json {
                    let event =
                        json!({"event": "pairing-code", "peer": device.to_string(), "code": code});
                    line(&event.to_string());
                } else {
                    line(&format!(
                        "Somebody came with your ticket. The code is {code}; they must see the same."
                    ));
                }
            }
            Ok(NodeEvent::Paired { device, name }) => {
                if is_json {
                    let event =
                        json!({"event": "paired", "peer": device.to_string(), "name": name});
                    line(&event.to_string());
                } else {
                    line(&format!("You and {name} are related now."));
                }
            }
            Ok(NodeEvent::Changed { .. }) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Ctrl-C, or what a service manager sends. Without handlers a signal ends us anyway.
struct End {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

impl End {
    /// From now on signals are noticed.
    fn awaited() -> Self {
        Self {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
        }
    }

    async fn comes(self) {
        let one = async |signal: Option<Signal>| match signal {
            Some(mut signal) => signal.recv().await,
            None => std::future::pending().await,
        };
        tokio::select! {
            _ = one(self.interrupt) => {}
            _ = one(self.terminate) => {}
        }
    }
}
