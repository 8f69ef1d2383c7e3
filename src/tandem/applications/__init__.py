"""Know the applications: what each role's meta/application.yml and meta/options.yml declare."""

from tandem.applications.load import Application, Applications, load
from tandem.applications.model import Declaration, File, Health, Listen, Process, Unit, Validator

__all__ = [
    "Application", "Applications", "Declaration", "File", "Health", "Listen", "Process", "Unit", "Validator", "load",
]  # fmt: skip
