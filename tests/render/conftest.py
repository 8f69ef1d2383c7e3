"""Give the golden cases their option: --update-golden writes what is expected anew."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option; it is known where tests/render is named on the command line."""
    parser.addoption("--update-golden", action="store_true", help="write the expected files of golden cases anew")
