"""What the lab says when it cannot do what was asked."""


class LabError(Exception):
    """Tell an operator what is wrong, where, and what to do; shown without a traceback."""
