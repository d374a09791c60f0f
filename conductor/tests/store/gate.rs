//! What may begin beside what, and how the last to end decides.

use conductor::cluster::{self, Action, Changes, Cluster, Ending, Status, close, gate};
use conductor::nodegroup::{self, DEFAULT_WORKER, Nodegroup};
use conductor::operation::store::{active, finish, insert, supersede};
use conductor::operation::{Code, Fault, Kind, Operation, Step};
use conductor::scope::Scope;
use conductor::{Kind as ErrorKind, Result, database};
use sea_orm::DatabaseConnection;

use crate::databases::TestDatabase;
use crate::sample;

on_every_database!(
    many_at_once_respect_each_other,
    a_status_opens_or_closes,
    whoever_is_in_the_way_is_respected,
    the_last_to_end_decides,
    what_is_undone_shows_it,
    a_shown_obstacle_is_removed_only_while_it_is_shown,
);

fn kind(name: &'static str, exclusive: bool, refusal: ErrorKind) -> Kind {
    let step = Step { name: "x", limit: std::time::Duration::ZERO, run: |_, _| unreachable!() };
    Kind {
        name,
        doing: "Testing a cluster",
        exclusive,
        refusal,
        cluster: Action::Update,
        nodegroups: Some(Action::Update),
        steps: &[],
        on_failure: step,
    }
}

/// What may run beside others: its name is known to the service.
fn shared() -> Kind {
    kind("cluster.resize", false, ErrorKind::Conflict)
}

fn alone() -> Kind {
    kind("cluster.test", true, ErrorKind::Invalid)
}

/// A cluster at rest with its two nodegroups and `more` beside them.
async fn at_rest(t: &TestDatabase, more: usize) -> (Cluster, Vec<Nodegroup>) {
    let template = sample::kept_template(&t.db, "p1").await;
    let cluster = sample::kept_cluster(&t.db, "c", &template, "p1").await;
    supersede(&t.db, &cluster.uuid).await.unwrap();
    for number in 0..more {
        let mut group = sample::nodegroup(&cluster, &format!("g{number}"), "worker");
        group.is_default = false;
        nodegroup::store::insert(&t.db, group, "c").await.unwrap();
    }
    let uuids = std::slice::from_ref(&cluster.uuid);
    let groups = nodegroup::store::of_clusters(&t.db, uuids).await.unwrap();
    for group in &groups {
        let status = Some(Status::CreateComplete);
        let changes = nodegroup::store::Changes { status, ..Default::default() };
        nodegroup::store::change(&t.db, &group.uuid, changes).await.unwrap();
    }
    cluster::store::set_status(&t.db, &cluster.uuid, Status::CreateComplete, None).await.unwrap();
    (cluster, groups)
}

async fn start(
    db: &DatabaseConnection,
    kind: &Kind,
    cluster: &Cluster,
    group: Option<&Nodegroup>,
) -> Result<Operation> {
    database::retry(|| async {
        let transaction = database::begin(db).await?;
        let subject = group.map_or(cluster.uuid.as_str(), |group| group.subject());
        gate::claim(&transaction, kind, &cluster.uuid, subject).await?;
        let mut new = sample::operation(cluster, kind.name);
        if let Some(group) = group {
            new = new.about(group);
        }
        let operation = gate::begin(&transaction, kind, new).await?;
        transaction.commit().await?;
        Ok(operation)
    })
    .await
}

async fn end(db: &DatabaseConnection, operation: &Operation, ending: &Ending) {
    let transaction = database::begin(db).await.unwrap();
    assert!(close(&transaction, operation, ending, Changes::default()).await.unwrap());
    assert!(!close(&transaction, operation, ending, Changes::default()).await.unwrap());
    transaction.commit().await.unwrap();
}

async fn shown(t: &TestDatabase, cluster: &Cluster) -> (Status, Option<String>) {
    let cluster = cluster::store::find(&t.db, &Scope::All, &cluster.uuid).await.unwrap();
    (cluster.status, cluster.status_reason)
}

async fn status_of(t: &TestDatabase, group: &Nodegroup) -> Status {
    nodegroup::store::find(&t.db, &group.cluster_uuid, &group.uuid).await.unwrap().status
}

