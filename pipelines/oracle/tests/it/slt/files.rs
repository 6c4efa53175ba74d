//! Where the .slt files are.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

const PACKAGE: &str = "datafusion-sqllogictest";

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
}

/// The folder of the package with the files; cargo fetches it if it must.
pub fn package() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("slt/Cargo.toml");
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version", "1", "--manifest-path"])
        .arg(&manifest)
        .output()
        .context("running cargo metadata")?;
    let said = String::from_utf8_lossy(&metadata.stderr);
    ensure!(metadata.status.success(), "cargo metadata of {}: {said}", manifest.display());
    let metadata: Metadata = serde_json::from_slice(&metadata.stdout)?;
    let package = metadata.packages.into_iter().find(|package| package.name == PACKAGE);
    let manifest = package.context("the package with the .slt files")?.manifest_path;
    Ok(manifest.parent().context("a manifest is in a folder")?.to_owned())
}

/// All .slt files below a folder, by path.
pub fn all(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "slt") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
