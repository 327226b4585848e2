#!/bin/sh
# Figure 6-8, the parts of an application load balancer, by aws-cli: two listeners, rules of every
# kind of action but signing in, two target groups in two zones. Prints NAME=VALUE lines.
#
#   eval "$(skylab env)"; walkthroughs/figure-6-8/build.sh
set -eu
export AWS_PAGER=

ec2() { aws ec2 "$@" --output text; }
elb() { aws elbv2 "$@" --output text; }
quietly() { "$@" >/dev/null; }
named() { echo "ResourceType=$1,Tags=[{Key=Name,Value=$2}]"; }

# A network in two zones, open to the internet.
vpc=$(ec2 create-vpc --cidr-block 10.0.0.0/16 --query Vpc.VpcId)
ec2 modify-vpc-attribute --vpc-id "$vpc" --enable-dns-hostnames
subnet() { ec2 create-subnet --vpc-id "$vpc" --cidr-block "$1" --availability-zone "$2" --query Subnet.SubnetId; }
zones=$(ec2 describe-availability-zones --query 'AvailabilityZones[:2].ZoneName')
a=$(subnet 10.0.1.0/24 "$(echo "$zones" | cut -f1)")
b=$(subnet 10.0.2.0/24 "$(echo "$zones" | cut -f2)")
igw=$(ec2 create-internet-gateway --query InternetGateway.InternetGatewayId)
ec2 attach-internet-gateway --internet-gateway-id "$igw" --vpc-id "$vpc"
main=$(ec2 describe-route-tables --query 'RouteTables[0].RouteTableId' --filters "Name=vpc-id,Values=$vpc")
quietly ec2 create-route --route-table-id "$main" --destination-cidr-block 0.0.0.0/0 --gateway-id "$igw"

# The balancer for everybody, the servers for the balancer.
front=$(ec2 create-security-group --group-name front --description "the balancer" --vpc-id "$vpc" --query GroupId)
for port in 80 443; do
    quietly ec2 authorize-security-group-ingress --group-id "$front" --protocol tcp --port $port --cidr 0.0.0.0/0
done
back=$(ec2 create-security-group --group-name back --description "the servers" --vpc-id "$vpc" --query GroupId)
quietly ec2 authorize-security-group-ingress --group-id "$back" --protocol tcp --port 8080 --source-group "$front"

image=$(ec2 describe-images --owners amazon --query 'Images[0].ImageId' --filters 'Name=name,Values=al2023-ami-2023*-x86_64')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A server that says its name and what it was told of the request.
server() { # NAME
    cat <<END
#!/bin/sh
cat >/root/server.py <<'PYTHON'
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        told = [f"{name}: {self.headers[name]}" for name in ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Port") if name in self.headers]
        body = "\n".join(["$1 " + self.path, *told]) + "\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
    do_POST = do_GET
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
PYTHON
setsid python3 /root/server.py >/root/server.log 2>&1 &
END
}
launch() { # NAME SUBNET
    server "$1" >"$work/$1"
    ec2 run-instances --image-id "$image" --instance-type t3.micro --subnet-id "$2" --security-group-ids "$back" \
        --user-data "file://$work/$1" --tag-specifications "$(named instance "$1")" --query 'Instances[0].InstanceId'
}
web1=$(launch web-1 "$a")
web2=$(launch web-2 "$b")
api1=$(launch api-1 "$a")
aws ec2 wait instance-running --instance-ids "$web1" "$web2" "$api1"

group() { # NAME TARGETS…
    arn=$(elb create-target-group --name "$1" --protocol HTTP --port 8080 --vpc-id "$vpc" \
        --health-check-interval-seconds 10 --healthy-threshold-count 2 --query 'TargetGroups[0].TargetGroupArn')
    shift
    quietly elb register-targets --target-group-arn "$arn" --targets "$@"
    echo "$arn"
}
web=$(group web "Id=$web1" "Id=$web2")
api=$(group api "Id=$api1")

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=www.example.com \
    -addext subjectAltName=DNS:www.example.com -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
certificate=$(aws acm import-certificate --certificate "fileb://$work/cert.pem" --private-key "fileb://$work/key.pem" \
    --query CertificateArn --output text)

balancer=$(elb create-load-balancer --name shop --subnets "$a" "$b" --security-groups "$front" \
    --query 'LoadBalancers[0].LoadBalancerArn')
dns=$(elb describe-load-balancers --load-balancer-arns "$balancer" --query 'LoadBalancers[0].DNSName')
quietly elb create-listener --load-balancer-arn "$balancer" --protocol HTTP --port 80 \
    --default-actions 'Type=redirect,RedirectConfig={Protocol=HTTPS,Port=443,StatusCode=HTTP_301}'
https=$(elb create-listener --load-balancer-arn "$balancer" --protocol HTTPS --port 443 \
    --certificates "CertificateArn=$certificate" --default-actions "Type=forward,TargetGroupArn=$web" \
    --query 'Listeners[0].ListenerArn')
rule() { # PRIORITY CONDITION ACTION
    quietly elb create-rule --listener-arn "$https" --priority "$1" --conditions "$2" --actions "$3"
}
rule 10 'Field=path-pattern,PathPatternConfig={Values=["/api/*"]}' "Type=forward,TargetGroupArn=$api"
rule 20 'Field=host-header,HostHeaderConfig={Values=["static.*"]}' \
    'Type=fixed-response,FixedResponseConfig={StatusCode=200,ContentType=text/plain,MessageBody=static}'
rule 30 'Field=query-string,QueryStringConfig={Values=[{Key=old,Value=1}]}' \
    '[{"Type":"redirect","RedirectConfig":{"Path":"/new/#{path}","Query":"","StatusCode":"HTTP_302"}}]'
rule 40 'Field=http-header,HttpHeaderConfig={HttpHeaderName=X-Canary,Values=["yes"]}' \
    "Type=forward,ForwardConfig={TargetGroups=[{TargetGroupArn=$web,Weight=0},{TargetGroupArn=$api,Weight=1}]}"
rule 50 'Field=http-request-method,HttpRequestMethodConfig={Values=["DELETE"]}' \
    'Type=fixed-response,FixedResponseConfig={StatusCode=403,ContentType=text/plain,MessageBody=no}'
rule 60 'Field=source-ip,SourceIpConfig={Values=["203.0.113.66/32"]}' \
    'Type=fixed-response,FixedResponseConfig={StatusCode=429,ContentType=text/plain,MessageBody=slowly}'
aws elbv2 wait load-balancer-available --load-balancer-arns "$balancer"
aws elbv2 wait target-in-service --target-group-arn "$web"
aws elbv2 wait target-in-service --target-group-arn "$api"

for name in vpc a b front back web1 web2 api1 web api certificate balancer dns https; do
    eval "echo $name=\$$name"
done
