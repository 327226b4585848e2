//! The file by which a cluster is reached.

use crate::{Error, Level, Means, create};

/// Writes a cluster's kubeconfig.
///
/// # Errors
/// There is no such cluster, or the file can't be written.
pub fn write(means: &dyn Means, cluster: &str, region: &str) -> Result<(), Error> {
    let described = create::describe(means, cluster)?;
    let path = means.write_kubeconfig(&described, region)?;
    means.say(Level::Success, &format!("saved kubeconfig as \"{path}\""));
    Ok(())
}
