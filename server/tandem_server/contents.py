"""Have the bytes of the files that differ, and describe what differs."""

import base64
from collections.abc import Iterable, Mapping

from .channel import Listener
from .disk import Json
from .failure import Failure
from .files import Files

DIFF_LIMIT = 100_000  # bytes of a file beyond which no difference is shown


class Contents:
    """The contents that came with a request, and those asked for afterwards."""

    def __init__(self, request: Json, previous: Json | None, channel: Listener) -> None:
        self.channel = channel
        self._secret = {entry["path"] for entry in (previous or {}).get("files", []) if entry.get("secret")}
        self.wants_diff: bool = request.get("diff", False)
        self.blobs: dict[str, bytes] = decode(request.get("blobs", {}))

    def fetch(self, operations: list[Json]) -> None:
        """Ask the controller for what is needed and has not come; raise Failure when it is gone."""
        wanted = {
            operation["entry"]["digest"]
            for operation in operations
            if operation["entry"] and operation["entry"]["kind"] == "file" and not operation["content"]
        }
        self.given(wanted)

    def given(self, wanted: Iterable[str]) -> Mapping[str, bytes]:
        """Return what is known by digest, with all of `wanted`; raise Failure when the controller is gone."""
        missing = sorted(set(wanted) - self.blobs.keys())
        if not missing:
            return self.blobs
        self.channel.send("need", digests=missing)
        answer = self.channel.receive()
        if answer is None:
            raise Failure("connection", "the controller has gone; nothing was changed")
        self.blobs.update(decode(answer["blobs"]))
        if lacking := [digest for digest in missing if digest not in self.blobs]:
            raise Failure("contents", f"the controller did not send {', '.join(lacking)}; nothing was changed")
        return self.blobs

    def describe(self, operation: Json, files: Files) -> Json:
        """Return what the result says of an operation; with the text before it where a difference was asked for."""
        entry = operation["entry"]
        told = {"path": operation["path"], "action": operation["action"]}
        if self.wants_diff and entry and entry["kind"] == "file" and not operation["content"]:
            path = operation["path"]
            if entry.get("secret") or path in self._secret or not files.readable_by_all(path):
                return told
            told["digest"] = entry["digest"]
            told["before"] = files.before(operation["path"], DIFF_LIMIT) if operation["action"] == "change" else ""
        return told


def decode(blobs: Mapping[str, str]) -> dict[str, bytes]:
    """Return contents as bytes by digest."""
    return {digest: base64.b64decode(text) for digest, text in blobs.items()}
