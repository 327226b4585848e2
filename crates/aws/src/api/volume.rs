//! Volumes, as far as instances have them.

use super::describe::{Kind, Wanted, no_pages_of_ids, one, select};
use super::tag::wire_tags;
use super::{Call, Outcome};
use crate::model::volume::Volume;
use crate::model::{Refusal, State, VolumeId};
use wire::Timestamp;
use wire::ec2;

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

fn unknown(id: &str) -> Refusal {
    if VolumeId::well_formed(id) {
        Refusal::new(
            "InvalidVolume.NotFound",
            format!("The volume '{id}' does not exist."),
        )
    } else {
        Refusal::new(
            "InvalidParameterValue",
            format!("Value ({id}) for parameter volumeId is invalid. Expected: 'vol-...'."),
        )
    }
}

fn wire_volume(state: &State, volume: &Volume) -> ec2::Volume {
    let attachment = volume
        .instance
        .as_ref()
        .map(|instance| ec2::VolumeAttachment {
            attach_time: Some(Timestamp(volume.created)),
            delete_on_termination: Some(volume.delete_on_termination),
            device: Some(volume.device.clone()),
            instance_id: Some(instance.to_string()),
            state: "attached".parse().ok(),
            volume_id: Some(volume.id.to_string()),
            ..Default::default()
        });
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
            "encrypted" => one(false),
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
        not_found: &unknown,
    };
    let here = state
        .volumes
        .values()
        .map(AsRef::as_ref)
        .filter(|volume: &&Volume| volume.region == call.context.region);
    let (volumes, next_token) = select(call, here, wanted, &kind)?;
    Ok(ec2::DescribeVolumesResult {
        next_token,
        volumes: volumes
            .into_iter()
            .map(|volume| wire_volume(state, volume))
            .collect(),
    })
}
