//! The description says what the routes do.

use std::collections::BTreeSet;

use super::*;
use crate::{access::Audience, openapi, routes::table};

fn described() -> BTreeSet<(String, String)> {
    let description = openapi();
    let paths = description["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().expect("operations").keys();
        methods.map(move |method| (method.to_uppercase(), path.clone()))
    });
    operations.collect()
}

#[test]
fn every_route_is_described_and_every_description_has_a_route() {
    let routes = table().into_iter().map(|row| (row.method.to_string(), row.path.to_owned()));
    assert_eq!(routes.collect::<BTreeSet<_>>(), described());
}

#[test]
fn the_description_is_sound() {
    let description = openapi();
    assert_eq!(description["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    for row in table() {
        let method = row.method.as_str().to_lowercase();
        let operation = &description["paths"][row.path][&method];
        let id = operation["operationId"].as_str().expect("an id").to_owned();
        assert!(ids.insert(id.clone()), "{id} twice");
        assert!(operation["summary"].is_string(), "{id}");
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let in_path: Vec<_> = parameters.iter().filter(|it| it["in"] == "path").collect();
        assert_eq!(in_path.len(), row.path.matches('{').count(), "{id}");
        let is_open = operation["security"].as_array().is_some_and(Vec::is_empty);
        assert_eq!(is_open, matches!(row.audience, Audience::Anyone | Audience::Visitors), "{id}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let description = openapi();
    let text = description.to_string();
    let marker = "\"$ref\":\"#";
    let mut references = 0;
    for piece in text.split(marker).skip(1) {
        let pointer = piece.split('"').next().expect("a piece");
        assert!(description.pointer(pointer).is_some(), "{pointer}");
        references += 1;
    }
    assert!(references > 40, "{references}");
}

#[tokio::test]
async fn it_is_served() {
    let house = House::new().await;
    assert_eq!(house.get("/api/v1/openapi.json").await.json(), openapi());
}
