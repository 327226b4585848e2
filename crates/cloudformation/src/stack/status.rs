//! The states of stacks and their resources.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html>

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// How a stack stands.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum StackStatus { $($(#[$doc])* $name,)* }

        impl StackStatus {
            /// As AWS writes it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

statuses! {
    /// Only its change set is there.
    ReviewInProgress = "REVIEW_IN_PROGRESS",
    /// It is being made.
    CreateInProgress = "CREATE_IN_PROGRESS",
    /// It is made.
    CreateComplete = "CREATE_COMPLETE",
    /// It could not be made, and stays as far as it got.
    CreateFailed = "CREATE_FAILED",
    /// What was made of it is being deleted.
    RollbackInProgress = "ROLLBACK_IN_PROGRESS",
    /// That is done.
    RollbackComplete = "ROLLBACK_COMPLETE",
    /// That failed.
    RollbackFailed = "ROLLBACK_FAILED",
    /// It is being deleted.
    DeleteInProgress = "DELETE_IN_PROGRESS",
    /// It is deleted.
    DeleteComplete = "DELETE_COMPLETE",
    /// Something of it could not be deleted.
    DeleteFailed = "DELETE_FAILED",
    /// It is being changed.
    UpdateInProgress = "UPDATE_IN_PROGRESS",
    /// It is changed; what is not wanted any more is being deleted.
    UpdateCompleteCleanupInProgress = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    /// It is changed.
    UpdateComplete = "UPDATE_COMPLETE",
    /// It could not be changed, and stays as far as it got.
    UpdateFailed = "UPDATE_FAILED",
    /// It is being brought back to what it was.
    UpdateRollbackInProgress = "UPDATE_ROLLBACK_IN_PROGRESS",
    /// That failed.
    UpdateRollbackFailed = "UPDATE_ROLLBACK_FAILED",
    /// It is what it was; what is new is being deleted.
    UpdateRollbackCompleteCleanupInProgress = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    /// It is what it was.
    UpdateRollbackComplete = "UPDATE_ROLLBACK_COMPLETE",
}

impl StackStatus {
    /// Whether something is under way.
    pub fn in_progress(self) -> bool {
        self.as_str().ends_with("_IN_PROGRESS") && self != Self::ReviewInProgress
    }

    /// Whether resources are being brought to what the template says.
    pub(super) fn converges(self) -> bool {
        matches!(
            self,
            Self::CreateInProgress | Self::UpdateInProgress | Self::UpdateRollbackInProgress
        )
    }

    /// Whether what isn't wanted is being deleted.
    pub(super) fn cleans(self) -> bool {
        matches!(
            self,
            Self::RollbackInProgress
                | Self::DeleteInProgress
                | Self::UpdateCompleteCleanupInProgress
                | Self::UpdateRollbackCompleteCleanupInProgress
        )
    }

    /// Whether an update can begin.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks.html>
    pub fn updatable(self) -> bool {
        matches!(
            self,
            Self::CreateComplete | Self::UpdateComplete | Self::UpdateRollbackComplete
        )
    }
}

/// What is done with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verb {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is deleted.
    Delete,
}

/// How far that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// Under way.
    InProgress,
    /// Done.
    Complete,
    /// Failed.
    Failed,
    /// Left out, because a policy keeps the resource.
    Skipped,
}

/// How a resource stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceStatus {
    /// What is done with it.
    pub verb: Verb,
    /// How far that is.
    pub progress: Progress,
}

impl ResourceStatus {
    /// A status.
    pub fn new(verb: Verb, progress: Progress) -> Self {
        Self { verb, progress }
    }
}

impl fmt::Display for ResourceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.verb {
            Verb::Create => "CREATE",
            Verb::Update => "UPDATE",
            Verb::Delete => "DELETE",
        };
        let progress = match self.progress {
            Progress::InProgress => "IN_PROGRESS",
            Progress::Complete => "COMPLETE",
            Progress::Failed => "FAILED",
            Progress::Skipped => "SKIPPED",
        };
        write!(f, "{verb}_{progress}")
    }
}
