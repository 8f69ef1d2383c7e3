"""Say what every server is on, should be on, and what its agent said last."""

# This file documents an action plugin of the same name, which does the work on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_info
short_description: Say what every server is on, should be on, and what its agent said last
description:
  - Asks the configuration server, which the agents of all servers ask; no other server is contacted.
options:
  installation:
    description: The installation's directory; that of the inventory unless named.
    type: path
attributes:
  check_mode:
    support: full
    description: Only reads anyway.
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
- name: Look at the agents
  tandem.platform.agent_info:
  register: agents
"""

RETURN = r"""
active:
  description: The active configuration.
  returned: success
  type: int
servers:
  description:
    - By server C(on), the configuration that it is on, or a list of those it may be on; C(should), the one it should
      come to, if another; C(age), seconds since its agent was heard; C(stale), whether that is longer than it should
      be; C(mode) of the agent, C(program), the start of the digest of the program that runs it, and C(did), what it
      said last.
  returned: success
  type: dict
report:
  description: The same as lines for people.
  returned: success
  type: list
  elements: str
"""
