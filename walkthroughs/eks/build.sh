#!/usr/bin/env bash
# An EKS cluster with a managed node group, by aws-cli alone, in the default VPC of the lab that the environment names
# (eval "$(skylab env)"). Prints NAME=VALUE lines.
set -euo pipefail

name=${1:-demo}
nodes=${2:-2}
quiet() { "$@" >/dev/null; }

role() { # name, service, policies…
    local role=$1 service=$2 policy
    shift 2
    local trust="{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"$service\"},\"Action\":\"sts:AssumeRole\"}]}"
    aws iam create-role --role-name "$role" --assume-role-policy-document "$trust" --query Role.Arn --output text
    for policy in "$@"; do
        aws iam attach-role-policy --role-name "$role" --policy-arn "arn:aws:iam::aws:policy/$policy"
    done
}

cluster_role=$(role "$name-cluster" eks.amazonaws.com AmazonEKSClusterPolicy)
node_role=$(role "$name-node" ec2.amazonaws.com \
    AmazonEKSWorkerNodePolicy AmazonEKS_CNI_Policy AmazonEC2ContainerRegistryReadOnly)
subnets=$(aws ec2 describe-subnets --filters Name=default-for-az,Values=true \
    --query 'Subnets[0:2].SubnetId' --output text)

quiet aws eks create-cluster --name "$name" --role-arn "$cluster_role" \
    --resources-vpc-config "subnetIds=${subnets//$'\t'/,}"
aws eks wait cluster-active --name "$name"
# shellcheck disable=SC2086 # subnets are words
quiet aws eks create-nodegroup --cluster-name "$name" --nodegroup-name "$name-nodes" --node-role "$node_role" \
    --subnets $subnets --scaling-config "minSize=1,maxSize=$((nodes + 1)),desiredSize=$nodes"
until [ "$(aws eks describe-nodegroup --cluster-name "$name" --nodegroup-name "$name-nodes" \
    --query nodegroup.status --output text)" != CREATING ]; do sleep 0.5; done

echo "cluster=$name"
echo "status=$(aws eks describe-nodegroup --cluster-name "$name" --nodegroup-name "$name-nodes" \
    --query nodegroup.status --output text)"
