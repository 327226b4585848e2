//! What containers say at their end: a file they leave, or the end of their log.
//! <https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/>

use crate::lifecycle::Instance;
use crate::logs;
use crate::pod::{Container, Pod, TerminationMessage};
use crate::room::Room;
use cri::ContainerId;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// So much of a file is told.
const LONGEST: u64 = 4096;
/// So much of a log's end is told.
const LONGEST_LOG: usize = 2048;
const LOG_LINES: usize = 80;

/// The last words that were read.
#[derive(Debug, Default)]
pub(super) struct LastWords {
    known: BTreeMap<ContainerId, String>,
}

impl LastWords {
    /// Puts the last words of those that ended with them.
    pub(super) async fn fill(&mut self, pod: &Pod, room: &Room, instances: &mut [Instance]) {
        self.known
            .retain(|id, _| instances.iter().any(|instance| instance.id == *id));
        for instance in instances {
            let Some(code) = instance.exit_code() else {
                continue;
            };
            if let Some(known) = self.known.get(&instance.id) {
                instance.message.clone_from(known);
                continue;
            }
            if let Some((_, container)) = pod.container(&instance.name) {
                let file = room.last_words(&instance.name, instance.attempt);
                let (container, log) = (container.clone(), instance.log.clone());
                let read = tokio::task::spawn_blocking(move || {
                    words(&container, code, &file, log.as_deref())
                });
                if let Ok(Some(words)) = read.await {
                    instance.message = words;
                }
            }
            self.known
                .insert(instance.id.clone(), instance.message.clone());
        }
    }
}

/// The last words of a container that ended with a code. Blocks.
fn words(container: &Container, code: i32, file: &Path, log: Option<&Path>) -> Option<String> {
    let left = left(file);
    let fallback =
        container.termination_message_policy == TerminationMessage::FallbackToLogsOnError;
    if !left.is_empty() || !fallback || code == 0 {
        return Some(left).filter(|left| !left.is_empty());
    }
    let said = logs::end(log?, LOG_LINES, LONGEST_LOG);
    Some(said).filter(|said| !said.is_empty())
}

fn left(file: &Path) -> String {
    let Ok(file) = File::open(file) else {
        return String::new();
    };
    let mut text = Vec::new();
    // What can be read of it is told.
    let _ = file.take(LONGEST).read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}
