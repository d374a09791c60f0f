//! Operations.

use chrono::TimeDelta;
use conductor::cluster::{Changes, Cluster, Owner};
use conductor::column::now;
use conductor::operation::store::{
    self, End, Observation, active, awaiting_stacks, begin_step, erase_token, find, finish, follow, insert, note,
    observe, of_cluster, open_at, overdue, prune, set_deadline, set_progress, supersede, superseded, unfinished,
    unfollow,
};
use conductor::operation::{Operation, State};
use conductor::{Kind, database};
use serde_json::json;

use crate::databases::TestDatabase;
use crate::sample;

on_every_database!(
    one_operation_is_active_at_a_time,
    of_many_at_once_one_begins,
    steps_run_only_while_it_has_not_ended,
    the_end_is_written_once,
    another_takes_its_place,
    observations_are_written_together,
    what_has_not_ended_is_found,
    operations_of_different_subjects_run_side_by_side,
    a_stack_is_followed_until_it_is_not,
    notes_are_added_to_each_other,
    a_deadline_moves_until_the_end,
    the_last_operation_of_a_living_cluster_is_kept,
    what_was_open_at_a_moment_is_found_however_it_ended,
);

async fn the_active(t: &TestDatabase, cluster: &Cluster) -> Operation {
    active(&t.db, &cluster.uuid).await.unwrap().remove(0)
}

async fn a_cluster(t: &TestDatabase) -> Cluster {
    let template = sample::kept_template(&t.db, "p1").await;
    sample::kept_cluster(&t.db, "c", &template, "p1").await
}

async fn one_operation_is_active_at_a_time(t: TestDatabase) {
    let cluster = a_cluster(&t).await;
    let error = insert(&t.db, sample::operation(&cluster, "cluster.update")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    let first = the_active(&t, &cluster).await;
    assert!(finish(&t.db, &first.uuid, End::succeeded()).await.unwrap());
    assert_eq!(active(&t.db, &cluster.uuid).await.unwrap(), []);
    let second = insert(&t.db, sample::operation(&cluster, "cluster.update")).await.unwrap();
    assert_eq!((second.number, second.instance.clone()), (2, format!("{}/cluster.update/2", cluster.uuid)));
    assert_eq!(find(&t.db, &second.uuid).await.unwrap(), Some(second.clone()));
    assert_eq!(active(&t.db, &cluster.uuid).await.unwrap(), [second]);
    let newest: Vec<i32> =
        of_cluster(&t.db, &cluster.uuid, 10).await.unwrap().iter().map(|operation| operation.number).collect();
    assert_eq!(newest, [2, 1]);
    assert_eq!(find(&t.db, &sample::uuid()).await.unwrap(), None);
}

async fn of_many_at_once_one_begins(t: TestDatabase) {
    let cluster = a_cluster(&t).await;
    let first = the_active(&t, &cluster).await;
    finish(&t.db, &first.uuid, End::succeeded()).await.unwrap();
    let racers = (0..20).map(|_| {
        let (db, new) = (t.db.clone(), sample::operation(&cluster, "cluster.update"));
        tokio::spawn(async move {
            database::retry(|| async {
                let transaction = database::begin(&db).await?;
                let operation = insert(&transaction, new.clone()).await?;
                transaction.commit().await?;
                Ok(operation)
            })
            .await
        })
    });
    let outcomes: Vec<_> =
        futures::future::join_all(racers).await.into_iter().map(|outcome| outcome.unwrap()).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!(error.kind, Kind::Conflict, "{}", error.chain());
    }
}

