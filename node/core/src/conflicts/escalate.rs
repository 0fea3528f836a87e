//! Conflicts that are left to the admins of a space.
//!
//! Who asks waits for an answer: until an admin decides, or the question is taken back, nobody
//! else settles the conflict here. It is an agreement among those who may write, like all that
//! stands in a document; whoever may write can also write past it, and their name is on it.

use node_model::{DocumentId, Now, SpaceId};
use sync_engine_core::{
    DecisionError,
    document::conflicts::{ConflictId, ResolveError},
};
use trust_core::Role;

use super::{ConflictInfo, ConflictsOf};
use crate::{
    failure::Failure,
    mend::Mend,
    node::{Node, RequestId},
};

impl Node {
    pub(super) fn escalate(
        &mut self,
        now: Now,
        id: RequestId,
        space: SpaceId,
        (document, conflict, why): (DocumentId, ConflictId, &str),
    ) {
        match self.need_role(space, Role::Writer) {
            Ok(()) => self.serve_write(now, id, space, |engine, writer| {
                engine.escalate(writer, space, document, (conflict, Some(why)))?;
                Ok::<_, Failure>(vec![document])
            }),
            Err(failure) => self.reply(id, Err(failure)),
        }
    }

    pub(super) fn withdraw(
        &mut self,
        now: Now,
        id: RequestId,
        space: SpaceId,
        (document, conflict): (DocumentId, ConflictId),
    ) {
        let ready = self.need_role(space, Role::Writer);
        match ready.and_then(|()| self.need_own_question(space, document, conflict)) {
            Ok(()) => self.serve_write(now, id, space, |engine, writer| {
                engine.escalate(writer, space, document, (conflict, None))?;
                Ok::<_, Failure>(vec![document])
            }),
            Err(failure) => self.reply(id, Err(failure)),
        }
    }

    fn is_admin(&self, space: SpaceId) -> bool {
        self.need_role(space, Role::Admin).is_ok()
    }

    fn disputed(
        &mut self,
        space: SpaceId,
        document: DocumentId,
        conflict: ConflictId,
    ) -> Result<ConflictInfo, Failure> {
        let page = self.conflicts(space, ConflictsOf::Document(document))?;
        let found = page.items.into_iter().find(|info| info.conflict == conflict);
        Ok(found.ok_or(DecisionError::Conflict(ResolveError::NoSuchConflict))?)
    }

    /// Whoever asked takes that back, and an admin.
    fn need_own_question(
        &mut self,
        space: SpaceId,
        document: DocumentId,
        conflict: ConflictId,
    ) -> Result<(), Failure> {
        let found = self.disputed(space, document, conflict)?;
        if found.asked.iter().all(|asked| asked.is_mine) || self.is_admin(space) {
            return Ok(());
        }
        let message = "somebody else asked the admins about this conflict";
        Err(Failure::refused(message, &Mend::Members { space: space.to_string() }))
    }

    /// Who may write settles a conflict, unless it was left to the admins.
    pub(super) fn need_say(
        &mut self,
        space: SpaceId,
        document: DocumentId,
        conflict: ConflictId,
    ) -> Result<(), Failure> {
        self.need_role(space, Role::Writer)?;
        if self.is_admin(space) {
            return Ok(());
        }
        let found = self.disputed(space, document, conflict)?;
        let Some(asked) = found.asked.first() else { return Ok(()) };
        let who = match asked.by.first() {
            Some(_) if asked.is_mine => "you",
            Some(author) => &author.name,
            None => "somebody",
        };
        let message = format!("{who} left this conflict to the admins of the space");
        let space = space.to_string();
        let (document, conflict) = (document.to_string(), conflict.to_string());
        let mend = match asked.is_mine {
            true => Mend::Withdraw { space, document, conflict },
            false => Mend::Members { space },
        };
        Err(Failure::refused(message, &mend))
    }
}
