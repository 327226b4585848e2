//! The API of AWS Certificate Manager.
//!
//! <https://docs.aws.amazon.com/acm/latest/APIReference/Welcome.html>

use super::{Answer, Call, Outcome, answered, dispatch};
use crate::model::certificate::{
    self, Certificate, KeyAlgorithm as Algorithm, NewImport, NewRequest, Origin, Validation, tags,
};
use crate::model::{Context, Refusal, State};
use std::sync::Arc;
use wire::acm::{self, *};
use wire::error::ApiError;
use wire::shape::Nothing;
use wire::{Blob, Timestamp};

/// Carries out an operation.
///
/// # Errors
/// ACM's own; the state is as it was.
pub fn certificate(state: &State, context: &Context, request: Request) -> Result<Answer, ApiError> {
    answered(state, context, request.name(), |call| {
        Ok(
            dispatch!(call, request, |_operation, output| acm::respond(&output), {
                    ImportCertificate => import,
                    RequestCertificate => request_certificate,
                    DescribeCertificate => describe,
                    GetCertificate => get,
                    ListCertificates => list,
                    DeleteCertificate => delete,
                    AddTagsToCertificate => add_tags,
                    RemoveTagsFromCertificate => remove_tags,
                    ListTagsForCertificate => list_tags,
            }),
        )
    })
}

fn pairs(tags: Vec<Tag>) -> impl Iterator<Item = (String, String)> {
    tags.into_iter()
        .map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()))
}

fn import(
    call: &mut Call<'_>,
    request: ImportCertificateRequest,
) -> Outcome<ImportCertificateResponse> {
    let new = NewImport {
        replaces: request.certificate_arn,
        body: request.certificate.0,
        private_key: request.private_key.0,
        chain: request.certificate_chain.map(|Blob(chain)| chain),
        tags: tags::read(pairs(request.tags))?,
    };
    let arn = certificate::import(&mut call.state, call.context, new)?;
    Ok(ImportCertificateResponse {
        certificate_arn: Some(arn),
    })
}

fn key_algorithm(of: Option<KeyAlgorithm>) -> Outcome<Algorithm> {
    match of.unwrap_or(KeyAlgorithm::RSA2048) {
        KeyAlgorithm::RSA2048 => Ok(Algorithm::Rsa(2048)),
        KeyAlgorithm::ECPrime256v1 => Ok(Algorithm::P256),
        KeyAlgorithm::ECSecp384r1 => Ok(Algorithm::P384),
        other => Err(certificate::invalid(format!(
            "The key algorithm {other} is not supported for certificates that ACM issues."
        ))
        .into()),
    }
}

fn request_certificate(
    call: &mut Call<'_>,
    request: RequestCertificateRequest,
) -> Outcome<RequestCertificateResponse> {
    let options = request.options.unwrap_or_default();
    if options.export == Some(CertificateExport::ENABLED) {
        let message = "Certificates that can be exported are not implemented by Skylab";
        return Err(Refusal::unsupported(message).into());
    }
    let logging = options.certificate_transparency_logging_preference;
    let new = NewRequest {
        domain: request.domain_name,
        names: request.subject_alternative_names,
        validation: match request.validation_method {
            Some(ValidationMethod::DNS) => Validation::Dns,
            None | Some(ValidationMethod::EMAIL) => Validation::Email,
            Some(ValidationMethod::HTTP) => {
                let message = "HTTP validation is only for certificates that CloudFront manages.";
                return Err(certificate::invalid(message).into());
            }
        },
        key: key_algorithm(request.key_algorithm)?,
        logged: logging != Some(CertificateTransparencyLoggingPreference::DISABLED),
        token: request.idempotency_token,
        tags: tags::read(pairs(request.tags))?,
    };
    let arn = certificate::request(&mut call.state, call.context, new)?;
    Ok(RequestCertificateResponse {
        certificate_arn: Some(arn),
    })
}

fn describe(
    call: &mut Call<'_>,
    request: DescribeCertificateRequest,
) -> Outcome<DescribeCertificateResponse> {
    let of = certificate::find(&call.state, call.context, &request.certificate_arn)?;
    Ok(DescribeCertificateResponse {
        certificate: Some(detail(&call.state, call.context, of)),
    })
}

