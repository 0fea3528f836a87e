//! Every route times everybody who must not use it.

use super::*;
use crate::{access::Audience, routes::table};

/// Each route with something in its parameters.
fn knocks() -> Vec<(Method, String, Audience)> {
    let filled = |path: &str| {
        let parts = path.split('/').map(|part| if part.starts_with('{') { "0" } else { part });
        parts.collect::<Vec<_>>().join("/")
    };
    let rows = table().into_iter();
    rows.map(|row| (row.method, filled(row.path), row.audience)).collect()
}

fn is_guarded(audience: Audience) -> bool {
    matches!(audience, Audience::Programs | Audience::People | Audience::Socket)
}

fn empty(request: Builder) -> Request<Body> {
    request.body(Body::empty()).expect("a request")
}

#[tokio::test]
async fn without_token_or_session_nobody_comes_in() {
    let mut house = House::new().await;
    for (method, path, audience) in knocks() {
        // Strangers may not ask as often as this does.
        house.open_again();
        let offers = [
            stranger(method.clone(), &path),
            stranger(method.clone(), &path).header(header::AUTHORIZATION, "Bearer wrong"),
            stranger(method.clone(), &path).header(header::AUTHORIZATION, TOKEN),
            stranger(method.clone(), &path).header(header::COOKIE, "kith_8420=wrong"),
            stranger(method.clone(), &path).header(header::COOKIE, "kith_8420="),
            stranger(method.clone(), &path).header(header::COOKIE, format!("kith_8421={SESSION}")),
            stranger(method.clone(), &path).header(header::COOKIE, format!("kith_8420={TOKEN}")),
        ];
        for offer in offers {
            let reply = house.send(empty(offer)).await;
            if is_guarded(audience) {
                assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            } else {
                assert_ne!(reply.status, StatusCode::FORBIDDEN, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_name_that_points_here_is_not_us() {
    let house = House::new().await;
    let hosts =
        ["evil.example:8420", "127.0.0.1", "127.0.0.1:1", "127.0.0.1:8420.evil.example", ""];
    for (method, path, _) in knocks() {
        for host in hosts {
            let request = bare(method.clone(), &path)
                .header(header::HOST, host)
                .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
            let reply = house.send(empty(request)).await;
            assert_eq!(reply.status, StatusCode::MISDIRECTED_REQUEST, "{method} {path} {host}");
        }
        let none = bare(method.clone(), &path);
        let two = by_token(method.clone(), &path).header(header::HOST, HOST);
        let absolute = by_token(method.clone(), &format!("http://evil.example{path}"));
        for request in [none, two, absolute] {
            let reply = house.send(empty(request)).await;
            assert_eq!(reply.status, StatusCode::MISDIRECTED_REQUEST, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn another_origin_is_refused_on_every_route() {
    let house = House::new().await;
    let origins = [
        "http://evil.example",
        "http://127.0.0.1:8421",
        "https://127.0.0.1:8420",
        "http://localhost:8420",
        "null",
        "",
    ];
    for (method, path, _) in knocks() {
        for origin in origins {
            for request in [by_token(method.clone(), &path), by_session(method.clone(), &path)] {
                let reply = house.send(empty(request.header(header::ORIGIN, origin))).await;
                assert_eq!(reply.status, StatusCode::FORBIDDEN, "{method} {path} {origin}");
            }
        }
    }
}

#[tokio::test]
async fn another_site_is_refused_on_every_route() {
    let house = House::new().await;
    for (method, path, audience) in knocks() {
        for site in ["cross-site", "same-site", "odd"] {
            for request in [by_token(method.clone(), &path), by_session(method.clone(), &path)] {
                let reply = house.send(empty(request.header("sec-fetch-site", site))).await;
                assert_eq!(reply.status, StatusCode::FORBIDDEN, "{method} {path} {site}");
            }
            let link = by_session(method.clone(), &path)
                .header("sec-fetch-site", site)
                .header("sec-fetch-mode", "navigate")
                .header("sec-fetch-dest", "document");
            let reply = house.send(empty(link)).await;
            let is_page = matches!(audience, Audience::People | Audience::Visitors);
            let may_be_followed = is_page && method == Method::GET;
            let is_refused = reply.status == StatusCode::FORBIDDEN;
            assert_eq!(is_refused, !may_be_followed, "{method} {path} {site}");
        }
    }
}

#[tokio::test]
async fn a_change_by_session_says_where_it_comes_from() {
    let house = House::new().await;
    for (method, path, audience) in knocks() {
        if !is_guarded(audience) || method.is_safe() {
            continue;
        }
        let silent = house.send(empty(by_session(method.clone(), &path))).await;
        assert_eq!(silent.status, StatusCode::FORBIDDEN, "{method} {path}");
        let ours =
            by_session(method.clone(), &path).header(header::ORIGIN, format!("http://{HOST}"));
        let reply = house.send(empty(ours)).await;
        let is_let_in = reply.status != StatusCode::FORBIDDEN;
        assert_eq!(is_let_in, audience != Audience::Socket, "{method} {path}");
    }
}

#[tokio::test]
async fn the_socket_is_enough_and_some_things_need_it() {
    let house = House::new().await;
    for (method, path, audience) in knocks() {
        // It never ends.
        if path == "/api/v1/events" {
            continue;
        }
        let inside = send(&house.socket, empty(bare(method.clone(), &path))).await;
        let is_entrance =
            matches!(audience, Audience::Visitors | Audience::Peers | Audience::Guests);
        assert!(is_entrance || inside.status != StatusCode::UNAUTHORIZED, "{method} {path}");
        assert_ne!(inside.status, StatusCode::FORBIDDEN, "{method} {path}");
        if audience == Audience::Socket {
            let outside = house.send(empty(by_token(method.clone(), &path))).await;
            assert_eq!(outside.status, StatusCode::FORBIDDEN, "{method} {path}");
            assert_eq!(outside.json()["code"], "socket-only");
        }
    }
}

#[tokio::test]
async fn every_answer_is_hardened() {
    let house = House::new().await;
    let mut paths: Vec<_> = knocks().into_iter().map(|(method, path, _)| (method, path)).collect();
    paths.push((Method::GET, "/nowhere".to_owned()));
    paths.push((Method::PUT, "/health".to_owned()));
    for (method, path) in paths {
        for request in [stranger(method.clone(), &path), by_token(method.clone(), &path)] {
            if path == "/api/v1/events" {
                continue;
            }
            let reply = house.send(empty(request)).await;
            let policy = reply.header(header::CONTENT_SECURITY_POLICY);
            assert!(policy.contains("default-src 'none'"), "{method} {path}: {policy}");
            assert!(!policy.contains("unsafe"), "{method} {path}: {policy}");
            assert_eq!(reply.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
            assert_eq!(reply.header(header::REFERRER_POLICY), "same-origin", "{path}");
            let resource = header::HeaderName::from_static("cross-origin-resource-policy");
            assert_eq!(reply.header(resource), "same-origin", "{path}");
            assert!(!reply.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), "{path}");
            let is_asset = path.starts_with("/assets/");
            assert!(is_asset || reply.header(header::CACHE_CONTROL) == "no-store", "{path}");
        }
    }
}

#[tokio::test]
async fn a_browser_comes_in_by_link_or_token() {
    let house = House::new().await;
    let closed = house.send(empty(stranger(Method::GET, "/"))).await;
    assert_eq!(closed.status, StatusCode::UNAUTHORIZED);
    assert!(closed.text().contains("kith up") && closed.text().contains("action=\"/enter\""));

    let wrong = house.send(empty(stranger(Method::GET, "/enter/wrong"))).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(!wrong.headers.contains_key(header::SET_COOKIE));

    let entered = house.send(empty(stranger(Method::GET, &format!("/enter/{CODE}")))).await;
    let form = |token: &str| {
        stranger(Method::POST, "/enter")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!("token={token}")))
            .expect("a request")
    };
    let pasted = house.send(form(TOKEN)).await;
    for reply in [entered, pasted] {
        assert_eq!(reply.status, StatusCode::SEE_OTHER);
        assert_eq!(reply.header(header::LOCATION), "/");
        let cookie = format!("kith_8420={SESSION}; HttpOnly; SameSite=Strict; Path=/");
        assert_eq!(reply.header(header::SET_COOKIE), cookie);
    }
    assert_eq!(house.send(form("wrong")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(house.send(form(&"x".repeat(70_000))).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(house.page("/").await.status, StatusCode::OK);
}
