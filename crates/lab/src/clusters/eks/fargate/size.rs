//! How big a machine a pod gets: the smallest that has what it asks for.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/fargate-pod-configuration.html>

use kube::object;
use kube::quantity;
use kubelet::Capacity;
use serde_json::Value;

/// What Fargate keeps of a machine's memory for Kubernetes' own parts, in bytes.
const OWN: u64 = 256 << 20;
/// A machine's disk, in bytes.
const DISK: u64 = 20 << 30;
const GIB: u64 = 1 << 30;

/// The machines that there are: thousandths of processors, and the least, the most and the step of memory in half
/// GiB.
const MACHINES: [(u64, [u64; 3]); 7] = [
    (250, [1, 4, 1]),
    (500, [2, 8, 2]),
    (1000, [4, 16, 2]),
    (2000, [8, 32, 2]),
    (4000, [16, 60, 2]),
    (8000, [32, 120, 8]),
    (16_000, [64, 240, 16]),
];

/// A machine's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::clusters::eks) struct Size {
    /// Thousandths of processors.
    pub(super) cpu: u64,
    /// Bytes of memory.
    pub(super) memory: u64,
}

impl Size {
    /// In Fargate's words: `0.25vCPU 0.5GB`.
    pub(in crate::clusters::eks) fn words(self) -> String {
        let number = |whole: u64, thousandths: u64| match thousandths {
            0 => whole.to_string(),
            some => format!("{whole}.{}", format!("{some:03}").trim_end_matches('0')),
        };
        let cpu = number(self.cpu / 1000, self.cpu % 1000);
        let memory = number(self.memory / GIB, self.memory % GIB * 1000 / GIB);
        format!("{cpu}vCPU {memory}GB")
    }

    /// What its node has.
    pub(super) fn capacity(self) -> Capacity {
        Capacity {
            cpu_millis: self.cpu,
            memory: self.memory,
            storage: DISK,
            pods: 1,
        }
    }
}

/// The size of the machine for a pod; `None` where none is big enough.
pub(in crate::clusters::eks) fn size(pod: &Value) -> Option<Size> {
    let asks = |container: &Value, what: &str| {
        let request = object::text(container, &["resources", "requests", what]);
        // Thousandths of bytes and of processors are both whole numbers.
        quantity::milli(request).map_or(0, i64::unsigned_abs)
    };
    let of = |list: &str, what: &str| -> Vec<u64> {
        let containers = object::list(pod, &["spec", list]).iter();
        containers.map(|container| asks(container, what)).collect()
    };
    let wants = |what: &str| {
        let together: u64 = of("containers", what).iter().sum();
        let first = of("initContainers", what).into_iter().max();
        together.max(first.unwrap_or(0))
    };
    let cpu = wants("cpu");
    let memory = wants("memory") / 1000 + OWN;
    let step = GIB / 2;
    MACHINES.iter().find_map(|(has, [least, most, by])| {
        if *has < cpu {
            return None;
        }
        let mut sizes = (*least..=*most).step_by(usize::try_from(*by).unwrap_or(1));
        let halves = sizes.find(|halves| halves * step >= memory)?;
        Some(Size {
            cpu: *has,
            memory: halves * step,
        })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    /// AWS-EKS: a pod gets the smallest machine that has what it asks for and Kubernetes' own parts.
    #[test]
    fn pods_get_the_smallest_machine() {
        let of = |cpu: &str, memory: &str| {
            let requests = json!({"cpu": cpu, "memory": memory});
            let pod = json!({"spec": {"containers": [{"resources": {"requests": requests}}]}});
            size(&pod).map(Size::words)
        };
        assert_eq!(
            size(&json!({"spec": {"containers": [{}]}}))
                .unwrap()
                .words(),
            "0.25vCPU 0.5GB"
        );
        assert_eq!(of("250m", "512Mi").unwrap(), "0.25vCPU 1GB");
        assert_eq!(of("1", "2Gi").unwrap(), "1vCPU 3GB");
        assert_eq!(of("300m", "7Gi").unwrap(), "1vCPU 8GB");
        assert_eq!(of("17", "1Gi"), None);
    }
}
