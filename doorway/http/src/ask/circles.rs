//! Questions about circles, and who is meant where people and circles may be.

use node_core::{
    Failure, FailureKind, Request, Response,
    request::{CircleInfo, CircleRequest, Party, SpaceInfo},
};
use node_model::{AgentId, DeviceId};
use node_runtime::Handle;

use super::{agent, found_space, space, unexpected};

pub(crate) async fn circles(node: &Handle) -> Result<Vec<CircleInfo>, Failure> {
    answer!(node, Request::Circle(CircleRequest::List), Response::Circles(circles) => circles)
}

/// A circle by id, beginning of an id, or name.
pub(crate) async fn circle(node: &Handle, text: &str) -> Result<SpaceInfo, Failure> {
    let request = CircleRequest::Find { text: text.to_owned() };
    found_space(node.request(Request::Circle(request)).await?)
}

/// Makes a circle.
pub(crate) async fn found_circle(node: &Handle, name: String) -> Result<SpaceInfo, Failure> {
    found_space(node.request(Request::Circle(CircleRequest::Found { name })).await?)
}

/// An agent as [`agent()`] finds it, or else a circle or another space, for all who may
/// read it. People choose their names themselves: one who is called like a circle is not
/// taken for it.
pub(crate) async fn party(node: &Handle, text: &str) -> Result<Party, Failure> {
    let person = agent(node, text).await;
    if text.parse::<AgentId>().is_ok() || text.parse::<DeviceId>().is_ok() {
        return person.map(Party::Agent);
    }
    let group = match circle(node, text).await {
        Err(failure) if failure.kind == FailureKind::NotFound => space(node, text).await,
        found => found,
    };
    match (person, group) {
        (Ok(_), Ok(_)) => {
            let message = format!("both a person and a space are called {text:?}; use the id");
            let fix = "kith relation list, or: kith circle list";
            Err(Failure::new(FailureKind::Invalid, message, fix))
        }
        (Ok(agent), Err(_)) => Ok(Party::Agent(agent)),
        (Err(failure), Ok(group)) if failure.kind == FailureKind::NotFound => {
            Ok(Party::Group(group.space))
        }
        (Err(nobody), Err(failure)) if nobody.kind == FailureKind::NotFound => {
            // Several circles of one name are another mistake than none.
            Err(if failure.kind == FailureKind::NotFound { nobody } else { failure })
        }
        (Err(failure), Ok(_) | Err(_)) => Err(failure),
    }
}
