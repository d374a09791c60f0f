//! What a node may have signed with its bootstrap token.

use std::net::IpAddr;

use drivers::{Ca, Profile};
use ipnet::IpNet;
use openssl::nid::Nid;
use openssl::x509::X509NameRef;

use super::request::{Asked, AskedName, Request};
use crate::{Error, Result};

/// The most digits of a node's index.
const MAX_INDEX_DIGITS: usize = 6;

/// The limits of one nodegroup's certificates.
#[derive(Debug, Clone)]
pub struct NodeScope {
    /// Node names are this, a hyphen and a number.
    pub node_prefix: String,
    /// The only node it may be, where that is known.
    pub node: Option<String>,
    /// What the nodegroup's role may ask for.
    pub profiles: Vec<Profile>,
    /// Names that any certificate with alternative names may carry besides the node's own.
    pub dns_names: Vec<String>,
    /// Addresses that any certificate with alternative names may carry.
    pub addresses: Vec<IpAddr>,
    /// Networks whose every address such a certificate may carry.
    pub networks: Vec<IpNet>,
}

/// What a node's request comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) profile: Profile,
    pub(super) common_name: String,
    pub(super) names: Vec<AskedName>,
}

impl NodeScope {
    /// The profile that the request fits, and the names its certificate carries.
    ///
    /// # Errors
    /// [`crate::Kind::Invalid`] naming the field of the request that is outside the scope.
    pub(super) fn grant(&self, ca: Ca, request: &Request) -> Result<Granted> {
        let (organization, common_name) = self.subject(ca, &request.subject)?;
        let fitting = self.profiles.iter().filter(|profile| {
            profile.ca == ca
                && self.node(profile, &common_name).is_some()
                && profile.organization == organization.as_deref()
        });
        // Two profiles may share a subject: the one closest to what was asked is meant.
        let asked = &request.asked;
        let profile = *fitting
            .min_by_key(|profile| distance(profile, asked))
            .ok_or_else(|| self.refuse_subject(ca, organization.as_deref(), &common_name))?;
        let names = asked.alternative_names.as_ref().map_or(&[][..], |asked| &asked.names);
        if !names.is_empty() && !profile.alternative_names {
            return Err(refuse(format!("subjectAltName is given; the certificate {:?} carries none", profile.name)));
        }
        let node = self.node(&profile, &common_name).flatten();
        for name in names {
            self.check_name(name, node)?;
        }
        Ok(Granted { profile, names: names.to_vec(), common_name })
    }

    /// The node's name in the common name: none when they do not fit, `Some(None)` when the profile names no node.
    fn node<'a>(&self, profile: &Profile, common_name: &'a str) -> Option<Option<&'a str>> {
        let Some((before, after)) = profile.common_name.split_once("{node}") else {
            return (profile.common_name == common_name).then_some(None);
        };
        let node = common_name.strip_prefix(before)?.strip_suffix(after)?;
        self.is_node(node).then_some(Some(node))
    }

    fn is_node(&self, name: &str) -> bool {
        if self.node.as_deref().is_some_and(|node| node != name) {
            return false;
        }
        let index = name.strip_prefix(&self.node_prefix).and_then(|rest| rest.strip_prefix('-'));
        index.is_some_and(|index| {
            (1..=MAX_INDEX_DIGITS).contains(&index.len())
                && index.bytes().all(|digit| digit.is_ascii_digit())
                && (index == "0" || !index.starts_with('0'))
        })
    }

    /// The names that [`Self::is_node`] takes, for people.
    fn own_name(&self) -> String {
        self.node.clone().unwrap_or_else(|| format!("{}-<number>", self.node_prefix))
    }

    /// Organisation and common name of a subject that has nothing else.
    fn subject(&self, ca: Ca, subject: &X509NameRef) -> Result<(Option<String>, String)> {
        let (mut organization, mut common_name) = (None, None);
        for entry in subject.entries() {
            let nid = entry.object().nid();
            let field = match nid {
                Nid::COMMONNAME => &mut common_name,
                Nid::ORGANIZATIONNAME => &mut organization,
                _ => {
                    let name = nid.short_name().unwrap_or("an unknown attribute");
                    return Err(refuse(format!("the subject has {name}; allowed: O and CN")));
                }
            };
            let value = entry.data().to_string().map_err(|_| refuse("the subject is not text"))?;
            if field.replace(value).is_some() {
                return Err(refuse("the subject has an attribute twice; allowed: one O and one CN"));
            }
        }
        match common_name {
            Some(common_name) => Ok((organization, common_name)),
            None => Err(self.refuse_subject(ca, organization.as_deref(), "")),
        }
    }

    fn check_name(&self, name: &AskedName, node: Option<&str>) -> Result<()> {
        match name {
            AskedName::Dns(dns) => {
                let own = node.map_or_else(|| self.is_node(dns), |node| node == dns);
                if own || self.dns_names.iter().any(|allowed| allowed == dns) {
                    return Ok(());
                }
                let own = node.map_or_else(|| self.own_name(), str::to_owned);
                let allowed = std::iter::once(own).chain(self.dns_names.iter().cloned());
                Err(refuse(format!(
                    "subjectAltName has DNS:{dns}; allowed: {}",
                    allowed.collect::<Vec<_>>().join(", ")
                )))
            }
            AskedName::Address(address) => {
                let given = self.addresses.contains(address);
                if given || self.networks.iter().any(|network| network.contains(address)) {
                    return Ok(());
                }
                let addresses = self.addresses.iter().map(ToString::to_string);
                let networks = self.networks.iter().map(ToString::to_string);
                let allowed = addresses.chain(networks).collect::<Vec<_>>().join(", ");
                Err(refuse(format!("subjectAltName has IP:{address}; allowed: {allowed}")))
            }
            AskedName::Other(kind) => {
                Err(refuse(format!("subjectAltName has {kind}; allowed: DNS names and IP addresses")))
            }
        }
    }

    fn refuse_subject(&self, ca: Ca, organization: Option<&str>, common_name: &str) -> Error {
        let node = self.own_name();
        let allowed = self.profiles.iter().filter(|profile| profile.ca == ca).map(|profile| {
            let common_name = profile.common_name.replace("{node}", &node);
            describe(profile.organization, &common_name)
        });
        let allowed = allowed.collect::<Vec<_>>();
        let allowed = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join("; ") };
        refuse(format!(
            "the subject is {:?}; allowed from the {} authority: {allowed}",
            describe(organization, common_name),
            ca.as_str()
        ))
    }
}

/// How far a profile is from the usage and names that were asked for; 0 is a perfect fit.
fn distance(profile: &Profile, asked: &Asked) -> u8 {
    use drivers::Usage;
    let usage = asked.extended_key_usage.as_ref().map(|usage| (usage.server, usage.client));
    let same_usage = usage.is_none_or(|usage| {
        usage
            == match profile.usage {
                Usage::Server => (true, false),
                Usage::Client => (false, true),
                Usage::Both => (true, true),
            }
    });
    let same_names = asked.alternative_names.is_none() || profile.alternative_names;
    u8::from(!same_usage) + 2 * u8::from(!same_names)
}

fn describe(organization: Option<&str>, common_name: &str) -> String {
    match organization {
        Some(organization) => format!("O={organization}, CN={common_name}"),
        None => format!("CN={common_name}"),
    }
}

fn refuse(why: impl std::fmt::Display) -> Error {
    Error::invalid(format!("The certificate request does not fit the node: {why}."))
}
