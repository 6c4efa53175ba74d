//! Every third-party crate of the workspace, with the features it is used with.
//!
//! Nothing depends on this crate. Selecting it beside another (`cargo t -p millrace-engine`) makes
//! cargo resolve the same features as a build of the whole workspace, so nothing is compiled twice.

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// The names in a table of a manifest, own crates left out.
    fn names(manifest: &Path, table: impl Fn(&toml::Table) -> &toml::Value) -> Vec<String> {
        let text = std::fs::read_to_string(manifest).expect("a manifest");
        let manifest: toml::Table = text.parse().expect("TOML");
        let dependencies = table(&manifest).as_table().expect("a table").keys();
        dependencies.filter(|name| !name.starts_with("millrace-")).cloned().collect()
    }

    /// One that is missing is compiled again, with everything behind it, for each selection of crates.
    #[test]
    fn every_crate_of_the_version_table_is_here() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let named = names(&here.join("Cargo.toml"), |manifest| &manifest["dependencies"]);
        let mut missing =
            names(
                &here.join("../../Cargo.toml"),
                |manifest| &manifest["workspace"]["dependencies"],
            );
        missing.retain(|name| !named.contains(name));
        assert!(missing.is_empty(), "infra/deps/Cargo.toml lacks {missing:?}");
    }
}
