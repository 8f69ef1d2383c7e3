"""Find the files of the tree that people wrote."""

import ast
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent

MADE_BY_TOOLS = {".git", ".venv", "build", "__pycache__", ".hypothesis", ".ansible"}


def files(*folders: str, suffix: str = "") -> list[Path]:
    """Return every file under the folders, sorted, without what tools made and without symlinks."""
    return sorted(path for folder in folders for path in _under(ROOT / folder) if path.name.endswith(suffix))


def _under(folder: Path) -> Iterator[Path]:
    for name, folders, names in os.walk(folder):
        folders[:] = [f for f in folders if f not in MADE_BY_TOOLS and not f.endswith((".egg-info", "_cache"))]
        yield from (path for path in (Path(name, n) for n in names) if not path.is_symlink())


def label(path: Path) -> str:
    """Name a file in a test's identifier and message."""
    return str(path.relative_to(ROOT))


def load(path: Path) -> Any:
    """Read a YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    """Return the top-level names of the modules that a Python file imports absolutely."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names
