"""Tell the history of configurations, compare two of them, or look for corruption of the store."""

# This file documents an action plugin of the same name, which does the work on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: configurations_info
short_description: Tell the history of configurations, compare two, or look for corruption of the store
description:
  - Tells which configurations are stored, who made them when and from which commit, and which was active when.
  - Tells which servers are on which configuration, and what is pending.
  - With C(compare) tells what differs between two of them, in the words of a plan.
  - With C(verify) fails where the store is corrupted, with a line for each thing that is wrong.
options:
  installation:
    description: The installation's directory; that of the inventory unless named.
    type: path
  compare:
    description: The numbers of two stored configurations; of one, to compare it with the source.
    type: list
    elements: int
    default: []
  verify:
    description: Read everything that is stored and look for corruption.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Only reads anyway.
  diff_mode:
    support: full
    description: With C(compare), shows the differences inside files; of a secret file only that it differs.
  action:
    support: full
    description: Runs on the controller, once for all hosts of the play.
author:
  - Tandem
"""

EXAMPLES = r"""
- name: Tell which configurations there are
  tandem.platform.configurations_info:
  register: history

- name: Compare the active configuration with the source
  tandem.platform.configurations_info:
    compare: ["{{ history.active }}"]

- name: See that the store is sound
  tandem.platform.configurations_info:
    verify: true
"""

RETURN = r"""
configurations:
  description: All stored configurations, the newest first; C(state) is active, was active, candidate or damaged.
  returned: without compare and verify
  type: list
  elements: dict
servers:
  description: The number that each server is on; a list of those it may be on, where a run died while changing it.
  returned: without compare and verify
  type: dict
pending:
  description: The servers that are not on a configuration yet which others are on already, by its number.
  returned: without compare and verify
  type: dict
difference:
  description: What differs in effect, as a plan has it.
  returned: with compare
  type: dict
problems:
  description: What is wrong with the store.
  returned: with verify
  type: list
  elements: str
report:
  description: The same as lines for people.
  returned: always
  type: list
  elements: str
"""
