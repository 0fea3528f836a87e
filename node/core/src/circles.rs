//! Circles: people under a name, to be let into spaces together.
//!
//! A circle is a space that its founder called one, as a party of others; see
//! `trust/core/src/trust/label.rs` and `trust/core/src/membership.rs`. Whoever joins or leaves one
//! joins or leaves all that it was let into, at every node.
//!
//! Non-goals: circles that the people in them do not know of; circles that write.

use node_model::{Now, SpaceId, limit::NAME_BYTES_MAX};
use trust_core::{Party, Role};

use crate::{
    failure::{Failure, FailureKind},
    node::Node,
    request::{MemberInfo, Response, SpaceInfo},
    serve::PREFIX_MIN,
};

/// A question about circles, or the wish for one. People come and go as in any space.
#[derive(Clone, Debug)]
pub enum CircleRequest {
    /// All that we are in. → [`Response::Circles`]
    List,
    /// Founds one. → [`Response::Space`]
    Found {
        /// Its name.
        name: String,
    },
    /// One, by id, unique beginning of an id, or name. → [`Response::Space`]
    Find {
        /// What it is called.
        text: String,
    },
}

/// A circle.
#[derive(Clone, Debug)]
pub struct CircleInfo {
    /// The space that it is.
    pub info: SpaceInfo,
    /// Who is in it.
    pub members: Vec<MemberInfo>,
    /// The spaces that it was let into, as far as we know them: their names, and as what.
    pub spaces: Vec<(SpaceId, String, Role)>,
}

impl Node {
    pub(crate) fn serve_circle(
        &mut self,
        now: Now,
        request: CircleRequest,
    ) -> Result<Response, Failure> {
        match request {
            CircleRequest::List => self.list_circles().map(Response::Circles),
            CircleRequest::Found { name } => self.found_circle(now, &name),
            CircleRequest::Find { text } => self.find_circle(&text).map(Response::Space),
        }
    }

    fn circles(&self) -> impl Iterator<Item = SpaceInfo> {
        self.space_infos().into_iter().filter(|info| info.is_circle && info.role.is_some())
    }

    fn list_circles(&self) -> Result<Vec<CircleInfo>, Failure> {
        let graph = self.trust.graph();
        let circles = self.circles().map(|info| {
            let party = Party::Group(info.space);
            let into = self.trust.spaces().filter_map(|space| {
                let standing = graph.spaces.get(&space)?.membership.members.get(&party)?;
                Some((space, self.space_name(space), standing.role))
            });
            let mut members = self.member_infos(info.space)?;
            members.retain(|member| !member.is_keeper);
            let spaces = into.collect();
            Ok(CircleInfo { info, members, spaces })
        });
        circles.collect()
    }

    fn found_circle(&mut self, now: Now, name: &str) -> Result<Response, Failure> {
        let name = name.trim();
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            let message = format!("a circle's name has 1 to {NAME_BYTES_MAX} bytes");
            return Err(Failure::new(FailureKind::Invalid, message, "kith circle new NAME"));
        }
        if self.circles().any(|info| info.name == name) {
            let message = format!("you are in a circle {name:?} already");
            return Err(Failure::new(FailureKind::Invalid, message, "kith circle list"));
        }
        let circle = self.trust.found_circle(self.entropy.as_mut(), now.wall, name)?;
        self.open_space(circle)?;
        self.trust_changed(now);
        self.space_info(circle).map(Response::Space).ok_or_else(Failure::no_such_space)
    }

    fn find_circle(&self, text: &str) -> Result<SpaceInfo, Failure> {
        let id = text.parse::<SpaceId>().ok();
        let named = |it: &SpaceInfo| id.map_or(it.name == text, |id| it.space == id);
        let begins =
            |it: &SpaceInfo| text.len() >= PREFIX_MIN && it.space.to_string().starts_with(text);
        let found: Vec<SpaceInfo> = self.circles().filter(named).collect();
        let found = if found.is_empty() { self.circles().filter(begins).collect() } else { found };
        match found.as_slice() {
            [one] => Ok(one.clone()),
            [] => {
                let message = format!("there is no circle {text:?} here");
                Err(Failure::new(FailureKind::NotFound, message, "kith circle list"))
            }
            [_, ..] => {
                let message = format!("{} circles are called {text:?}; use the id", found.len());
                Err(Failure::new(FailureKind::Invalid, message, "kith circle list"))
            }
        }
    }
}
