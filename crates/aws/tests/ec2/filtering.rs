//! What all Describe operations share: filters with wildcards, tags, pages.

use crate::account::Account;

/// Filters: several values are alternatives, several filters all hold, `*` and `?` are wildcards.
#[test]
fn filters_are_awss() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    for (number, name) in ["web-a", "web-b", "db"].into_iter().enumerate() {
        let subnet = account.subnet(&vpc, &format!("10.0.{number}.0/24"));
        account.ok(
            "CreateTags",
            &[
                ("ResourceId.1", &subnet),
                ("Tag.1.Key", "Name"),
                ("Tag.1.Value", name),
            ],
        );
    }
    let mut count =
        |filters: &[(&str, &str)]| account.ok("DescribeSubnets", filters).all("subnetId").len();
    let in_vpc = [
        ("Filter.1.Name", "vpc-id"),
        ("Filter.1.Value.1", vpc.as_str()),
    ];
    let with = |more: &[(&'static str, &'static str)]| -> Vec<(&str, &str)> {
        [&in_vpc[..], more].concat()
    };
    assert_eq!(count(&with(&[])), 3);
    assert_eq!(
        count(&with(&[
            ("Filter.2.Name", "tag:Name"),
            ("Filter.2.Value.1", "web-*")
        ])),
        2
    );
    assert_eq!(
        count(&with(&[
            ("Filter.2.Name", "tag:Name"),
            ("Filter.2.Value.1", "web-?")
        ])),
        2
    );
    assert_eq!(
        count(&with(&[
            ("Filter.2.Name", "tag:Name"),
            ("Filter.2.Value.1", "db"),
            ("Filter.2.Value.2", "web-a")
        ])),
        2
    );
    assert_eq!(
        count(&with(&[
            ("Filter.2.Name", "tag-key"),
            ("Filter.2.Value.1", "Colour")
        ])),
        0
    );
    assert_eq!(
        count(&with(&[
            ("Filter.2.Name", "cidr-block"),
            ("Filter.2.Value.1", "10.0.1.0/24")
        ])),
        1
    );
}

/// Pages: each resource once, in order, until no token is left.
#[test]
fn pages_are_complete() {
    let mut account = Account::new();
    account.quotas = false;
    let vpc = account.vpc("10.0.0.0/16");
    for number in 0..23 {
        account.subnet(&vpc, &format!("10.0.{number}.0/24"));
    }
    let mut seen = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let mut parameters = vec![
            ("Filter.1.Name", "vpc-id"),
            ("Filter.1.Value.1", vpc.as_str()),
            ("MaxResults", "7"),
        ];
        if let Some(token) = &token {
            parameters.push(("NextToken", token));
        }
        let page = account.ok("DescribeSubnets", &parameters);
        seen.extend(page.all("subnetId"));
        token = page.all("nextToken").pop();
        if token.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 23);
    assert!(seen.is_sorted());
    seen.dedup();
    assert_eq!(seen.len(), 23);
}

/// Tags: made with a resource, changed, described, taken away, gone with it.
#[test]
fn tags_go_with_their_resource() {
    let mut account = Account::new();
    let tagged = [
        ("CidrBlock", "10.0.0.0/16"),
        ("TagSpecification.1.ResourceType", "vpc"),
        ("TagSpecification.1.Tag.1.Key", "Name"),
        ("TagSpecification.1.Tag.1.Value", "first"),
    ];
    let vpc = account.make("vpcId", "CreateVpc", &tagged);
    account.ok(
        "CreateTags",
        &[
            ("ResourceId.1", &vpc),
            ("Tag.1.Key", "Name"),
            ("Tag.1.Value", "<second> & third"),
        ],
    );
    let of_vpc = [
        ("Filter.1.Name", "resource-id"),
        ("Filter.1.Value.1", vpc.as_str()),
    ];
    let tags = account.ok("DescribeTags", &of_vpc);
    assert_eq!(
        (tags.one("key"), tags.one("value")),
        ("Name".to_owned(), "&lt;second&gt; &amp; third".to_owned())
    );
    account.ok(
        "DeleteTags",
        &[
            ("ResourceId.1", &vpc),
            ("Tag.1.Key", "Name"),
            ("Tag.1.Value", "other"),
        ],
    );
    assert_eq!(
        account.ok("DescribeTags", &of_vpc).all("key").len(),
        1,
        "another value is another tag"
    );
    account.ok("DeleteVpc", &[("VpcId", &vpc)]);
    assert!(account.ok("DescribeTags", &of_vpc).all("key").is_empty());
    let mut wrong = tagged;
    wrong[1].1 = "subnet";
    assert_eq!(
        account.refused("CreateVpc", &wrong),
        "InvalidParameterValue"
    );
}

/// AWS-AZ: names and ids of regions and zones; what another region has isn't here.
#[test]
fn regions_and_zones() {
    let mut account = Account::new();
    let regions = account.ok("DescribeRegions", &[]).all("regionName");
    for region in ["us-west-2", "us-east-1", "eu-west-1"] {
        assert!(regions.iter().any(|name| name == region), "{region}");
        account.region = region.to_owned();
        let zones = account.ok("DescribeAvailabilityZones", &[]);
        assert!(
            zones
                .all("zoneName")
                .iter()
                .all(|name| name.starts_with(region))
        );
        assert_eq!(zones.all("zoneId").len(), zones.all("zoneName").len());
        assert!(zones.all("zoneName").len() >= 3);
    }
    account.region = "us-west-2".to_owned();
    let vpc = account.vpc("10.0.0.0/16");
    account.region = "eu-west-1".to_owned();
    assert_eq!(
        account.refused("DeleteVpc", &[("VpcId", &vpc)]),
        "InvalidVpcID.NotFound"
    );
}
