"""Run the commands of the operating system."""

import subprocess

from .failure import Failure


def run(argv: list[str], timeout: float = 60) -> tuple[int, str]:
    """Run a command without input; return its exit status and what it printed on both outputs.

    A command that cannot be started has status 127, one that took longer than `timeout` seconds status 124.
    """
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            env=environment,
            check=False,
        )
    except OSError as error:
        return 127, f"{argv[0]}: {error.strerror}"
    except subprocess.TimeoutExpired as error:
        said = (error.stdout or b"").decode(errors="replace")
        return 124, f"{said}no answer within {timeout:g} s"
    return done.returncode, done.stdout.decode(errors="replace")


def must(argv: list[str], what: str, timeout: float = 60) -> str:
    """Run a command that has to succeed; raise Failure with what it said otherwise."""
    status, output = run(argv, timeout)
    if status:
        raise Failure(what, f"{' '.join(argv)} ended with {status}: {output.strip()}")
    return output