/// Several of each at the same moment: either one exclusive operation runs alone, or one per nodegroup.
async fn many_at_once_respect_each_other(t: TestDatabase) {
    for round in 0..4 {
        let (cluster, groups) = at_rest(&t, 2).await;
        let racers = (0..12).map(|number| {
            let (db, cluster, groups) = (t.db.clone(), cluster.clone(), groups.clone());
            tokio::spawn(async move {
                // In every other round nobody is exclusive.
                match number % 4 {
                    0 if round % 2 == 0 => start(&db, &alone(), &cluster, None).await,
                    other => start(&db, &shared(), &cluster, Some(&groups[other])).await,
                }
            })
        });
        let outcomes: Vec<_> =
            futures::future::join_all(racers).await.into_iter().map(|outcome| outcome.unwrap()).collect();
        let begun: Vec<_> = outcomes.iter().flatten().collect();
        let running = active(&t.db, &cluster.uuid).await.unwrap();
        assert_eq!(begun.len(), running.len());
        if running.iter().any(|operation| operation.kind == "cluster.test") {
            assert_eq!(running.len(), 1);
        } else {
            let mut subjects: Vec<_> = running.iter().map(|operation| operation.active.clone()).collect();
            subjects.dedup();
            assert_eq!(subjects.len(), 3, "the cluster's stack and two nodegroups");
        }
        for error in outcomes.into_iter().filter_map(Result::err) {
            assert!(matches!(error.kind, ErrorKind::Conflict | ErrorKind::Invalid), "{}", error.chain());
        }
        assert_eq!(shown(&t, &cluster).await.0, Status::UpdateInProgress);
        cluster::store::remove(&t.db, &cluster.uuid).await.unwrap();
    }
}

async fn a_status_opens_or_closes(t: TestDatabase) {
    use Status::{
        CreateComplete, CreateFailed, CreateInProgress, DeleteFailed, DeleteInProgress, RollbackComplete,
        RollbackFailed, UpdateComplete, UpdateFailed, UpdateInProgress,
    };
    let (cluster, groups) = at_rest(&t, 0).await;
    let before = cluster::store::find(&t.db, &Scope::All, &cluster.uuid).await.unwrap().updated_at;
    for status in [CreateComplete, UpdateComplete, RollbackComplete, UpdateFailed, RollbackFailed] {
        for (kind, group) in [(shared(), Some(&groups[1])), (alone(), None)] {
            cluster::store::set_status(&t.db, &cluster.uuid, status, Some("old".into())).await.unwrap();
            let operation = start(&t.db, &kind, &cluster, group).await.unwrap();
            assert_eq!(shown(&t, &cluster).await, (UpdateInProgress, None));
            assert_eq!(status_of(&t, &groups[1]).await, UpdateInProgress);
            end(&t.db, &operation, &Ending::Complete("done".into())).await;
            assert_eq!(shown(&t, &cluster).await, (UpdateComplete, Some("done".into())));
            assert_eq!(status_of(&t, &groups[1]).await, UpdateComplete);
        }
    }
    let now = cluster::store::find(&t.db, &Scope::All, &cluster.uuid).await.unwrap().updated_at;
    assert!(now > before);
    for status in [CreateInProgress, CreateFailed, DeleteInProgress, DeleteFailed] {
        cluster::store::set_status(&t.db, &cluster.uuid, status, None).await.unwrap();
        let error = start(&t.db, &shared(), &cluster, Some(&groups[1])).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict);
        let begins = format!(
            "Testing a cluster when status is \"{status}\" is not supported. The cluster c ({}) ",
            cluster.uuid
        );
        assert!(error.public.starts_with(&begins), "{}", error.public);
        let error = start(&t.db, &alone(), &cluster, None).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(error.public.starts_with(&begins), "{}", error.public);
        assert_eq!(shown(&t, &cluster).await, (status, None));
    }
    cluster::store::remove(&t.db, &cluster.uuid).await.unwrap();
    assert_eq!(start(&t.db, &shared(), &cluster, None).await.unwrap_err().kind, ErrorKind::NotFound);
}

async fn whoever_is_in_the_way_is_respected(t: TestDatabase) {
    let (cluster, groups) = at_rest(&t, 2).await;
    let first = start(&t.db, &shared(), &cluster, Some(&groups[2])).await.unwrap();
    assert_eq!(status_of(&t, &groups[2]).await, Status::UpdateInProgress);
    assert_eq!(status_of(&t, &groups[3]).await, Status::CreateComplete);
    // The same nodegroup waits, another one and the cluster's own stack do not, nothing exclusive begins.
    assert_eq!(start(&t.db, &shared(), &cluster, Some(&groups[2])).await.unwrap_err().kind, ErrorKind::Conflict);
    let second = start(&t.db, &shared(), &cluster, Some(&groups[3])).await.unwrap();
    let third = start(&t.db, &shared(), &cluster, Some(&groups[1])).await.unwrap();
    assert_eq!(start(&t.db, &alone(), &cluster, None).await.unwrap_err().kind, ErrorKind::Invalid);
    for operation in [first, second, third] {
        end(&t.db, &operation, &Ending::Complete("done".into())).await;
    }
    start(&t.db, &alone(), &cluster, None).await.unwrap();
    for group in &groups {
        assert_eq!(start(&t.db, &shared(), &cluster, Some(group)).await.unwrap_err().kind, ErrorKind::Conflict);
    }
    // A delete takes the place of whatever there is.
    assert_eq!(supersede(&t.db, &cluster.uuid).await.unwrap().len(), 1);
    let delete = insert(&t.db, sample::operation(&cluster, "cluster.delete")).await.unwrap();
    let status = Status::UpdateInProgress;
    cluster::store::set_status(&t.db, &cluster.uuid, status, None).await.unwrap();
    assert_eq!(start(&t.db, &shared(), &cluster, Some(&groups[3])).await.unwrap_err().kind, ErrorKind::Conflict);
    finish(&t.db, &delete.uuid, conductor::operation::store::End::succeeded()).await.unwrap();
    start(&t.db, &shared(), &cluster, Some(&groups[3])).await.unwrap();
}

