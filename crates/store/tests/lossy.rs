//! The store that loses: it must lose something, but never what it promised to keep, nor one out of the middle.

#![allow(clippy::unwrap_used)] // a test says enough by failing

mod support;

use plexspaces_store::{
    Error, Order, Store,
    testing::{Lossy, NoGate},
};
use std::{sync::Arc, time::Duration};
use support::{key, put_soon};

/// Commits one entry after the other and crashes after twenty, of which `confirmed` were told to be flushed. Gives the
/// entries that were left, and how many were lost.
async fn left_after_crash(
    store: Arc<dyn Store>,
    lossy: &Lossy,
    confirmed: u8,
    seed: u64,
) -> (Vec<u8>, usize) {
    for n in 0..20u8 {
        let commit = store
            .commit(put_soon(&format!("k{n:02}"), vec![n]))
            .await
            .unwrap();
        if n + 1 == confirmed {
            store.flushed(commit).await.unwrap();
        }
    }
    let after = lossy.crash(seed);
    assert!(
        after.visible() > store.visible(),
        "no version is used again"
    );
    let rows = after
        .snapshot()
        .scan(key("k")..key("l"), 99, Order::Forward)
        .await
        .unwrap();
    (
        rows.into_iter().map(|(_, row)| row.value[0]).collect(),
        after.lost(),
    )
}

#[tokio::test]
async fn a_crash_loses_a_suffix_of_what_was_not_flushed() {
    let mut lost = 0;
    for seed in 0..50 {
        let lossy = Arc::new(Lossy::open(Duration::from_micros(100)));
        let (left, gone) = left_after_crash(lossy.clone(), &lossy, 5, seed).await;
        assert!(left.len() >= 5, "five were promised");
        assert_eq!(left, (0..left.len() as u8).collect::<Vec<_>>());
        assert_eq!(left.len() + gone, 20);
        lost += gone;
    }
    assert!(lost > 0, "a lossy store that loses nothing tests nothing");
}

#[tokio::test]
async fn a_store_that_cheats_is_found_out() {
    let mut broken = 0;
    for seed in 0..50 {
        let lossy = Arc::new(Lossy::open(Duration::from_micros(100)));
        let cheat = Arc::new(NoGate(Arc::clone(&lossy)));
        let (left, _) = left_after_crash(cheat, &lossy, 20, seed).await;
        broken += usize::from(left.len() < 20);
    }
    assert!(broken > 0);
}

#[tokio::test]
async fn who_still_uses_the_store_that_crashed_is_told() {
    let lossy = Lossy::open(Duration::ZERO);
    lossy.commit(put_soon("a", "1")).await.unwrap();
    let _after = lossy.crash(1);
    assert!(matches!(
        lossy.commit(put_soon("a", "2")).await,
        Err(Error::Stopped { .. })
    ));
    assert!(matches!(lossy.stopped().await, Error::Stopped { .. }));
}
