//! The files below `templates/`, by their paths from there. `graph/` and `node/` hold what all COEs share; each COE has
//! a folder of its own name.

include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// The files of one folder, without those of folders in it: their names and texts.
pub(crate) fn of(folder: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().filter_map(move |(path, text)| match path.rsplit_once('/') {
        Some((parent, name)) if parent == folder => Some((name, *text)),
        _ => None,
    })
}

/// The documents that Tera renders for a COE, by their paths: its own and those that it extends.
pub(crate) fn documents(coe: &str) -> Vec<(&'static str, &'static str)> {
    let document =
        |path: &str| matches!(path.rsplit_once('/'), Some((parent, _)) if parent == "graph" || parent == coe);
    FILES.iter().filter(|(path, _)| path.ends_with(".yaml") && document(path)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// They lie in one folder on nodes.
    #[test]
    fn no_script_of_a_coe_hides_one_that_all_share() {
        for driver in crate::installed() {
            for (name, _) in of(&format!("{}/node", driver.name())) {
                assert!(of("node").all(|(shared, _)| shared != name), "{}: {name}", driver.name());
            }
        }
    }

    #[test]
    fn a_coe_has_its_own_documents_and_the_shared_ones() {
        let names: Vec<&str> = documents("kubernetes").into_iter().map(|(path, _)| path).collect();
        assert!(names.contains(&"graph/cluster.yaml") && names.contains(&"kubernetes/cluster.yaml"), "{names:?}");
        assert!(!names.iter().any(|name| name.contains("addons")), "{names:?}");
    }
}
