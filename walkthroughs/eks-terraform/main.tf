# An EKS cluster by Terraform: a network with public and private subnets, a managed node group of one, the add-on
# CoreDNS, and a Fargate profile.
#
#   eval "$(skylab env)"; terraform init; terraform apply

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {}

data "aws_availability_zones" "here" {}

locals {
  name  = "terraform"
  zones = slice(data.aws_availability_zones.here.names, 0, 2)
  trusted = {
    cluster = "eks.amazonaws.com"
    node    = "ec2.amazonaws.com"
    pods    = "eks-fargate-pods.amazonaws.com"
  }
  policies = {
    AmazonEKSClusterPolicy                 = "cluster"
    AmazonEKSWorkerNodePolicy              = "node"
    AmazonEKS_CNI_Policy                   = "node"
    AmazonEC2ContainerRegistryReadOnly     = "node"
    AmazonEKSFargatePodExecutionRolePolicy = "pods"
  }
}

resource "aws_vpc" "this" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "public" {
  count                   = 2
  vpc_id                  = aws_vpc.this.id
  availability_zone       = local.zones[count.index]
  cidr_block              = cidrsubnet(aws_vpc.this.cidr_block, 8, count.index)
  map_public_ip_on_launch = true
}

resource "aws_subnet" "private" {
  vpc_id            = aws_vpc.this.id
  availability_zone = local.zones[0]
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 8, 10)
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.this.id
  }
}

resource "aws_route_table_association" "public" {
  count          = 2
  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public.id
}

resource "aws_iam_role" "this" {
  for_each = local.trusted
  name     = "${local.name}-${each.key}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = each.value }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each   = local.policies
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
  role       = aws_iam_role.this[each.value].name
}

resource "aws_eks_cluster" "this" {
  name     = local.name
  role_arn = aws_iam_role.this["cluster"].arn
  vpc_config {
    subnet_ids = aws_subnet.public[*].id
  }
  depends_on = [aws_iam_role_policy_attachment.this, aws_route_table_association.public]
}

resource "aws_eks_node_group" "this" {
  cluster_name    = aws_eks_cluster.this.name
  node_group_name = "nodes"
  node_role_arn   = aws_iam_role.this["node"].arn
  subnet_ids      = aws_subnet.public[*].id
  scaling_config {
    min_size     = 1
    max_size     = 2
    desired_size = 1
  }
}

resource "aws_eks_addon" "coredns" {
  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = "coredns"
  configuration_values        = jsonencode({ replicaCount = 1 })
  resolve_conflicts_on_create = "OVERWRITE"
  depends_on                  = [aws_eks_node_group.this]
}

resource "aws_eks_fargate_profile" "this" {
  cluster_name           = aws_eks_cluster.this.name
  fargate_profile_name   = "serverless"
  pod_execution_role_arn = aws_iam_role.this["pods"].arn
  subnet_ids             = [aws_subnet.private.id]
  selector {
    namespace = "serverless"
  }
}