fn status(of: &Certificate, now: i64) -> CertificateStatus {
    match &of.issued {
        None => CertificateStatus::PENDINGVALIDATION,
        Some(issued) if issued.x509.not_after <= now => CertificateStatus::EXPIRED,
        Some(_) => CertificateStatus::ISSUED,
    }
}

fn algorithm(of: &Certificate) -> Option<KeyAlgorithm> {
    let key = match (&of.issued, &of.origin) {
        (Some(issued), _) => issued.x509.key,
        (None, Origin::Requested { key, .. }) => *key,
        (None, Origin::Imported(_)) => return None,
    };
    key.name().parse().ok()
}

fn detail(state: &State, context: &Context, of: &Certificate) -> CertificateDetail {
    let x509 = of.issued.as_ref().map(|issued| &issued.x509);
    let (imported_at, kind) = match of.origin {
        Origin::Imported(at) => (Some(Timestamp(at)), CertificateType::IMPORTED),
        Origin::Requested { .. } => (None, CertificateType::AMAZONISSUED),
    };
    let logging = match of.origin {
        Origin::Requested { logged: true, .. } => CertificateTransparencyLoggingPreference::ENABLED,
        _ => CertificateTransparencyLoggingPreference::DISABLED,
    };
    CertificateDetail {
        certificate_arn: Some(of.arn.clone()),
        created_at: Some(Timestamp(of.created)),
        domain_name: Some(of.domain.clone()),
        domain_validation_options: validations(of),
        imported_at,
        in_use_by: certificate::users(state, &of.arn),
        issuer: Some(x509.map_or_else(|| "Amazon".to_owned(), |x509| x509.issuer.clone())),
        key_algorithm: algorithm(of),
        not_after: x509.map(|x509| Timestamp(x509.not_after)),
        not_before: x509.map(|x509| Timestamp(x509.not_before)),
        options: Some(CertificateOptions {
            certificate_transparency_logging_preference: Some(logging),
            export: Some(CertificateExport::DISABLED),
        }),
        renewal_eligibility: Some(RenewalEligibility::INELIGIBLE),
        serial: x509.map(|x509| x509.serial.clone()),
        signature_algorithm: Some(
            x509.map_or_else(|| "SHA256WITHRSA".to_owned(), |x509| x509.signature.clone()),
        ),
        status: Some(status(of, context.now)),
        subject: Some(
            x509.map_or_else(|| format!("CN={}", of.domain), |x509| x509.subject.clone()),
        ),
        subject_alternative_names: of.names.clone(),
        type_: Some(kind),
        ..Default::default()
    }
}

fn validations(of: &Certificate) -> Vec<DomainValidation> {
    let Origin::Requested { validation, .. } = &of.origin else {
        return Vec::new();
    };
    let one = |name: &String| {
        let (record, value) = certificate::validation_record(of, name);
        let dns = *validation == Validation::Dns;
        let bare = name.strip_prefix("*.").unwrap_or(name);
        let mail = |who: &str| format!("{who}@{bare}");
        DomainValidation {
            domain_name: Some(name.clone()),
            resource_record: dns.then_some(ResourceRecord {
                name: Some(record),
                type_: Some(RecordType::CNAME),
                value: Some(value),
            }),
            validation_domain: Some(name.clone()),
            validation_emails: match dns {
                true => Vec::new(),
                false => [
                    "admin",
                    "administrator",
                    "hostmaster",
                    "postmaster",
                    "webmaster",
                ]
                .map(mail)
                .to_vec(),
            },
            validation_method: Some(match dns {
                true => ValidationMethod::DNS,
                false => ValidationMethod::EMAIL,
            }),
            validation_status: Some(match of.issued {
                Some(_) => DomainStatus::SUCCESS,
                None => DomainStatus::PENDINGVALIDATION,
            }),
            ..Default::default()
        }
    };
    of.names.iter().map(one).collect()
}

fn get(call: &mut Call<'_>, request: GetCertificateRequest) -> Outcome<GetCertificateResponse> {
    let of = certificate::find(&call.state, call.context, &request.certificate_arn)?;
    let issued = of.issued.as_ref().ok_or_else(|| {
        ApiError::new(
            "RequestInProgressException",
            format!("The certificate {} is not issued yet.", of.arn),
        )
    })?;
    Ok(GetCertificateResponse {
        certificate: Some(issued.body.clone()),
        certificate_chain: issued.chain.clone(),
    })
}

