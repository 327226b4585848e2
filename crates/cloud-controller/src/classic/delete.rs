//! Taking a service's load balancer away.

use super::Classic;
use super::groups::GROUP;
use crate::aws::{Aws, filter, list, tag, text};
use crate::failure::Failure;
use crate::service::Service;
use serde_json::json;

/// A group that is still in use is tried again so often.
const ATTEMPTS: u32 = 60;

impl<A: Aws> Classic<'_, A> {
    /// Takes a service's load balancer away: nodes no longer let it in, then it goes, then its group.
    ///
    /// # Errors
    /// AWS refuses, or the group stays in use.
    pub(crate) async fn delete(&self, service: &Service) -> Result<(), Failure> {
        let name = service.balancer();
        if let Some(balancer) = self.find(&name).await? {
            self.open_nodes(&balancer, &[]).await?;
            let asked = json!({"LoadBalancerName": name});
            let doing = "error deleting load balancer";
            self.calls
                .classic(doing, "DeleteLoadBalancer", asked)
                .await?;
        }
        self.delete_group(&name).await
    }

    /// Deletes a load balancer's own group, as soon as none of its interfaces has it.
    async fn delete_group(&self, balancer: &str) -> Result<(), Failure> {
        let name = format!("{GROUP}{balancer}");
        let find = json!({"Filter": [
            filter("group-name", &name), filter("vpc-id", &self.home.vpc),
        ]});
        let doing = "error querying security groups for ELB";
        let operation = "DescribeSecurityGroups";
        let answer = self.calls.ec2(doing, operation, find).await?;
        let found = list(&answer, "securityGroupInfo").first();
        let own = found.filter(|group| tag(group, &self.home.tag()).is_some());
        let Some(group) = own.map(|group| text(group, "groupId")) else {
            return Ok(());
        };
        for _ in 0..ATTEMPTS {
            let doing = "error while deleting load balancer security group";
            let asked = json!({"GroupId": group});
            match self.calls.ec2(doing, "DeleteSecurityGroup", asked).await {
                Err(error) if error.code() == Some("DependencyViolation") => {
                    tokio::time::sleep(self.pause).await;
                }
                Err(error) if error.code() != Some("InvalidGroup.NotFound") => return Err(error),
                _ => return Ok(()),
            }
        }
        Err(Failure::service(format!(
            "timed out deleting ELB: {balancer}. Could not delete security groups {group}"
        )))
    }
}
