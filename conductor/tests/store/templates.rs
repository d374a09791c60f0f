//! Cluster templates.

use conductor::Kind;
use conductor::cluster_template::store;
use conductor::page::Page;
use conductor::scope::Scope;

use crate::databases::TestDatabase;
use crate::sample;

on_every_database!(
    a_template_comes_back_as_it_was_kept,
    names_are_exact_and_uuids_are_normalised,
    what_is_foreign_is_absent_unless_public,
    two_of_a_name_are_a_conflict,
    a_taken_uuid_is_refused,
    a_change_needs_the_revision_it_was_made_from,
    a_referenced_template_stays,
    a_template_that_a_cluster_is_upgraded_to_stays,
);

fn own() -> Scope {
    Scope::Project("p1".into())
}

async fn a_template_comes_back_as_it_was_kept(t: TestDatabase) {
    let kept = store::insert(&t.db, sample::template("täst/name with spaces", "p1")).await.unwrap();
    let found = store::find(&t.db, &own(), &kept.uuid).await.unwrap();
    assert_eq!(found, kept);
    let mut nameless = sample::template("", "p1");
    nameless.name = None;
    let kept = store::insert(&t.db, nameless).await.unwrap();
    assert_eq!(store::find(&t.db, &own(), &kept.uuid).await.unwrap(), kept);
}

async fn names_are_exact_and_uuids_are_normalised(t: TestDatabase) {
    let kept = store::insert(&t.db, sample::template("Name", "p1")).await.unwrap();
    assert_eq!(store::find(&t.db, &own(), "Name").await.unwrap(), kept);
    for other in ["name", "NAME", "Name ", " Name", "Näme", "", "Name\0"] {
        let error = store::find(&t.db, &own(), other).await.unwrap_err();
        assert_eq!(error.kind, Kind::NotFound, "{other:?}");
        assert_eq!(error.public, format!("ClusterTemplate {other} could not be found."));
    }
    for spelling in [kept.uuid.to_uppercase(), kept.uuid.replace('-', "")] {
        assert_eq!(store::find(&t.db, &own(), &spelling).await.unwrap(), kept);
    }
}

async fn what_is_foreign_is_absent_unless_public(t: TestDatabase) {
    let keep = async |name: &str, project: &str, public: bool, hidden: bool| {
        let mut template = sample::template(name, project);
        (template.public, template.hidden) = (public, hidden);
        store::insert(&t.db, template).await.unwrap()
    };
    let mine_hidden = keep("mine-hidden", "p1", false, true).await;
    let foreign = keep("foreign", "p2", false, false).await;
    let public = keep("public", "p2", true, false).await;
    let public_hidden = keep("public-hidden", "p2", true, true).await;

    for visible in [&mine_hidden, &public] {
        assert_eq!(&store::find(&t.db, &own(), &visible.uuid).await.unwrap(), visible);
    }
    for invisible in [&foreign, &public_hidden] {
        for ident in [&invisible.uuid, invisible.name.as_ref().unwrap()] {
            assert_eq!(store::find(&t.db, &own(), ident).await.unwrap_err().kind, Kind::NotFound);
        }
        let mut after = Page::first(10);
        after.marker = Some(invisible.uuid.clone());
        assert_eq!(store::list(&t.db, &own(), &after).await.unwrap_err().kind, Kind::NotFound);
    }
    assert_eq!(store::list(&t.db, &own(), &Page::first(10)).await.unwrap(), [mine_hidden, public]);
    assert_eq!(store::list(&t.db, &Scope::All, &Page::first(10)).await.unwrap().len(), 4);
}

