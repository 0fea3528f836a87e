//! Tickets that are no good: a clear error, and nobody is related afterwards.

use acceptance::{Home, until};

#[tokio::test]
async fn wrong_truncated_and_mistyped_tickets_are_told_apart_from_good_ones() {
    let (ada, ben) = (Home::new(), Home::new());
    let _running = [ada.up().ready().await, ben.up().ready().await];
    let ticket = ada.ticket(&[]).await;
    let mut mistyped = ticket.clone().into_bytes();
    mistyped[40] = if mistyped[40] == b'a' { b'b' } else { b'a' };
    let mistyped = String::from_utf8(mistyped).expect("plain");
    let cases = [
        ("hello", "not a Kith ticket"),
        ("", "not a Kith ticket"),
        (&ticket[..ticket.len() - 1], "damaged"),
        (&ticket[..60], "damaged"),
        (&mistyped, "damaged"),
    ];
    for (bad, says) in cases {
        let failed = ben.pair(bad).fails().await;
        failed.is(2, "invalid").says(says);
        assert!(failed.fix.contains("kith"), "{failed:?}");
    }
    let own = ada.pair(&ticket).fails().await;
    own.is(2, "invalid").says("this very node");
    nobody_is_related(&[&ada, &ben]).await;
    ben.pair(&format!("  {}\n", ticket.to_uppercase())).json().await;
}

#[tokio::test]
async fn an_expired_ticket_opens_nothing() {
    let (ada, ben) = (Home::new(), Home::new());
    let of_ben = ben.up().ready().await;
    let of_ada = ada.up().ready().await;
    let listen = of_ada.listen().to_owned();
    let ticket = ada.ticket(&["--expires", "1s"]).await;
    // While Ada is away, trying cannot use the ticket up.
    of_ada.stop().await;
    let failed = until("the ticket to expire", async || {
        let failed = ben.pair(&ticket).fails().await;
        (failed.code != "unreachable").then_some(failed)
    })
    .await;
    failed.is(3, "not-allowed").says("expired");
    assert!(failed.fix.contains("kith ticket"), "{failed:?}");
    let _of_ada = ada.up().listen(&listen).ready().await;
    ben.pair(&ticket).fails().await.is(3, "not-allowed").says("expired");
    nobody_is_related(&[&ada, &ben]).await;
    of_ben.stop().await;
}

#[tokio::test]
async fn a_ticket_is_good_once() {
    let (ada, ben, carol) = (Home::new(), Home::new(), Home::new());
    let running = [ada.up().ready().await, ben.up().ready().await, carol.up().ready().await];
    let ticket = ada.ticket(&[]).await;
    ben.pair(&ticket).json().await;
    let reused = carol.pair(&ticket).fails().await;
    reused.is(3, "not-allowed").says("used already");
    assert!(reused.fix.contains("kith ticket"), "{reused:?}");
    let again = ben.pair(&ticket).fails().await;
    again.is(3, "not-allowed").says("used already");
    nobody_is_related(&[&carol]).await;
    assert_eq!(ada.relations().await, [running[1].agent()]);
    assert_eq!(ben.relations().await, [running[0].agent()], "a second try ends nothing");
}

#[tokio::test]
async fn a_ticket_of_a_node_that_is_gone_leads_nowhere() {
    let (ada, carol) = (Home::new(), Home::new());
    let _of_ada = ada.up().ready().await;
    let of_carol = carol.up().ready().await;
    let listen = of_carol.listen().to_owned();
    let ticket = carol.ticket(&[]).await;
    of_carol.kill().await;
    let failed = ada.pair(&ticket).fails().await;
    failed.is(5, "unreachable");
    assert!(failed.fix.contains("kith up"), "{failed:?}");

    // Somebody else where she was: not the key that the ticket names.
    let mallory = Home::new();
    let _of_mallory = mallory.up().listen(&listen).ready().await;
    ada.pair(&ticket).fails().await.is(5, "unreachable");
    nobody_is_related(&[&ada, &mallory]).await;
}

#[tokio::test]
async fn a_ticket_that_was_made_without_a_running_node_says_so() {
    let (ada, ben) = (Home::new(), Home::new());
    let _of_ben = ben.up().ready().await;
    let ticket = ada.ticket(&[]).await;
    let failed = ben.pair(&ticket).fails().await;
    failed.is(5, "unreachable").says("not running");
    nobody_is_related(&[&ada, &ben]).await;
}

#[tokio::test]
async fn nobody_is_related_without_comparing_the_codes() {
    let (ada, ben) = (Home::new(), Home::new());
    let _running = [ada.up().ready().await, ben.up().ready().await];
    let ticket = ada.ticket(&[]).await;
    let failed = ben.kith(&["pair", &ticket]).fails().await;
    failed.is(2, "invalid").says("compare");
    assert!(failed.fix.contains("--yes"), "{failed:?}");
    nobody_is_related(&[&ada, &ben]).await;
    ben.pair(&ticket).json().await;
}

async fn nobody_is_related(homes: &[&Home]) {
    for home in homes {
        assert_eq!(home.relations().await, [] as [String; 0]);
    }
}
