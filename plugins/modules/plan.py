"""Compile an installation, store the candidate and say what applying it would do."""

# This file documents an action plugin of the same name, which does the work on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Compile an installation, store the candidate and say what applying it would do
description:
  - Compiles the installation, or takes a stored configuration, and compares it with the active one.
  - The candidate is stored on the configuration server, which is the only server contacted.
  - What is wrong with the source is reported as a whole, before that.
  - In check mode, and when a secret cannot be read for want of a password, nothing is stored.
options:
  installation:
    description: The installation's directory; that of the inventory unless named.
    type: path
  number:
    description: A stored configuration, instead of the source.
    type: int
  comment:
    description: Why, for the history.
    type: str
  lease:
    description: Take the lease of the installation, to change it afterwards.
    type: bool
    default: false
  take_over:
    description: Take the lease even from a run that is at work.
    type: bool
    default: false
  without:
    description: Servers that are away and left out; no server waits for them, and their instances can move.
    type: list
    elements: str
attributes:
  check_mode:
    support: full
    description: Stores nothing and takes no lease.
  diff_mode:
    support: none
    description: The plan says what changes; C(tandem plan --diff) shows the differences.
  action:
    support: full
    description: Runs on the controller, once for all hosts of the play.
author:
  - Tandem
"""

EXAMPLES = r"""
- name: Plan
  tandem.platform.plan:
  register: planned
"""

RETURN = r"""
number:
  description: The number of the stored candidate; none in check mode.
  returned: success
  type: int
active:
  description: The number of the active configuration; none before the first.
  returned: success
  type: int
run:
  description: The number of the run, with the lease.
  returned: with lease
  type: int
plan:
  description: What changes in effect, and the waves in which servers will be taken.
  returned: success
  type: dict
"""
