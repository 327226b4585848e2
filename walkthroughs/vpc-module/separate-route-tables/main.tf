# A route table for each kind of subnet, one NAT gateway for those that have a way out, ACLs and DHCP
# options of their own.

provider "aws" {}

data "aws_availability_zones" "here" {}

locals {
  cidr  = "10.0.0.0/16"
  zones = slice(data.aws_availability_zones.here.names, 0, 3)
  ranges = [
    for kind in range(5) : [for index in range(3) : cidrsubnet(local.cidr, 8, kind * 4 + index)]
  ]
}

module "network" {
  source         = "../network"
  name           = "separate"
  cidr           = local.cidr
  zones          = local.zones
  public_subnets = local.ranges[0]
  dhcp_domain    = "separate.example"
  subnets = {
    private     = { ranges = local.ranges[1], internet = true, public_names = true }
    database    = { ranges = local.ranges[2], own_acl = true }
    elasticache = { ranges = local.ranges[3], internet = true }
    intra       = { ranges = local.ranges[4] }
    redshift    = { ranges = [cidrsubnet(local.cidr, 8, 40)], own_table = false }
  }
}
