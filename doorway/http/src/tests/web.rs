//! The files of the web app, and what a browser is told of them.

use super::*;

async fn get(house: &House, path: &str) -> Reply {
    house.send(stranger(Method::GET, path).body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn the_app_is_there_for_whoever_may_not_come_in() {
    let house = House::new().await;
    assert_eq!(get(&house, "/app/").await.status, StatusCode::NOT_FOUND, "no such folder");
    let folder = house.node.folder.path().join("web");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("index.html"), "<p>the app").expect("a file");
    std::fs::write(folder.join("kith.wasm"), b"\0asm").expect("a file");
    std::fs::write(folder.join("notes.txt"), "not of the app").expect("a file");
    std::fs::write(house.node.folder.path().join("secret.js"), "above it").expect("a file");

    let page = get(&house, "/app/").await;
    assert_eq!((page.status, &*page.body), (StatusCode::OK, &b"<p>the app"[..]));
    assert_eq!(page.header(header::CONTENT_TYPE), "text/html; charset=utf-8");
    let policy = page.header(header::CONTENT_SECURITY_POLICY);
    assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval';"), "{policy}");
    assert!(!policy.contains("unsafe-inline"), "{policy}");
    let module = get(&house, "/app/kith.wasm").await;
    assert_eq!(module.header(header::CONTENT_TYPE), "application/wasm");
    let again = stranger(Method::GET, "/app/kith.wasm")
        .header(header::IF_NONE_MATCH, module.header(header::ETAG));
    let again = house.send(again.body(Body::empty()).expect("a request")).await;
    assert_eq!((again.status, &*again.body), (StatusCode::NOT_MODIFIED, &b""[..]));

    assert_eq!(get(&house, "/app").await.header(header::LOCATION), "/app/");
    for none in ["/app/notes.txt", "/app/..%2fsecret.js", "/app/%2e%2e/secret.js", "/app/x.js"] {
        assert_eq!(get(&house, none).await.status, StatusCode::NOT_FOUND, "{none}");
    }
    // Other pages have a stricter policy, and no script at all.
    let policy = get(&house, "/").await.header(header::CONTENT_SECURITY_POLICY).to_owned();
    assert!(!policy.contains("script-src"), "{policy}");
}
