//! An instance's role, and the credentials of a session of it.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html>

use aws::identity::{Principal, Seal, Session};
use aws::model::State;
use aws::model::iam::instance_profile;
use aws::model::instance::Instance;
use serde_json::json;
use wire::Timestamp;

/// How long credentials hold after they were made, in seconds.
const LIFE: i64 = 6 * 3600;
/// New ones are made so often, in seconds: whoever asks gets some that hold for most of their life.
const FRESH: i64 = 3600;

/// What the service tells of the role: paths and values.
pub(super) fn leaves(
    state: &State,
    instance: &Instance,
    seal: &Seal,
    now: i64,
) -> Vec<(String, String)> {
    let Some(arn) = instance.iam_instance_profile.as_deref() else {
        return Vec::new();
    };
    let Some(profile) = instance_profile::by_arn(state, arn) else {
        return Vec::new();
    };
    let made = now - now.rem_euclid(FRESH);
    let updated = iso(made);
    let info = json!({
        "Code": "Success",
        "LastUpdated": updated,
        "InstanceProfileArn": profile.arn,
        "InstanceProfileId": profile.id,
    });
    let mut leaves = vec![("meta-data/iam/info".to_owned(), pretty(&info))];
    if let Some(role) = instance_profile::role_of(state, instance) {
        let session = Session {
            principal: Principal::Role {
                name: role.name.clone(),
                id: role.id.clone(),
                session: instance.id.to_string(),
            },
            expires: made + LIFE,
            nonce: "instance".to_owned(),
        };
        let credentials = seal.issue(&session);
        let told = json!({
            "Code": "Success",
            "LastUpdated": updated,
            "Type": "AWS-HMAC",
            "AccessKeyId": credentials.access_key_id,
            "SecretAccessKey": credentials.secret,
            "Token": credentials.token,
            "Expiration": iso(credentials.expires),
        });
        let path = format!("meta-data/iam/security-credentials/{}", role.name);
        leaves.push((path, pretty(&told)));
    }
    leaves
}

/// A moment without fractions of a second, as the service writes it.
fn iso(seconds: i64) -> String {
    Timestamp(seconds).iso().replace(".000Z", "Z")
}

fn pretty(value: &serde_json::Value) -> String {
    // A value made of texts can always be written.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use aws::identity::Caller;
    use aws::model::iam::role::{self, NewRole};
    use aws::model::iam::{Path, Tags};
    use aws::model::{Context, Pace, Settings};

    /// AWS-IAM: an instance with a profile gets credentials that are a session of its role, named after it.
    #[test]
    fn credentials_are_of_a_session_of_the_role() {
        let mut state = State::empty(Settings {
            account: "123456789012".to_owned(),
            seed: 1,
        });
        let context = Context {
            region: "us-west-2".to_owned(),
            now: 0,
            pace: Pace::Fast,
            quotas: true,
            caller: String::new(),
            entropy: [0; 32],
        };
        let new = NewRole {
            name: "node".to_owned(),
            path: Path::read(None).unwrap(),
            trust: r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#.to_owned(),
            description: None,
            longest_session: role::SESSION,
            tags: Tags::new(),
        };
        let made = role::create(&mut state, &context, new).unwrap();
        let seal = Seal::new(b"secret");
        let session = Session {
            principal: Principal::Role {
                name: made.name,
                id: made.id,
                session: "i-1".to_owned(),
            },
            expires: LIFE,
            nonce: "instance".to_owned(),
        };
        let credentials = seal.issue(&session);
        let (read, _) = seal
            .open(&credentials.access_key_id, &credentials.token, LIFE - 1)
            .unwrap();
        let caller = Caller::of(&state, read.principal).unwrap();
        assert_eq!(
            caller.arn,
            "arn:aws:sts::123456789012:assumed-role/node/i-1"
        );
    }
}
