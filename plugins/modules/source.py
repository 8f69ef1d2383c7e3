"""Write the source of a stored configuration as editable files."""

# This file documents an action plugin of the same name, which does the work on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: source
short_description: Write the source of a stored configuration as editable files
description:
  - Writes the files that a stored configuration was compiled from; compiled again they give the same configuration.
options:
  installation:
    description: The installation's directory; that of the inventory unless named.
    type: path
  number:
    description: The stored configuration.
    type: int
    required: true
  path:
    description: The directory to write to; it must be empty or not exist.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    description: Writes nothing.
  diff_mode:
    support: none
    description: There is nothing to compare.
  action:
    support: full
    description: Runs on the controller, once for all hosts of the play.
author:
  - Tandem
"""

EXAMPLES = r"""
- name: Clone configuration 7
  tandem.platform.source:
    number: 7
    path: /tmp/seven
"""

RETURN = r"""
files:
  description: The files written, relative to the path.
  returned: success
  type: list
  elements: str
"""