async fn steps_run_only_while_it_has_not_ended(t: TestDatabase) {
    let cluster = a_cluster(&t).await;
    let uuid = the_active(&t, &cluster).await.uuid;
    assert!(begin_step(&t.db, &uuid, "identity", 1).await.unwrap());
    let first = find(&t.db, &uuid).await.unwrap().unwrap();
    assert_eq!((first.state, first.step.as_deref(), first.attempt), (State::Running, Some("identity"), 1));
    assert!(begin_step(&t.db, &uuid, "submit", 3).await.unwrap());
    let second = find(&t.db, &uuid).await.unwrap().unwrap();
    assert_eq!((second.step.as_deref(), second.attempt), (Some("submit"), 3));
    assert!(first.started_at.is_some());
    assert_eq!(second.started_at, first.started_at);

    assert!(set_progress(&t.db, &uuid, json!({"percent": 40})).await.unwrap());
    assert_eq!(find(&t.db, &uuid).await.unwrap().unwrap().progress, Some(json!({"percent": 40})));
    assert_eq!(second.token, Some(vec![0, 159, 255]));
    erase_token(&t.db, &uuid).await.unwrap();
    assert_eq!(find(&t.db, &uuid).await.unwrap().unwrap().token, None);

    assert!(finish(&t.db, &uuid, End::succeeded()).await.unwrap());
    let ended = find(&t.db, &uuid).await.unwrap();
    assert!(!begin_step(&t.db, &uuid, "await", 1).await.unwrap());
    assert!(!set_progress(&t.db, &uuid, json!({})).await.unwrap());
    assert_eq!(find(&t.db, &uuid).await.unwrap(), ended);
}

async fn the_end_is_written_once(t: TestDatabase) {
    let cluster = a_cluster(&t).await;
    let uuid = the_active(&t, &cluster).await.uuid;
    let fault = json!({"resource": "OS::Nova::Server"});
    let end = End::failed("QUOTA", "No room", Some(fault.clone()));
    assert!(finish(&t.db, &uuid, end).await.unwrap());
    assert!(!finish(&t.db, &uuid, End::succeeded()).await.unwrap());
    let ended = find(&t.db, &uuid).await.unwrap().unwrap();
    assert_eq!((ended.state, ended.active, ended.token), (State::Failed, None, None));
    assert_eq!((ended.code.as_deref(), ended.message.as_deref()), (Some("QUOTA"), Some("No room")));
    assert_eq!(ended.fault, Some(fault));
    assert!(ended.finished_at.is_some());
}

/// Else its numbers would begin anew, and with them the names of workflows that have ended.
async fn the_last_operation_of_a_living_cluster_is_kept(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    let [cluster, idle, gone] = [
        sample::kept_cluster(&t.db, "c", &template, "p1").await,
        sample::kept_cluster(&t.db, "idle", &template, "p1").await,
        sample::kept_cluster(&t.db, "gone", &template, "p1").await,
    ];
    let begun = now();
    for ended in [&cluster, &idle, &gone] {
        finish(&t.db, &the_active(&t, ended).await.uuid, End::succeeded()).await.unwrap();
    }
    let second = insert(&t.db, sample::operation(&cluster, "cluster.update")).await.unwrap();
    finish(&t.db, &second.uuid, End::succeeded()).await.unwrap();
    assert!(conductor::cluster::store::remove(&t.db, &gone.uuid).await.unwrap());

    let later = now() + TimeDelta::seconds(1);
    assert_eq!(prune(&t.db, begun).await.unwrap(), 0, "nothing had ended by then");
    assert_eq!(prune(&t.db, later).await.unwrap(), 2, "the first of two, and the one of a cluster that is gone");
    let kept = async |cluster: &Cluster| {
        let all = of_cluster(&t.db, &cluster.uuid, 10).await.unwrap();
        all.iter().map(|operation| operation.number).collect::<Vec<_>>()
    };
    assert_eq!((kept(&cluster).await, kept(&idle).await, kept(&gone).await), (vec![2], vec![1], vec![]));
    let third = insert(&t.db, sample::operation(&cluster, "cluster.update")).await.unwrap();
    assert_eq!(third.number, 3);
    assert_eq!(prune(&t.db, later).await.unwrap(), 1, "the last one has not ended, and the one before may go");
    assert_eq!((kept(&cluster).await, kept(&idle).await), (vec![3], vec![1]));
}

