//! Changing a cluster template, and removing it.

use std::sync::Arc;

use super::create::{Found, Publishing, check_labels};
use super::draft::Draft;
use super::driver::named;
use super::{ClusterTemplate, store};
use crate::openstack::Identity;
use crate::{Conductor, Result};

/// Changes the template into what the draft says.
///
/// # Errors
/// Everything the contract's section 3.5 refuses; `Unavailable` when a service needed for a look-up is away; `Conflict`
/// when another request changed the template in the meantime. Nothing is written in either case.
pub async fn update(
    conductor: &Conductor,
    caller: &Arc<Identity>,
    template: ClusterTemplate,
    mut draft: Draft,
    publishing: Publishing,
) -> Result<ClusterTemplate> {
    let old = Draft::of(&template);
    if draft == old {
        return Ok(template);
    }
    if !is_harmless(&old, &draft) && store::is_referenced(&conductor.db, &template.uuid).await? {
        return Err(store::in_use(&template.uuid));
    }
    draft.check(&conductor.config.cluster_template)?;
    if needs_look_up(&old, &draft) {
        if draft.driver == old.driver {
            // It was found for the old image; the new one may need another.
            draft.driver = None;
        }
        if let Some(name) = &draft.driver {
            named(conductor.drivers(), name)?;
        }
        let session = conductor.cloud.requester_of(caller);
        let found = Found::look_up(&session, &draft).await?;
        found.settle(conductor, &mut draft, old.driver.as_deref())?;
        found.check_root_volumes(conductor, &draft)?;
    }
    if draft.labels != old.labels || draft.driver != old.driver {
        check_labels(conductor, &draft)?;
    }
    let truth = |flag: Option<bool>| flag.unwrap_or(false);
    if (truth(draft.public), truth(draft.hidden)) != (template.public, template.hidden) {
        publishing.check()?;
    }
    let template = store::update(&conductor.db, draft.onto(template)).await?;
    tracing::info!(cluster_template = %template.uuid, "cluster template changed");
    Ok(template)
}

/// Removes the template.
///
/// # Errors
/// `Invalid` when a cluster refers to it, `NotFound` when it is gone already.
pub async fn delete(conductor: &Conductor, template: &ClusterTemplate) -> Result<()> {
    if store::is_referenced(&conductor.db, &template.uuid).await? {
        return Err(store::in_use(&template.uuid));
    }
    // A cluster that was made since then is refused by the database itself.
    store::delete(&conductor.db, &template.uuid).await?;
    tracing::info!(cluster_template = %template.uuid, "cluster template deleted");
    Ok(())
}

/// Whether a template that clusters refer to may change so: exactly one of showing it to everybody, hiding or
/// unhiding it, tagging it, renaming it.
fn is_harmless(old: &Draft, new: &Draft) -> bool {
    let allowed = [
        Draft { public: new.public.filter(|public| *public).or(old.public), ..old.clone() },
        Draft { hidden: new.hidden, ..old.clone() },
        Draft { tags: new.tags.clone().or_else(|| old.tags.clone()), ..old.clone() },
        Draft { name: new.name.clone(), ..old.clone() },
    ];
    allowed.contains(new)
}

/// Whether anything changed that the cloud or a driver has to agree to.
fn needs_look_up(old: &Draft, new: &Draft) -> bool {
    let described = Draft {
        name: new.name.clone(),
        tags: new.tags.clone(),
        public: new.public,
        hidden: new.hidden,
        keypair_id: new.keypair_id.clone(),
        ..old.clone()
    };
    described != *new
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft { name: Some("n".into()), public: Some(false), hidden: Some(false), ..Draft::default() }
    }

    #[test]
    fn a_template_in_use_takes_one_harmless_change() {
        let old = draft();
        for harmless in [
            Draft { public: Some(true), ..old.clone() },
            Draft { hidden: Some(true), ..old.clone() },
            Draft { tags: Some("a,b".into()), ..old.clone() },
            Draft { name: Some("m".into()), ..old.clone() },
        ] {
            assert!(is_harmless(&old, &harmless), "{harmless:?}");
        }
        for harmful in [
            Draft { name: Some("m".into()), tags: Some("a".into()), ..old.clone() },
            Draft { image_id: "other".into(), ..old.clone() },
            Draft { public: Some(true), hidden: Some(true), ..old.clone() },
        ] {
            assert!(!is_harmless(&old, &harmful), "{harmful:?}");
        }
    }

    #[test]
    fn a_public_template_in_use_stays_public_and_a_tag_stays_a_tag() {
        let old = Draft { public: Some(true), tags: Some("a".into()), ..draft() };
        assert!(!is_harmless(&old, &Draft { public: Some(false), ..old.clone() }));
        assert!(!is_harmless(&old, &Draft { tags: None, ..old.clone() }));
    }

    #[test]
    fn only_a_change_that_concerns_the_cloud_is_looked_up() {
        let old = draft();
        assert!(!needs_look_up(&old, &Draft { name: None, public: Some(true), ..old.clone() }));
        assert!(needs_look_up(&old, &Draft { flavor_id: Some("m1".into()), ..old.clone() }));
    }
}
