//! Instances' profiles: which role's credentials an instance gets.

use super::describe::{Kind, one, select, wanted};
use super::{Call, Outcome};
use crate::model::iam::instance_profile;
use crate::model::instance::{self, Instance, InstanceState, profile};
use crate::model::{InstanceId, Refusal, State};
use wire::Timestamp;
use wire::ec2;
use wire::ec2::IamInstanceProfileAssociationState as Progress;

/// The ARN of the profile that a request names.
pub(super) fn arn(
    state: &State,
    of: &ec2::IamInstanceProfileSpecification,
) -> Result<String, Refusal> {
    let found = profile::named(state, of.arn.as_deref(), of.name.as_deref())?;
    Ok(found.arn.clone())
}

/// A profile as instances show it.
pub(super) fn shown(state: &State, arn: &str) -> ec2::IamInstanceProfile {
    ec2::IamInstanceProfile {
        arn: Some(arn.to_owned()),
        id: instance_profile::by_arn(state, arn).map(|of| of.id.clone()),
    }
}

fn told(
    state: &State,
    instance: &Instance,
    progress: Progress,
) -> Option<ec2::IamInstanceProfileAssociation> {
    let association = instance.profile_association.as_ref()?;
    Some(ec2::IamInstanceProfileAssociation {
        association_id: Some(association.id.clone()),
        iam_instance_profile: instance
            .iam_instance_profile
            .as_deref()
            .map(|arn| shown(state, arn)),
        instance_id: Some(instance.id.to_string()),
        state: Some(progress),
        timestamp: Some(Timestamp(association.since)),
    })
}

fn of(call: &Call<'_>, id: &InstanceId) -> Outcome<Option<ec2::IamInstanceProfileAssociation>> {
    let instance = instance::find(&call.state, call.context, id.as_str())?;
    Ok(told(&call.state, instance, Progress::Associating))
}

pub(super) fn associate(
    call: &mut Call<'_>,
    request: ec2::AssociateIamInstanceProfileRequest,
) -> Outcome<ec2::AssociateIamInstanceProfileResult> {
    let arn = arn(&call.state, &request.iam_instance_profile)?;
    let id = profile::associate(&mut call.state, call.context, &request.instance_id, arn)?;
    Ok(ec2::AssociateIamInstanceProfileResult {
        iam_instance_profile_association: of(call, &id)?,
    })
}

pub(super) fn replace(
    call: &mut Call<'_>,
    request: ec2::ReplaceIamInstanceProfileAssociationRequest,
) -> Outcome<ec2::ReplaceIamInstanceProfileAssociationResult> {
    let arn = arn(&call.state, &request.iam_instance_profile)?;
    let id = profile::replace(&mut call.state, call.context, &request.association_id, arn)?;
    Ok(ec2::ReplaceIamInstanceProfileAssociationResult {
        iam_instance_profile_association: of(call, &id)?,
    })
}

pub(super) fn disassociate(
    call: &mut Call<'_>,
    request: ec2::DisassociateIamInstanceProfileRequest,
) -> Outcome<ec2::DisassociateIamInstanceProfileResult> {
    let before = profile::disassociate(&mut call.state, call.context, &request.association_id)?;
    Ok(ec2::DisassociateIamInstanceProfileResult {
        iam_instance_profile_association: told(&call.state, &before, Progress::Disassociating),
    })
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: ec2::DescribeIamInstanceProfileAssociationsRequest,
) -> Outcome<ec2::DescribeIamInstanceProfileAssociationsResult> {
    let wanted = wanted!(request, association_ids);
    let id = |instance: &Instance| {
        let association = instance.profile_association.as_ref();
        association.map(|of| of.id.clone()).unwrap_or_default()
    };
    let kind = Kind {
        filters: &["instance-id", "state"],
        id: &id,
        field: &|instance: &Instance, name| match name {
            "instance-id" => one(&instance.id),
            _ => one("associated"),
        },
        not_found: &|id| {
            Refusal::new(
                "NoSuchAssociation",
                format!("An invalid association-id of '{id}' was given"),
            )
        },
    };
    let held = call.state.instances.values().map(AsRef::as_ref);
    let held = held.filter(|instance: &&Instance| {
        instance.region == call.context.region
            && instance.profile_association.is_some()
            && instance.state != InstanceState::Terminated
    });
    let (found, next_token) = select(call, held, wanted, &kind)?;
    let associated = |instance| told(&call.state, instance, Progress::Associated);
    Ok(ec2::DescribeIamInstanceProfileAssociationsResult {
        iam_instance_profile_associations: found.into_iter().filter_map(associated).collect(),
        next_token,
    })
}
