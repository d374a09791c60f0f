//! The files and units of a node.

use super::user_data::{Content, File, FirstBoot, Format, Unit};
use super::{Node, Own, environment};
use crate::graph::Coe;
use crate::{Profile, RenderError, Usage, templates};

/// Where scripts live; their units say so too.
const LIBRARY: &str = "/usr/local/lib/jeroboam";

/// Where they live on Flatcar, whose /usr cannot be written.
const FLATCAR_LIBRARY: &str = "/opt/jeroboam/lib";

impl Node<'_> {
    /// The user data of the node, with markers for Heat; `name` is that of its file.
    ///
    /// # Errors
    /// A value that cannot be written, or more than Nova takes.
    pub(crate) fn user_data(
        &self,
        coe: &Coe,
        own: &dyn Fn(&Node<'_>) -> Own,
        name: &str,
    ) -> Result<String, RenderError> {
        let os_distro = self.spec.desired.os_distro.as_str();
        let format = match os_distro {
            "fedora-coreos" | "flatcar" => Format::Ignition,
            _ => Format::CloudConfig,
        };
        let library = if os_distro == "flatcar" { FLATCAR_LIBRARY } else { LIBRARY };
        self.first_boot(coe, &own(self), library)?.write(format, name)
    }

    fn first_boot(&self, coe: &Coe, own: &Own, library: &str) -> Result<FirstBoot, RenderError> {
        let certificates = certificate_list((coe.profiles)(self.group.role));
        let mut files = vec![
            file(environment::FILE, 0o600, Content::Marked(self.text(own)?)),
            file("/etc/jeroboam/bootstrap-token", 0o600, Content::Marked("@@BOOTSTRAP_TOKEN@@\n".to_owned())),
            file("/etc/jeroboam/certificates.tsv", 0o644, Content::Fixed(certificates)),
        ];
        if let Some(ca) = &self.spec.api_ca {
            files.push(file(environment::API_CA_FILE, 0o644, Content::Fixed(ca.pem.clone())));
        }
        for (path, text) in &own.files {
            files.push(file(path, 0o644, Content::Fixed((*text).to_owned())));
        }
        let of_coe = format!("{}/node", coe.folder);
        let (units, scripts): (Vec<_>, Vec<_>) =
            templates::of("node").chain(templates::of(&of_coe)).partition(|(name, _)| name.ends_with(".service"));
        for (name, text) in scripts {
            files.push(file(&format!("{library}/{name}"), 0o755, Content::Fixed(text.to_owned())));
        }
        Ok(FirstBoot {
            hostname: "@@NODE_NAME@@".to_owned(),
            ssh_public_key: self.spec.ssh_public_key.as_ref().map(|key| key.trim().to_owned()),
            files,
            units: units
                .into_iter()
                .map(|(name, text)| Unit { name: name.to_owned(), text: text.replace(LIBRARY, library) })
                .collect(),
        })
    }
}

fn file(path: &str, mode: u32, content: Content) -> File {
    File { path: path.to_owned(), mode, content }
}

/// Certificates as nodes read them: one line each, separated by tabs.
pub(crate) fn certificate_list(profiles: &[Profile]) -> String {
    profiles.iter().map(line).collect()
}

fn line(profile: &Profile) -> String {
    let usage = match profile.usage {
        Usage::Server => "server",
        Usage::Client => "client",
        Usage::Both => "both",
    };
    let names = if profile.alternative_names { "yes" } else { "no" };
    let organization = profile.organization.unwrap_or("-");
    format!("{}\t{}\t{}\t{organization}\t{usage}\t{names}\n", profile.name, profile.ca.as_str(), profile.common_name)
}
