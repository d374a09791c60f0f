//! Services and leases.

use chrono::TimeDelta;
use conductor::column::now;
use conductor::{lease, service};

use crate::databases::TestDatabase;

on_every_database!(
    a_service_keeps_its_number,
    first_heartbeats_at_once_make_one_row,
    one_holder_at_a_time,
    of_many_one_acquires
);

async fn a_service_keeps_its_number(t: TestDatabase) {
    use service::store::{heartbeat, list};
    let first_at = now();
    let first = heartbeat(&t.db, "host", "magnum-conductor", first_at).await.unwrap();
    assert_eq!((first.id, first.report_count, first.last_seen_up), (1, 1, Some(first_at)));
    assert!(!first.disabled && !first.forced_down);
    let second_at = first_at + TimeDelta::microseconds(1);
    let second = heartbeat(&t.db, "host", "magnum-conductor", second_at).await.unwrap();
    assert_eq!((second.id, second.report_count, second.last_seen_up), (1, 2, Some(second_at)));
    assert_eq!(second.created_at, first_at);
    let other = heartbeat(&t.db, "Host", "magnum-conductor", second_at).await.unwrap();
    assert_eq!(list(&t.db).await.unwrap(), [second, other]);
}

async fn first_heartbeats_at_once_make_one_row(t: TestDatabase) {
    let racers = (0..10).map(|_| {
        let db = t.db.clone();
        tokio::spawn(async move { service::store::heartbeat(&db, "h", "b", now()).await })
    });
    for beat in futures::future::join_all(racers).await {
        beat.unwrap().unwrap();
    }
    let all = service::store::list(&t.db).await.unwrap();
    assert_eq!(all.iter().map(|service| service.report_count).collect::<Vec<_>>(), [10]);
}

async fn one_holder_at_a_time(t: TestDatabase) {
    use lease::store::{find, release, renew, try_acquire};
    let at = now();
    let later = |seconds| at + TimeDelta::seconds(seconds);
    assert!(try_acquire(&t.db, "watch", "a", at, later(30)).await.unwrap());
    assert!(!try_acquire(&t.db, "watch", "b", later(29), later(60)).await.unwrap());
    assert!(try_acquire(&t.db, "watch", "a", later(29), later(40)).await.unwrap());
    assert!(!renew(&t.db, "watch", "b", later(60)).await.unwrap());
    assert!(renew(&t.db, "watch", "a", later(50)).await.unwrap());
    assert!(!try_acquire(&t.db, "watch", "b", later(49), later(80)).await.unwrap());
    assert!(try_acquire(&t.db, "watch", "b", later(50), later(80)).await.unwrap());
    assert!(!renew(&t.db, "watch", "a", later(90)).await.unwrap());
    release(&t.db, "watch", "a").await.unwrap();
    assert_eq!(find(&t.db, "watch").await.unwrap().map(|lease| lease.holder), Some("b".into()));
    release(&t.db, "watch", "b").await.unwrap();
    assert_eq!(find(&t.db, "watch").await.unwrap(), None);
    assert!(try_acquire(&t.db, "watch", "a", at, later(30)).await.unwrap());
    assert!(try_acquire(&t.db, "expiry", "b", at, later(30)).await.unwrap());
}

async fn of_many_one_acquires(t: TestDatabase) {
    let at = now();
    let until = at + TimeDelta::seconds(30);
    let racers = (0..20).map(|number| {
        let db = t.db.clone();
        tokio::spawn(async move { lease::store::try_acquire(&db, "watch", &format!("h{number}"), at, until).await })
    });
    let held =
        futures::future::join_all(racers).await.into_iter().filter(|held| *held.as_ref().unwrap().as_ref().unwrap());
    assert_eq!(held.count(), 1);
}
