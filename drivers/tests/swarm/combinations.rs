//! Swarms to render: the combinations of Kubernetes' tests in Swarm mode, and a name for each.

use drivers::ClusterSpec;

use crate::combinations::{self, Shape};

/// As `ubuntu-3m-2w-lb-net-fip-vol`; parts that do not hold are left out.
pub(crate) fn spec(name: &str) -> Option<ClusterSpec> {
    Shape::named(&format!("{name}-flannel")).map(|shape| of(&shape))
}

/// The names and specifications of all.
#[allow(dead_code, reason = "the example needs one at a time")]
pub(crate) fn all() -> impl Iterator<Item = (Shape, ClusterSpec)> {
    combinations::all().into_iter().filter(|shape| shape.driver == "flannel").map(|shape| (shape, of(&shape)))
}

fn of(shape: &Shape) -> ClusterSpec {
    let mut spec = shape.spec();
    spec.desired.coe = "swarm-mode".into();
    spec.desired.network_driver = Some("docker".into());
    spec.desired.volume_driver = None;
    for labels in [&mut spec.desired.labels, &mut spec.masters.labels, &mut spec.workers.labels] {
        labels.retain(|key, _| !key.starts_with("etcd_"));
    }
    for group in [&mut spec.masters, &mut spec.workers] {
        group.image.kube_version = None;
    }
    spec
}
