use super::*;

/// What somebody may not have and what there is not are answered by the same bytes,
/// but for the id that was asked for.
#[test]
fn what_is_not_for_somebody_is_not_there_for_them() {
    let mut company = Company::new(2);
    let private = company.space(0);
    company.write(0, private, "secret");
    let ticket = company.ticket(0, None);
    company.accept(1, ticket).expect("they relate");
    let unknown = SpaceId([7; 32]);
    let questions = |space: SpaceId| {
        let (store, digest) = (StoreEpoch([1; 16]), [2; 32]);
        let head = Head { space, store, arrivals: 3, digest, seen: None, part: None };
        [
            Message::Heads { protocol: PROTOCOL, heads: vec![head] },
            Message::Pull { space, after: 0 },
            Message::List { space, after: 0 },
            Message::Get { space, ids: vec![3; 32].into() },
        ]
    };
    for (of_private, of_unknown) in questions(private).into_iter().zip(questions(unknown)) {
        let [denied, missing] = [of_private, of_unknown].map(|question| company.hear(&question));
        assert_eq!(denied.len(), 1);
        assert_eq!(missing.len(), 1);
        let as_if_unknown: Vec<u8> = denied[0]
            .windows(32)
            .position(|part| part == private.0)
            .map(|at| [&denied[0][..at], &unknown.0, &denied[0][at + 32..]].concat())
            .expect("it names the space that was asked for");
        assert_eq!(as_if_unknown, missing[0]);
    }
}

impl Company {
    /// What the first node answers when the second one says something.
    pub(super) fn hear(&mut self, message: &Message) -> Vec<Vec<u8>> {
        let (device, lane, frame) = (self.devices[1], Lane::Sync, message.encode().into());
        let now = self.now();
        self.nodes[0].handle(now, Input::Net(NetEvent::Frame { device, lane, frame }));
        self.nodes[0].flush(now);
        let mut answers = vec![];
        while let Some(effect) = self.nodes[0].poll_effect() {
            if let Effect::Net(NetCommand::Send { lane: Lane::Sync, frame, .. }) = effect {
                answers.push(frame.to_vec());
            }
        }
        answers
    }
}
