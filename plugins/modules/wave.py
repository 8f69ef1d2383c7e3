"""Apply a configuration to the servers of one wave."""

# This file documents an action plugin of the same name, which does the work on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: wave
short_description: Apply a configuration to the servers of one wave
description:
  - Reaches all servers of the wave at once, each by one ssh exec, with the connection variables that Ansible resolved.
  - On each server the change is one transaction, which is undone as a whole when anything fails.
  - What becomes of a server is reported as the result of that host, as soon as there is one; C(--limit) is heeded.
options:
  installation:
    description: The installation's directory; that of the inventory unless named.
    type: path
  number:
    description: The stored configuration; none in check mode compiles the source.
    type: int
  digest:
    description: What the stored configuration must be; a plan says it.
    type: str
  run:
    description: The number of the run that holds the lease.
    type: int
    required: true
  by_site:
    description:
      - Whether servers of a site that has a runner are reached from that runner, by ansible-runner, and not from here.
      - What is reported of them is the same.
    type: bool
    default: false
  without:
    description: Servers that are left out of the run; what is on them stands in for nobody, and they are not asked.
    type: list
    elements: str
  steps:
    description:
      - The servers, each with C(server), C(hold) (addresses not to be taken yet) and C(instances) (those
        that may be interrupted; none says that any may).
    type: list
    required: true
    elements: dict
attributes:
  check_mode:
    support: full
    description: Says what would change and changes nothing.
  diff_mode:
    support: full
    description: Shows the differences inside files; of a secret file only that it changes.
  action:
    support: full
    description: Runs on the controller, once for all hosts of the play.
author:
  - Tandem
"""

EXAMPLES = r"""
- name: Apply wave by wave
  tandem.platform.wave:
    number: "{{ planned.number }}"
    run: "{{ planned.run }}"
    steps: "{{ item.steps }}"
  loop: "{{ planned.plan.waves }}"
"""

RETURN = r"""
done:
  description: The servers that are on the configuration now.
  returned: success
  type: list
  elements: str
failures:
  description: Why servers failed or could not be reached.
  returned: success
  type: dict
postponed:
  description:
    - Servers left as they are, because they would have interrupted a service unforeseen. Those that the configuration
      changes are not among them; they were taken one by one after the others.
  returned: success
  type: list
  elements: str
changes:
  description: The files, units and addresses that changed, by server.
  returned: success
  type: dict
"""
