"""Finds the storage of a model and fetches a token (SAS) to read it with, for the container that serves the model.

  STREAM_DATAREFS_URL        where the model is described and tokens are given out
  STREAM_IDENTITY_CLIENT_ID  the workload identity that may ask
  STREAM_SOURCE_TYPE         public: the URL is .../datarefs/... and gives out tokens; the model is at .../models/...
                             byo: the URL is the model's; tokens are at .../credentials below it
  STREAM_ENV_FILE            the file for what was found, as a shell reads it
"""

import json
import os
import posixpath
import shlex
import sys
from urllib.parse import quote, urlsplit, urlunsplit
from urllib.request import Request, urlopen
from xml.etree import ElementTree

from azure.identity import WorkloadIdentityCredential

AUDIENCES = dict(public="https://management.azure.com", byo="https://ai.azure.com")
SECONDS = 30


def addresses(url, source):
    """Where the model is described, and where tokens are given out."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if source == "byo":
        if path.endswith("/credentials"):
            sys.exit("STREAM_DATAREFS_URL of a byo model ends before /credentials: " + url)
        model, tokens = path, path + "/credentials"
    else:
        if "/datarefs/" not in path:
            sys.exit("STREAM_DATAREFS_URL of a public model has a part /datarefs/: " + url)
        model, tokens = path.replace("/datarefs/", "/models/", 1), path
    return [urlunsplit(parts._replace(path=path)) for path in (model, tokens)]


def ask(url, bearer, question=None):
    """What a service answers, in JSON."""
    headers = dict([("Authorization", "Bearer " + bearer), ("Content-Type", "application/json")])
    data = None if question is None else json.dumps(question).encode()
    with urlopen(Request(url, data=data, headers=headers), timeout=SECONDS) as answer:
        return json.load(answer)


def reference(answer):
    """The part about the blob; services have two names for it."""
    return answer.get("blobReferenceForConsumption") or answer.get("blobReference") or dict()


def blob_names(container):
    """The names of all blobs, page by page."""
    marker = ""
    while True:
        url = container + "&restype=container&comp=list" + ("&marker=" + quote(marker, safe="") if marker else "")
        with urlopen(url, timeout=SECONDS) as answer:
            page = ElementTree.fromstring(answer.read())
        yield from (name.text or "" for name in page.iterfind("./Blobs/Blob/Name"))
        marker = page.findtext("NextMarker") or ""
        if not marker:
            return


def folder_of_weights(names):
    """The folder in which all safetensors files lie; empty if they lie at the top."""
    folders = [posixpath.dirname(name) for name in names if name.endswith(".safetensors")]
    return posixpath.commonpath(folders) if folders and all(folders) else ""


def main():
    source = os.environ["STREAM_SOURCE_TYPE"]
    if source not in AUDIENCES:
        sys.exit("STREAM_SOURCE_TYPE is public or byo, not " + source)
    model_url, token_url = addresses(os.environ["STREAM_DATAREFS_URL"], source)
    identity = WorkloadIdentityCredential(client_id=os.environ["STREAM_IDENTITY_CLIENT_ID"])
    bearer = identity.get_token(AUDIENCES[source] + "/.default").token

    model = ask(model_url, bearer)
    blob = (model.get("properties") or dict()).get("modelUri") or reference(model).get("blobUri")
    if not blob:
        sys.exit("the description of the model names no blob")
    question = dict(blobUri=blob)
    if source == "public" and model.get("id"):
        question["assetId"] = model["id"]
    signed = (reference(ask(token_url, bearer, question)).get("credential") or dict()).get("sasUri") or ""
    container_url, _, token = signed.partition("?")
    if not token:
        sys.exit("no token was given out for the blob")

    address = urlsplit(blob)
    container = address.path.lstrip("/").split("/")[0]
    folder = folder_of_weights(blob_names(container_url + "?" + token))
    found = dict(
        AZURE_STORAGE_SAS_TOKEN=token,
        AZURE_STORAGE_ACCOUNT_NAME=address.netloc.split(".")[0],
        STREAM_MODEL_URI="az://" + "/".join(part for part in (container, folder) if part),
    )
    with open(os.environ["STREAM_ENV_FILE"], "w", encoding="utf-8") as file:
        file.writelines("%s=%s\n" % (name, shlex.quote(value)) for name, value in found.items())
    print("the weights are at", found["STREAM_MODEL_URI"])


main()
