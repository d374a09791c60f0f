//! Orders of nodes with their answers, key pairs that are being introduced, spare credentials.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use conductor::Kind as ErrorKind;
use conductor::certificate;
use conductor::cluster::{Changes, Cluster, spare};
use conductor::column::{StringList, now};
use conductor::node::Phase;
use conductor::order::{Answer, Kind, Order, State, store};

use crate::databases::TestDatabase;
use crate::{nodes, sample};

on_every_database!(
    an_order_is_given_once_and_replaced_by_the_next,
    answers_belong_to_their_order,
    an_answer_is_a_sign_of_life,
    a_generation_is_in_force_when_it_is_put_there,
    a_private_key_goes_and_its_certificate_stays,
    a_spare_credential_is_kept_in_place_of_the_last,
    a_credential_tells_its_cluster_in_one_query,
    prefixes_name_the_stack_and_all_nodegroups,
    all_of_it_goes_with_the_cluster,
);

async fn cluster(t: &TestDatabase) -> Cluster {
    let template = sample::kept_template(&t.db, "p1").await;
    sample::kept_cluster(&t.db, "ci", &template, "p1").await
}

fn answer(order: &Order, name: &str, state: State) -> Answer {
    Answer {
        id: 0,
        cluster_uuid: order.cluster_uuid.clone(),
        name: name.to_owned(),
        order_uuid: order.uuid.clone(),
        state,
        message: Some("ä".into()),
        log: StringList(vec!["one".into(), "two".into()]),
        answered_at: now(),
    }
}

async fn an_order_is_given_once_and_replaced_by_the_next(t: TestDatabase) {
    let cluster = cluster(&t).await;
    assert_eq!(store::of(&t.db, &cluster.uuid).await.unwrap(), None);
    let operation = sample::uuid();
    let first = store::give(&t.db, &cluster.uuid, &operation, Kind::Trust, 2).await.unwrap();
    assert_eq!(store::give(&t.db, &cluster.uuid, &operation, Kind::Trust, 2).await.unwrap(), first);
    assert_eq!(store::of(&t.db, &cluster.uuid).await.unwrap().as_ref(), Some(&first));
    let second = store::give(&t.db, &cluster.uuid, &operation, Kind::CredentialBack, 0).await.unwrap();
    assert_ne!(second.uuid, first.uuid);
    let others = store::give(&t.db, &cluster.uuid, &sample::uuid(), Kind::CredentialBack, 0).await.unwrap();
    assert_ne!(others.uuid, second.uuid);
    store::withdraw(&t.db, &second).await.unwrap();
    assert_eq!(store::of(&t.db, &cluster.uuid).await.unwrap().as_ref(), Some(&others), "one that is replaced is left");
    store::withdraw(&t.db, &others).await.unwrap();
    assert_eq!(store::of(&t.db, &cluster.uuid).await.unwrap(), None);
    let gone = store::give(&t.db, &sample::uuid(), &operation, Kind::Trust, 2).await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotFound);
}

async fn answers_belong_to_their_order(t: TestDatabase) {
    let cluster = cluster(&t).await;
    let before = now();
    let operation = sample::uuid();
    let order = store::give(&t.db, &cluster.uuid, &operation, Kind::Leaf, 2).await.unwrap();
    store::answer(&t.db, answer(&order, "b", State::Failed)).await.unwrap();
    store::answer(&t.db, answer(&order, "a", State::Done)).await.unwrap();
    store::answer(&t.db, answer(&order, "b", State::Done)).await.unwrap();
    let kept = store::answers(&t.db, &order).await.unwrap();
    let states: Vec<_> = kept.iter().map(|answer| (answer.name.as_str(), answer.state)).collect();
    assert_eq!(states, [("a", State::Done), ("b", State::Done)]);
    assert_eq!(kept[0].log.0, ["one", "two"]);
    assert!(store::answer_of(&t.db, &order, "a").await.unwrap().is_some());
    assert!(store::answer_of(&t.db, &order, "c").await.unwrap().is_none());
    let next = store::give(&t.db, &cluster.uuid, &operation, Kind::Commit, 2).await.unwrap();
    assert!(store::answers(&t.db, &next).await.unwrap().is_empty());
    assert!(store::answer_of(&t.db, &next, "a").await.unwrap().is_none());
    store::answer(&t.db, answer(&next, "a", State::Done)).await.unwrap();
    let all = store::answers_since(&t.db, &cluster.uuid, before).await.unwrap();
    let orders: Vec<_> = all.iter().map(|answer| answer.order_uuid.as_str()).collect();
    assert_eq!(orders, [next.uuid.as_str(), order.uuid.as_str()]);
    assert!(store::answers_since(&t.db, &cluster.uuid, now()).await.unwrap().is_empty());
}