async fn another_takes_its_place(t: TestDatabase) {
    let cluster = a_cluster(&t).await;
    let transaction = database::begin(&t.db).await.unwrap();
    let mut beside = sample::operation(&cluster, "nodegroup.update");
    beside.subject = sample::uuid();
    beside.nodegroup_uuid = Some(beside.subject.clone());
    insert(&transaction, beside).await.unwrap();
    let ended = supersede(&transaction, &cluster.uuid).await.unwrap();
    let delete = insert(&transaction, sample::operation(&cluster, "cluster.delete")).await.unwrap();
    transaction.commit().await.unwrap();
    let kinds: Vec<_> = ended.iter().map(|operation| operation.kind.as_str()).collect();
    assert_eq!(kinds, ["cluster.create", "nodegroup.update"]);
    for operation in &ended {
        assert_eq!(find(&t.db, &operation.uuid).await.unwrap().unwrap().state, State::Superseded);
    }
    assert_eq!(superseded(&t.db, &cluster.uuid).await.unwrap().len(), 2);
    assert_eq!(active(&t.db, &cluster.uuid).await.unwrap(), std::slice::from_ref(&delete));
    finish(&t.db, &delete.uuid, End::succeeded()).await.unwrap();
    assert_eq!(supersede(&t.db, &cluster.uuid).await.unwrap(), []);
}

async fn what_was_open_at_a_moment_is_found_however_it_ended(t: TestDatabase) {
    let cluster = a_cluster(&t).await;
    let begun = now();
    let mut uuids = vec![the_active(&t, &cluster).await.uuid];
    for end in [End::failed("X", "x", None), End::succeeded(), End { state: State::Superseded, ..End::succeeded() }] {
        finish(&t.db, uuids.last().unwrap(), end).await.unwrap();
        uuids.push(insert(&t.db, sample::operation(&cluster, "cluster.update")).await.unwrap().uuid);
    }
    let open_at = async |at| {
        let open = open_at(&t.db, &cluster.uuid, at).await.unwrap();
        open.into_iter().map(|operation| operation.uuid).collect::<Vec<_>>()
    };
    assert_eq!(open_at(begun).await, uuids);
    assert_eq!(open_at(now() + TimeDelta::seconds(1)).await, uuids[3..]);
}

async fn observations_are_written_together(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    let mut seen = Vec::new();
    for number in 0..5 {
        let cluster = sample::kept_cluster(&t.db, &format!("c{number}"), &template, "p1").await;
        let operation = the_active(&t, &cluster).await.uuid;
        let reason = (number % 2 == 0).then(|| format!("reason {number}"));
        seen.push(Observation { operation, status: format!("STATUS_{number}"), reason });
    }
    let untouched = seen.pop().unwrap().operation;
    let ended = seen[3].operation.clone();
    finish(&t.db, &ended, End::succeeded()).await.unwrap();
    seen.push(Observation { operation: sample::uuid(), status: "X".into(), reason: None });
    let at = now();
    observe(&t.db, &seen, at).await.unwrap();
    observe(&t.db, &[], at).await.unwrap();
    for observation in &seen[..3] {
        let kept = find(&t.db, &observation.operation).await.unwrap().unwrap();
        assert_eq!(kept.observed_status.as_ref(), Some(&observation.status));
        assert_eq!((kept.observed_reason, kept.observed_at), (observation.reason.clone(), Some(at)));
    }
    for uuid in [untouched, ended] {
        let kept = find(&t.db, &uuid).await.unwrap().unwrap();
        assert_eq!((kept.observed_status, kept.observed_reason, kept.observed_at), (None, None, None));
    }
}

async fn what_has_not_ended_is_found(t: TestDatabase) {
    let template = sample::kept_template(&t.db, "p1").await;
    let mut uuids = Vec::new();
    for number in 0..4 {
        let mut new = sample::new_cluster(&format!("c{number}"), &template, "p1");
        new.operation.deadline = (number > 0).then(|| now() + TimeDelta::seconds(60 - number));
        let cluster = conductor::cluster::store::insert(&t.db, new).await.unwrap().cluster;
        uuids.push(the_active(&t, &cluster).await.uuid);
    }
    store::begin_step(&t.db, &uuids[1], "submit", 1).await.unwrap();
    finish(&t.db, &uuids[2], End::failed("X", "x", None)).await.unwrap();
    let first = unfinished(&t.db, 0, 2).await.unwrap();
    let rest = unfinished(&t.db, first[1].id, 10).await.unwrap();
    let found: Vec<String> = first.into_iter().chain(rest).map(|operation| operation.uuid).collect();
    assert_eq!(found, [uuids[0].clone(), uuids[1].clone(), uuids[3].clone()]);

    assert_eq!(overdue(&t.db, now(), 10).await.unwrap(), []);
    let late = overdue(&t.db, now() + TimeDelta::seconds(120), 10).await.unwrap();
    let late: Vec<String> = late.into_iter().map(|operation| operation.uuid).collect();
    assert_eq!(late, [uuids[3].clone(), uuids[1].clone()]);
}

