# Figure 6-8 by Terraform: an application load balancer with a rule of every kind of action but
# signing in, two target groups in two zones, and a network load balancer beside it.
#
#   eval "$(skylab env)"; terraform init; terraform apply

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {}

variable "certificate" {
  description = "A certificate for the shop, and its key, in PEM"
  type        = object({ body = string, key = string })
}

data "aws_availability_zones" "here" {}

data "aws_ami" "linux" {
  owners      = ["amazon"]
  most_recent = true
  filter {
    name   = "name"
    values = ["al2023-ami-2023*-x86_64"]
  }
}

resource "aws_vpc" "shop" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "zone" {
  count             = 2
  vpc_id            = aws_vpc.shop.id
  cidr_block        = cidrsubnet(aws_vpc.shop.cidr_block, 8, count.index + 1)
  availability_zone = data.aws_availability_zones.here.names[count.index]
}

resource "aws_internet_gateway" "shop" {
  vpc_id = aws_vpc.shop.id
}

resource "aws_route" "out" {
  route_table_id         = aws_vpc.shop.main_route_table_id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.shop.id
}

resource "aws_security_group" "front" {
  name   = "front"
  vpc_id = aws_vpc.shop.id
  ingress {
    from_port   = 80
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_security_group" "back" {
  name   = "back"
  vpc_id = aws_vpc.shop.id
  ingress {
    from_port       = 8080
    to_port         = 8080
    protocol        = "tcp"
    security_groups = [aws_security_group.front.id]
  }
}

resource "aws_instance" "web" {
  count                  = 2
  ami                    = data.aws_ami.linux.id
  instance_type          = "t3.micro"
  subnet_id              = aws_subnet.zone[count.index].id
  vpc_security_group_ids = [aws_security_group.back.id]
}

resource "aws_acm_certificate" "shop" {
  certificate_body = var.certificate.body
  private_key      = var.certificate.key
}

resource "aws_lb_target_group" "of" {
  for_each = toset(["web", "api"])
  name     = each.key
  protocol = "HTTP"
  port     = 8080
  vpc_id   = aws_vpc.shop.id
  health_check {
    path    = "/healthz"
    matcher = "200-299"
  }
  stickiness {
    type            = "lb_cookie"
    cookie_duration = 3600
    enabled         = each.key == "web"
  }
}

resource "aws_lb_target_group_attachment" "web" {
  count            = 2
  target_group_arn = aws_lb_target_group.of["web"].arn
  target_id        = aws_instance.web[count.index].id
}

resource "aws_lb" "shop" {
  name            = "shop"
  subnets         = aws_subnet.zone[*].id
  security_groups = [aws_security_group.front.id]
  idle_timeout    = 120
  depends_on      = [aws_internet_gateway.shop]
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.shop.arn
  protocol          = "HTTP"
  port              = 80
  default_action {
    type = "redirect"
    redirect {
      protocol    = "HTTPS"
      port        = "443"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.shop.arn
  protocol          = "HTTPS"
  port              = 443
  certificate_arn   = aws_acm_certificate.shop.arn
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.of["web"].arn
  }
}

resource "aws_lb_listener_rule" "api" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 10
  condition {
    path_pattern { values = ["/api/*"] }
  }
  condition {
    http_request_method { values = ["GET", "POST"] }
  }
  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.of["api"].arn
  }
}

resource "aws_lb_listener_rule" "canary" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 20
  condition {
    http_header {
      http_header_name = "X-Canary"
      values           = ["yes"]
    }
  }
  action {
    type = "forward"
    forward {
      target_group {
        arn    = aws_lb_target_group.of["web"].arn
        weight = 90
      }
      target_group {
        arn    = aws_lb_target_group.of["api"].arn
        weight = 10
      }
      stickiness {
        enabled  = true
        duration = 600
      }
    }
  }
}

resource "aws_lb_listener_rule" "closed" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 30
  condition {
    host_header { values = ["old.*"] }
  }
  condition {
    query_string {
      key   = "v"
      value = "1"
    }
  }
  condition {
    source_ip { values = ["203.0.113.0/24"] }
  }
  action {
    type = "fixed-response"
    fixed_response {
      status_code  = "410"
      content_type = "text/plain"
      message_body = "gone"
    }
  }
}

resource "aws_lb" "raw" {
  name                             = "raw"
  load_balancer_type               = "network"
  internal                         = true
  subnets                          = aws_subnet.zone[*].id
  enable_cross_zone_load_balancing = true
}

resource "aws_lb_target_group" "raw" {
  name               = "raw"
  protocol           = "TCP"
  port               = 8080
  vpc_id             = aws_vpc.shop.id
  preserve_client_ip = "false"
}

resource "aws_lb_listener" "raw" {
  load_balancer_arn = aws_lb.raw.arn
  protocol          = "TCP"
  port              = 80
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.raw.arn
  }
}

output "ids" {
  value = { dns = aws_lb.shop.dns_name, vpc = aws_vpc.shop.id }
}
