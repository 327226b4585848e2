//! The API of AWS Security Token Service, version 2011-06-15.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html>
//! The root user may take roles whose trust policy names its account: a lab has no other administrator.

use super::{Answer, Outcome};
use crate::identity::{Caller, Credentials, Party, Principal, Session, WebToken, WebTokenError};
use crate::model::iam::{self, Role, oidc_provider, role};
use crate::model::{Context, State};
use crate::policy::{self, Asked, Decision, Document, Identity, Keys, Kind};
use wire::Timestamp;
use wire::error::ApiError;
use wire::sts::{self, *};

/// The shortest session, in seconds.
const SHORTEST: i32 = 900;
/// How long a session lasts that isn't asked to last otherwise.
const USUAL: i32 = 3600;
/// The longest session that a session itself may begin.
const CHAINED: i32 = 3600;

/// Whether an operation is open to callers without a signature.
pub fn unsigned(action: &str) -> bool {
    action == "AssumeRoleWithWebIdentity"
}

/// Carries out an operation.
///
/// # Errors
/// STS's own.
pub fn answer(
    state: &State,
    context: &Context,
    party: Party<'_>,
    request: Request,
    request_id: &str,
) -> Result<Answer, ApiError> {
    let call = Call {
        state,
        context,
        party,
    };
    let name = request.name();
    let body = match request {
        Request::AssumeRole(asked) => sts::respond(name, &call.assume(*asked)?, request_id),
        Request::AssumeRoleWithWebIdentity(asked) => {
            sts::respond(name, &call.assume_by_token(*asked)?, request_id)
        }
        Request::GetCallerIdentity(_) => {
            let caller = call.caller()?;
            let identity = GetCallerIdentityResponse {
                user_id: Some(caller.user_id.clone()),
                account: Some(caller.account.clone()),
                arn: Some(caller.arn.clone()),
            };
            sts::respond(name, &identity, request_id)
        }
        Request::GetSessionToken(asked) => {
            sts::respond(name, &call.session_token(&asked)?, request_id)
        }
    };
    Ok(Answer { body, state: None })
}

struct Call<'a> {
    state: &'a State,
    context: &'a Context,
    party: Party<'a>,
}

fn invalid(message: String) -> ApiError {
    ApiError::new("ValidationError", message)
}

fn check_name(name: &str) -> Outcome<()> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if (2..=64).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(());
    }
    Err(invalid(format!(
        "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]* and have length between 2 and 64"
    )))
}

fn check_duration(seconds: i32, most: i32) -> Outcome<()> {
    if seconds < SHORTEST {
        return Err(invalid(format!(
            "1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to {SHORTEST}"
        )));
    }
    if seconds > most {
        let message =
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err(invalid(message.to_owned()));
    }
    Ok(())
}

fn told(of: Credentials) -> sts::Credentials {
    sts::Credentials {
        access_key_id: Some(of.access_key_id),
        expiration: Some(Timestamp(of.expires)),
        secret_access_key: Some(of.secret),
        session_token: Some(of.token),
    }
}

