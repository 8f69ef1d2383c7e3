"""Make a configuration the active one, or give the lease back."""

# This file documents an action plugin of the same name, which does the work on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: activation
short_description: Make a configuration the active one, or give the lease back
description:
  - Ends a run.
  - A configuration becomes the active one when every server of it is on it; otherwise what is pending is returned.
    Either way the lease is given back.
options:
  installation:
    description: The installation's directory; that of the inventory unless named.
    type: path
  number:
    description: The configuration; needed to activate it.
    type: int
  plan:
    description: The name of the stored plan by which it was applied, and which is used up with that.
    type: str
  run:
    description: The number of the run that holds the lease.
    type: int
    required: true
  comment:
    description: Why, for the history.
    type: str
  without:
    description: Servers that are away; it is recorded that they should be on the configuration.
    type: list
    elements: str
  state:
    description: C(active) activates and gives the lease back, C(released) only gives it back.
    type: str
    required: true
    choices: [active, released]
attributes:
  check_mode:
    support: full
    description: Changes nothing.
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
- name: Make it the active configuration
  tandem.platform.activation:
    number: 8
    run: 21
    state: active
"""

RETURN = r"""
pending:
  description: The servers that are not on the configuration yet.
  returned: success
  type: list
  elements: str
expected:
  description: The servers that were left out, and should come to the configuration when they are back.
  returned: when it is the active one
  type: list
  elements: str
released:
  description: Whether the lease has been given back with that.
  returned: when C(state) is C(active)
  type: bool
"""
