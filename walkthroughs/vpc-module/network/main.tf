# A VPC with its subnets, as configurations of many teams have it: the resources that the widespread
# VPC module makes, with its defaults: the default group, ACL and route table are taken over and emptied.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "name" { type = string }
variable "cidr" { type = string }
variable "zones" { type = list(string) }

variable "secondary_cidrs" {
  type    = list(string)
  default = []
}

variable "public_subnets" {
  type    = list(string)
  default = []
}

# By kind (private, database, intra, …): their ranges, and whether they have a way out.
variable "subnets" {
  type = map(object({
    ranges       = list(string)
    own_table    = optional(bool, true)
    internet     = optional(bool, false)
    own_acl      = optional(bool, false)
    public_names = optional(bool, false)
  }))
}

variable "dhcp_domain" {
  type    = string
  default = null
}

locals {
  placed = merge([
    for kind, of in var.subnets : {
      for index, range in of.ranges : "${kind}-${index}" => merge(of, {
        kind  = kind
        range = range
        zone  = element(var.zones, index)
      })
    }
  ]...)
  # Known when the VPC has all its ranges.
  vpc_id  = try(aws_vpc_ipv4_cidr_block_association.more[0].vpc_id, aws_vpc.this.id)
  way_out = length(var.public_subnets) > 0
}

resource "aws_vpc" "this" {
  cidr_block                           = var.cidr
  instance_tenancy                     = "default"
  enable_dns_hostnames                 = true
  enable_dns_support                   = true
  enable_network_address_usage_metrics = false
  tags                                 = { Name = var.name }
}

resource "aws_vpc_ipv4_cidr_block_association" "more" {
  count      = length(var.secondary_cidrs)
  vpc_id     = aws_vpc.this.id
  cidr_block = var.secondary_cidrs[count.index]
}

resource "aws_vpc_dhcp_options" "this" {
  count               = var.dhcp_domain == null ? 0 : 1
  domain_name         = var.dhcp_domain
  domain_name_servers = ["AmazonProvidedDNS"]
  ntp_servers         = ["169.254.169.123"]
  tags                = { Name = var.name }
}

resource "aws_vpc_dhcp_options_association" "this" {
  count           = var.dhcp_domain == null ? 0 : 1
  vpc_id          = local.vpc_id
  dhcp_options_id = aws_vpc_dhcp_options.this[0].id
}

resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-default" }
}

resource "aws_default_network_acl" "this" {
  default_network_acl_id = aws_vpc.this.default_network_acl_id
  subnet_ids             = null

  ingress {
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    protocol   = "-1"
    rule_no    = 100
    to_port    = 0
  }
  egress {
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    protocol   = "-1"
    rule_no    = 100
    to_port    = 0
  }

  tags = { Name = "${var.name}-default" }

  lifecycle {
    ignore_changes = [subnet_ids]
  }
}

resource "aws_default_route_table" "this" {
  default_route_table_id = aws_vpc.this.default_route_table_id
  propagating_vgws       = []
  tags                   = { Name = "${var.name}-default" }

  timeouts {
    create = "5m"
    update = "5m"
  }
}

# Public subnets, and the way out.

resource "aws_subnet" "public" {
  count                                          = length(var.public_subnets)
  vpc_id                                         = local.vpc_id
  availability_zone                              = element(var.zones, count.index)
  cidr_block                                     = var.public_subnets[count.index]
  map_public_ip_on_launch                        = true
  enable_resource_name_dns_a_record_on_launch    = false
  enable_resource_name_dns_aaaa_record_on_launch = false
  enable_dns64                                   = false
  tags                                           = { Name = "${var.name}-public-${element(var.zones, count.index)}" }
}

resource "aws_route_table" "public" {
  count  = local.way_out ? 1 : 0
  vpc_id = local.vpc_id
  tags   = { Name = "${var.name}-public" }
}

resource "aws_route_table_association" "public" {
  count          = length(var.public_subnets)
  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_internet_gateway" "this" {
  count  = local.way_out ? 1 : 0
  vpc_id = local.vpc_id
  tags   = { Name = var.name }
}

resource "aws_route" "public" {
  count                  = local.way_out ? 1 : 0
  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id

  timeouts {
    create = "5m"
  }
}

resource "aws_eip" "nat" {
  count      = local.way_out ? 1 : 0
  domain     = "vpc"
  tags       = { Name = "${var.name}-nat" }
  depends_on = [aws_internet_gateway.this]
}

resource "aws_nat_gateway" "this" {
  count         = local.way_out ? 1 : 0
  allocation_id = aws_eip.nat[0].id
  subnet_id     = aws_subnet.public[0].id
  tags          = { Name = var.name }
  depends_on    = [aws_internet_gateway.this]
}

# All other subnets, by kind.

resource "aws_subnet" "other" {
  for_each                                       = local.placed
  vpc_id                                         = local.vpc_id
  availability_zone                              = each.value.zone
  cidr_block                                     = each.value.range
  private_dns_hostname_type_on_launch            = each.value.public_names ? "resource-name" : "ip-name"
  enable_resource_name_dns_a_record_on_launch    = each.value.public_names
  enable_resource_name_dns_aaaa_record_on_launch = false
  tags                                           = { Name = "${var.name}-${each.key}" }
}

resource "aws_route_table" "other" {
  for_each = { for kind, of in var.subnets : kind => of if of.own_table }
  vpc_id   = local.vpc_id
  tags     = { Name = "${var.name}-${each.key}" }
}

resource "aws_route_table_association" "other" {
  for_each       = local.placed
  subnet_id      = aws_subnet.other[each.key].id
  route_table_id = aws_route_table.other[each.value.own_table ? each.value.kind : "private"].id
}

resource "aws_route" "nat" {
  for_each               = { for kind, of in var.subnets : kind => of if of.own_table && of.internet }
  route_table_id         = aws_route_table.other[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[0].id

  timeouts {
    create = "5m"
  }
}

resource "aws_network_acl" "own" {
  for_each   = { for kind, of in var.subnets : kind => of if of.own_acl }
  vpc_id     = local.vpc_id
  subnet_ids = [for key, of in local.placed : aws_subnet.other[key].id if of.kind == each.key]
  tags       = { Name = "${var.name}-${each.key}" }
}

resource "aws_network_acl_rule" "in" {
  for_each       = aws_network_acl.own
  network_acl_id = each.value.id
  egress         = false
  rule_number    = 100
  rule_action    = "allow"
  protocol       = "tcp"
  from_port      = 5432
  to_port        = 5432
  cidr_block     = var.cidr
}

resource "aws_network_acl_rule" "out" {
  for_each       = aws_network_acl.own
  network_acl_id = each.value.id
  egress         = true
  rule_number    = 100
  rule_action    = "allow"
  protocol       = "tcp"
  from_port      = 1024
  to_port        = 65535
  cidr_block     = var.cidr
}

output "vpc_id" { value = aws_vpc.this.id }
