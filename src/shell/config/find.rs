//! Where the configuration is looked for.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::shell::error::Failure;
use gzette_core::paste::Invocation;

/// The name of the configuration file, in whatever folder.
pub const FILE_NAME: &str = "gzette.toml";
/// The variable that names a configuration.
const VARIABLE: &str = "GZETTE_CONFIG";
/// The configuration of the machine.
const SYSTEM_FILE: &str = "/etc/gzette/gzette.toml";

/// A configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFile {
    /// Its absolute path.
    pub path: PathBuf,
    /// Whether the environment named it.
    from_variable: bool,
}

impl ConfigFile {
    /// Returns the file at a path, relative to the working directory.
    pub fn at(path: &Path) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self { path, from_variable: false }
    }

    /// Returns the configuration to use: the one that `--config` names, or else `GZETTE_CONFIG`, or else the first
    /// that exists: in the working directory, the user's, the machine's. `None` if there is none.
    pub fn find(named: Option<&Path>) -> Option<Self> {
        if let Some(path) = named {
            return Some(Self::at(path));
        }
        if let Some(path) = variable(VARIABLE) {
            return Some(Self { from_variable: true, ..Self::at(Path::new(&path)) });
        }
        std::iter::once(PathBuf::from(FILE_NAME))
            .chain(found_from_anywhere())
            .find(|path| is_there(path))
            .map(|path| Self::at(&path))
    }

    /// Returns how to write commands that use it, for a reader in any folder.
    pub fn invocation(&self) -> Invocation {
        let found = found_from_anywhere().into_iter().find(|path| is_there(path));
        Invocation::new(&self.path, found.as_ref() == Some(&self.path))
    }

    /// Reads it.
    pub(super) fn text(&self) -> Result<String, Failure> {
        std::fs::read_to_string(&self.path).map_err(|error| {
            let who = if self.from_variable { ", which GZETTE_CONFIG names" } else { "" };
            Failure::usage(format!("cannot read the configuration `{}`{who}: {error}", self.path.display()))
                .hint("`gzette init` writes one; `--config FILE` names another; `gzette demo` needs none")
        })
    }
}

/// Returns the failure that no configuration was found, with the places searched.
pub(super) fn not_found() -> Failure {
    let mut places = vec![ConfigFile::at(Path::new(FILE_NAME)).path];
    places.extend(found_from_anywhere());
    let places: Vec<_> = places.iter().map(|path| format!("`{}`", path.display())).collect();
    Failure::usage(format!("found no configuration; looked for {}", places.join(", "))).hint(
        "`gzette init` writes one here; `--config FILE` or GZETTE_CONFIG names another; `gzette demo` needs none",
    )
}

/// Returns the places that do not depend on the working directory, first come first: the user's, the machine's.
fn found_from_anywhere() -> Vec<PathBuf> {
    // XDG Base Directory Specification: a path that is not absolute is passed over.
    let folder = variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = folder.or_else(|| std::env::home_dir().map(|home| home.join(".config")));
    let user = folder.filter(|path| path.is_absolute()).map(|path| path.join("gzette").join(FILE_NAME));
    user.into_iter().chain([PathBuf::from(SYSTEM_FILE)]).collect()
}

/// Whether there is a file, or none can be ruled out because its folder may not be entered: reading it says so.
fn is_there(path: &Path) -> bool {
    let is_absent = |kind| matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    path.symlink_metadata().map_or_else(|error| !is_absent(error.kind()), |_| true)
}

/// Returns the files that AWS profiles are looked for in, as people write them (AWS SDKs and Tools Reference Guide,
/// "Location of the shared config and credentials files").
pub(super) fn profile_files() -> Vec<String> {
    let place = |name: &str, usual: &str| match variable(name) {
        Some(path) => format!("`{}`", path.display()),
        None => format!("`{usual}`"),
    };
    vec![
        place("AWS_CONFIG_FILE", "~/.aws/config"),
        place("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
    ]
}

#[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_place_that_is_known_to_be_empty_is_passed_over() {
        assert!(!is_there(Path::new("no/such/gzette.toml")));
        assert!(!is_there(Path::new("/dev/null/gzette.toml")));
        // The system cannot tell.
        assert!(is_there(Path::new(&"x".repeat(10_000))));
    }
}
