//! Consoles: the last of what instances printed while booting, for GetConsoleOutput.

use aws::model::InstanceId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// As much is kept; AWS keeps the same:
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html>.
const KEPT: usize = 64 * 1024;

/// The consoles of all instances. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Consoles {
    texts: Arc<Mutex<HashMap<InstanceId, Vec<u8>>>>,
}

impl Consoles {
    /// Adds to an instance's console.
    pub fn print(&self, instance: &InstanceId, text: &[u8]) {
        self.with(|texts| {
            let console = texts.entry(instance.clone()).or_default();
            console.extend_from_slice(text);
            let surplus = console.len().saturating_sub(KEPT);
            console.drain(..surplus);
        });
    }

    /// What an instance printed.
    pub fn read(&self, instance: &InstanceId) -> Vec<u8> {
        self.with(|texts| texts.get(instance).cloned().unwrap_or_default())
    }

    /// Forgets an instance's console.
    pub fn forget(&self, instance: &InstanceId) {
        self.with(|texts| texts.remove(instance));
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<InstanceId, Vec<u8>>) -> T) -> T {
        act(&mut self.texts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_it_is_kept() {
        let (consoles, id) = (Consoles::default(), InstanceId::from("i-1"));
        consoles.print(&id, &vec![b'a'; KEPT]);
        consoles.print(&id, b"the end");
        let text = consoles.read(&id);
        assert_eq!(text.len(), KEPT);
        assert!(text.ends_with(b"the end"));
        consoles.forget(&id);
        assert!(consoles.read(&id).is_empty());
    }
}
