//! South edge: a pure function per COE, from what a cluster should be to the Heat stack that makes it.
//!
//! Nothing here does I/O, reads a clock or draws a random number: the same [`ClusterSpec`] gives the same bytes.
//! To add a COE is to add `drivers/src/<name>/`, `templates/<name>/` and one line in [`installed`].

mod label;
mod spec;
mod stack;

pub use label::{Kind as LabelKind, Label, Since};
pub use spec::{
    CaBundle, ClusterSpec, Desired, FixedNetwork, Flavor, Image, Network, NodegroupSpec, Role, Tokens, node_prefix,
};
pub use stack::{Addresses, Ca, Outputs, Problem, Profile, RenderError, Stack, Usage};

/// A kind of cluster that a driver can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provides {
    /// `vm` or `bm`.
    pub server_type: &'static str,
    /// The image's `os_distro` property.
    pub os_distro: &'static str,
    /// The container orchestration engine as the API spells it.
    pub coe: &'static str,
}

/// What a container orchestration engine needs to be built by Heat.
pub trait Driver: Send + Sync {
    /// The name under which a cluster template may ask for this driver.
    fn name(&self) -> &'static str;

    /// Every combination of server type, distribution and COE this driver makes.
    fn provides(&self) -> &'static [Provides];

    /// The labels this driver understands.
    fn labels(&self) -> &'static [Label];

    /// Everything wrong with a request, all at once; empty when it can be built.
    fn check(&self, desired: &Desired) -> Vec<Problem>;

    /// The stack that makes the cluster, with the default nodegroups in it.
    ///
    /// # Errors
    /// A template that does not render or is not valid HOT: a defect of ours, never of the request.
    fn stack(&self, spec: &ClusterSpec) -> Result<Stack, RenderError>;

    /// What the stack's outputs say about the finished cluster.
    fn read(&self, outputs: &Outputs) -> Addresses;

    /// The certificates a node with this role may ask for with its bootstrap token.
    fn profiles(&self, role: Role) -> &'static [Profile];

    /// Names besides a node's own that certificates of nodes with this role may carry.
    fn alternative_names(&self, desired: &Desired, role: Role) -> Vec<String>;

    /// Networks whose addresses certificates of nodes with this role may carry; `subnet` is the user's own, if given.
    fn networks(&self, desired: &Desired, role: Role, subnet: Option<&str>) -> Vec<String>;
}
