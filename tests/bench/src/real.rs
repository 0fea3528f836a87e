//! Real `kith up` processes that are killed and come back to where others know them.
//!
//! Invariant: whoever is stopped or killed has let go of its directory before it is
//! started again.

use std::{
    fs,
    fs::File,
    net::TcpListener,
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use acceptance::{Answer, Browser, Home, Running, list, text, until};
use bytes::Bytes;
use serde_json::{Value, json};

/// Ports that the system gives to nobody by itself, so that those of a node that is down
/// stay free: below what Linux takes for outgoing connections.
const PORTS: Range<u16> = 20_000..32_000;

/// A node with a home and addresses of its own.
pub struct Member {
    /// Its data directory.
    pub home: Home,
    /// How others call it.
    pub name: &'static str,
    /// Its node id.
    pub node: String,
    /// Its person.
    pub agent: String,
    /// Where others can dial it, if they can.
    listen: Option<u16>,
    doorway: u16,
    running: Option<Running>,
    token: String,
}

impl Member {
    /// Starts a new node.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn new(name: &'static str) -> Self {
        Self::in_home(name, Home::new()).await
    }

    /// Starts a node in a home that is there.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn in_home(name: &'static str, home: Home) -> Self {
        let [listen, doorway] = free_ports();
        Self::at(name, home, Some(listen), doorway).await
    }

    /// Starts a new node that nobody can dial.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn unreachable(name: &'static str) -> Self {
        let [_, doorway] = free_ports();
        Self::at(name, Home::new(), None, doorway).await
    }

    async fn at(name: &'static str, home: Home, listen: Option<u16>, doorway: u16) -> Self {
        let [node, agent, token] = [const { String::new() }; 3];
        let mut member = Self { home, name, node, agent, listen, doorway, running: None, token };
        member.start().await;
        let running = member.running();
        (member.node, member.agent) = (running.node().to_owned(), running.agent().to_owned());
        let token = fs::read_to_string(member.home.data_dir().join("local-token"));
        token.expect("a node has a token").trim().clone_into(&mut member.token);
        member
    }

    fn up(&self) -> acceptance::Up {
        let listen = self.listen.map(|port| format!("/ip4/127.0.0.1/tcp/{port}"));
        let up = self.home.up().name(self.name).listen(listen.as_deref().unwrap_or("none"));
        up.doorway(&format!("127.0.0.1:{}", self.doorway))
    }

    /// Starts it again, until it is ready.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(&mut self) {
        self.running = Some(self.up().ready().await);
    }

    /// Starts it, and kills it after so long, ready or not.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub async fn start_and_kill(&mut self, after: Duration) {
        let mut child = self.up().begin();
        tokio::time::sleep(after).await;
        child.kill().await.expect("it can be killed");
        self.let_go().await;
    }

    /// Ends it by SIGKILL.
    ///
    /// # Panics
    /// When it does not run.
    pub async fn kill(&mut self) {
        self.running.take().expect("it runs").kill().await;
        self.let_go().await;
    }

    /// Ends it as Ctrl-C does.
    ///
    /// # Panics
    /// When it does not run, or does not end well.
    pub async fn stop(&mut self) {
        self.running.take().expect("it runs").stop().await;
        self.let_go().await;
    }

    /// Waits until nobody holds its lock.
    async fn let_go(&self) {
        let path = self.home.data_dir().join("node.lock");
        until("the lock to be free", async || {
            // It may have been killed before there was one.
            let Ok(file) = File::open(&path) else { return Some(()) };
            file.try_lock().ok()
        })
        .await;
    }

    /// The process.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs")
    }

    /// A program with its token.
    #[must_use]
    pub fn program(&self) -> Browser {
        self.running().browser().with_token(&self.token)
    }

    /// Asks it.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn get(&self, path: &str) -> Answer {
        self.program().send("GET", path, Bytes::new()).await
    }

    /// Asks it, for JSON.
    ///
    /// # Panics
    /// When it does not answer, or refuses.
    pub async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{}: {path}: {}", self.name, answer.text());
        answer.json()
    }

    /// Sends it JSON.
    ///
    /// # Panics
    /// When it does not answer, or refuses.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.program().post(path, body).await;
        assert!(answer.status < 300, "{}: {path}: {}", self.name, answer.text());
        answer.json()
    }

    /// What its doctor says of everything.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn causes(&self) -> Vec<Value> {
        list(&self.json("/api/v1/doctor").await, "causes").to_vec()
    }

    /// Relates itself to `host`, and becomes `role` of a space of it.
    ///
    /// # Panics
    /// When they do not come together.
    pub async fn join(&self, host: &Self, space: &str, role: &str) {
        let wanted = json!({"space": space, "role": role});
        let issued = host.post("/api/v1/tickets", &wanted).await;
        let ticket = json!({"ticket": text(&issued, "ticket")});
        let code = self.post("/api/v1/pair", &ticket).await;
        let path = format!("/api/v1/pair/{}", text(&code, "peer"));
        self.post(&path, &json!({"same": true})).await;
    }

    /// Removes somebody from a space.
    ///
    /// # Panics
    /// When it does not.
    pub async fn remove_member(&self, space: &str, agent: &str) {
        let path = format!("/api/v1/spaces/{space}/members/{agent}");
        let answer = self.program().send("DELETE", &path, Bytes::new()).await;
        assert!(answer.status < 300, "{}: {path}: {}", self.name, answer.text());
    }

    /// Founds a space, and returns its id.
    ///
    /// # Panics
    /// When it does not.
    pub async fn found(&self, name: &str) -> String {
        text(&self.post("/api/v1/spaces", &json!({"name": name})).await, "space").to_owned()
    }

    /// Writes a new document, and returns its id.
    ///
    /// # Panics
    /// When it does not.
    pub async fn write(&self, space: &str, value: Value) -> String {
        let path = format!("/api/v1/spaces/{space}/docs");
        text(&self.post(&path, &json!({"value": value})).await, "doc").to_owned()
    }
}

/// Two ports that nobody uses now, and no other member of this process ever had.
fn free_ports() -> [u16; 2] {
    static GIVEN: AtomicUsize = AtomicUsize::new(0);
    // Trials that run beside each other begin at different places.
    let first = std::process::id() as usize * 97;
    [(); 2].map(|()| {
        let free = PORTS.clone().find_map(|_| {
            let place = (first + GIVEN.fetch_add(1, Ordering::Relaxed)) % PORTS.len();
            let port = PORTS.start + u16::try_from(place).expect("less than there are ports");
            TcpListener::bind(("127.0.0.1", port)).ok().map(|_| port)
        });
        free.expect("a free port below those for outgoing connections")
    })
}
