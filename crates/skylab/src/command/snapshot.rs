//! `skylab snapshot`: a lab as one file.

use crate::args::Snapshot as Asked;
use crate::failure::{Failure, USAGE};
use lab::control::{self, ControlError, Reply, Request};
use lab::paths::StateDir;
use lab::private_file::Draft;
use lab::snapshot::{self, Saved, Snapshot, SnapshotError};
use std::fs::File;
use std::io::BufReader;
use std::os::fd::AsFd;
use std::path::Path;

pub(crate) fn run(state: &StateDir, asked: Asked) -> Result<u8, Failure> {
    match asked {
        Asked::Save { file } => save(state, &file),
        Asked::Load { file, force } => load(state, &file, force),
    }
}

fn save(state: &StateDir, path: &Path) -> Result<u8, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        let message = format!("the snapshot {} was not saved: {error}", path.display());
        Failure::new(1, message)
    };
    let mut draft = Draft::begin(path).map_err(|error| failed(&error))?;
    let saved = written(state, draft.file()).map_err(|error| failed(&error))?;
    draft.keep().map_err(|error| failed(&error))?;
    eprintln!(
        "Saved {} records of {} to {}. It holds the lab's keys: keep it to yourself.",
        saved.records,
        state.path().display(),
        path.display(),
    );
    Ok(0)
}

/// By the running lab, else from its state.
fn written(state: &StateDir, out: &mut File) -> Result<Saved, Failure> {
    let lab = match control::connect(state) {
        Ok(lab) => lab,
        Err(ControlError::NotRunning(_)) => {
            return snapshot::save_stopped(state, out).map_err(|error| Failure::new(1, error));
        }
        Err(error) => return Err(error.into()),
    };
    lab.send(&Request::Snapshot, &[out.as_fd()])?;
    match lab.receive()? {
        (Reply::Saved(saved), _) => Ok(saved),
        _ => Err(ControlError::Version.into()),
    }
}

fn load(state: &StateDir, path: &Path, force: bool) -> Result<u8, Failure> {
    let failed = |code: u8, error: &dyn std::fmt::Display| {
        let message = format!("the snapshot {} was not loaded: {error}", path.display());
        Failure::new(code, message)
    };
    let file = File::open(path).map_err(|error| failed(USAGE, &error))?;
    let snapshot =
        Snapshot::read(BufReader::new(file)).map_err(|error| failed(code(&error), &error))?;
    let loaded = snapshot
        .load(state, force)
        .map_err(|error| failed(code(&error), &error))?;
    eprintln!(
        "Loaded {} records into {}. Start the lab with: skylab up --detach --state {}",
        loaded.records,
        state.path().display(),
        state.path().display(),
    );
    Ok(0)
}

/// What is wrong with the file is the user's input; the rest isn't.
fn code(error: &SnapshotError) -> u8 {
    match error {
        SnapshotError::Foreign | SnapshotError::Damaged(_) | SnapshotError::Version { .. } => USAGE,
        _ => 1,
    }
}
