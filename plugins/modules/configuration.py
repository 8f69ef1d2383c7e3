"""Mark a stored configuration, discard a candidate, or prune what is old."""

# This file documents an action plugin of the same name, which does the work on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: configuration
short_description: Mark a stored configuration, discard a candidate, or prune what is old
description:
  - Changes what is stored on the configuration server; no other server is contacted.
  - The active configuration, marked ones, and those that servers are on or should come to always stay.
options:
  installation:
    description: The installation's directory; that of the inventory unless named.
    type: path
  number:
    description: The configuration; needed but for pruning.
    type: int
  state:
    description:
      - C(marked) lets pruning keep it.
      - C(absent) discards a candidate, which has never been active.
      - C(pruned) removes all but the newest C(keep), and every content that nothing names any more.
    type: str
    required: true
    choices: [absent, marked, pruned]
  remove:
    description: Remove the mark instead of setting it.
    type: bool
    default: false
  keep:
    description: How many of the newest configurations stay.
    type: int
  comment:
    description: Why, for the history.
    type: str
attributes:
  check_mode:
    support: full
    description: Says whether something would change, and changes nothing.
  diff_mode:
    support: none
    description: There is nothing to show.
  action:
    support: full
    description: Runs on the controller, once for all hosts of the play.
author:
  - Tandem
"""

EXAMPLES = r"""
- name: Keep configuration 7
  tandem.platform.configuration:
    number: 7
    state: marked
    comment: before the holidays

- name: Remove what is old
  tandem.platform.configuration:
    state: pruned
    keep: 20
"""

RETURN = r"""
removed:
  description: The numbers of the configurations that were removed.
  returned: state pruned
  type: list
  elements: int
kept:
  description: Why configurations stay that are older than the newest, by number.
  returned: state pruned
  type: dict
blobs:
  description: How many contents were removed.
  returned: state pruned
  type: int
bytes:
  description: How many bytes that were.
  returned: state pruned
  type: int
report:
  description: The same as lines for people.
  returned: state pruned
  type: list
  elements: str
"""
