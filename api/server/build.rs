//! Tells cargo that the exported web app is part of this crate, also when files come or go.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let exported = Path::new("../web/out");
    // A path that doesn't exist would count as changed at each build.
    std::fs::create_dir_all(exported)?;
    println!("cargo:rerun-if-changed={}", exported.display());
    println!("cargo:rerun-if-changed=migrations");
    Ok(())
}
