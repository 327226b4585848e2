# The region's default VPC, its subnets and its options taken over.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {}

data "aws_availability_zones" "here" {}

resource "aws_default_vpc" "this" {
  enable_dns_hostnames = true
  enable_dns_support   = true
  tags                 = { Name = "default" }
}

resource "aws_default_subnet" "first" {
  availability_zone = data.aws_availability_zones.here.names[0]
  tags              = { Name = "default-first" }
}

resource "aws_default_security_group" "this" {
  vpc_id = aws_default_vpc.this.id
  ingress {
    protocol  = "-1"
    self      = true
    from_port = 0
    to_port   = 0
  }
  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_default_vpc_dhcp_options" "this" {}
