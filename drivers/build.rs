//! Lists the files that drivers put on nodes, so that adding one is to add a file below `templates/`.

#![allow(clippy::print_stdout, reason = "a build script speaks to cargo on standard output")]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Folders below `templates/`, each with the constant that lists it.
const FOLDERS: &[(&str, &str)] = &[("kubernetes/node", "KUBERNETES_NODE"), ("kubernetes/addons", "KUBERNETES_ADDONS")];

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../templates");
    let mut source = String::new();
    for (folder, constant) in FOLDERS {
        let folder = root.join(folder);
        println!("cargo::rerun-if-changed={}", folder.display());
        let mut entries = String::new();
        for (name, path) in files(&folder)? {
            println!("cargo::rerun-if-changed={}", path.display());
            write!(entries, "({name:?}, include_str!({path:?})), ").map_err(io::Error::other)?;
        }
        writeln!(source, "pub(crate) const {constant}: &[(&str, &str)] = &[{entries}];").map_err(io::Error::other)?;
    }
    fs::write(PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("embedded.rs"), source)
}

/// The files of a folder by name, in order; none when there is no such folder.
fn files(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path().canonicalize()?;
        if let (true, Some(name)) = (path.is_file(), path.file_name()) {
            files.push((name.to_string_lossy().into_owned(), path.clone()));
        }
    }
    files.sort();
    Ok(files)
}
