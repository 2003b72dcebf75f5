"""Moto's S3 as the archive needs it: checksums of parts, and a watch on every call."""

import base64
import hashlib
import re
import threading

from vsv.storage.archive_copy import Archived

BUCKET = "archive"
PYRAMIDS = "pyramids"


def b64(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


class Killed(BaseException):
    """The end of a process."""


class S3:
    """Moto's S3, with the checksums of parts that it lacks, and a watch on what is asked of it.

    ``before`` and ``after`` are called with each operation's name and parameters; ``after`` is
    called once S3 has done it, before the caller hears of it.
    """

    def __init__(self, client) -> None:
        self.client = client
        self.calls: list[tuple[str, dict]] = []
        self.before = self.after = lambda name, params: None
        self.checksums: dict[tuple[str, int], str] = {}
        self._local = threading.local()
        self._events = client.meta.events
        self._events.register("provide-client-params.s3", self._ask)
        self._events.register("after-call.s3", self._answer)

    def close(self) -> None:
        """Watch no more."""
        self._events.unregister("provide-client-params.s3", self._ask)
        self._events.unregister("after-call.s3", self._answer)

    def asked(self, operation: str) -> list[dict]:
        return [params for name, params in self.calls if name == operation]

    def refuse(self, operation: str, code: str, status: int = 400):
        answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise self.client.exceptions.from_code(code)(answer, operation)

    def _ask(self, params, model, **_):
        self.calls.append((model.name, dict(params)))
        self.before(model.name, params)
        self._local.params = params
        if model.name == "UploadPart":
            if params["ChecksumSHA256"] != b64(params["Body"]):
                self.refuse(model.name, "BadDigest")
            self.checksums[params["UploadId"], params["PartNumber"]] = params["ChecksumSHA256"]

    def _answer(self, parsed, model, **_):
        params = self._local.params
        if model.name == "ListParts":
            for part in parsed.get("Parts", []):
                part["ChecksumSHA256"] = self.checksums[params["UploadId"], part["PartNumber"]]
        parts = re.search(r"-(\d+)\"$", parsed.get("ETag", ""))
        if model.name == "HeadObject" and "ChecksumSHA256" in parsed and parts:
            parsed["ChecksumSHA256"] += f"-{parts[1]}"
        self.after(model.name, params)

    def kill_at(self, number: int, *, done: bool) -> None:
        """Kill the process at a call, the first being 0; S3 has ``done`` what it asked, or not."""
        left, lock = [number], threading.Lock()

        def countdown(*_):
            with lock:
                left[0] -= 1
                if left[0] < 0:
                    raise Killed

        self.before, self.after = (
            (lambda *_: None, countdown) if done else (countdown, lambda *_: None)
        )

    def live(self) -> None:
        self.before = self.after = lambda *_: None

    def uploads(self) -> list:
        return self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])

    def objects(self) -> list:
        return self.client.list_object_versions(Bucket=BUCKET).get("Versions", [])

    def bytes_of(self, archived: Archived) -> bytes:
        found = self.client.get_object(
            Bucket=BUCKET, Key=archived.key, VersionId=archived.version_id
        )
        return found["Body"].read()
