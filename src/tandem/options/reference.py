"""Write the reference page of all options, from their declarations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby

from tandem.options.option import Option
from tandem.options.schema import effect

HEAD = """# Options

This page is made from the declarations in `roles/*/meta/options.yml` by `make docs`; change them, not it.

An option can be set on four levels (installation, suite, cluster, instance), those of `server` on the first alone; the
lowest that sets it wins, otherwise the default holds. Where the text says *by environment*, an environment can have a
value of its own. A list or map that *adds up* holds what every level contributes.
"""


def reference(applications: Iterable[tuple[str, str, str | None, Mapping[str, Option]]]) -> str:
    """Return the page in Markdown; each application comes with its name, description, suite and options."""
    parts = [HEAD]
    for name, description, suite, options in applications:
        if not options:
            continue
        where = f"suite `{suite}`" if suite else "set for the whole installation; holds on every server"
        parts.append(f"## {name}\n\n{description} ({where})\n")
        by_group = groupby(options.values(), lambda option: (option.module, option.group))
        parts += [_group(module, group, list(inside)) for (module, group), inside in by_group]
    return "\n".join(parts)


def _group(module: str, group: str, options: list[Option]) -> str:
    """Return the table of one group."""
    rows = [f"### {module}.{group}\n", "| option | default | what it is |", "| --- | --- | --- |"]
    rows += [f"| `{option.name}` | {_default(option)} | {_cell(_words(option))} |" for option in options]
    return "\n".join(rows) + "\n"


def _default(option: Option) -> str:
    """Return the default as a cell of the table."""
    if option.default is None:
        return "**must be set**"
    shown = '""' if option.secret else option.show(option.default.value)
    return f"`{_cell(shown)}`"


def _words(option: Option) -> str:
    """Return everything that there is to say about an option."""
    kind = option.type.phrase
    words = [option.description, f"{kind[0].upper()}{kind[1:]}."]
    if option.union:
        words.append("Adds up.")
    if option.secret:
        words.append("Secret: must be `!vault`.")
    if option.scope == "environment":
        words.append("By environment.")
    return " ".join([*words, effect(option)])


def _cell(text: str) -> str:
    """Return a text that cannot end a cell of a table."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
