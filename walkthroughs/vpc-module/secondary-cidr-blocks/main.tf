# Subnets in ranges that the VPC was given later.

provider "aws" {}

data "aws_availability_zones" "here" {}

locals {
  cidrs = ["10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16"]
  zones = slice(data.aws_availability_zones.here.names, 0, 3)
}

module "network" {
  source          = "../network"
  name            = "secondary"
  cidr            = local.cidrs[0]
  secondary_cidrs = slice(local.cidrs, 1, 3)
  zones           = local.zones
  public_subnets  = [for cidr in local.cidrs : cidrsubnet(cidr, 8, 0)]
  subnets = {
    private = { ranges = [for cidr in local.cidrs : cidrsubnet(cidr, 2, 2)], internet = true }
  }
}
