# Private subnets in three zones and nothing else.

provider "aws" {}

data "aws_availability_zones" "here" {}

locals {
  zones = slice(data.aws_availability_zones.here.names, 0, 3)
}

module "network" {
  source  = "../network"
  name    = "simple"
  cidr    = "10.0.0.0/16"
  zones   = local.zones
  subnets = { private = { ranges = [for index in range(3) : cidrsubnet("10.0.0.0/16", 4, index)] } }
}
