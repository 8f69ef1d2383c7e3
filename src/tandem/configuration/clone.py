"""Give a configuration back as the files it was compiled from."""

from __future__ import annotations

from pathlib import Path

from tandem.configuration.content import Content
from tandem.errors import Failed


def clone(configuration: Content, directory: Path) -> list[str]:
    """Write the source of a configuration into a directory and return the paths written.

    Compiling them again gives the same configuration. Raise Failed when the directory already holds something, or
    cannot be written.
    """
    try:
        if directory.exists() and any(directory.iterdir()):
            raise Failed(f"{directory}: is not empty; name a directory that is, or a new one")
        for path, content in sorted(configuration.source().items()):
            file = directory / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    except OSError as error:
        raise Failed(f"{error.filename or directory}: cannot be written: {error.strerror}") from None
    return sorted(configuration.source())
