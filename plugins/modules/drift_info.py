"""Compare servers with the configuration that each is on."""

# This file documents an action plugin of the same name, which does the work on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
module: drift_info
short_description: Compare servers with the configuration that each is on
description:
  - Compares files, addresses and units of every server with what the configuration says that it is on, and changes
    nothing. Of a server that a run died on, or that is on none yet, that is the active one.
  - What differs on a server is reported as the result of that host; C(--limit) is heeded.
options:
  installation:
    description: The installation's directory; that of the inventory unless named.
    type: path
attributes:
  check_mode:
    support: full
    description: Only reads anyway.
  diff_mode:
    support: full
    description: Shows the differences inside files; of a secret file only that it differs.
  action:
    support: full
    description: Runs on the controller, once for all hosts of the play.
author:
  - Tandem
"""

EXAMPLES = r"""
- name: Look for drift
  tandem.platform.drift_info:
  register: drift
"""

RETURN = r"""
number:
  description: The active configuration.
  returned: success
  type: int
changes:
  description: What differs, by server.
  returned: success
  type: dict
failures:
  description: Why servers could not be compared.
  returned: success
  type: dict
"""
