//! Who a request is from.

use crate::model::State;
use crate::model::iam::{Holder, role, user};
use serde::{Deserialize, Serialize};

/// Somebody who calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Principal {
    /// The account's root user, whose key the lab's own is: nothing is denied to it.
    Root,
    /// A user.
    User {
        /// Its name.
        name: String,
        /// Its unique id.
        id: String,
    },
    /// A role's session.
    Role {
        /// The role's name.
        name: String,
        /// Its unique id: a role of the same name that is made later is another one.
        id: String,
        /// The session's name.
        session: String,
    },
}

/// A caller as `GetCallerIdentity` tells it, and what stands behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who it is.
    pub principal: Principal,
    /// The account's number.
    pub account: String,
    /// Its ARN; a session's own: `arn:aws:sts::…:assumed-role/<role>/<session>`.
    pub arn: String,
    /// Its unique id; a session's: `<role's id>:<session>`.
    pub user_id: String,
    /// The ARN of the user, or of the role whose session it is; the root user's own.
    pub principal_arn: String,
}

impl Caller {
    /// The account's root user.
    pub fn root(state: &State) -> Self {
        let account = state.settings.account.clone();
        let arn = format!("arn:aws:iam::{account}:root");
        Self {
            principal: Principal::Root,
            user_id: account.clone(),
            principal_arn: arn.clone(),
            arn,
            account,
        }
    }

    /// A principal as a caller; `None` if the user or role is gone.
    pub fn of(state: &State, principal: Principal) -> Option<Self> {
        let account = state.settings.account.clone();
        match &principal {
            Principal::Root => Some(Self::root(state)),
            Principal::User { name, id } => {
                let user = user::find(state, name).ok().filter(|of| of.id == *id)?;
                Some(Self {
                    account,
                    arn: user.arn.clone(),
                    user_id: user.id.clone(),
                    principal_arn: user.arn.clone(),
                    principal,
                })
            }
            Principal::Role { name, id, session } => {
                let role = role::find(state, name).ok().filter(|of| of.id == *id)?;
                Some(Self {
                    arn: session_arn(&account, &role.name, session),
                    account,
                    user_id: format!("{id}:{session}"),
                    principal_arn: role.arn.clone(),
                    principal,
                })
            }
        }
    }

    /// Whether everything is allowed to it.
    pub fn is_root(&self) -> bool {
        self.principal == Principal::Root
    }

    /// Whose policies hold for it; nobody's for the root user.
    pub(crate) fn holder(&self) -> Option<Holder<'_>> {
        match &self.principal {
            Principal::Root => None,
            Principal::User { name, .. } => Some(Holder::User(name)),
            Principal::Role { name, .. } => Some(Holder::Role(name)),
        }
    }
}

/// The ARN of a role's session; it has no path.
pub(crate) fn session_arn(account: &str, role: &str, session: &str) -> String {
    format!("arn:aws:sts::{account}:assumed-role/{role}/{session}")
}
