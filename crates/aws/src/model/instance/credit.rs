//! CPU credits of burstable instances: a setting that is kept and shown.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-performance-instances.html>

use super::*;

/// What a burstable instance does without credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CpuCredits {
    /// Slows down.
    Standard,
    /// Goes on, for money.
    Unlimited,
}

impl CpuCredits {
    /// AWS's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Unlimited => "unlimited",
        }
    }

    /// Reads AWS's word.
    ///
    /// # Errors
    /// `InvalidParameterValue`.
    pub fn named(text: &str) -> Result<Self, Refusal> {
        match text {
            "standard" => Ok(Self::Standard),
            "unlimited" => Ok(Self::Unlimited),
            _ => Err(Refusal::invalid_value(format!(
                "Value ({text}) for parameter CpuCredits is invalid. Valid values are: standard, unlimited"
            ))),
        }
    }

    /// What a type's instances have unless told otherwise: T2 is standard, what came after unlimited.
    /// `None` for types that are not burstable.
    pub fn of_type(instance_type: &str) -> Option<Self> {
        let (family, _) = instance_type.split_once('.')?;
        match family {
            "t2" => Some(Self::Standard),
            "t3" | "t3a" | "t4g" => Some(Self::Unlimited),
            _ => None,
        }
    }
}

/// Changes an instance's credits.
///
/// # Errors
/// `InvalidInstanceID.NotFound`, `InstanceCreditSpecification.NotSupported` for other types.
pub fn set_credits(
    state: &mut State,
    context: &Context,
    id: &str,
    credits: CpuCredits,
) -> Result<(), Refusal> {
    let found = find(state, context, id)?;
    if found.credits.is_none() {
        return Err(Refusal::new(
            "InstanceCreditSpecification.NotSupported",
            format!(
                "The instance {id} is of type {}, which is not burstable.",
                found.instance_type
            ),
        ));
    }
    let id = found.id.clone();
    if let Some(instance) = state.instances.get_mut(&id) {
        Arc::make_mut(instance).credits = Some(credits);
    }
    Ok(())
}
