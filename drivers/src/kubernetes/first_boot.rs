//! The files and units of a node.

use super::environment::{self, Node};
use super::profiles;
use super::settings::NetworkDriver;
use crate::embedded::{KUBERNETES_ADDONS, KUBERNETES_NODE};
use crate::user_data::{Content, File, FirstBoot, Format, Unit};
use crate::{RenderError, Role};

/// Where scripts live; their units say so too.
const LIBRARY: &str = "/usr/local/lib/jeroboam";

/// Where they live on Flatcar, whose /usr cannot be written.
const FLATCAR_LIBRARY: &str = "/opt/jeroboam/lib";

/// The user data of a node, with markers for Heat.
///
/// # Errors
/// A value that cannot be written, or more than Nova takes.
pub(super) fn user_data(node: &Node<'_>, name: &str) -> Result<String, RenderError> {
    let os_distro = node.spec.desired.os_distro.as_str();
    let format = match os_distro {
        "fedora-coreos" | "flatcar" => Format::Ignition,
        _ => Format::CloudConfig,
    };
    first_boot(node, if os_distro == "flatcar" { FLATCAR_LIBRARY } else { LIBRARY })?.write(format, name)
}

fn first_boot(node: &Node<'_>, library: &str) -> Result<FirstBoot, RenderError> {
    let role = node.group.role;
    let mut files = vec![
        file(environment::FILE, 0o600, Content::Marked(node.text()?)),
        file("/etc/jeroboam/bootstrap-token", 0o600, Content::Marked("@@BOOTSTRAP_TOKEN@@\n".to_owned())),
        file("/etc/jeroboam/certificates.tsv", 0o644, Content::Fixed(profiles::table(role))),
    ];
    if let Some(ca) = &node.spec.api_ca {
        files.push(file(environment::API_CA_FILE, 0o644, Content::Fixed(ca.pem.clone())));
    }
    for (name, text) in KUBERNETES_ADDONS.iter().filter(|(name, _)| role == Role::Master && wanted(node, name)) {
        files.push(file(&format!("/etc/jeroboam/addons/{name}"), 0o644, Content::Fixed((*text).to_owned())));
    }
    let (units, scripts): (Vec<_>, Vec<_>) = KUBERNETES_NODE.iter().partition(|(name, _)| name.ends_with(".service"));
    for (name, text) in scripts {
        files.push(file(&format!("{library}/{name}"), 0o755, Content::Fixed((*text).to_owned())));
    }
    Ok(FirstBoot {
        hostname: "@@NODE_NAME@@".to_owned(),
        ssh_public_key: node.spec.ssh_public_key.as_ref().map(|key| key.trim().to_owned()),
        files,
        units: units
            .into_iter()
            .map(|(name, text)| Unit { name: (*name).to_owned(), text: text.replace(LIBRARY, library) })
            .collect(),
    })
}

/// Whether the cluster uses an addon's file.
fn wanted(node: &Node<'_>, name: &str) -> bool {
    name != "flannel.yaml" || node.settings.network_driver == NetworkDriver::Flannel
}

fn file(path: &str, mode: u32, content: Content) -> File {
    File { path: path.to_owned(), mode, content }
}
