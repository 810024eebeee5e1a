#!/usr/bin/env python3
"""First figures: create-cluster to ACTIVE, instance to node Ready, pod to first output, 27 pods at once, memory of all
processes.

Usage: figures.py EKSILE DATA, beside a running installation in DATA that `eksile quickstart` has made. Prints each figure
beside its target; nothing is asserted of them, since machines differ.
"""
import base64
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import boto3

EKSILE, DATA = sys.argv[1:3]
env = json.loads(subprocess.check_output([EKSILE, "--data", DATA, "--output", "json", "env"]))
session = boto3.Session(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], region_name=env["AWS_REGION"])
eks, ec2 = (session.client(name, endpoint_url=env["AWS_ENDPOINT_URL"]) for name in ("eks", "ec2"))


def until(done, patience=60):
    begun = time.monotonic()
    while not (value := done()):
        if time.monotonic() - begun > patience:
            sys.exit("never")
        time.sleep(0.005)
    return value


def figure(name, target, begun):
    print(f"{name}: {1000 * (time.monotonic() - begun):.0f} ms (target {target})", flush=True)


def memory():
    """MB of every process below `up` that runs this program: proportional (a shared page counts once), and summed."""
    parent, own, totals = {}, os.stat(EKSILE), {"Pss": 0, "Rss": 0}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as file:
                parent[int(entry)] = int(file.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue  # ended meanwhile
    with open(f"{DATA}/run/up.json") as file:
        family = {json.load(file)["pid"]}
    while grown := {child for child, one in parent.items() if one in family} - family:
        family |= grown
    for pid in family:
        try:
            program = os.stat(f"/proc/{pid}/exe")
            if (program.st_size, program.st_mtime) != (own.st_size, own.st_mtime):
                continue  # a container's, or a script's
            with open(f"/proc/{pid}/smaps_rollup") as file:
                for line in file:
                    name, _, rest = line.partition(":")
                    if name in totals:
                        totals[name] += int(rest.split()[0]) / 1024
        except OSError:
            continue
    return totals


first = eks.describe_cluster(name="my-cluster")["cluster"]
begun = time.monotonic()
eks.create_cluster(
    name=f"figures-{os.getpid()}",
    roleArn=first["roleArn"],
    resourcesVpcConfig={
        "subnetIds": first["resourcesVpcConfig"]["subnetIds"],
        "endpointPrivateAccess": True,
        "endpointPublicAccess": False,
    },
    outpostConfig={k: first["outpostConfig"][k] for k in ("outpostArns", "controlPlaneInstanceType")},
)
until(lambda: eks.describe_cluster(name=f"figures-{os.getpid()}")["cluster"]["status"] == "ACTIVE")
figure("create-cluster to ACTIVE", 1000, begun)
eks.delete_cluster(name=f"figures-{os.getpid()}")

authority = tempfile.NamedTemporaryFile(suffix=".crt")
authority.write(base64.b64decode(first["certificateAuthority"]["data"]))
authority.flush()
context = ssl.create_default_context(cafile=authority.name)
variables = {**os.environ, **env}
answer = subprocess.check_output(["aws", "eks", "get-token", "--cluster-id", first["id"]], env=variables)
token = json.loads(answer)["status"]["token"]


def kube(path, body=None, method=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(first["endpoint"] + path, data=data, method=method)
    request.add_header("Authorization", f"Bearer {token}")
    request.add_header("Content-Type", "application/json")
    try:
        return urllib.request.urlopen(request, context=context).read()
    except urllib.error.HTTPError:
        return None


node = next(
    i
    for r in ec2.describe_instances()["Reservations"]
    for i in r["Instances"]
    if {"Key": "Name", "Value": "my-cluster-node"} in i.get("Tags", []) and i["State"]["Name"] == "running"
)
data = (
    f"#!/bin/bash\n/etc/eks/bootstrap.sh my-cluster --b64-cluster-ca {first['certificateAuthority']['data']} "
    f"--apiserver-endpoint {first['endpoint']} --enable-local-outpost true --cluster-id {first['id']}\n"
)
begun = time.monotonic()
made = ec2.run_instances(
    ImageId=node["ImageId"], InstanceType="m5.4xlarge", MinCount=1, MaxCount=1, UserData=data,
    IamInstanceProfile={"Arn": node["IamInstanceProfile"]["Arn"]},
    NetworkInterfaces=[{
        "DeviceIndex": 0, "SubnetId": node["SubnetId"], "SecondaryPrivateIpAddressCount": 29,
        "Groups": [g["GroupId"] for g in node["SecurityGroups"]],
    }],
)["Instances"][0]
name = made["PrivateDnsName"]


def ready():
    found = json.loads(kube(f"/api/v1/nodes/{name}") or "{}")
    return any(c["type"] == "Ready" and c["status"] == "True" for c in found.get("status", {}).get("conditions", []))


until(ready)
figure("instance to node Ready", 2000, begun)
image = json.loads(kube("/api/v1/namespaces/default/pods/hello"))["spec"]["containers"][0]["image"]
for attempt, note in (("figures-1", " (image pulled)"), ("figures-2", "")):
    pod = {"metadata": {"name": attempt}, "spec": {"nodeName": name, "containers": [
        {"name": "c", "image": image, "command": ["/bin/sh", "-c", "echo out; sleep 600"]}]}}
    begun = time.monotonic()
    kube("/api/v1/namespaces/default/pods", pod)
    until(lambda: b"out" in (kube(f"/api/v1/namespaces/default/pods/{attempt}/log") or b""))
    figure("pod to first output" + note, 150, begun)

many = [f"many-{number}" for number in range(27)]
begun = time.monotonic()
for attempt in many:
    pod["metadata"]["name"] = attempt
    kube("/api/v1/namespaces/default/pods", pod)
for attempt in many:
    until(lambda: b"out" in (kube(f"/api/v1/namespaces/default/pods/{attempt}/log") or b""), patience=120)
figure("27 pods at once to the last one's first output", "-", begun)

used = memory()
print(f"all processes: {used['Pss']:.0f} MB resident, shared pages counted once (target 100); {used['Rss']:.0f} MB summed")

# The next run's instance may get the same name: nothing of this one may be left that could be taken for it.
for path in [f"namespaces/default/pods/{pod}" for pod in ["figures-1", "figures-2", *many]] + [f"nodes/{name}"]:
    kube(f"/api/v1/{path}", {"gracePeriodSeconds": 0}, "DELETE")
ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
ec2.get_waiter("instance_terminated").wait(InstanceIds=[made["InstanceId"]], WaiterConfig={"Delay": 1})
