//! A database restored from a backup: what it does not have is left out, and kept.

use millrace_events::{Position, PositionRange};
use millrace_source::{Cut, Error, Message, Source, SourceEpoch, SourceOptions};

use crate::broker::{Broker, contents, epochs_until, epochs_up_to};
use crate::source::{given_log, rows_of};

/// Positions from the transaction that begins at or after `from` to the end of the log.
fn orphans(log: &[Message], from: u64) -> PositionRange {
    let begins = |message: &&Message| message.number == 1 && message.position.0 >= from;
    let first = log.iter().find(begins).expect("a transaction").position;
    PositionRange { first, last: log.last().expect("a log").position }
}

fn last_cut(epochs: &[SourceEpoch]) -> &Cut {
    &epochs.last().expect("an epoch").cut
}

#[tokio::test]
async fn orphans_are_left_out_and_kept_until_a_better_backup_has_them() -> anyhow::Result<()> {
    let broker = Broker::start().await?;
    let log = given_log(41, 60);
    let end = log.len() as u64;
    broker.append(&log)?;
    broker.append_life(1, 900, end, &[])?;
    let mut source = Source::open(broker.options(&Cut::default())).await?;
    let before = epochs_up_to(&mut source, log.len()).await?;
    assert_eq!(last_cut(&before).incarnation, 1);

    // Whoever reads hears of it, and so does who comes back later.
    let lost = orphans(&log, end / 2);
    broker.append_life(2, 100, end, &[lost])?;
    let stopped = epochs_until(&mut source, |_| false).await.expect_err("a stop");
    let is_restored = |error: &Error| {
        matches!(error, Error::NewIncarnation { known: 1, incarnation: 2 }) && !error.is_retryable()
    };
    assert!(is_restored(&stopped), "{stopped}");
    let refused = Source::open(broker.options(last_cut(&before))).await.expect_err("refused");
    assert!(is_restored(&refused), "{refused}");

    // From the start, they are left out, by way of the copy as well.
    let kept = &log[..lost.first.0 as usize - 1];
    for copied in [false, true] {
        let options =
            SourceOptions { copy: Some(broker.copy()), ..broker.options(&Cut::default()) };
        let mut source = match copied {
            false => Source::open(options).await?,
            true => Source::open_from_copy(options).await?,
        };
        let epochs = epochs_up_to(&mut source, log.len()).await?;
        assert_eq!(contents(&epochs), rows_of(kept));
        let cut = last_cut(&epochs);
        assert_eq!((cut.incarnation, cut.applied), (2, lost.first.0 - 1));
        assert_eq!(cut.applied + cut.dead_lettered, end);
        source.close().await;
        // And its cut is one to go on from.
        Source::open(broker.options(cut)).await?.close().await;
    }
    let letters = broker.dead_letters();
    let listed = letters.list(Position::START, 1000).await?;
    assert!(listed.iter().all(|letter| letter.is_orphaned), "{listed:?}");
    let events = listed.iter().flat_map(|letter| &letter.events).map(|event| event.event_id);
    assert!(events.eq(log[kept.len()..].iter().map(|message| message.event_id)));
    let replayed = letters.replay(&[lost.first], |_| async { Err("appended") }).await;
    assert!(matches!(replayed, Err(Error::Orphaned { id }) if id == lost.first));

    let less = orphans(&log, end * 3 / 4);
    broker.append_life(3, 500, end, &[less])?;
    let mut source = Source::open(broker.options(&Cut::default())).await?;
    let epochs = epochs_up_to(&mut source, log.len()).await?;
    assert_eq!(contents(&epochs), rows_of(&log[..less.first.0 as usize - 1]));
    assert_eq!(letters.list(Position::START, 1).await?[0].id, less.first);
    Ok(())
}

#[tokio::test]
async fn a_letter_whose_replay_was_lost_can_be_replayed_again() -> anyhow::Result<()> {
    let broker = Broker::start().await?;
    let mut log = given_log(42, 6);
    let good = log[0].value.take();
    let size = log[0].size as usize;
    broker.append(&log)?;
    let mut source = Source::open(broker.options(&Cut::default())).await?;
    epochs_up_to(&mut source, log.len()).await?;
    let letters = broker.dead_letters();
    let first = Position(1);
    assert_eq!(letters.replay(&[first], |_| async { Ok::<_, String>(()) }).await?, 1);
    let end = log.len() as u64;
    let mut again = log[..size].to_vec();
    again[0].value = good;
    again.iter_mut().for_each(|message| message.position.0 += end);
    broker.append(&again)?;
    epochs_up_to(&mut source, log.len() + size).await?;
    source.close().await;

    let lost = PositionRange { first: Position(end + 1), last: Position(end + size as u64) };
    broker.append_life(2, 100, lost.last.0, &[lost])?;
    let mut source = Source::open(broker.options(&Cut::default())).await?;
    epochs_up_to(&mut source, log.len() + size).await?;
    let listed = letters.list(Position::START, 10).await?;
    let found: Vec<_> =
        listed.iter().map(|letter| (letter.id, letter.is_replayed, letter.is_orphaned)).collect();
    assert_eq!(found, [(first, false, false), (lost.first, false, true)]);
    assert_eq!(letters.replay(&[first], |_| async { Ok::<_, String>(()) }).await?, 1);
    Ok(())
}

#[tokio::test]
async fn nothing_is_passed_while_nobody_tells_what_counts() -> anyhow::Result<()> {
    let broker = Broker::start().await?;
    let log = given_log(43, 40);
    let end = log.len() as u64;
    broker.append(&log)?;
    let lost = orphans(&log, end / 4);
    broker.append_life(2, 100, end, &[lost])?;
    let mut source = Source::open(broker.options(&Cut::default())).await?;
    let epochs = epochs_until(&mut source, |epoch| epoch.last_position > lost.first).await?;
    source.close().await;
    // What was told before the restore does not count any more; a cut inside the range has to wait.
    broker.append_life(1, 900, end, &[])?;
    let cut = last_cut(&epochs);
    let refused = Source::open(broker.options(cut)).await.expect_err("refused");
    assert!(matches!(refused, Error::NoFrontier { known: 2 }), "{refused}");
    assert!(refused.is_retryable());
    broker.append_life(2, 100, end, &[lost])?;
    let mut source = Source::open(broker.options(cut)).await?;
    let rest = epochs_up_to(&mut source, log.len()).await?;
    assert_eq!(rest.iter().map(SourceEpoch::events).sum::<usize>(), 0);
    assert_eq!(last_cut(&rest).dead_lettered, end + 1 - lost.first.0);
    Ok(())
}
