//! Questions about conflicts.

use node_core::{
    Failure, Request, Response,
    request::{
        ConflictPage, ConflictRequest, ConflictResponse, ConflictTally, ConflictsOf, KeepAll,
        SettleReport,
    },
};
use node_model::SpaceId;
use node_runtime::Handle;

use super::unexpected;

/// Most steps in which one request settles conflicts: a hundred thousand of them.
const SETTLE_STEPS_MAX: usize = 1_000;

async fn ask(node: &Handle, request: ConflictRequest) -> Result<ConflictResponse, Failure> {
    let Response::Conflict(answer) = node.request(Request::Conflict(request)).await? else {
        return Err(unexpected());
    };
    Ok(answer)
}

/// What waits for a person.
pub(crate) async fn conflicts(
    node: &Handle,
    space: SpaceId,
    of: ConflictsOf,
) -> Result<ConflictPage, Failure> {
    let ConflictResponse::Page(page) = ask(node, ConflictRequest::List { space, of }).await? else {
        return Err(unexpected());
    };
    Ok(page)
}

/// How much waits for a person, counted in at most so many steps.
pub(crate) async fn tally(
    node: &Handle,
    space: SpaceId,
    steps_max: usize,
) -> Result<ConflictTally, Failure> {
    let mut tally = ConflictTally { waiting: 1, ..ConflictTally::default() };
    for _ in 0..steps_max {
        let ConflictResponse::Tally(counted) = ask(node, ConflictRequest::Tally { space }).await?
        else {
            return Err(unexpected());
        };
        tally = counted;
        if tally.waiting == 0 {
            break;
        }
    }
    Ok(tally)
}

/// Settles conflicts in favour of one side, step by step: what others ask comes in
/// between. The report says where to go on if that is not all, and names at most
/// `left_max` of those that stay open; how many these are is the second number.
pub(crate) async fn settle_all(
    node: &Handle,
    (space, of): (SpaceId, ConflictsOf),
    keep: KeepAll,
    left_max: usize,
) -> Result<(SettleReport, usize), Failure> {
    let mut whole = SettleReport { is_complete: true, ..SettleReport::default() };
    let (mut next, mut left_open) = (Some(of), 0);
    for _ in 0..SETTLE_STEPS_MAX {
        let Some(of) = next else { break };
        let request = ConflictRequest::SettleAll { space, of, keep };
        let ConflictResponse::Settled(step) = ask(node, request).await? else {
            return Err(unexpected());
        };
        whole.settled += step.settled;
        whole.is_complete &= step.is_complete;
        left_open += step.left.len();
        whole.left.extend(step.left.into_iter().take(left_max.saturating_sub(whole.left.len())));
        whole.next = step.next;
        next = step.next.map(|after| ConflictsOf::After(Some(after)));
    }
    Ok((whole, left_open))
}
