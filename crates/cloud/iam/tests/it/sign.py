"""Prints requests signed by botocore, one JSON object a line: name, method, url, headers, body (hex)."""
import datetime
import json
import sys

import botocore.auth
import botocore.awsrequest
import botocore.credentials

ENDPOINT, KEY, SECRET = sys.argv[1:4]
CREDENTIALS = botocore.credentials.Credentials(KEY, SECRET)


class Shifted(datetime.datetime):
    """A clock that botocore reads, moved by some seconds."""

    seconds = 0

    @classmethod
    def shifted(cls, *_):
        return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=cls.seconds)


def shift(seconds):
    Shifted.seconds = seconds
    if hasattr(botocore.auth, "get_current_datetime"):
        botocore.auth.get_current_datetime = Shifted.shifted
    else:
        Shifted.utcnow = Shifted.shifted
        botocore.auth.datetime.datetime = Shifted


def request(method="GET", path="/", headers=None, body=b"", params=None):
    return botocore.awsrequest.AWSRequest(
        method=method, url=ENDPOINT + path, headers=headers or {}, data=body, params=params or {}
    )


def tell(name, signed):
    prepared = signed.prepare()
    body = prepared.body or b""
    body = body.encode() if isinstance(body, str) else body
    headers = {key: value if isinstance(value, str) else value.decode() for key, value in prepared.headers.items()}
    print(json.dumps({"name": name, "method": prepared.method, "url": prepared.url, "headers": headers, "body": body.hex()}))


def header(name, service, signed, seconds=0, region="us-west-2"):
    shift(seconds)
    botocore.auth.SigV4Auth(CREDENTIALS, service, region).add_auth(signed)
    tell(name, signed)


def presigned(name, seconds=0, expires=60, cluster="dev", extra=""):
    shift(seconds)
    headers = {"x-k8s-aws-id": cluster}
    signed = request(path="/?Action=GetCallerIdentity&Version=2011-06-15" + extra, headers=headers)
    botocore.auth.SigV4QueryAuth(CREDENTIALS, "sts", "us-west-2", expires=expires).add_auth(signed)
    tell(name, signed)


FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
WHO = b"Action=GetCallerIdentity&Version=2011-06-15"
header("post", "sts", request("POST", headers=dict(FORM), body=WHO))
header("post old", "sts", request("POST", headers=dict(FORM), body=WHO), seconds=-290)
header("post stale", "sts", request("POST", headers=dict(FORM), body=WHO), seconds=-310)
header("post ahead", "sts", request("POST", headers=dict(FORM), body=WHO), seconds=310)
header("other service", "s3", request("POST", headers=dict(FORM), body=WHO))
odd = {"X-Odd": "  a   b  ", "X-Amz-Meta-Thing": "ünïcode".encode().decode("latin-1"), **FORM}
odd["X-Amz-Meta-Thing"] = "plain; semi, comma"
header("odd headers", "sts", request("POST", headers=odd, body=WHO + "&X=%C3%A9+%2B&Y=".encode()))
header("path", "eks", request("GET", "/clusters/a%20b/access-entries/arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx%2By"))
header("dots", "eks", request("GET", "/clusters//x/../node-groups/."))
header("query", "eks", request("GET", "/clusters", params={"maxResults": "5", "include": "a b+c/é~*", "nextToken": "=="}))
header("query order", "eks", request("GET", "/tags/x", params={"b": "2", "a": "1", "A": "3", "aa": "0"}))
header("json", "eks", request("POST", "/clusters", headers={"Content-Type": "application/json"}, body=b'{"name":"x"}'))
header("empty delete", "eks", request("DELETE", "/clusters/x"))
presigned("presigned")
presigned("presigned 14 minutes", seconds=-840)
presigned("presigned 16 minutes", seconds=-960, expires=900)
presigned("presigned ahead", seconds=310)
presigned("presigned too long", expires=604801)
