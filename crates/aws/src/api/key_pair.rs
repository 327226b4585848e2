//! Key pair operations.

use super::describe::{Kind, Wanted, one, select};
use super::tag::{specified, wire_tags};
use super::{Call, Outcome};
use crate::model::key_pair::{self, KeyKind, KeyPair};
use crate::model::{Refusal, tag};
use wire::Timestamp;
use wire::ec2;

fn wire_kind(kind: KeyKind) -> ec2::KeyType {
    match kind {
        KeyKind::Rsa => ec2::KeyType::Rsa,
        KeyKind::Ed25519 => ec2::KeyType::Ed25519,
    }
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: ec2::CreateKeyPairRequest,
) -> Outcome<ec2::KeyPair> {
    let tags = specified(request.tag_specifications, "key-pair")?;
    if request.key_format == Some(ec2::KeyFormat::Ppk) {
        return Err(Refusal::unsupported(
            "The key format ppk is not implemented by Skylab; puttygen converts pem",
        )
        .into());
    }
    let kind = match request.key_type {
        None | Some(ec2::KeyType::Rsa) => KeyKind::Rsa,
        Some(ec2::KeyType::Ed25519) => KeyKind::Ed25519,
    };
    let (id, material) = key_pair::create(&mut call.state, call.context, &request.key_name, kind)?;
    tag::apply(&mut call.state, call.context, id.as_str(), "key-pair", tags)?;
    let pair = key_pair::find(&call.state, call.context, id.as_str())?;
    Ok(ec2::KeyPair {
        key_fingerprint: Some(pair.fingerprint.clone()),
        key_material: Some(material),
        key_name: Some(pair.name.clone()),
        key_pair_id: Some(id.to_string()),
        tags: wire_tags(&call.state, id.as_str()),
    })
}

pub(super) fn import(
    call: &mut Call<'_>,
    request: ec2::ImportKeyPairRequest,
) -> Outcome<ec2::ImportKeyPairResult> {
    let tags = specified(request.tag_specifications, "key-pair")?;
    let material = &request.public_key_material.0;
    let id = key_pair::import(&mut call.state, call.context, &request.key_name, material)?;
    tag::apply(&mut call.state, call.context, id.as_str(), "key-pair", tags)?;
    let pair = key_pair::find(&call.state, call.context, id.as_str())?;
    Ok(ec2::ImportKeyPairResult {
        key_fingerprint: Some(pair.fingerprint.clone()),
        key_name: Some(pair.name.clone()),
        key_pair_id: Some(id.to_string()),
        tags: wire_tags(&call.state, id.as_str()),
    })
}

/// What isn't there is deleted already, as AWS has it.
pub(super) fn delete(
    call: &mut Call<'_>,
    request: ec2::DeleteKeyPairRequest,
) -> Outcome<ec2::DeleteKeyPairResult> {
    let found = match (&request.key_name, &request.key_pair_id) {
        (None, None) => return Err(Refusal::missing("KeyName or KeyPairId").into()),
        (Some(name), _) => key_pair::find_by_name(&call.state, call.context, name),
        (None, Some(id)) => key_pair::find(&call.state, call.context, id),
    };
    let id = found.ok().map(|pair| pair.id.clone());
    if let Some(id) = &id {
        key_pair::delete(&mut call.state, id);
    }
    Ok(ec2::DeleteKeyPairResult {
        key_pair_id: id.map(|id| id.to_string()),
        return_: Some(true),
    })
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: ec2::DescribeKeyPairsRequest,
) -> Outcome<ec2::DescribeKeyPairsResult> {
    let mut ids = request.key_pair_ids;
    for name in &request.key_names {
        ids.push(
            key_pair::find_by_name(&call.state, call.context, name)?
                .id
                .to_string(),
        );
    }
    let wanted = Wanted {
        ids,
        filters: request.filters,
        max_results: None,
        next_token: None,
    };
    let kind = Kind {
        // https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeKeyPairs.html
        filters: &["key-pair-id", "fingerprint", "key-name"],
        id: &|pair: &KeyPair| pair.id.to_string(),
        field: &|pair, name| match name {
            "key-pair-id" => one(&pair.id),
            "fingerprint" => one(&pair.fingerprint),
            "key-name" => one(&pair.name),
            _ => Vec::new(),
        },
        not_found: &key_pair::unknown,
    };
    let here = call.context.here(&call.state.key_pairs);
    let (chosen, _) = select(call, here, wanted, &kind)?;
    let with_key = request.include_public_key.unwrap_or(false);
    let shown = chosen.into_iter().map(|pair| ec2::KeyPairInfo {
        create_time: Some(Timestamp(pair.created)),
        key_fingerprint: Some(pair.fingerprint.clone()),
        key_name: Some(pair.name.clone()),
        key_pair_id: Some(pair.id.to_string()),
        key_type: Some(wire_kind(pair.kind)),
        public_key: with_key.then(|| pair.public_key.clone()),
        tags: wire_tags(&call.state, pair.id.as_str()),
    });
    Ok(ec2::DescribeKeyPairsResult {
        key_pairs: shown.collect(),
    })
}
