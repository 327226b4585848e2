//! What goes wrong in the lab at present, for `skylab status`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What goes wrong, by what it concerns.
#[derive(Clone, Debug, Default)]
pub struct Health {
    troubles: Arc<Mutex<BTreeMap<String, String>>>,
}

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Trouble {
    /// What it concerns: `packets`, `store`, a network's or an instance's id.
    pub at: String,
    /// What is wrong, in words.
    pub what: String,
}

impl Health {
    /// Says that something is wrong.
    pub fn bad(&self, at: &str, what: impl ToString) {
        self.with(|troubles| troubles.insert(at.to_owned(), what.to_string()));
    }

    /// Says that it is right again.
    pub fn good(&self, at: &str) {
        self.with(|troubles| troubles.remove(at));
    }

    /// All that is wrong.
    pub fn troubles(&self) -> Vec<Trouble> {
        self.with(|troubles| {
            troubles
                .iter()
                .map(|(at, what)| Trouble {
                    at: at.clone(),
                    what: what.clone(),
                })
                .collect()
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<String, String>) -> T) -> T {
        act(&mut self.troubles.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