async fn a_deadline_moves_until_the_end(t: TestDatabase) {
    let cluster = a_cluster(&t).await;
    let operation = the_active(&t, &cluster).await;
    let until = now() + TimeDelta::hours(2);
    assert!(set_deadline(&t.db, &operation.uuid, until).await.unwrap());
    assert_eq!(the_active(&t, &cluster).await.deadline, Some(until));
    finish(&t.db, &operation.uuid, End::succeeded()).await.unwrap();
    assert!(!set_deadline(&t.db, &operation.uuid, now()).await.unwrap());
}

async fn operations_of_different_subjects_run_side_by_side(t: TestDatabase) {
    let cluster = a_cluster(&t).await;
    let (one, two) = (sample::uuid(), sample::uuid());
    let about = |group: &str| {
        let mut new = sample::operation(&cluster, "nodegroup.update");
        (new.subject, new.nodegroup_uuid) = (group.to_owned(), Some(group.to_owned()));
        new
    };
    insert(&t.db, about(&one)).await.unwrap();
    insert(&t.db, about(&two)).await.unwrap();
    assert_eq!(insert(&t.db, about(&two)).await.unwrap_err().kind, Kind::Conflict);
    let subjects: Vec<_> =
        active(&t.db, &cluster.uuid).await.unwrap().into_iter().map(|operation| operation.active.unwrap()).collect();
    assert_eq!(subjects, [cluster.uuid, one, two]);
}

async fn a_stack_is_followed_until_it_is_not(t: TestDatabase) {
    let cluster = a_cluster(&t).await;
    let uuid = the_active(&t, &cluster).await.uuid;
    let stacks = async || {
        let waiting = awaiting_stacks(&t.db).await.unwrap();
        let of = waiting.into_iter().filter(|one| one.uuid == uuid);
        of.map(|one| (one.stack_id, one.observed_status)).collect::<Vec<_>>()
    };
    // An operation that awaits its cluster's stack has one to follow when that is known.
    begin_step(&t.db, &uuid, "cluster.create/await", 0).await.unwrap();
    assert_eq!(stacks().await, []);
    let (stack_id, act_as) = (Some(Some("stack-1".into())), Some(Some(Owner::Requester)));
    let changes = Changes { stack_id, act_as, ..Default::default() };
    conductor::cluster::store::change(&t.db, &cluster.uuid, changes).await.unwrap();
    assert_eq!(stacks().await, [("stack-1".to_owned(), None)]);
    assert_eq!(awaiting_stacks(&t.db).await.unwrap()[0].act_as, Some(Owner::Requester));
    begin_step(&t.db, &uuid, "cluster.create/finish", 0).await.unwrap();
    assert_eq!(stacks().await, []);
    // One that follows a stack does so in every step, and forgets what was seen before.
    let seen = Observation { operation: uuid.clone(), status: "CREATE_COMPLETE".into(), reason: Some("r".into()) };
    observe(&t.db, &[seen], now()).await.unwrap();
    assert!(follow(&t.db, &uuid, "stack-2").await.unwrap());
    assert_eq!(stacks().await, [("stack-2".to_owned(), None)]);
    assert!(unfollow(&t.db, &uuid).await.unwrap());
    assert_eq!(stacks().await, []);
    finish(&t.db, &uuid, End::succeeded()).await.unwrap();
    assert!(!follow(&t.db, &uuid, "stack-3").await.unwrap());
}

async fn notes_are_added_to_each_other(t: TestDatabase) {
    let cluster = a_cluster(&t).await;
    let uuid = the_active(&t, &cluster).await.uuid;
    assert!(note(&t.db, &uuid, |progress| progress["sent"]["resize"] = true.into()).await.unwrap());
    assert!(note(&t.db, &uuid, |progress| progress["before"] = json!([0, 1])).await.unwrap());
    let noted = find(&t.db, &uuid).await.unwrap().unwrap().progress;
    assert_eq!(noted, Some(json!({"sent": {"resize": true}, "before": [0, 1]})));
    finish(&t.db, &uuid, End::succeeded()).await.unwrap();
    assert!(!note(&t.db, &uuid, |progress| progress["late"] = true.into()).await.unwrap());
}