async fn an_answer_is_a_sign_of_life(t: TestDatabase) {
    let cluster = cluster(&t).await;
    nodes::report(&t.db, &cluster, "a", Phase::Ready).await.unwrap();
    nodes::report(&t.db, &cluster, "b", Phase::Ready).await.unwrap();
    let heard = async |name: &str| {
        let all = conductor::node::store::of_clusters(&t.db, std::slice::from_ref(&cluster.uuid)).await.unwrap();
        all.into_iter().find(|node| node.name == name).unwrap().updated_at
    };
    let (a, b) = (heard("a").await, heard("b").await);
    let order = store::give(&t.db, &cluster.uuid, &sample::uuid(), Kind::Trust, 2).await.unwrap();
    let given = answer(&order, "a", State::Done);
    let at = given.answered_at;
    store::answer(&t.db, given).await.unwrap();
    assert!(heard("a").await == at && at > a);
    assert_eq!(heard("b").await, b);
}

async fn a_generation_is_in_force_when_it_is_put_there(t: TestDatabase) {
    let cluster = cluster(&t).await;
    let kind = certificate::Kind::FrontProxy;
    let keep = async |generation| {
        let pair = nodes::keypair(&cluster, generation);
        certificate::store::insert_if_absent(&t.db, pair).await.unwrap();
    };
    let latest = async || certificate::store::latest(&t.db, &cluster.uuid, kind).await.unwrap().map(|p| p.generation);
    assert_eq!(certificate::store::next_generation(&t.db, &cluster.uuid).await.unwrap(), 1);
    keep(1).await;
    keep(-2).await;
    assert_eq!(latest().await, Some(1));
    assert_eq!(certificate::store::next_generation(&t.db, &cluster.uuid).await.unwrap(), 3);
    assert_eq!(certificate::store::recognised(&t.db, &cluster.uuid, kind).await.unwrap().len(), 2);
    for _again in 0..2 {
        certificate::store::put_in_force(&t.db, &cluster.uuid, 2).await.unwrap();
        assert_eq!(latest().await, Some(2));
    }
    assert_eq!(certificate::store::of_cluster(&t.db, &cluster.uuid).await.unwrap().len(), 2);
}

async fn a_private_key_goes_and_its_certificate_stays(t: TestDatabase) {
    let cluster = cluster(&t).await;
    let pair = certificate::store::insert_if_absent(&t.db, nodes::keypair(&cluster, -2)).await.unwrap();
    assert!(pair.private_key.is_some() && !pair.in_force());
    certificate::store::drop_private_key(&t.db, &pair.uuid).await.unwrap();
    let left = certificate::store::find(&t.db, &cluster.uuid, pair.kind, -2).await.unwrap().unwrap();
    assert_eq!((left.private_key, left.private_key_ref), (None, None));
    assert_eq!(left.certificate, pair.certificate);
}

fn a_spare_of(cluster: &Cluster) -> spare::Spare {
    spare::Spare {
        cluster_uuid: cluster.uuid.clone(),
        operation_uuid: sample::uuid(),
        name: "one".into(),
        secret: Some(vec![0, 159, 255]),
        subject_id: None,
        trust_id: None,
        created_at: now(),
    }
}