async fn two_of_a_name_are_a_conflict(t: TestDatabase) {
    let first = store::insert(&t.db, sample::template("twin", "p1")).await.unwrap();
    store::insert(&t.db, sample::template("twin", "p1")).await.unwrap();
    store::insert(&t.db, sample::template("single", "p1")).await.unwrap();
    store::insert(&t.db, sample::template("single", "p2")).await.unwrap();
    let error = store::find(&t.db, &own(), "twin").await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    assert_eq!(
        error.public,
        "Multiple ClusterTemplates exist with same name. Please use the ClusterTemplate uuid instead."
    );
    assert!(store::find(&t.db, &own(), &first.uuid).await.is_ok());
    assert!(store::find(&t.db, &own(), "single").await.is_ok());
}

async fn a_taken_uuid_is_refused(t: TestDatabase) {
    let kept = sample::kept_template(&t.db, "p1").await;
    let mut again = sample::template("other", "p2");
    again.uuid.clone_from(&kept.uuid);
    let error = store::insert(&t.db, again).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    assert_eq!(error.public, format!("A ClusterTemplate with UUID {} already exists.", kept.uuid));
}

async fn a_change_needs_the_revision_it_was_made_from(t: TestDatabase) {
    let kept = sample::kept_template(&t.db, "p1").await;
    let mut first = kept.clone();
    (first.name, first.labels, first.public) = (None, [("only", "this")].into(), true);
    let changed = store::update(&t.db, first).await.unwrap();
    assert_eq!(changed.revision, kept.revision + 1);
    assert!(changed.updated_at.unwrap() >= kept.created_at);
    assert_eq!(store::find(&t.db, &own(), &kept.uuid).await.unwrap(), changed);

    let mut second = kept;
    second.tags = Some("late".into());
    assert_eq!(store::update(&t.db, second).await.unwrap_err().kind, Kind::Conflict);
    assert_eq!(store::find(&t.db, &own(), &changed.uuid).await.unwrap(), changed);
}

async fn a_referenced_template_stays(t: TestDatabase) {
    let kept = sample::kept_template(&t.db, "p1").await;
    assert!(!store::is_referenced(&t.db, &kept.uuid).await.unwrap());
    let cluster = sample::kept_cluster(&t.db, "c", &kept, "p1").await;
    assert!(store::is_referenced(&t.db, &kept.uuid).await.unwrap());
    let error = store::delete(&t.db, &kept.uuid).await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    assert_eq!(error.public, format!("ClusterTemplate {} is referenced by one or multiple clusters.", kept.uuid));

    assert!(conductor::cluster::store::remove(&t.db, &cluster.uuid).await.unwrap());
    store::delete(&t.db, &kept.uuid).await.unwrap();
    assert_eq!(store::delete(&t.db, &kept.uuid).await.unwrap_err().kind, Kind::NotFound);
}

async fn a_template_that_a_cluster_is_upgraded_to_stays(t: TestDatabase) {
    use conductor::cluster::{Changes, store as clusters};
    let (before, after) = (sample::kept_template(&t.db, "p1").await, sample::kept_template(&t.db, "p1").await);
    let cluster = sample::kept_cluster(&t.db, "c", &before, "p1").await;
    clusters::aim(&t.db, &cluster.uuid, &after.uuid).await.unwrap();
    for template in [&before, &after] {
        assert!(store::is_referenced(&t.db, &template.uuid).await.unwrap());
        assert_eq!(store::delete(&t.db, &template.uuid).await.unwrap_err().kind, Kind::Invalid);
    }
    let arrived =
        Changes { cluster_template_id: Some(after.uuid.clone()), next_template_id: Some(None), ..Default::default() };
    assert!(clusters::change(&t.db, &cluster.uuid, arrived).await.unwrap());
    store::delete(&t.db, &before.uuid).await.unwrap();
    let error = clusters::aim(&t.db, &cluster.uuid, &before.uuid).await.unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
    assert_eq!(error.public, format!("ClusterTemplate {} could not be found.", before.uuid));
}

/// The template, whoever owns it.
pub async fn find_any(db: &sea_orm::DatabaseConnection, uuid: &str) -> conductor::cluster_template::ClusterTemplate {
    store::find(db, &Scope::All, uuid).await.unwrap()
}
