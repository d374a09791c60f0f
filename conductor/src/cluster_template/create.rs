//! Making a cluster template: everything it names is looked up with the requester's token, then one row is kept.

use std::sync::Arc;

use uuid::Uuid;

use super::draft::Draft;
use super::driver::{Wanted, named};
use super::{ClusterTemplate, store};
use crate::cluster::labels::refuse_unknown;
use crate::cluster::name;
use crate::column::{StringMap, now};
use crate::openstack::{Identity, Session};
use crate::{Conductor, Error, Result, lookup};

/// Whether the caller may show a template to everybody or hide it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publishing {
    /// The policy allows it.
    Allowed,
    /// The policy does not.
    Refused,
}

impl Publishing {
    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::Allowed => Ok(()),
            Self::Refused => Err(Error::forbidden("Not authorized to set public or hidden flag for cluster template.")),
        }
    }
}

/// Checks the draft in the contract's order (3.4) and keeps it, under `uuid` where the request chose one.
///
/// # Errors
/// Everything the contract's section 3.4 refuses; `Unavailable` when a service needed for a look-up is away; `Conflict`
/// when the UUID is taken. Nothing is written in either case.
pub async fn create(
    conductor: &Conductor,
    caller: &Arc<Identity>,
    uuid: Option<String>,
    mut draft: Draft,
    publishing: Publishing,
) -> Result<ClusterTemplate> {
    let project_id = caller.project_id.clone().ok_or_else(|| Error::forbidden("A project-scoped token is needed."))?;
    draft.check(&conductor.config.cluster_template)?;
    if let Some(name) = &draft.driver {
        named(conductor.drivers(), name)?;
    }
    let session = conductor.cloud.requester_of(caller);
    let found = Found::look_up(&session, &draft).await?;
    found.settle(conductor, &mut draft, None)?;
    check_labels(conductor, &draft)?;
    if draft.public == Some(true) || draft.hidden == Some(true) {
        publishing.check()?;
    }
    found.check_root_volumes(conductor, &draft)?;
    draft.name = Some(name::given_or_generated(draft.name.as_deref(), "template"));
    let template = draft.onto(ClusterTemplate {
        project_id,
        user_id: caller.user_id.clone(),
        ..blank(uuid.unwrap_or_else(|| Uuid::new_v4().to_string()))
    });
    let template = store::insert(&conductor.db, template).await?;
    tracing::info!(cluster_template = %template.uuid, name = template.name.as_deref(), "cluster template created");
    Ok(template)
}

/// Refuses labels that the draft's driver does not know, where the operator wants that.
pub(super) fn check_labels(conductor: &Conductor, draft: &Draft) -> Result<()> {
    let name = draft.driver.as_deref().unwrap_or_default();
    match named(conductor.drivers(), name) {
        Ok(driver) => refuse_unknown(conductor.config.drivers.labels_unknown, driver, &draft.labels),
        // It is not enabled any more: nothing can be made of the template anyway.
        Err(_) => Ok(()),
    }
}

/// What the cloud knows of the things that a draft names.
pub(super) struct Found {
    image: lookup::FoundImage,
    flavors: Vec<drivers::Flavor>,
}

impl Found {
    /// Looks everything up at once; the first failure in the contract's order is reported.
    pub(super) async fn look_up(session: &Session, draft: &Draft) -> Result<Self> {
        let (image, flavor, master_flavor, external, fixed) = tokio::join!(
            lookup::found_image(session, &draft.image_id),
            lookup::flavor_if_named(session, draft.flavor_id.as_deref()),
            lookup::flavor_if_named(session, draft.master_flavor_id.as_deref()),
            lookup::external_network(session, draft.external_network_id.as_deref()),
            lookup::fixed_exists(session, draft.fixed_network.as_deref(), draft.fixed_subnet.as_deref()),
        );
        let image = image?;
        let flavors = [flavor?, master_flavor?].into_iter().flatten().collect();
        external?;
        fixed?;
        Ok(Self { image, flavors })
    }

    /// Takes over the image's distribution, and names the driver: the draft's, else the image's, else the `present` one
    /// if it fits, else one that does.
    pub(super) fn settle(&self, conductor: &Conductor, draft: &mut Draft, present: Option<&str>) -> Result<()> {
        let os_distro = &self.image.image.os_distro;
        draft.cluster_distro = Some(os_distro.clone());
        let wanted = Wanted {
            server_type: draft.server_type.as_deref().unwrap_or("vm"),
            os_distro,
            coe: draft.coe.as_deref().unwrap_or_default(),
        };
        let name = draft.driver.as_deref().or(self.image.driver.as_deref());
        let present = present.filter(|_| name.is_none());
        let kept = present.and_then(|present| wanted.choose(conductor.drivers(), Some(present)).ok());
        let driver = match kept {
            Some(driver) => driver,
            None => wanted.choose(conductor.drivers(), name)?,
        };
        draft.driver = Some(driver.name().to_owned());
        Ok(())
    }

    /// Checks that servers of every flavor have a root disk.
    pub(super) fn check_root_volumes(&self, conductor: &Conductor, draft: &Draft) -> Result<()> {
        let default = conductor.config.cluster_template.default_boot_volume_size;
        self.flavors.iter().try_for_each(|flavor| lookup::root_volume(flavor, &draft.labels, default))
    }
}

/// A row in which only what never changes is set.
fn blank(uuid: String) -> ClusterTemplate {
    ClusterTemplate {
        id: 0,
        uuid,
        name: None,
        project_id: String::new(),
        user_id: String::new(),
        coe: String::new(),
        image_id: String::new(),
        flavor_id: None,
        master_flavor_id: None,
        dns_nameserver: None,
        keypair_id: None,
        external_network_id: None,
        fixed_network: None,
        fixed_subnet: None,
        network_driver: None,
        apiserver_port: None,
        docker_volume_size: None,
        docker_storage_driver: None,
        cluster_distro: String::new(),
        http_proxy: None,
        https_proxy: None,
        no_proxy: None,
        volume_driver: None,
        registry_enabled: false,
        labels: StringMap::default(),
        tls_disabled: false,
        public: false,
        server_type: String::new(),
        insecure_registry: None,
        master_lb_enabled: false,
        floating_ip_enabled: true,
        hidden: false,
        tags: None,
        driver: None,
        revision: 0,
        created_at: now(),
        updated_at: None,
    }
}
