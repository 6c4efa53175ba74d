//! Whom a part runs as, and where that user can reach files.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
};

use nix::unistd::{Uid, User};
use sha2::{Digest as _, Sha256};

use crate::{Error, Result};

/// Where root keeps what an unprivileged user must reach when the chosen folder is closed to it.
const OPEN_ROOT: &str = "/var/lib/millrace";

/// An unprivileged user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunAs {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
}

impl RunAs {
    /// Whom to drop to: nobody to drop to for an ordinary user; `millrace`, else `nobody`, for root.
    pub(crate) fn for_postgres() -> Result<Option<RunAs>> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        ["millrace", "nobody"]
            .into_iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(|user| Some(RunAs { uid: user.uid.as_raw(), gid: user.gid.as_raw() }))
            .ok_or(Error::NoUser)
    }

    /// Whether this user may pass through every folder above `path`.
    fn reaches(self, path: &Path) -> bool {
        path.ancestors().skip(1).filter_map(|folder| fs::metadata(folder).ok()).all(|meta| {
            let mode = meta.mode();
            if meta.uid() == self.uid { mode & 0o100 != 0 } else { mode & 0o001 != 0 }
        })
    }
}

/// `path` itself if `user` can reach it, else a folder of the same meaning that is open to it: a
/// checkout under `/root` is closed to everybody but root.
pub(crate) fn reachable(path: &Path, user: Option<RunAs>) -> Result<PathBuf> {
    let path = std::path::absolute(path).map_err(Error::file("find", path))?;
    match user {
        Some(user) if !user.reaches(&path) => {
            let digest = hex::encode(Sha256::digest(path.as_os_str().as_encoded_bytes()));
            let open = Path::new(OPEN_ROOT).join(&digest[..16]);
            fs::create_dir_all(&open).map_err(Error::file("make", &open))?;
            Ok(open)
        }
        _ => Ok(path),
    }
}

/// Gives a tree to `user`, unless it is theirs already.
pub(crate) fn give(path: &Path, user: Option<RunAs>) -> Result<()> {
    let Some(user) = user else { return Ok(()) };
    let owner = fs::metadata(path).map_err(Error::file("read", path))?.uid();
    if owner == user.uid {
        return Ok(());
    }
    give_tree(path, user).map_err(Error::file("change the owner of", path))
}

/// Children first: a top folder that is theirs means that the tree is, even after a kill midway.
fn give_tree(path: &Path, user: RunAs) -> io::Result<()> {
    let meta = fs::symlink_metadata(path)?;
    if meta.is_dir() {
        for entry in fs::read_dir(path)? {
            give_tree(&entry?.path(), user)?;
        }
    }
    if meta.is_symlink() {
        return std::os::unix::fs::lchown(path, Some(user.uid), Some(user.gid));
    }
    chown(path, Some(user.uid), Some(user.gid))
}

/// Copies a tree with its permissions; symbolic links stay links.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    let copy = |from: &Path, to: &Path| -> io::Result<()> {
        let meta = fs::symlink_metadata(from)?;
        if meta.is_symlink() {
            return std::os::unix::fs::symlink(fs::read_link(from)?, to);
        }
        if meta.is_dir() {
            fs::create_dir(to)?;
            return fs::set_permissions(to, meta.permissions());
        }
        fs::copy(from, to).map(drop)
    };
    copy(from, to).map_err(Error::file("copy", from))?;
    if fs::symlink_metadata(from).is_ok_and(|meta| meta.is_dir()) {
        for entry in fs::read_dir(from).map_err(Error::file("read", from))? {
            let entry = entry.map_err(Error::file("read", from))?;
            copy_tree(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