/// Whichever of its two it is, while one takes the other's place.
async fn a_credential_tells_its_cluster_in_one_query(mut t: TestDatabase) {
    use conductor::cluster::store::{change, of_credential, of_trustee};
    let cluster = cluster(&t).await;
    let other = sample::kept_cluster(&t.db, "other", &sample::kept_template(&t.db, "p1").await, "p1").await;
    let text = |text: &str| Some(Some(text.to_owned()));
    let own = Changes { credential_id: text("credential"), trustee_user_id: text("trustee"), ..Default::default() };
    assert!(change(&t.db, &cluster.uuid, own).await.unwrap());
    let kept = spare::Spare { subject_id: Some("spare".into()), ..a_spare_of(&cluster) };
    spare::store::keep(&t.db, kept).await.unwrap();
    spare::store::keep(&t.db, a_spare_of(&other)).await.unwrap();

    let queries = Arc::new(AtomicUsize::new(0));
    let counted = queries.clone();
    t.db.set_metric_callback(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let uuid = Some(cluster.uuid.clone());
    assert_eq!(of_credential(&t.db, "credential").await.unwrap(), uuid);
    assert_eq!(of_credential(&t.db, "spare").await.unwrap(), uuid);
    assert_eq!(of_trustee(&t.db, "trustee").await.unwrap(), uuid);
    assert_eq!(of_trustee(&t.db, "spare").await.unwrap(), uuid);
    assert_eq!(queries.load(Ordering::Relaxed), 4);
    assert_eq!(of_credential(&t.db, "trustee").await.unwrap(), None);
    assert_eq!(of_trustee(&t.db, "credential").await.unwrap(), None);
    spare::store::forget(&t.db, &cluster.uuid).await.unwrap();
    assert_eq!(of_credential(&t.db, "spare").await.unwrap(), None);
    assert_eq!(of_trustee(&t.db, "spare").await.unwrap(), None);
}

async fn a_spare_credential_is_kept_in_place_of_the_last(t: TestDatabase) {
    let cluster = cluster(&t).await;
    let mut kept = a_spare_of(&cluster);
    spare::store::keep(&t.db, kept.clone()).await.unwrap();
    kept.subject_id = Some("subject".into());
    kept.trust_id = Some("trust".into());
    spare::store::keep(&t.db, kept.clone()).await.unwrap();
    assert_eq!(spare::store::of(&t.db, &cluster.uuid).await.unwrap(), Some(kept.clone()));
    for _again in 0..2 {
        spare::store::forget(&t.db, &cluster.uuid).await.unwrap();
        assert_eq!(spare::store::of(&t.db, &cluster.uuid).await.unwrap(), None);
    }
    kept.cluster_uuid = sample::uuid();
    assert_eq!(spare::store::keep(&t.db, kept).await.unwrap_err().kind, ErrorKind::NotFound);
}

async fn prefixes_name_the_stack_and_all_nodegroups(t: TestDatabase) {
    let cluster = cluster(&t).await;
    let mut groups = conductor::node::store::prefixes(&t.db, &cluster.uuid).await.unwrap();
    groups.sort_by(|one, other| one.name.cmp(&other.name));
    let named: Vec<_> = groups.iter().map(|group| (group.name.as_str(), group.role.as_str())).collect();
    assert_eq!(named, [("default-master", "master"), ("default-worker", "worker")]);
    assert_eq!(groups[0].stack_name, cluster.stack_name);
    assert!(conductor::node::store::prefixes(&t.db, &sample::uuid()).await.unwrap().is_empty());
}

async fn all_of_it_goes_with_the_cluster(t: TestDatabase) {
    let cluster = cluster(&t).await;
    let order = store::give(&t.db, &cluster.uuid, &sample::uuid(), Kind::Trust, 2).await.unwrap();
    store::answer(&t.db, answer(&order, "a", State::Done)).await.unwrap();
    assert!(conductor::cluster::store::remove(&t.db, &cluster.uuid).await.unwrap());
    assert_eq!(store::of(&t.db, &cluster.uuid).await.unwrap(), None);
    assert!(store::answers(&t.db, &order).await.unwrap().is_empty());
    let late = store::answer(&t.db, answer(&order, "a", State::Done)).await;
    assert!(late.is_err(), "a cluster that is gone keeps no answers");
}
