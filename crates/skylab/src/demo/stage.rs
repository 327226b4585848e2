//! What a demo plays on: a lab, its API, and the terminal.

use crate::command::{down, status, up};
use crate::failure::Failure;
use crate::terminal::Paint;
use kernel::launch::Spawned;
use lab::client::Client;
use lab::credentials::Credentials;
use lab::paths::StateDir;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

/// The chapter's region.
pub(super) const REGION: &str = "us-west-2";

/// A lab for a demo.
pub(super) struct Stage {
    pub(super) state: StateDir,
    pub(super) client: Client,
    pub(super) paint: Paint,
    /// The lab, where the demo runs one of its own, which goes with it.
    _own: Option<OwnLab>,
}

/// A lab that ends, and whose state goes, with the demo, however that ends.
struct OwnLab {
    lab: Spawned,
    state: StateDir,
}

impl Drop for OwnLab {
    fn drop(&mut self) {
        // A lab that can't be asked is killed when this process ends.
        if down::ask(&self.state).is_ok() {
            let _ = self.lab.wait();
        }
        let _ = fs::remove_dir_all(self.state.path());
    }
}

impl Stage {
    /// The lab of a state, started if need be; without one a lab of the demo's own.
    pub(super) fn open(named: Option<&StateDir>) -> Result<Self, Failure> {
        let (state, own) = match named {
            Some(state) => {
                up::ensure(state)?;
                (state.clone(), None)
            }
            None => {
                let state = fresh_state()?;
                let lab = up::private(&state)?;
                let own = OwnLab {
                    lab,
                    state: state.clone(),
                };
                (state, Some(own))
            }
        };
        let ports = status::ask(&state)?.ports;
        let credentials = Credentials::load(&state)?
            .ok_or_else(|| Failure::new(1, "the lab has no keys; `skylab reset` makes new ones"))?;
        let client = Client::new(ports, &credentials, REGION);
        Ok(Self {
            state,
            client,
            paint: Paint::for_stdout(),
            _own: own,
        })
    }

    pub(super) fn heading(&self, text: &str) {
        println!("\n{}", self.paint.bold(text));
    }

    pub(super) fn line(&self, what: &str, text: &str) {
        println!("  {what:<18}  {text}");
    }
}

fn fresh_state() -> Result<StateDir, Failure> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let name = format!("skylab-demo-{}-{}", std::process::id(), now.as_nanos());
    let state = StateDir::choose(Some(&std::env::temp_dir().join(name)))?;
    state.create()?;
    Ok(state)
}
