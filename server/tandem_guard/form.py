"""Say once what names, numbers and moments in licenses look like; the schemas say the same."""

import re

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}", re.ASCII)
NUMBER = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
LICENSING_NAME = "licensing.tandem"
"""What every licensing server is called in its certificate, whatever its address: who asks one insists on it."""
