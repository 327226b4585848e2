//! What a volume can be.

use crate::model::Refusal;

/// The smallest root volume, in GiB: that of the images.
pub const SMALLEST_ROOT: i32 = 8;

/// A volume's kind and size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeSpec {
    /// Its size in GiB.
    pub size: i32,
    /// `gp3` and the like.
    pub kind: String,
    /// Its operations a second, unless its type's own.
    pub iops: Option<i32>,
    /// Its megabytes a second, unless its type's own.
    pub throughput: Option<i32>,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

impl Default for VolumeSpec {
    fn default() -> Self {
        Self {
            size: SMALLEST_ROOT,
            kind: "gp3".to_owned(),
            iops: None,
            throughput: None,
            encrypted: false,
        }
    }
}

impl VolumeSpec {
    /// The sizes that its kind comes in, in GiB.
    /// <https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html>
    fn sizes(&self) -> (i32, i32) {
        match self.kind.as_str() {
            "gp3" | "io2" => (if self.kind == "io2" { 4 } else { 1 }, 65_536),
            "io1" => (4, 16_384),
            "st1" | "sc1" => (125, 16_384),
            "standard" => (1, 1_024),
            _ => (1, 16_384),
        }
    }

    /// Checks that there are such volumes.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVolume.html>
    ///
    /// # Errors
    /// `InvalidParameterValue`, `InvalidParameterCombination`.
    pub fn check(&self) -> Result<(), Refusal> {
        let (kind, size) = (&self.kind, self.size);
        let (least, most) = self.sizes();
        if size < least {
            return Err(Refusal::invalid_value(format!(
                "Volume of {size}GiB is too small for volume type {kind}; minimum is {least}GiB."
            )));
        }
        if size > most {
            return Err(Refusal::invalid_value(format!(
                "Volume of {size}GiB is too large for volume type {kind}; maximum is {most}GiB."
            )));
        }
        self.check_operations()?;
        self.check_throughput()
    }

    fn check_operations(&self) -> Result<(), Refusal> {
        let kind = &self.kind;
        let provisioned = matches!(kind.as_str(), "io1" | "io2");
        match self.iops {
            None if provisioned => Err(Refusal::new(
                "InvalidParameterCombination",
                format!("The parameter iops must be specified for {kind} volumes."),
            )),
            Some(_) if !provisioned && kind != "gp3" => Err(Refusal::new(
                "InvalidParameterCombination",
                format!("The parameter iops is not supported for {kind} volumes."),
            )),
            Some(iops) if iops < 100 || (kind == "gp3" && !(3000..=80_000).contains(&iops)) => Err(
                Refusal::invalid_value(format!("Volume iops of {iops} is invalid for {kind}")),
            ),
            _ => Ok(()),
        }
    }

    fn check_throughput(&self) -> Result<(), Refusal> {
        let kind = &self.kind;
        match self.throughput {
            Some(_) if kind != "gp3" => Err(Refusal::new(
                "InvalidParameterCombination",
                format!("The parameter throughput is not supported for {kind} volumes."),
            )),
            Some(throughput) if !(125..=2000).contains(&throughput) => Err(Refusal::invalid_value(
                format!("Volume throughput of {throughput} is invalid for {kind}"),
            )),
            _ => Ok(()),
        }
    }
}
