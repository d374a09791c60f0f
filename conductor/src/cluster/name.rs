//! Names: those that are generated, and those of stacks.

use uuid::Uuid;

use crate::{Error, Result};

/// Words of generated names.
const GREEK: [&str; 24] = [
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi",
    "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
];

/// The given name, or `<greek letter>-<1 to 24>-<kind>` where none was given (the contract's 3.2 and 4.2).
#[must_use]
pub fn given_or_generated(given: Option<&str>, kind: &str) -> String {
    if let Some(name) = given {
        return name.to_owned();
    }
    let random = Uuid::new_v4().as_u128();
    let letter = GREEK[usize::try_from(random % 24).unwrap_or_default()];
    format!("{letter}-{}-{kind}", (random >> 64) % 24 + 1)
}

/// Names that no cluster can be asked for by, because they stand in the API's paths.
const RESERVED: [&str; 3] = ["detail", "actions", "nodegroups"];

/// The name, unless it is one that the API's paths keep for themselves.
///
/// # Errors
/// `Invalid` naming those.
pub fn check(name: Option<&str>) -> Result<()> {
    refuse(name, &RESERVED)
}

/// The same for a cluster template.
///
/// # Errors
/// As [`check`].
pub fn check_of_template(name: Option<&str>) -> Result<()> {
    refuse(name, &RESERVED[..1])
}

fn refuse(name: Option<&str>, reserved: &[&str]) -> Result<()> {
    match name {
        Some(name) if reserved.contains(&name) => Err(Error::invalid(format!(
            "Invalid input for field/attribute name. Value: '{name}'. Allowed: any name but {}, which stand in the API's \
             paths.",
            reserved.join(", ")
        ))),
        _ => Ok(()),
    }
}

/// The name of a cluster's stack: the same each time it is asked for, so that a stack made before a crash is found.
///
/// At most 242 + 13 characters, which is Heat's limit of 255.
#[must_use]
pub fn of_stack(cluster_name: &str, cluster_uuid: &str) -> String {
    let digits: String = cluster_uuid.chars().filter(char::is_ascii_hexdigit).take(12).collect();
    format!("{cluster_name}-{digits}")
}

/// The name of the stack of a nodegroup that has one of its own, from its cluster's; at most 255 characters.
#[must_use]
pub fn of_nodegroup_stack(stack_name: &str, nodegroup_uuid: &str) -> String {
    let cut: String = stack_name.chars().take(242).collect();
    of_stack(&cut, nodegroup_uuid)
}

/// The tag that proves a stack to be this cluster's.
#[must_use]
pub fn tag_of(cluster_uuid: &str) -> String {
    format!("jeroboam-cluster={cluster_uuid}")
}

/// What the tags of operations begin with.
pub(crate) const OPERATION_TAG: &str = "jeroboam-op-";

/// The tag of a stack whose last update was that phase of that operation: at most 48 characters and the phase's.
#[must_use]
pub(crate) fn tag_of_update(operation_uuid: &str, phase: &str) -> String {
    format!("{OPERATION_TAG}{operation_uuid}-{phase}")
}

/// The tag of every stack of ours.
pub const TAG: &str = "jeroboam";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_named_after_its_cluster_and_uuid() {
        assert_eq!(of_stack("ci", "01234567-89ab-cdef-0123-456789abcdef"), "ci-0123456789ab");
        assert_eq!(of_stack(&"a".repeat(242), "01234567-89ab-cdef-0123-456789abcdef").len(), 255);
    }

    #[test]
    fn names_in_paths_are_reserved() {
        for name in ["detail", "actions", "nodegroups"] {
            assert!(check(Some(name)).unwrap_err().public.contains(name));
        }
        assert!(check(None).is_ok() && check(Some("Detail")).is_ok() && check(Some("details")).is_ok());
        assert!(check_of_template(Some("detail")).is_err() && check_of_template(Some("actions")).is_ok());
    }

    #[test]
    fn a_generated_name_is_a_letter_a_number_and_the_kind() {
        let name = given_or_generated(None, "cluster");
        let parts: Vec<_> = name.split('-').collect();
        assert!(GREEK.contains(&parts[0]) && (1..=24).contains(&parts[1].parse::<u32>().unwrap()), "{name}");
        assert_eq!(parts[2], "cluster");
        assert_eq!(given_or_generated(Some("mine"), "cluster"), "mine");
    }
}
