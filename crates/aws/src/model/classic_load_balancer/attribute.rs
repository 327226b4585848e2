//! Classic balancers' attributes.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_LoadBalancerAttributes.html>

use super::*;
use crate::model::load_balancer::check_range;

/// A classic balancer's attributes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// Whether nodes send to instances of other zones too.
    pub cross_zone: bool,
    /// For how many seconds instances that leave are drained, if they are.
    pub draining: Option<u32>,
    /// Seconds without a byte after which connections are closed.
    pub idle_timeout: u32,
    /// `monitor`, `defensive` or `strictest`.
    pub desync: String,
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            cross_zone: false,
            draining: None,
            idle_timeout: 60,
            desync: "defensive".to_owned(),
        }
    }
}

/// What a request says of attributes.
#[derive(Clone, Debug, Default)]
pub struct Words {
    /// Across zones.
    pub cross_zone: Option<bool>,
    /// Whether instances are drained, and for how long.
    pub draining: Option<(bool, Option<i32>)>,
    /// The idle timeout.
    pub idle_timeout: Option<i32>,
    /// Whether there is an access log, and its bucket.
    pub access_log: Option<(bool, Option<String>)>,
    /// Further attributes.
    pub more: Vec<(String, String)>,
}

/// The only further attribute.
pub const DESYNC: &str = "elb.http.desyncmitigationmode";
/// For how long instances are drained unless told otherwise.
const DRAINING: i32 = 300;

/// Sets attributes.
///
/// # Errors
/// `LoadBalancerNotFound`, `LoadBalancerAttributeNotFound`, `ValidationError`, `InvalidConfigurationRequest` for a
/// log: there is no bucket for it.
pub fn modify(
    state: &mut State,
    context: &Context,
    name: &str,
    words: &Words,
) -> Result<(), Refusal> {
    change(state, context, name, |_, balancer| {
        let attributes = &mut balancer.attributes;
        attributes.cross_zone = words.cross_zone.unwrap_or(attributes.cross_zone);
        if let Some((enabled, seconds)) = words.draining {
            let seconds = seconds.unwrap_or(DRAINING);
            check_range("connectionDraining.timeout", i64::from(seconds), 1, 3600)?;
            attributes.draining = enabled.then(|| u32::try_from(seconds).unwrap_or_default());
        }
        if let Some(seconds) = words.idle_timeout {
            check_range(
                "connectionSettings.idleTimeout",
                i64::from(seconds),
                1,
                4000,
            )?;
            attributes.idle_timeout = u32::try_from(seconds).unwrap_or_default();
        }
        if let Some((true, bucket)) = &words.access_log {
            // There is no S3 in the lab, so whatever bucket it is, nobody may write to it.
            return Err(match bucket {
                None => invalid("S3BucketName must be specified to enable access logs"),
                Some(bucket) => misconfigured(format!(
                    "Access Denied for bucket: {bucket}. Please check S3bucket permission"
                )),
            });
        }
        for (key, value) in &words.more {
            if key != DESYNC {
                return Err(Refusal::new(
                    "LoadBalancerAttributeNotFound",
                    format!("The load balancer attribute '{key}' does not exist"),
                ));
            }
            if !["monitor", "defensive", "strictest"].contains(&value.as_str()) {
                return Err(invalid(format!(
                    "'{key}' value '{value}' must be one of [monitor, defensive, strictest]"
                )));
            }
            attributes.desync.clone_from(value);
        }
        Ok(())
    })
}
