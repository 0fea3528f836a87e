//! Who may come in.
//!
//! Every website may make a browser knock at loopback, and a name can be made to
//! point here (DNS rebinding). So the exact `Host` comes first, then `Origin` and
//! `Sec-Fetch-Site`, and then the token or the session. There are two kinds of tokens:
//! that of the file `local-token`, and those that the node gives to devices of the same
//! person and is asked about each time. A program may have a key of its own instead, which
//! is asked about each time, too; who shows one is held to it (`access/key.rs`), and to how
//! often it may be used (`access/rate.rs`), as is whoever shows nothing.

mod audience;
mod key;
pub(crate) mod rate;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use node_model::{DeviceId, challenge::Token, program::KeyName};
use node_runtime::audit::By;

pub(crate) use self::audience::Audience;
use self::rate::Left;
use crate::{
    ask, audit,
    config::{Access, App, DoorwayConfig, is_same},
    pages,
    problem::Problem,
};

/// What one route's guard knows.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) app: App,
    pub(crate) audience: Audience,
    /// How a person does the same where the route is not for them.
    pub(crate) command: &'static str,
}

impl Guard {
    /// The device whose token it is, if the route is for it. A node that does not answer lets
    /// nobody in.
    async fn whose(&self, token: Token) -> Option<DeviceId> {
        let node = &self.app.handle;
        let device = match self.audience {
            Audience::Guests => ask::token_visitor(node, token).await,
            Audience::Peers
            | Audience::Anyone
            | Audience::Visitors
            | Audience::Programs
            | Audience::People
            | Audience::Socket => ask::token_peer(node, token).await,
        };
        device.ok().flatten()
    }
}

const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
    media-src 'self'; object-src 'none'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Before every route and before "not found": is this request meant for us?
