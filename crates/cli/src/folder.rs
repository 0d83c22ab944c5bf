//! The folder where Sockeye's processes find each other: one for each user, which nobody else may enter.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::failure::{Code, Failure, plain};

/// Only the user.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// The bits of a mode that say who may do what.
const PERMISSIONS: u32 = 0o777;

/// `$XDG_RUNTIME_DIR/sockeye`, or `/tmp/sockeye-UID` where there is no such variable.
pub(crate) struct Folder {
    path: PathBuf,
}

/// A name in the folder that this process listens at. Dropped, it is free again.
pub(crate) struct Claim {
    pub(crate) listener: UnixListener,
    socket: PathBuf,
    lock: PathBuf,
    /// Locked as long as it is open, which the death of the process ends too.
    _held: File,
}

/// Why a name cannot be claimed.
pub(crate) enum ClaimError {
    /// A process listens there.
    Living {
        /// Its number, if it said so.
        pid: Option<u32>,
    },
    /// The system refuses.
    Io(io::Error),
}

impl From<io::Error> for ClaimError {
    fn from(error: io::Error) -> Self {
        ClaimError::Io(error)
    }
}

impl Folder {
    /// The folder, made if it is not there.
    ///
    /// # Errors
    /// Where it cannot be made, is somebody else's, or open to others: what stands in it would be theirs to replace.
    pub(crate) fn open() -> Result<Folder, Failure> {
        let uid = rustix::process::geteuid().as_raw();
        let path = match std::env::var_os("XDG_RUNTIME_DIR").filter(|path| Path::new(path).is_absolute()) {
            Some(runtime) => Path::new(&runtime).join("sockeye"),
            None => PathBuf::from(format!("/tmp/sockeye-{uid}")),
        };
        Folder::at(path, uid)
    }

    fn at(path: PathBuf, uid: u32) -> Result<Folder, Failure> {
        let shown = path.display();
        let refuse = |line: String| Err(Failure::new(Code::Bind, line));
        match DirBuilder::new().mode(FOLDER_MODE).create(&path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return refuse(format!(
                    "cannot make the folder {shown}, where LANs are found: {}; set XDG_RUNTIME_DIR to a folder of yours",
                    plain(&error)
                ));
            }
            _ => {}
        }
        // Not through a link, which somebody else may have laid.
        let found = match fs::symlink_metadata(&path) {
            Ok(found) => found,
            Err(error) => return refuse(format!("cannot look at the folder {shown}: {}", plain(&error))),
        };
        if !found.is_dir() || found.uid() != uid {
            return refuse(format!(
                "{shown} is not a folder of this user: set XDG_RUNTIME_DIR to one that is"
            ));
        }
        if found.mode() & PERMISSIONS & !FOLDER_MODE != 0 {
            return refuse(format!("the folder {shown} is open to other users: chmod 700 {shown}"));
        }
        Ok(Folder { path })
    }

    /// The path of a name.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The names that end in `suffix`, without it, in their order.
    pub(crate) fn names(&self, suffix: &str) -> Vec<String> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(suffix)?.to_owned()))
            .collect();
        names.sort();
        names
    }

    /// Connects to whoever listens at a name.
    pub(crate) fn connect(&self, name: &str) -> io::Result<UnixStream> {
        UnixStream::connect(self.path(name))
    }

    /// Listens at a name, unless a living process does. What a dead one has left there is replaced.
    pub(crate) fn claim(&self, name: &str) -> Result<Claim, ClaimError> {
        let (socket, lock) = (self.path(name), self.path(&format!("{name}.lock")));
        let held = loop {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(FILE_MODE)
                .open(&lock)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let mut text = String::new();
                    file.read_to_string(&mut text).ok();
                    return Err(ClaimError::Living { pid: text.trim().parse().ok() });
                }
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
            // The last holder may have removed the file between our opening and our locking it.
            let is_the_same = fs::metadata(&lock)
                .and_then(|named| Ok(named.ino() == file.metadata()?.ino()))
                .unwrap_or(false);
            if is_the_same {
                break file;
            }
        };
        held.set_len(0)?;
        writeln!(&held, "{}", std::process::id())?;
        match fs::remove_file(&socket) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let listener = UnixListener::bind(&socket)?;
        let claim = Claim { listener, socket, lock, _held: held };
        // Nobody else gets as far as the file: the folder is closed to others.
        fs::set_permissions(&claim.socket, fs::Permissions::from_mode(FILE_MODE))?;
        Ok(claim)
    }
}

impl Claim {
    /// Where it listens.
    pub(crate) fn path(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        fs::remove_file(&self.socket).ok();
        // While it is locked, so that nobody else's is removed.
        fs::remove_file(&self.lock).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_uid() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    #[test]
    fn a_folder_that_is_open_to_others_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("sockeye");
        assert!(Folder::at(path.clone(), own_uid()).is_ok(), "it is made");
        assert_eq!(fs::metadata(&path).unwrap().mode() & PERMISSIONS, FOLDER_MODE);
        assert!(Folder::at(path.clone(), own_uid()).is_ok(), "it is found");
        let refused = |path: &Path, uid| match Folder::at(path.to_owned(), uid) {
            Ok(_) => panic!("taken"),
            Err(failure) => failure.line,
        };
        assert!(refused(&path, own_uid() + 1).contains("not a folder of this user"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
        assert!(refused(&path, own_uid()).contains("chmod 700"));
        let link = parent.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(refused(&link, own_uid()).contains("not a folder"));
        assert!(refused(Path::new("/nowhere/at/all"), own_uid()).contains("XDG_RUNTIME_DIR"));
    }

    #[test]
    fn a_name_has_one_owner_and_the_dead_leave_it_free() {
        let parent = tempfile::tempdir().unwrap();
        let folder =
            Folder::at(parent.path().join("sockeye"), own_uid()).unwrap_or_else(|_| panic!("no folder"));
        let claim = folder.claim("demo.lan").unwrap_or_else(|_| panic!("not free"));
        assert_eq!(fs::metadata(claim.path()).unwrap().mode() & PERMISSIONS, FILE_MODE);
        assert!(folder.connect("demo.lan").is_ok());
        assert_eq!(folder.names(".lan"), ["demo"]);
        let pid = match folder.claim("demo.lan") {
            Err(ClaimError::Living { pid }) => pid,
            _ => panic!("taken twice"),
        };
        assert_eq!(pid, Some(std::process::id()));
        drop(claim);
        assert!(folder.names("").is_empty(), "{:?}", folder.names(""));
        // As a process that was killed leaves it.
        fs::write(folder.path("demo.lan.lock"), "1\n").unwrap();
        drop(UnixListener::bind(folder.path("demo.lan")).unwrap());
        // A program that another test starts at this moment has the listener too, until it is executed.
        let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while folder.connect("demo.lan").is_ok() && std::time::Instant::now() < until {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert!(folder.connect("demo.lan").is_err());
        assert!(folder.claim("demo.lan").is_ok());
    }
}
