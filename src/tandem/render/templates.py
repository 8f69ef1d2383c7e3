"""Render the templates of the roles, and say where in a template something went wrong."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path

from jinja2 import (
    BaseLoader,
    BytecodeCache,
    Environment,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
    __version__,
)
from jinja2.bccache import Bucket

from tandem import cache
from tandem.errors import InputRefused, Origin, Problem, TandemError
from tandem.render.filters import FILTERS


class RoleLoader(BaseLoader):
    """Find the template `<application>/<path>` in that application's templates folder."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = folders

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, None]:  # noqa: ARG002
        """Return a template's text and the name to call it by in messages."""
        application, _, path = template.partition("/")
        try:
            text = (self._folders[application] / "templates" / path).read_text(encoding="utf-8")
        except (KeyError, FileNotFoundError):
            raise TemplateNotFound(template) from None
        return text, shown(template), None


class Bytecode(BytecodeCache):
    """Keep what templates were compiled to, which takes far longer than rendering one."""

    def __init__(self) -> None:
        self._cache = cache.default()

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill a bucket, if there is something for it."""
        if (data := self._cache.get(self._key(bucket))) is not None:
            bucket.bytecode_from_string(data)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what is in a bucket."""
        self._cache.put(self._key(bucket), bucket.bytecode_to_string())

    def _key(self, bucket: Bucket) -> str:
        return cache.key("template", __version__, bucket.key, bucket.checksum)


class Templates:
    """All templates of an installation's applications, each compiled once."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._environment = Environment(  # noqa: S701 - configuration files, not HTML: quoting is by filters
            loader=RoleLoader(folders),
            undefined=StrictUndefined,
            trim_blocks=True,
            keep_trailing_newline=True,
            cache_size=-1,
            auto_reload=False,
            bytecode_cache=Bytecode(),
        )
        self._environment.filters.update(FILTERS)

    def render(self, template: str, context: Mapping[str, object]) -> bytes:
        """Return what a template yields; raise InputRefused with the line of the template where it went wrong."""
        try:
            return self._environment.get_template(template).render(context).encode("utf-8")
        except TandemError:
            raise
        except TemplateSyntaxError as error:
            origin, reason = Origin(error.filename or shown(template), error.lineno), error.message or "is no template"
        except TemplateNotFound as error:
            origin, reason = _origin(error, shown(template)), f"there is no template {error.name}"
        except Exception as error:  # noqa: BLE001 - a template may raise anything, and it must be told where
            origin, reason = _origin(error, shown(template)), str(error) or type(error).__name__
        raise InputRefused([Problem(origin, f"{reason}; this is a mistake in the role")])


def shown(template: str) -> str:
    """Return a template's path as messages show it.

    >>> shown("dns/etc/bind/%i/named.conf.j2")
    'roles/dns/templates/etc/bind/%i/named.conf.j2'
    """
    application, _, path = template.partition("/")
    return f"roles/{application}/templates/{path}"


def _origin(error: Exception, template: str) -> Origin:
    """Return the innermost line of a template that an error passed through."""
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith("roles/")]
    return Origin(lines[-1].filename, lines[-1].lineno) if lines else Origin(template)
