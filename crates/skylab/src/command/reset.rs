//! `skylab reset`: ends the lab and empties its state.

use super::down;
use crate::failure::Failure;
use lab::lock::StateLock;
use lab::paths::StateDir;
use std::fs;
use std::io;

pub(crate) fn run(state: &StateDir) -> Result<u8, Failure> {
    down::end(state)?;
    if !state.path().exists() {
        return Ok(0);
    }
    // Nobody may start a lab on a half-emptied state.
    let _lock = StateLock::take(state).map_err(|error| Failure::new(1, error))?;
    let mut files = vec![state.store(), state.log(), state.socket()];
    files.extend(state.keys());
    files.extend(state.kubeconfigs()?);
    for file in files {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let message = format!("{} can't be removed: {error}", file.display());
                return Err(Failure::new(1, message));
            }
            _ => {}
        }
    }
    for folder in [state.images(), state.volumes(), state.access_logs()] {
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let message = format!("{} can't be removed: {error}", folder.display());
                return Err(Failure::new(1, message));
            }
            _ => {}
        }
    }
    Ok(0)
}
