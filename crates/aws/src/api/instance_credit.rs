//! Operations on burstable instances' credits.

use super::{Call, Outcome};
use crate::model::Refusal;
use crate::model::instance::{self, CpuCredits};
use wire::ec2;
use wire::pagination::page;

pub(super) fn describe(
    call: &mut Call<'_>,
    request: ec2::DescribeInstanceCreditSpecificationsRequest,
) -> Outcome<ec2::DescribeInstanceCreditSpecificationsResult> {
    for id in &request.instance_ids {
        instance::find(&call.state, call.context, id)?;
    }
    let filters = wire::filters::Filters::new(request.filters)?;
    filters.check_names(|name| name == "instance-id")?;
    let mut found = Vec::new();
    for instance in call.state.instances.values() {
        let id = instance.id.to_string();
        let asked = match request.instance_ids.is_empty() {
            // Without ids AWS lists the unlimited ones.
            true => instance.credits == Some(CpuCredits::Unlimited),
            false => request.instance_ids.contains(&id),
        };
        let here = instance.region == call.context.region;
        if here && asked && filters.pass(|_| Some(vec![id.clone()]))? {
            found.extend(
                instance
                    .credits
                    .map(|credits| ec2::InstanceCreditSpecification {
                        cpu_credits: Some(credits.name().to_owned()),
                        instance_id: Some(id.clone()),
                    }),
            );
        }
    }
    let (instance_credit_specifications, next_token) = page(
        found,
        request.max_results,
        request.next_token.as_deref(),
        5..=1000,
    )?;
    Ok(ec2::DescribeInstanceCreditSpecificationsResult {
        instance_credit_specifications,
        next_token,
    })
}

/// Each instance succeeds or fails by itself.
pub(super) fn modify(
    call: &mut Call<'_>,
    request: ec2::ModifyInstanceCreditSpecificationRequest,
) -> Outcome<ec2::ModifyInstanceCreditSpecificationResult> {
    if request.instance_credit_specifications.is_empty() {
        return Err(Refusal::missing("InstanceCreditSpecification").into());
    }
    let mut result = ec2::ModifyInstanceCreditSpecificationResult::default();
    for wanted in request.instance_credit_specifications {
        let credits = CpuCredits::named(wanted.cpu_credits.as_deref().unwrap_or_default())?;
        let id = wanted.instance_id;
        match instance::set_credits(&mut call.state, call.context, &id, credits) {
            Ok(()) => {
                let item = ec2::SuccessfulInstanceCreditSpecificationItem {
                    instance_id: Some(id),
                };
                result.successful_instance_credit_specifications.push(item);
            }
            Err(refusal) => {
                let error = ec2::UnsuccessfulInstanceCreditSpecificationItemError {
                    code: refusal.code.parse().ok(),
                    message: Some(refusal.message),
                };
                let item = ec2::UnsuccessfulInstanceCreditSpecificationItem {
                    error: Some(error),
                    instance_id: Some(id),
                };
                result
                    .unsuccessful_instance_credit_specifications
                    .push(item);
            }
        }
    }
    Ok(result)
}
