//! Regions and zones.

use super::describe::one;
use super::{Call, Outcome};
use crate::model::region::{REGIONS, find};
use wire::ec2::{
    AvailabilityZone, AvailabilityZoneOptInStatus, AvailabilityZoneState,
    DescribeAvailabilityZonesRequest, DescribeAvailabilityZonesResult, DescribeRegionsRequest,
    DescribeRegionsResult, Region,
};
use wire::error::ApiError;
use wire::filters::Filters;

pub(super) fn describe_regions(
    _: &mut Call<'_>,
    request: DescribeRegionsRequest,
) -> Outcome<DescribeRegionsResult> {
    if let Some(name) = request
        .region_names
        .iter()
        .find(|name| find(name).is_none())
    {
        return Err(ApiError::new(
            "InvalidParameterValue",
            format!("Invalid region provided: {name}"),
        ));
    }
    let filters = Filters::new(request.filters)?;
    filters.check_names(|name| ["endpoint", "opt-in-status", "region-name"].contains(&name))?;
    let mut regions = Vec::new();
    for region in REGIONS {
        let endpoint = format!("ec2.{}.amazonaws.com", region.name);
        let passes = filters.pass(|name| {
            Some(match name {
                "endpoint" => one(&endpoint),
                "opt-in-status" => one("opt-in-not-required"),
                _ => one(region.name),
            })
        })?;
        let named = request.region_names.is_empty()
            || request.region_names.iter().any(|name| name == region.name);
        if passes && named {
            regions.push(Region {
                endpoint: Some(endpoint),
                region_name: Some(region.name.to_owned()),
                opt_in_status: Some("opt-in-not-required".to_owned()),
                ..Region::default()
            });
        }
    }
    Ok(DescribeRegionsResult { regions })
}

pub(super) fn describe_zones(
    call: &mut Call<'_>,
    request: DescribeAvailabilityZonesRequest,
) -> Outcome<DescribeAvailabilityZonesResult> {
    const NAMES: [&str; 9] = [
        "group-name",
        "message",
        "opt-in-status",
        "region-name",
        "state",
        "zone-id",
        "zone-name",
        "zone-type",
        "availability-zone",
    ];
    let Some(region) = find(&call.context.region) else {
        return Ok(DescribeAvailabilityZonesResult::default());
    };
    let filters = Filters::new(request.filters)?;
    filters.check_names(|name| NAMES.contains(&name))?;
    let all: Vec<_> = region.zones().collect();
    for name in &request.zone_names {
        if !all.iter().any(|zone| zone.name == *name) {
            return Err(ApiError::new(
                "InvalidParameterValue",
                format!("Invalid availability zone: [{name}]"),
            ));
        }
    }
    for id in &request.zone_ids {
        if !all.iter().any(|zone| zone.id == *id) {
            return Err(ApiError::new(
                "InvalidParameterValue",
                format!("Invalid availability zone-id: [{id}]"),
            ));
        }
    }
    let mut zones = Vec::new();
    for zone in all {
        let passes = filters.pass(|name| {
            Some(match name {
                "group-name" => one(format!("{}-zg-1", region.name)),
                "message" => Vec::new(),
                "opt-in-status" => one("opt-in-not-required"),
                "region-name" => one(region.name),
                "state" => one("available"),
                "zone-id" => one(&zone.id),
                "zone-type" => one("availability-zone"),
                _ => one(&zone.name),
            })
        })?;
        let named = request.zone_names.is_empty() || request.zone_names.contains(&zone.name);
        let named = named && (request.zone_ids.is_empty() || request.zone_ids.contains(&zone.id));
        if passes && named {
            zones.push(AvailabilityZone {
                group_name: Some(format!("{}-zg-1", region.name)),
                group_long_name: Some(format!("{} 1", region.long_name)),
                network_border_group: Some(region.name.to_owned()),
                opt_in_status: Some(AvailabilityZoneOptInStatus::OptInNotRequired),
                region_name: Some(region.name.to_owned()),
                state: Some(AvailabilityZoneState::Available),
                zone_id: Some(zone.id),
                zone_name: Some(zone.name),
                zone_type: Some("availability-zone".to_owned()),
                ..AvailabilityZone::default()
            });
        }
    }
    Ok(DescribeAvailabilityZonesResult {
        availability_zones: zones,
    })
}
