//! What comes of flows that are sent at once, where many hosts answer.

use fabric::{Flow, HostId};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// How long what isn't expected is waited for after the last that was.
const GRACE: Duration = Duration::from_millis(80);
/// How long what is expected is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(1);

/// What became of a flow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It was answered: by this host, which saw this caller.
    Answered(HostId, Ipv4Addr),
    /// An echo was answered; echoes don't say by whom.
    Echoed,
    /// The caller was told that it can't be.
    Refused,
    /// Nothing came back.
    Silent,
}

/// A flow to send.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The calling host.
    pub host: HostId,
    /// The packet as the caller writes it.
    pub flow: Flow,
    /// Whether something is expected to come back.
    pub expected: bool,
}

/// Lets hosts `serve` and `look`s at each flow, by its number, until all that is expected came and then
/// nothing more.
pub(crate) fn gather(
    probes: &[Probe],
    serve: impl Fn(),
    look: impl Fn(usize) -> Option<Outcome>,
) -> Vec<Outcome> {
    let mut outcomes: Vec<Option<Outcome>> = vec![None; probes.len()];
    let begun = Instant::now();
    let mut quiet_since = begun;
    loop {
        serve();
        for (number, outcome) in outcomes.iter_mut().enumerate() {
            if outcome.is_none()
                && let Some(came) = look(number)
            {
                *outcome = Some(came);
                quiet_since = Instant::now();
            }
        }
        let missing = probes
            .iter()
            .zip(&outcomes)
            .any(|(probe, outcome)| probe.expected && outcome.is_none());
        let over = if missing {
            begun.elapsed() > PATIENCE
        } else {
            quiet_since.elapsed() > GRACE
        };
        if over {
            let silent = |outcome: Option<Outcome>| outcome.unwrap_or(Outcome::Silent);
            return outcomes.into_iter().map(silent).collect();
        }
        std::thread::sleep(PAUSE);
    }
}