/// Unless asked for, only certificates of the two oldest algorithms are listed.
/// <https://docs.aws.amazon.com/acm/latest/APIReference/API_Filters.html>
const USUAL: [KeyAlgorithm; 2] = [KeyAlgorithm::RSA1024, KeyAlgorithm::RSA2048];

fn list(
    call: &mut Call<'_>,
    request: ListCertificatesRequest,
) -> Outcome<ListCertificatesResponse> {
    let (state, context) = (&call.state, call.context);
    let asked = request.includes.map(|of| of.key_types).unwrap_or_default();
    let keys = if asked.is_empty() {
        USUAL.to_vec()
    } else {
        asked
    };
    let statuses = &request.certificate_statuses;
    let mut chosen: Vec<&Certificate> = state
        .certificates
        .values()
        .map(Arc::as_ref)
        .filter(|of| of.region == context.region)
        .filter(|of| algorithm(of).is_some_and(|key| keys.contains(&key)))
        .filter(|of| statuses.is_empty() || statuses.contains(&status(of, context.now)))
        .collect();
    if request.sort_by.is_some() != request.sort_order.is_some() {
        let message = "SortBy and SortOrder must be specified together.";
        return Err(certificate::invalid(message).into());
    }
    if let Some(order) = request.sort_order {
        chosen.sort_by_key(|of| of.created);
        if order == SortOrder::DESCENDING {
            chosen.reverse();
        }
    }
    let size = Some(request.max_items.unwrap_or(1000));
    let token = request.next_token.as_deref();
    let (chosen, next_token) = wire::pagination::page(chosen, size, token, 1..=1000)
        .map_err(|error| ApiError::new("ValidationException", error.message))?;
    Ok(ListCertificatesResponse {
        certificate_summary_list: chosen
            .into_iter()
            .map(|of| summary(state, context, of))
            .collect(),
        next_token,
    })
}

fn summary(state: &State, context: &Context, of: &Certificate) -> CertificateSummary {
    let detail = detail(state, context, of);
    CertificateSummary {
        certificate_arn: detail.certificate_arn,
        created_at: detail.created_at,
        domain_name: detail.domain_name,
        export_option: Some(CertificateExport::DISABLED),
        has_additional_subject_alternative_names: Some(false),
        imported_at: detail.imported_at,
        in_use: Some(!detail.in_use_by.is_empty()),
        key_algorithm: detail.key_algorithm,
        not_after: detail.not_after,
        not_before: detail.not_before,
        renewal_eligibility: detail.renewal_eligibility,
        status: detail.status,
        subject_alternative_name_summaries: detail.subject_alternative_names,
        type_: detail.type_,
        ..Default::default()
    }
}

fn delete(call: &mut Call<'_>, request: DeleteCertificateRequest) -> Outcome<Nothing> {
    certificate::delete(&mut call.state, call.context, &request.certificate_arn)?;
    Ok(Nothing {})
}

fn add_tags(call: &mut Call<'_>, request: AddTagsToCertificateRequest) -> Outcome<Nothing> {
    let more = tags::read(pairs(request.tags))?;
    let arn = &request.certificate_arn;
    tags::change(&mut call.state, call.context, arn, |tags| tags.extend(more))?;
    Ok(Nothing {})
}

fn remove_tags(call: &mut Call<'_>, request: RemoveTagsFromCertificateRequest) -> Outcome<Nothing> {
    let arn = &request.certificate_arn;
    // A tag without a value goes whatever its value is, one with a value only if it has that one.
    let named = |key: &String, value: &String| {
        let mut asked = request
            .tags
            .iter()
            .filter(|tag| tag.key.as_ref() == Some(key));
        asked.any(|tag| tag.value.as_ref().is_none_or(|of| of == value))
    };
    tags::change(&mut call.state, call.context, arn, |tags| {
        tags.retain(|key, value| !named(key, value));
    })?;
    Ok(Nothing {})
}

fn list_tags(
    call: &mut Call<'_>,
    request: ListTagsForCertificateRequest,
) -> Outcome<ListTagsForCertificateResponse> {
    let of = certificate::find(&call.state, call.context, &request.certificate_arn)?;
    let tag = |(key, value): (&String, &String)| Tag {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    Ok(ListTagsForCertificateResponse {
        tags: of.tags.iter().map(tag).collect(),
    })
}