async fn the_last_to_end_decides(t: TestDatabase) {
    let (cluster, groups) = at_rest(&t, 2).await;
    let one = start(&t.db, &shared(), &cluster, Some(&groups[2])).await.unwrap();
    let two = start(&t.db, &shared(), &cluster, Some(&groups[3])).await.unwrap();
    let fault = Fault::new(Code::NodeFailed, "Node g0-1 failed").with_log(vec!["last words".into()]);
    end(&t.db, &one, &Ending::Failed(fault.clone())).await;
    assert_eq!(shown(&t, &cluster).await.0, Status::UpdateInProgress);
    assert_eq!(status_of(&t, &groups[2]).await, Status::UpdateFailed);
    end(&t.db, &two, &Ending::Complete("done".into())).await;
    let (status, reason) = shown(&t, &cluster).await;
    assert_eq!(status, Status::UpdateFailed);
    assert_eq!(reason.unwrap(), format!("Nodegroup g0 is UPDATE_FAILED: {}", fault.reason()));
    assert_eq!(status_of(&t, &groups[3]).await, Status::UpdateComplete);
    // It is tried again, and all is well.
    let again = start(&t.db, &shared(), &cluster, Some(&groups[2])).await.unwrap();
    end(&t.db, &again, &Ending::Complete("done".into())).await;
    assert_eq!(shown(&t, &cluster).await, (Status::UpdateComplete, Some("done".into())));
    let worker = groups.iter().find(|group| group.name == DEFAULT_WORKER).unwrap();
    let resize = start(&t.db, &shared(), &cluster, Some(worker)).await.unwrap();
    end(&t.db, &resize, &Ending::Failed(fault.clone())).await;
    assert_eq!(shown(&t, &cluster).await, (Status::UpdateFailed, Some(fault.reason())));
    assert_eq!(status_of(&t, &groups[0]).await, Status::CreateComplete, "masters are another nodegroup");
}

async fn what_is_undone_shows_it(t: TestDatabase) {
    let (cluster, groups) = at_rest(&t, 0).await;
    let fault = Fault::new(Code::StackFailed, "No valid host was found");
    for (ending, status) in [
        (Ending::RolledBack(fault.clone()), Status::RollbackComplete),
        (Ending::RollbackFailed(fault.clone()), Status::RollbackFailed),
    ] {
        let operation = start(&t.db, &shared(), &cluster, Some(&groups[1])).await.unwrap();
        gate::rolls_back(&t.db, &operation).await.unwrap();
        assert_eq!(shown(&t, &cluster).await.0, Status::RollbackInProgress);
        assert_eq!(status_of(&t, &groups[1]).await, Status::RollbackInProgress);
        end(&t.db, &operation, &ending).await;
        let (shown, reason) = shown(&t, &cluster).await;
        assert_eq!((shown, status_of(&t, &groups[1]).await), (status, status));
        assert!(reason.unwrap().contains("No valid host was found"));
    }
}

async fn a_shown_obstacle_is_removed_only_while_it_is_shown(t: TestDatabase) {
    let (cluster, _) = at_rest(&t, 0).await;
    let status = Status::UpdateInProgress;
    cluster::store::set_status(&t.db, &cluster.uuid, status, Some("Heat is away".into())).await.unwrap();
    assert!(!cluster::store::clear_reason(&t.db, &cluster.uuid, "40 %").await.unwrap());
    assert_eq!(shown(&t, &cluster).await, (status, Some("Heat is away".into())));
    assert!(cluster::store::clear_reason(&t.db, &cluster.uuid, "Heat is away").await.unwrap());
    assert_eq!(shown(&t, &cluster).await, (status, None));
}
