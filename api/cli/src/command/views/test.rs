//! `millrace views test`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use millrace_views::Registry;
use millrace_views::case::Case;

use crate::command::say;

const FOLDERS: [&str; 3] = ["staging", "core", "live"];
const SQL: &str = ".sql";
const TEST: &str = ".test.toml";

/// # Errors
/// What is wrong with the views or their tests; that some fail.
pub async fn run(names: &[String], folder: Option<&Path>) -> Result<()> {
    let files = folder.map(read).transpose()?;
    let embedded = Registry::load()?;
    let registry = match &files {
        Some(files) => {
            let views = files.iter().filter(|(path, _)| path.ends_with(SQL));
            let views = views.map(|(path, text)| (path.clone(), text.clone())).collect();
            Registry::of(views, embedded.events().clone())?
        }
        None => embedded,
    };
    for name in names {
        registry.get(name)?;
    }
    let mut failed = 0;
    let chosen = registry.views().iter();
    let chosen: Vec<_> =
        chosen.filter(|view| names.is_empty() || names.contains(&view.name)).collect();
    for view in &chosen {
        let case = match &files {
            Some(files) => {
                let file = format!("{}/{}{TEST}", view.area, view.name);
                let text = files
                    .get(&file)
                    .with_context(|| format!("there is no {file}: every view has a test"));
                text.and_then(|text| Ok(Case::parse(&registry, &view.name, &file, text)?))
            }
            None => Case::load(&registry, &view.name).map_err(Into::into),
        };
        let outcome = match case {
            Ok(case) => case.run(&registry).await.map_err(Into::into),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => say(&format!("{}: ok\n", view.name))?,
            Err(error) => {
                failed += 1;
                say(&format!("{}: FAILED: {error}\n", view.name))?;
            }
        }
    }
    ensure!(failed == 0, "{failed} of {} views failed their tests", chosen.len());
    Ok(())
}

/// Views and tests by their paths within the folder.
fn read(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for area in FOLDERS {
        let place = folder.join(area);
        if !place.is_dir() {
            continue;
        }
        let listed =
            fs::read_dir(&place).with_context(|| format!("listing {}", place.display()))?;
        for entry in listed {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(SQL) || name.ends_with(TEST) {
                let path = entry.path();
                let text = fs::read_to_string(&path)
                    .with_context(|| format!("reading {}", path.display()))?;
                files.insert(format!("{area}/{name}"), text);
            }
        }
    }
    let is_view = |path: &String| path.ends_with(SQL);
    ensure!(
        files.keys().any(is_view),
        "{} holds no views: they lie in {}",
        folder.display(),
        FOLDERS.join(", ")
    );
    Ok(files)
}
