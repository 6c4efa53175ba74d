//! How a child process is started: as whom, and how it learns that its parent has died.

use std::{ffi::OsString, fs::OpenOptions, path::PathBuf, process::Stdio};

use tokio::process::{Child, Command};

use crate::{Error, Result, user::RunAs};

/// A program to start and keep.
#[derive(Debug)]
pub(crate) struct Launch {
    /// Its path.
    pub program: PathBuf,
    /// Arguments.
    pub args: Vec<OsString>,
    /// Its whole environment beside `PATH`, `HOME` and the time zone.
    pub env: Vec<(&'static str, OsString)>,
    /// Whom to run it as, if not as ourselves.
    pub user: Option<RunAs>,
    /// Working directory.
    pub dir: PathBuf,
    /// Signal that the system sends it when we die, as `setpriv` names it.
    pub death_signal: &'static str,
    /// Standard output and error are appended here.
    pub log: PathBuf,
}

impl Launch {
    /// Starts it. To be called from a thread that outlives the child: the system takes the death of
    /// the *thread* that started a process for the death of its parent.
    pub(crate) fn start(&self) -> Result<Child> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(Error::file("open", &self.log))?;
        let errors = log.try_clone().map_err(Error::file("open", &self.log))?;
        let mut command = as_user(self.user, self.death_signal);
        command
            .arg(&self.program)
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
        // The program itself was looked for when the part was made.
        command
            .spawn()
            .map_err(Error::file("start setpriv (package util-linux) for", &self.program))
    }
}

/// A command line that runs as `user` the program still to be added, and ends it with
/// `death_signal` when we die. The process id is the program's: each step becomes the next.
///
/// `setpriv` sets the death signal after the user, whose change would clear it. If we die before
/// that, no signal comes; the shell sees then that its parent is another one, and ends.
pub(crate) fn as_user(user: Option<RunAs>, death_signal: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.env_clear();
    for name in ["PATH", "HOME", "TZ"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env("LC_ALL", "C");
    if let Some(user) = user {
        command
            .arg(format!("--reuid={}", user.uid))
            .arg(format!("--regid={}", user.gid))
            .arg("--clear-groups");
    }
    command
        .args(["--pdeathsig", death_signal, "--"])
        .args(["/bin/sh", "-c", r#"[ "$PPID" = "$0" ] && exec "$@""#])
        .arg(std::process::id().to_string());
    command
}