pub(crate) async fn front_door(State(app): State<App>, request: Request, next: Next) -> Response {
    let meant = match app.access {
        Access::LocalSocket => Ok(()),
        Access::Loopback => check_host(&app.config, request.uri(), request.headers())
            .and_then(|host| check_origin(host, request.headers())),
    };
    let mut response = match meant {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    harden(response.headers_mut());
    response
}

/// Before one route: may this request use it?
pub(crate) async fn guard(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> Response {
    let checked = match check(&guard, &request) {
        Ok(Entry::By(by)) => Ok(by),
        Ok(Entry::If(token, problem)) => {
            let pass = Pass::Device(token);
            let by = pass.lets_in(&guard.app).await;
            request.extensions_mut().insert(pass);
            by.ok_or(problem)
        }
        Ok(Entry::Peer(token)) => {
            let peer = guard.whose(token).await;
            if let Some(device) = peer {
                request.extensions_mut().insert(Peer(device));
            }
            peer.map(|device| By::Device { device, agent: None }).ok_or_else(no_peer)
        }
        Ok(Entry::IfKey) => key::check(&guard.app, &mut request).await,
        Err(problem) => Err(problem),
    };
    let checked = count_strangers(&guard.app, &mut request, checked);
    let left = request.extensions().get::<Left>().copied();
    let mut response = match checked {
        Ok(by) => {
            audit::came_by(by);
            next.run(request).await
        }
        Err(problem) => refuse(guard.audience, problem),
    };
    if let Some(left) = left {
        left.tell(response.headers_mut());
    }
    response
}

/// Whoever shows no right, or a wrong one, asks no more often than all strangers may: so
/// nobody tries keys, or has the node answer, without end. Requests of other websites are
/// refused before, and keep nobody from signing in. How much others asked is told only to
/// those who have to wait.
fn count_strangers(
    app: &App,
    request: &mut Request,
    checked: Result<By, Problem>,
) -> Result<By, Problem> {
    let is_stranger = match &checked {
        Ok(By::Nobody) => check_right(&app.config, request).is_err(),
        Ok(_) => false,
        Err(problem) => problem.status == StatusCode::UNAUTHORIZED,
    };
    if is_stranger {
        let left = app.rates.count_stranger(app.handle.audit().now().monotonic);
        if left.is_over() {
            request.extensions_mut().insert(left);
        }
        let fix = "wait as long as `Retry-After` says, or come with a right: kith doorway keys add";
        left.check("all who show no right", fix.to_owned())?;
    }
    checked
}

/// How far a request may go.
enum Entry {
    /// In, by this.
    By(By),
    /// If the node says that this token of a device is good; else this is the problem.
    If(Token, Problem),
    /// If the node says that this is a token of a device that the route is for.
    Peer(Token),
    /// If the key that it shows has a rule for this.
    IfKey,
}

/// The device whose token came with the request.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) DeviceId);

/// By what a request came in that may end. What takes long asks again whether it is good.
#[derive(Clone)]
pub(crate) enum Pass {
    /// The token of a device.
    Device(Token),
    /// The key of a program, and what it was used for.
    Key(key::Shown),
}

impl Pass {
    /// Whom it lets in now. A node that does not answer lets nobody in.
    async fn lets_in(&self, app: &App) -> Option<By> {
        match self {
            Self::Device(token) => {
                let holder = ask::token_holder(&app.handle, token.clone()).await.ok().flatten();
                holder.map(|device| By::Device { device, agent: None })
            }
            Self::Key(shown) => shown.lets_in(app).await.ok(),
        }
    }

    /// Whether it lets in now.
    pub(crate) async fn is_good(&self, app: &App) -> bool {
        self.lets_in(app).await.is_some()
    }

    /// The key that it is, if it is one.
    pub(crate) fn key(&self) -> Option<KeyName> {
        match self {
            Self::Device(_) => None,
            Self::Key(shown) => Some(shown.name()),
        }
    }
}

fn check(guard: &Guard, request: &Request) -> Result<Entry, Problem> {
    match guard.app.access {
        // Who opens the socket may do all, but is not for that one of the peers.
        Access::LocalSocket if !matches!(guard.audience, Audience::Peers | Audience::Guests) => {
            return Ok(Entry::By(By::LocalSocket));
        }
        Access::LocalSocket => {}
        Access::Loopback => check_site(guard.audience, request)?,
    }
    if guard.audience.is_closed() && request.headers().contains_key(key::HEADER) {
        return match guard.audience {
            Audience::Programs => Ok(Entry::IfKey),
            Audience::Anyone
            | Audience::Visitors
            | Audience::People
            | Audience::Peers
            | Audience::Guests
            | Audience::Socket => Err(key::not_for_programs()),
        };
    }
    match guard.audience {
        Audience::Peers | Audience::Guests => {
            let offered = bearer(request.headers()).and_then(|offered| offered.parse().ok());
            offered.map(Entry::Peer).ok_or_else(no_peer)
        }
        Audience::Anyone | Audience::Visitors => Ok(Entry::By(By::Nobody)),
        Audience::Programs => {
            let problem = match check_right(&guard.app.config, request) {
                Ok(by) => return Ok(Entry::By(by)),
                Err(problem) => problem,
            };
            match bearer(request.headers()).and_then(|offered| offered.parse().ok()) {
                Some(token) => Ok(Entry::If(token, problem)),
                None => Err(problem),
            }
        }
        Audience::People => check_right(&guard.app.config, request).map(Entry::By),
        Audience::Socket => {
            audit::came_by(check_right(&guard.app.config, request)?);
            let detail = "this is possible only over the node's own socket, which kith itself uses";
            Err(Problem::new(StatusCode::FORBIDDEN, "socket-only", detail, guard.command))
        }
    }
}

fn refuse(audience: Audience, problem: Problem) -> Response {
    let is_for_people = match audience {
        Audience::People | Audience::Visitors => true,
        Audience::Anyone
        | Audience::Programs
        | Audience::Peers
        | Audience::Guests
        | Audience::Socket => false,
    };
    if is_for_people && problem.status == StatusCode::UNAUTHORIZED {
        return pages::enter::sign_in(None).into_response();
    }
    problem.into_response()
}

fn check_host<'a>(
    config: &DoorwayConfig,
    uri: &Uri,
    headers: &'a HeaderMap,
) -> Result<&'a str, Problem> {
    let is_known = |host: &str| config.hosts.iter().any(|known| known == host);
    let host = only(headers, &header::HOST).filter(|host| is_known(host));
    let authority_fits = uri.authority().is_none_or(|authority| is_known(authority.as_str()));
    host.filter(|_| authority_fits).ok_or_else(|| {
        let detail = "this address is not one of this doorway's";
        let fix = "use the address that `kith up` printed";
        Problem::new(StatusCode::MISDIRECTED_REQUEST, "wrong-host", detail, fix)
    })
}

