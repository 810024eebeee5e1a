#!/usr/bin/env python3
"""Writes the operation lists beside this file from botocore's service models; --verify only compares.

A line is a name, then, where the operation has them: method and path (labels are member names),
`token=MEMBER` (its idempotency token), `page=LIST,IN,LIMIT,OUT,MORE,MIN,MAX` (paging, in wire names), and, for
services of which something is built, `members=A,A.B` (its input's members and theirs, in wire names; lists and maps add
nothing to a path).
"""
import pathlib
import sys

import botocore.session

SERVICES = (
    "acm autoscaling cloudformation cloudwatch ec2 ecr eks eks-auth elb elbv2 iam kms logs outposts route53 ssm sts"
).split()
BUILT = "ec2 ecr eks iam outposts sts".split()
HERE = pathlib.Path(__file__).parent
SESSION = botocore.session.get_session()


def upper(name):
    return name[:1].upper() + name[1:]


def read_name(protocol, shape, member):
    """The wire name of an input member."""
    serialization = shape.members[member].serialization
    if serialization.get("location") == "uri":
        return member
    if protocol == "ec2":
        return serialization.get("queryName") or upper(serialization.get("name", member))
    return serialization.get("name", member)


def write_name(shape, member):
    """The wire name of an output member."""
    return shape.members[member].serialization.get("name", member)


def page(model, paging, operation):
    protocol, name = model.metadata["protocol"], operation.name
    rule = paging.get(name)
    if not rule or any(isinstance(rule.get(key), list) for key in ("input_token", "output_token", "result_key")):
        return []
    result, limit = rule["result_key"], rule.get("limit_key")
    into, out = operation.input_shape, operation.output_shape
    if not limit or limit not in into.members or result not in out.members:
        return []
    bounds = into.members[limit].metadata
    more = rule.get("more_results")
    fields = [
        write_name(out, result),
        read_name(protocol, into, rule["input_token"]),
        read_name(protocol, into, limit),
        write_name(out, rule["output_token"]),
        write_name(out, more) if more else "",
        str(bounds.get("min", 1)),
        str(bounds.get("max", 1000)),
    ]
    return ["page=" + ",".join(fields)]


def paths(protocol, shape, at=(), within=()):
    """Paths of all members below a shape; a shape within itself is not followed."""
    while shape.type_name in ("list", "map"):
        shape = shape.member if shape.type_name == "list" else shape.value
    if shape.type_name != "structure" or shape.name in within:
        return
    for member, below in shape.members.items():
        path = (*at, read_name(protocol, shape, member))
        yield ".".join(path)
        yield from paths(protocol, below, path, (*within, shape.name))


def members(model, into):
    found = list(paths(model.metadata["protocol"], into)) if into else []
    return ["members=" + ",".join(found)] if found else []


def line(model, paging, operation):
    words = [operation.name]
    into = operation.input_shape
    if model.metadata["protocol"].startswith("rest"):
        path = operation.http["requestUri"].split("?")[0]
        for member, shape in (into.members if into else {}).items():
            if shape.serialization.get("location") == "uri":
                label = shape.serialization.get("name", member)
                path = path.replace("{%s}" % label, "{%s}" % member).replace("{%s+}" % label, "{%s+}" % member)
        words += [operation.http["method"], path]
    for member, shape in (into.members if into else {}).items():
        if shape.metadata.get("idempotencyToken"):
            words.append("token=" + read_name(model.metadata["protocol"], into, member))
    words += page(model, paging, operation)
    if model.service_name in BUILT:
        words += members(model, into)
    return " ".join(words)


def text(service):
    model = SESSION.get_service_model(service)
    try:
        paging = SESSION.get_component("data_loader").load_service_model(service, "paginators-1")["pagination"]
    except Exception:  # a service without paginators
        paging = {}
    lines = [line(model, paging, model.operation_model(name)) for name in sorted(model.operation_names)]
    return "\n".join(lines) + "\n"


def main():
    stale = []
    for service in SERVICES:
        path = HERE / (service + ".txt")
        new = text(service)
        if not path.exists() or path.read_text() != new:
            stale.append(service)
            if "--verify" not in sys.argv:
                path.write_text(new)
    print("stale: " + ", ".join(stale) if stale else "up to date")
    return 1 if stale and "--verify" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
