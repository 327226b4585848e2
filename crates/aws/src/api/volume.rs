//! Volume operations.

use super::describe::{Kind, Wanted, no_pages_of_ids, one, select};
use super::tag::{specified, wire_tags};
use super::{Call, Outcome};
use crate::model::volume::{self, Volume, VolumeSpec};
use crate::model::{Refusal, State, tag};
use wire::Timestamp;
use wire::ec2;
use wire::shape::Nothing;

const FILTERS: &[&str] = &[
    "attachment.delete-on-termination",
    "attachment.device",
    "attachment.instance-id",
    "attachment.status",
    "availability-zone",
    "encrypted",
    "size",
    "status",
    "volume-id",
    "volume-type",
    "create-time",
];

/// How a volume and an instance stand to each other, in a state that a request brings about or finds.
fn wire_attachment(volume: &Volume, state: &str) -> Option<ec2::VolumeAttachment> {
    let instance = volume.instance.as_ref()?;
    Some(ec2::VolumeAttachment {
        attach_time: Some(Timestamp(volume.attached)),
        delete_on_termination: Some(volume.delete_on_termination),
        device: Some(volume.device.clone()),
        instance_id: Some(instance.to_string()),
        state: state.parse().ok(),
        volume_id: Some(volume.id.to_string()),
        ..Default::default()
    })
}

fn wire_volume(state: &State, volume: &Volume) -> ec2::Volume {
    let attachment = wire_attachment(volume, "attached");
    ec2::Volume {
        state: if attachment.is_some() {
            "in-use"
        } else {
            "available"
        }
        .parse()
        .ok(),
        attachments: attachment.into_iter().collect(),
        availability_zone: Some(volume.zone.clone()),
        create_time: Some(Timestamp(volume.created)),
        encrypted: Some(volume.encrypted),
        iops: volume.operations(),
        multi_attach_enabled: Some(false),
        size: Some(volume.size),
        snapshot_id: Some(String::new()),
        tags: wire_tags(state, volume.id.as_str()),
        throughput: volume.megabytes(),
        volume_id: Some(volume.id.to_string()),
        volume_type: volume.kind.parse().ok(),
        ..Default::default()
    }
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: ec2::DescribeVolumesRequest,
) -> Outcome<ec2::DescribeVolumesResult> {
    no_pages_of_ids("volumeIdsSet", &request.volume_ids, request.max_results)?;
    let wanted = Wanted {
        ids: request.volume_ids,
        filters: request.filters,
        max_results: request.max_results,
        next_token: request.next_token,
    };
    let state = &call.state;
    let kind = Kind {
        filters: FILTERS,
        id: &|volume: &Volume| volume.id.to_string(),
        field: &|volume, name| match name {
            "attachment.delete-on-termination" => one(volume.delete_on_termination),
            "attachment.device" => one(&volume.device),
            "attachment.instance-id" => volume.instance.iter().map(ToString::to_string).collect(),
            "attachment.status" => volume
                .instance
                .iter()
                .map(|_| "attached".to_owned())
                .collect(),
            "availability-zone" => one(&volume.zone),
            "encrypted" => one(volume.encrypted),
            "size" => one(volume.size),
            "status" => one(if volume.instance.is_some() {
                "in-use"
            } else {
                "available"
            }),
            "volume-id" => one(&volume.id),
            "volume-type" => one(&volume.kind),
            _ => one(Timestamp(volume.created).iso()),
        },
        not_found: &volume::unknown,
    };
    let here = call.context.here(&state.volumes);
    let (volumes, next_token) = select(call, here, wanted, &kind)?;
    Ok(ec2::DescribeVolumesResult {
        next_token,
        volumes: volumes
            .into_iter()
            .map(|volume| wire_volume(state, volume))
            .collect(),
    })
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVolume.html>
pub(super) fn create(
    call: &mut Call<'_>,
    request: ec2::CreateVolumeRequest,
) -> Outcome<ec2::Volume> {
    let token = call.token("CreateVolume", &request, request.client_token.as_deref())?;
    if let Some(made) = &token.made
        && let Ok(volume) = volume::find(&call.state, call.context, made)
    {
        return Ok(wire_volume(&call.state, volume));
    }
    let tags = specified(request.tag_specifications, "volume")?;
    let missing = |what: &str| Refusal::missing(what);
    let zone = request
        .availability_zone
        .ok_or_else(|| missing("availabilityZone"))?;
    let spec = VolumeSpec {
        size: request.size.ok_or_else(|| missing("size or snapshotId"))?,
        kind: request
            .volume_type
            .map_or_else(|| "gp2".to_owned(), |kind| kind.to_string()),
        iops: request.iops,
        throughput: request.throughput,
        encrypted: request.encrypted.unwrap_or(false),
    };
    let id = volume::create(&mut call.state, call.context, &zone, spec)?;
    tag::apply(&mut call.state, call.context, id.as_str(), "volume", tags)?;
    call.keep(token, id.as_str());
    let volume = volume::find(&call.state, call.context, id.as_str())?;
    let mut shown = wire_volume(&call.state, volume);
    shown.state = "creating".parse().ok();
    Ok(shown)
}

pub(super) fn delete(call: &mut Call<'_>, request: ec2::DeleteVolumeRequest) -> Outcome<Nothing> {
    volume::delete(&mut call.state, call.context, &request.volume_id)?;
    Ok(Nothing {})
}

pub(super) fn attach(
    call: &mut Call<'_>,
    request: ec2::AttachVolumeRequest,
) -> Outcome<ec2::VolumeAttachment> {
    let id = volume::attach(
        &mut call.state,
        call.context,
        &request.volume_id,
        &request.instance_id,
        &request.device,
    )?;
    let volume = volume::find(&call.state, call.context, id.as_str())?;
    Ok(wire_attachment(volume, "attaching").unwrap_or_default())
}

/// A forced detachment is the same here: no guest holds on to a device.
pub(super) fn detach(
    call: &mut Call<'_>,
    request: ec2::DetachVolumeRequest,
) -> Outcome<ec2::VolumeAttachment> {
    let was = volume::detach(
        &mut call.state,
        call.context,
        &request.volume_id,
        request.instance_id.as_deref(),
        request.device.as_deref(),
    )?;
    Ok(wire_attachment(&was, "detaching").unwrap_or_default())
}
