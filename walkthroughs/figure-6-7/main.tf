# Figure 6-7 by Terraform: three web instances with public addresses, a private database, an internet
# gateway, a NAT gateway and two route tables.
#
#   eval "$(skylab env)"; terraform init; terraform apply

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {}

data "aws_ami" "linux" {
  owners      = ["amazon"]
  most_recent = true
  filter {
    name   = "name"
    values = ["al2023-ami-2023*-x86_64"]
  }
}

resource "aws_vpc" "chapter" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "chapter" }
}

resource "aws_subnet" "public" {
  vpc_id     = aws_vpc.chapter.id
  cidr_block = "10.0.1.0/24"
  tags       = { Name = "public" }
}

resource "aws_subnet" "private" {
  vpc_id     = aws_vpc.chapter.id
  cidr_block = "10.0.2.0/24"
  tags       = { Name = "private" }
}

# The way out of the public subnet.
resource "aws_internet_gateway" "gateway" {
  vpc_id = aws_vpc.chapter.id
}

resource "aws_route_table" "to_internet" {
  vpc_id = aws_vpc.chapter.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.gateway.id
  }
}

resource "aws_route_table_association" "public" {
  subnet_id      = aws_subnet.public.id
  route_table_id = aws_route_table.to_internet.id
}

# The way out of the private one, which keeps the main route table.
resource "aws_eip" "nat" {
  domain = "vpc"
}

resource "aws_nat_gateway" "nat" {
  subnet_id     = aws_subnet.public.id
  allocation_id = aws_eip.nat.id
  depends_on    = [aws_internet_gateway.gateway]
}

resource "aws_default_route_table" "main" {
  default_route_table_id = aws_vpc.chapter.default_route_table_id
  route {
    cidr_block     = "0.0.0.0/0"
    nat_gateway_id = aws_nat_gateway.nat.id
  }
}

# The web for everybody, the database for the web.
resource "aws_security_group" "web" {
  name        = "web"
  description = "the web, from everywhere"
  vpc_id      = aws_vpc.chapter.id
  ingress {
    protocol    = "tcp"
    from_port   = 80
    to_port     = 80
    cidr_blocks = ["0.0.0.0/0"]
  }
  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_security_group" "db" {
  name        = "db"
  description = "the database, from the web"
  vpc_id      = aws_vpc.chapter.id
}

resource "aws_vpc_security_group_ingress_rule" "db" {
  security_group_id            = aws_security_group.db.id
  referenced_security_group_id = aws_security_group.web.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_egress_rule" "db" {
  security_group_id = aws_security_group.db.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

resource "aws_instance" "web" {
  count                  = 3
  ami                    = data.aws_ami.linux.id
  instance_type          = "t3.micro"
  subnet_id              = aws_subnet.public.id
  private_ip             = "10.0.1.1${count.index + 1}"
  vpc_security_group_ids = [aws_security_group.web.id]
  tags                   = { Name = "web-${count.index + 1}" }
}

resource "aws_eip" "web" {
  count    = 3
  domain   = "vpc"
  instance = aws_instance.web[count.index].id
}

resource "aws_instance" "db" {
  ami                    = data.aws_ami.linux.id
  instance_type          = "t3.micro"
  subnet_id              = aws_subnet.private.id
  private_ip             = "10.0.2.21"
  vpc_security_group_ids = [aws_security_group.db.id]
  tags                   = { Name = "db" }
}

output "ids" {
  value = {
    vpc          = aws_vpc.chapter.id
    public       = aws_subnet.public.id
    private      = aws_subnet.private.id
    main         = aws_default_route_table.main.id
    nat          = aws_nat_gateway.nat.id
    nat_address  = aws_nat_gateway.nat.public_ip
    web1         = aws_instance.web[0].id
    web1_address = aws_eip.web[0].public_ip
    web2         = aws_instance.web[1].id
    web3         = aws_instance.web[2].id
    database     = aws_instance.db.id
  }
}
