//! What the account may have.

use super::{Call, Outcome};
use crate::model::quota::{self, Quota};
use wire::ec2::{
    AccountAttribute, AccountAttributeValue, DescribeAccountAttributesRequest,
    DescribeAccountAttributesResult,
};

pub(super) fn describe_attributes(
    call: &mut Call<'_>,
    request: DescribeAccountAttributesRequest,
) -> Outcome<DescribeAccountAttributesResult> {
    let default = call
        .state
        .vpcs
        .values()
        .find(|vpc| vpc.is_default && vpc.region == call.context.region);
    let all = [
        ("supported-platforms", "VPC".to_owned()),
        (
            "default-vpc",
            default.map_or("none".to_owned(), |vpc| vpc.id.to_string()),
        ),
        ("max-instances", "20".to_owned()),
        (
            "vpc-max-security-groups-per-interface",
            quota::limit(Quota::GroupsPerInterface).to_string(),
        ),
        (
            "max-elastic-ips",
            quota::limit(Quota::ElasticIps).to_string(),
        ),
        (
            "vpc-max-elastic-ips",
            quota::limit(Quota::ElasticIps).to_string(),
        ),
    ];
    let wanted = |name: &str| {
        request.attribute_names.is_empty()
            || request
                .attribute_names
                .iter()
                .any(|wanted| wanted.as_str() == name)
    };
    let attributes = all
        .into_iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, value)| AccountAttribute {
            attribute_name: Some(name.to_owned()),
            attribute_values: vec![AccountAttributeValue {
                attribute_value: Some(value),
            }],
        });
    Ok(DescribeAccountAttributesResult {
        account_attributes: attributes.collect(),
    })
}
