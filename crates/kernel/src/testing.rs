//! A harness for tests with packets: it enters the lab's namespaces before it starts a thread.
//!
//! A test binary with `harness = false` calls [`run_inside`] from `main` and runs its trials there.

use crate::launch::{self, Inside, LaunchOptions};
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs `tests` inside namespaces and ends the process with its result. Where namespaces are
/// forbidden it says so and succeeds, unless `SKYLAB_REQUIRE_NAMESPACES` is set.
pub fn run_inside(tests: impl FnOnce(Inside) -> ExitCode) -> ! {
    run_inside_hiding(Vec::new(), tests)
}

/// As [`run_inside`]; guests must not see these paths.
#[allow(clippy::print_stdout)]
pub fn run_inside_hiding(hidden: Vec<PathBuf>, tests: impl FnOnce(Inside) -> ExitCode) -> ! {
    let options = LaunchOptions {
        hidden,
        die_with_parent: true,
        ..LaunchOptions::default()
    };
    let code = |code: ExitCode| if code == ExitCode::SUCCESS { 0 } else { 101 };
    let launched = launch::spawn(&options, |inside| code(tests(inside)));
    let result = launched.and_then(|lab| lab.wait().map_err(|_| launch::LaunchError::Vanished));
    std::process::exit(match result {
        Ok(code) => code,
        Err(error) if std::env::var_os("SKYLAB_REQUIRE_NAMESPACES").is_some() => {
            println!("failed: {error}");
            101
        }
        Err(error) => {
            println!("skipped: {error}");
            println!(
                "\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out"
            );
            0
        }
    });
}
