//! The doorway of a running node: a loopback port and a socket.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use data_encoding::HEXLOWER;
use doorway_http::{
    Access, DoorwayConfig, LocalToken, ProgramKeys, WEB_APP_INDEX, router, serve_tcp, serve_unix,
};
use node_model::random_bytes;
use node_runtime::{Handle, OsEntropy};
use tokio::{
    net::{TcpListener, UnixListener},
    sync::watch,
    task::JoinHandle,
};

use crate::{
    client::no_secrets,
    error::CliError,
    home::{Home, write_private},
};

/// Longest token file that is read.
const TOKEN_BYTES_MAX: u64 = 256;

/// An open doorway.
pub(crate) struct Doorway {
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    /// The address that lets a browser in.
    pub(crate) entry: String,
    stop: watch::Sender<bool>,
    serving: Vec<JoinHandle<()>>,
}

impl Doorway {
    /// Opens a loopback port and, if there is one, the socket of a home.
    pub(crate) fn open(
        handle: &Handle,
        listener: TcpListener,
        token: String,
        home: &Home,
        socket: Option<UnixListener>,
        web: Option<PathBuf>,
    ) -> Result<Self, CliError> {
        let address = listener.local_addr().map_err(|error| {
            CliError::machine(format!("the doorway has no address: {error}"), "kith up")
        })?;
        let (host, entry_code) = (address.to_string(), secret());
        let keys = ProgramKeys::at(home.program_keys());
        let config = DoorwayConfig {
            token: LocalToken::new(token),
            entry_code: entry_code.clone(),
            session: secret(),
            hosts: vec![host.clone(), format!("localhost:{}", address.port())],
            keys: keys.clone(),
            web,
        };
        let (stop, stopped) = watch::channel(false);
        let open = router(handle.clone(), Access::Loopback, Arc::new(config));
        let mut serving = vec![tokio::spawn(serve_tcp(listener, open, wait(stopped.clone())))];
        if let Some(socket) = socket {
            let local = router(handle.clone(), Access::LocalSocket, Arc::new(no_secrets(keys)));
            serving.push(tokio::spawn(serve_unix(socket, local, wait(stopped))));
        }
        let url = format!("http://{host}");
        Ok(Self { entry: format!("{url}/enter/{entry_code}"), url, stop, serving })
    }

    /// Lets answers under way finish, and closes.
    pub(crate) async fn close(self) {
        self.stop.send_replace(true);
        for task in self.serving {
            if let Err(error) = task.await {
                tracing::warn!(%error, "the doorway did not close");
            }
        }
    }
}

/// The folder of a web app, if there is one in it.
pub(crate) fn web_app(folder: PathBuf) -> Result<PathBuf, CliError> {
    if folder.join(WEB_APP_INDEX).is_file() {
        return Ok(folder);
    }
    let message = format!("there is no web app in {}", folder.display());
    Err(CliError::usage(message, "doorway/web/build, then kith up --web doorway/web/dist"))
}

async fn wait(mut stopped: watch::Receiver<bool>) {
    // Whoever could tell is gone: that, too, is the end.
    let _ = stopped.wait_for(|is_stopped| *is_stopped).await;
}

/// 128 random bits as text.
pub(crate) fn secret() -> String {
    HEXLOWER.encode(&random_bytes::<16>(&mut OsEntropy))
}

/// Binds a loopback port. Other addresses are refused: what is behind them
/// would be open to a whole network.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, CliError> {
    if !address.ip().is_loopback() {
        return Err(CliError::usage(
            format!(
                "{address} can be reached from other machines; the doorway opens for this one only"
            ),
            "kith up --doorway 127.0.0.1:4718",
        ));
    }
    TcpListener::bind(address).await.map_err(|error| {
        let message = if error.kind() == std::io::ErrorKind::AddrInUse {
            format!("another program uses port {}, perhaps a second node", address.port())
        } else {
            format!("the doorway cannot listen on {address}: {error}")
        };
        let kind = node_core::FailureKind::Unreachable;
        node_core::Failure::new(kind, message, "kith up --doorway 127.0.0.1:0").into()
    })
}

/// Reads the token of programs on this machine, or makes one.
pub(crate) fn local_token(home: &Home) -> Result<String, CliError> {
    let path = home.local_token();
    let fits = std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() <= TOKEN_BYTES_MAX);
    let token =
        if fits { std::fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
    let token = token.trim();
    if token.len() >= 32 && token.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(token.to_owned());
    }
    let token = format!("{}{}", secret(), secret());
    let written = write_private(&path, format!("{token}\n").as_bytes());
    written.map_err(|error| home.unusable(&error))?;
    Ok(token)
}

/// Binds the socket of a home, for its owner only.
pub(crate) fn bind_socket(home: &Home, path: &Path) -> Result<UnixListener, CliError> {
    // We hold the lock: nobody answers there.
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(home.unusable(&error)),
    }
    let listener = UnixListener::bind(path).map_err(|error| home.unusable(&error))?;
    let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(path, owner_only).map_err(|error| home.unusable(&error))?;
    Ok(listener)
}
