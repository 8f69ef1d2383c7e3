"""Compile an installation, store the candidate and say what applying it would do."""

# This file documents an action plugin of the same name, which does the work on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Compile an installation, store the candidate and say what applying it would do
description:
  - Compiles the installation, or takes a stored configuration, and compares it with the active one.
  - The candidate is stored on the configuration server, which is the only server contacted unless drift is asked for.
  - What is wrong with the source is reported as a whole, before that.
  - The plan is stored as well, bound to the active configuration and to the places of servers; its name is the digest.
  - In check mode, and when a secret cannot be read for want of a password, nothing is stored.
options:
  installation:
    description: The installation's directory; that of the inventory unless named.
    type: path
  number:
    description: A stored configuration, instead of the source.
    type: int
  plan:
    description: The name of a stored plan, or its beginning; refused when it is stale, used up, unknown or damaged.
    type: str
  back:
    description: Going back to an older configuration is meant; with C(lease) such a number is refused otherwise.
    type: bool
    default: false
  comment:
    description: Why, for the history.
    type: str
  drift:
    description: Look at every server too, and say what is not as it was applied.
    type: bool
    default: false
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
  by_site:
    description: Whether the waves will reach the servers of a site by its runner; then no line to them is opened.
    type: bool
    default: false
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
id:
  description: The name of the stored plan; none in check mode, and where there is nothing to do.
  returned: success
  type: str
places:
  description: Where servers are, or may be, that are not on the active configuration.
  returned: success
  type: dict
expected:
  description: Which configuration servers should come to that an earlier run left out, with that run, by server.
  returned: success
  type: dict
drift:
  description:
    - What applying would put back, by server (C(changes)), and servers that could not be looked at (C(unseen)).
  returned: with drift, where a configuration is active
  type: dict
run:
  description: The number of the run, with the lease.
  returned: with lease
  type: int
licenses:
  description:
    - Of each license, in order of name, what it allows and how much of it is used (C(limits), in words
      C(room)), and what is to be warned of (C(warnings)); which it is says C(license).
  returned: where a license is needed
  type: list
  elements: dict
plan:
  description: What changes in effect, and the waves in which servers will be taken.
  returned: success
  type: dict
"""