fn check_origin(host: &str, headers: &HeaderMap) -> Result<(), Problem> {
    if !headers.contains_key(header::ORIGIN) {
        return Ok(());
    }
    let origin = only(headers, &header::ORIGIN).and_then(|origin| origin.strip_prefix("http://"));
    if origin == Some(host) { Ok(()) } else { Err(foreign()) }
}

/// Another port of this device is the same site to a browser, but not us.
fn check_site(audience: Audience, request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    let site = headers.get(FETCH_SITE).map(HeaderValue::as_bytes);
    if matches!(site, None | Some(b"same-origin" | b"none")) {
        return Ok(());
    }
    let is = |name, value: &str| headers.get(name).is_some_and(|found| found == value);
    let is_followed_link = [Method::GET, Method::HEAD].contains(request.method())
        && is(FETCH_MODE, "navigate")
        && is(FETCH_DEST, "document");
    if is_followed_link && audience.may_be_linked_to() { Ok(()) } else { Err(foreign()) }
}

fn foreign() -> Problem {
    let detail = "another website may not use this doorway";
    let fix = "open the doorway in its own tab";
    Problem::new(StatusCode::FORBIDDEN, "foreign-origin", detail, fix)
}

/// The token suffices. With a session, a change must also say where it comes
/// from; that it is from here, [`check_origin`] has seen.
fn check_right(config: &DoorwayConfig, request: &Request) -> Result<By, Problem> {
    let headers = request.headers();
    if bearer(headers).is_some_and(|offered| config.token.is(offered)) {
        return Ok(By::LocalToken);
    }
    let has_session = session(headers).is_some_and(|offered| is_same(&config.session, offered));
    if !has_session {
        let detail = "this needs a right: in `Authorization: Bearer` the text of the file \
                      local-token or what `kith token` printed on a device of yours, in \
                      `X-API-Key` a key, or the link that `kith up` printed";
        let fix = "kith doorway keys add program";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "not-signed-in", detail, fix));
    }
    if request.method().is_safe() || headers.contains_key(header::ORIGIN) {
        return Ok(By::Session);
    }
    Err(foreign())
}

/// The same for no token, a wrong one, one that is over, and one of a device that may not
/// synchronise, or not any more.
fn no_peer() -> Problem {
    let detail = "this needs a token of a device that may synchronise with this node; on such a \
                  device, the command gets one itself";
    let fix = "kith sync --doorway URL";
    Problem::new(StatusCode::UNAUTHORIZED, "not-signed-in", detail, fix)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = only(headers, &header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn session(headers: &HeaderMap) -> Option<&str> {
    let name = cookie_name(headers);
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = lines.flat_map(|line| line.split(';')).map(str::trim);
    cookies.find_map(|cookie| cookie.strip_prefix(&name)?.strip_prefix('='))
}

/// Browsers share cookies between ports; two nodes on one device must not sign
/// each other out.
fn cookie_name(headers: &HeaderMap) -> String {
    let host = only(headers, &header::HOST).unwrap_or_default();
    let port = host.rsplit_once(':').map_or("80", |(_, port)| port);
    format!("kith_{port}")
}

/// The cookie that lets a browser in.
pub(crate) fn session_cookie(headers: &HeaderMap, session: &str) -> String {
    format!("{}={session}; HttpOnly; SameSite=Strict; Path=/", cookie_name(headers))
}

/// The value of a header that must stand there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

fn harden(headers: &mut HeaderMap) {
    // `no-referrer` would make a browser send `Origin: null` with our own forms.
    let all = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (OPENER_POLICY, "same-origin"),
        (RESOURCE_POLICY, "same-origin"),
    ];
    for (name, value) in all {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