impl Call<'_> {
    fn caller(&self) -> Outcome<&Caller> {
        self.party.caller.ok_or_else(|| {
            let message = "Request is missing Authentication Token";
            ApiError::new("MissingAuthenticationToken", message)
        })
    }

    fn issue(&self, principal: Principal, seconds: i32) -> Credentials {
        let nonce = &self.context.entropy[..12];
        self.party.seal.issue(&Session {
            principal,
            expires: self.context.now + i64::from(seconds),
            nonce: nonce.iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }

    /// A role's session, and what it is called.
    fn begin(&self, role: &Role, session: String, seconds: i32) -> (Credentials, AssumedRoleUser) {
        let principal = Principal::Role {
            name: role.name.clone(),
            id: role.id.clone(),
            session: session.clone(),
        };
        let account = &self.state.settings.account;
        let user = AssumedRoleUser {
            arn: Some(format!(
                "arn:aws:sts::{account}:assumed-role/{}/{session}",
                role.name
            )),
            assumed_role_id: Some(format!("{}:{session}", role.id)),
        };
        (self.issue(principal, seconds), user)
    }

    fn assume(&self, asked: AssumeRoleRequest) -> Outcome<AssumeRoleResponse> {
        let caller = self.caller()?;
        check_name(&asked.role_session_name)?;
        let denied = || {
            ApiError::new(
                "AccessDenied",
                format!(
                    "User: {} is not authorized to perform: sts:AssumeRole on resource: {}",
                    caller.arn, asked.role_arn
                ),
            )
        };
        let role = role::by_arn(self.state, &asked.role_arn).ok_or_else(denied)?;
        let mut keys = Keys::default();
        keys.put("aws:PrincipalArn", caller.principal_arn.as_str());
        keys.put("aws:PrincipalAccount", caller.account.as_str());
        keys.put("sts:RoleSessionName", asked.role_session_name.as_str());
        if let Some(id) = &asked.external_id {
            keys.put("sts:ExternalId", id.as_str());
        }
        if !self.may_assume(caller, role, &keys) {
            return Err(denied());
        }
        let seconds = asked.duration_seconds.unwrap_or(USUAL);
        check_duration(seconds, role.longest_session)?;
        if matches!(caller.principal, Principal::Role { .. }) && seconds > CHAINED {
            let message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
            return Err(invalid(message.to_owned()));
        }
        let (credentials, user) = self.begin(role, asked.role_session_name, seconds);
        Ok(AssumeRoleResponse {
            assumed_role_user: Some(user),
            credentials: Some(told(credentials)),
            ..Default::default()
        })
    }

    /// Both the role's trust policy and the caller's own policies must let it; a trust policy that names the caller
    /// itself, not its account, is enough.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-single-account.html>
    fn may_assume(&self, caller: &Caller, role: &Role, keys: &Keys) -> bool {
        let arns = [caller.arn.clone(), caller.principal_arn.clone()];
        let who = Identity::Aws {
            account: &caller.account,
            arns: &arns,
        };
        let Ok(trust) = Document::parse(&role.trust, Kind::Trust) else {
            return false;
        };
        let action = "sts:AssumeRole";
        if policy::admits(&trust, &who, action, keys) != Decision::Allowed {
            return false;
        }
        let Some(holder) = caller.holder() else {
            return true;
        };
        let documents = crate::authorize::documents(self.state, holder);
        let asked = Asked {
            action,
            resource: &role.arn,
            keys,
        };
        match policy::evaluate(&documents, asked) {
            Decision::Allowed => true,
            Decision::Denied => false,
            Decision::NotAllowed => policy::admits_by_name(&trust, &who, action, keys),
        }
    }

    fn assume_by_token(
        &self,
        asked: AssumeRoleWithWebIdentityRequest,
    ) -> Outcome<AssumeRoleWithWebIdentityResponse> {
        check_name(&asked.role_session_name)?;
        let (token, provider) = self.token(&asked.web_identity_token)?;
        let mut audiences = token.audiences.iter();
        let audience = audiences.find(|of| provider.clients.contains(of));
        let audience = audience
            .ok_or_else(|| ApiError::new("InvalidIdentityToken", "Incorrect token audience"))?;
        let denied = || {
            let message = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
            ApiError::new("AccessDenied", message)
        };
        let role = role::by_arn(self.state, &asked.role_arn).ok_or_else(denied)?;
        let mut keys = Keys::default();
        keys.put(&format!("{}:sub", provider.issuer), token.subject.as_str());
        keys.put(&format!("{}:aud", provider.issuer), audience.as_str());
        keys.put("sts:RoleSessionName", asked.role_session_name.as_str());
        let who = Identity::Federated(&provider.arn);
        let trust = Document::parse(&role.trust, Kind::Trust).map_err(|_| denied())?;
        let action = "sts:AssumeRoleWithWebIdentity";
        if policy::admits(&trust, &who, action, &keys) != Decision::Allowed {
            return Err(denied());
        }
        let seconds = asked.duration_seconds.unwrap_or(USUAL);
        check_duration(seconds, role.longest_session)?;
        let (credentials, user) = self.begin(role, asked.role_session_name, seconds);
        Ok(AssumeRoleWithWebIdentityResponse {
            assumed_role_user: Some(user),
            audience: Some(audience.clone()),
            credentials: Some(told(credentials)),
            provider: Some(provider.arn.clone()),
            subject_from_web_identity_token: Some(token.subject.clone()),
            ..Default::default()
        })
    }

    /// A token that can be believed, and the provider that vouches for it.
    fn token(&self, text: &str) -> Outcome<(WebToken, &iam::OidcProvider)> {
        let unfit = |message: String| ApiError::new("InvalidIdentityToken", message);
        let token = WebToken::parse(text).map_err(|error| unfit(error.to_string()))?;
        let provider = oidc_provider::of_issuer(self.state, &token.issuer).ok_or_else(|| {
            unfit(format!(
                "No OpenIDConnect provider found in your account for {}",
                token.issuer
            ))
        })?;
        let keys = self.party.issuers.keys(&token.issuer).ok_or_else(|| {
            unfit("Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements".to_owned())
        })?;
        token
            .check(&keys, self.context.now)
            .map_err(|error| match error {
                WebTokenError::Time => ApiError::new("ExpiredTokenException", error.to_string()),
                other => unfit(other.to_string()),
            })?;
        Ok((token, provider))
    }

    fn session_token(&self, asked: &GetSessionTokenRequest) -> Outcome<GetSessionTokenResponse> {
        let caller = self.caller()?;
        // Twelve hours, or one for the root user; at most a day and a half.
        let (usual, most) = match caller.is_root() {
            true => (3600, 3600),
            false => (43_200, 129_600),
        };
        if matches!(caller.principal, Principal::Role { .. }) {
            let message = "Cannot call GetSessionToken with session credentials";
            return Err(ApiError::new("AccessDenied", message));
        }
        let seconds = asked.duration_seconds.unwrap_or(usual);
        check_duration(seconds, 129_600)?;
        let credentials = self.issue(caller.principal.clone(), seconds.min(most));
        Ok(GetSessionTokenResponse {
            credentials: Some(told(credentials)),
        })
    }
}
