"""Look up what the applications of the project declare."""

from __future__ import annotations

DOCUMENTATION = """
name: applications
short_description: What the applications of the project declare
description:
  - Returns one key of all declarations (C(roles/*/meta/application.yml)), as one sorted list without repetitions.
options:
  _terms:
    description: The key, such as C(packages).
    required: true
"""

EXAMPLES = """
- name: Show the packages of all applications
  ansible.builtin.debug:
    msg: "{{ query('tandem.platform.applications', 'packages') }}"
"""

RETURN = """
_list:
  description: The values of all applications.
  type: list
  elements: str
"""

from ansible.plugins.lookup import LookupBase

from tandem.applications import load
from tandem.errors import Problems
from tandem.project import roles_directory


class LookupModule(LookupBase):
    """Read the declarations."""

    def run(self, terms, variables=None, **kwargs):  # noqa: ARG002  the interface of lookups
        """Return the values of the keys."""
        problems = Problems()
        applications = load(roles_directory(), problems)
        problems.raise_if_any()
        declarations = [application.declaration for application in applications.everything()]
        return sorted({value for term in terms for declaration in declarations for value in getattr(declaration, term)})
