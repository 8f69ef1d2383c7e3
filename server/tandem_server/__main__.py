"""Run one of the verbs that units start, or read one request from the controller."""

import os
import signal
import sys
import time
from collections.abc import Callable

from .channel import Channel
from .disk import Json
from .failure import Failure
from .state import RUNTIME, State

RETIREMENT = 0.5  # seconds for the connection over a retired address to end


def main(argv: list[str], first: bytes | None = None) -> int:
    """Run one verb and return the exit status; `first` is a line that has been read from the controller already."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the controller's end is not the transaction's
    os.umask(0o022)
    if argv:
        return _unit(*argv)
    channel = Channel()
    request = channel.parse(first) if first else channel.receive()
    if request is None:
        return 1
    started = time.monotonic()
    afterwards: list[Callable[[], None]] = []
    try:
        fields = _answer(request, channel, afterwards)
    except (Failure, OSError, ValueError) as error:
        fields = {"failed": _reason(error, request["verb"])}
    channel.send("result", seconds=round(time.monotonic() - started, 3), **fields)
    channel.hang_up()
    for action in afterwards:
        _detach(action)
    return int("failed" in fields)


def _unit(verb: str, *words: str) -> int:
    """Do what a unit of this server starts the program for."""
    try:
        if verb == "serve":
            from . import serving  # noqa: PLC0415  only on the configuration server

            serving.serve()
        elif verb == "agent":
            from . import agent  # noqa: PLC0415  only every few minutes

            agent.turn()
        elif verb == "guard":
            from . import judgement  # noqa: PLC0415  only where something is licensed

            return judgement.guard(*words)
        elif verb == "license":
            from . import refresh  # noqa: PLC0415  only every night

            return refresh.refresh()
        elif verb in ("sign", "licenses"):
            from . import licensing  # noqa: PLC0415  only at the vendor's

            {"sign": licensing.sign, "licenses": licensing.pull}[verb]()
        else:
            from . import boot  # noqa: PLC0415  only at boot

            {"recover": boot.recover, "start": boot.start}[verb]()
    except (Failure, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _answer(request: Json, channel: Channel, afterwards: list[Callable[[], None]]) -> Json:
    verb = request["verb"]
    if verb == "confirm":
        os.makedirs(RUNTIME, exist_ok=True)
        with open(f"{RUNTIME}/confirmed-{request['run']}", "w"):
            return {}
    if verb == "store":
        from . import session  # noqa: PLC0415  only on the configuration server

        _refuse_other(request["server"], State())
        return session.serve(channel, request["asked"])
    if verb == "health":
        from . import health  # noqa: PLC0415  only when another server is about to be interrupted

        units = (State().manifest() or {"units": []})["units"]
        return {"ill": health.complaints(units, request["instances"], settled=True)}
    if verb not in ("apply", "check"):
        raise Failure("request", f"{verb} is not a verb of this program; controller and server have different releases")
    return _change(request, channel, afterwards)


def _change(request: Json, channel: Channel, afterwards: list[Callable[[], None]]) -> Json:
    from .transaction import Transaction, undo  # noqa: PLC0415  what `confirm` does not need

    state = State()
    if request["verb"] == "check":
        _refuse_foreign(request, state)
        return Transaction(request, state, channel).check()
    _refuse_foreign(request, state)
    state.prepare()
    state.announce(request["run"])
    state.lock(lambda: channel.send("progress", step="waiting for an older run that is still at work here"))
    if journal := undo(state, channel, request.get("over")):
        channel.send("recovered", run=journal["run"], state=journal["state"])
    transaction = Transaction(request, state, channel)
    try:
        return transaction.apply()
    except (Failure, OSError) as error:
        return {**transaction.result, "failed": _reason(error, "server")}
    finally:
        if transaction.retire:
            afterwards.append(transaction.retire)


def _refuse_foreign(request: Json, state: State) -> None:
    """Raise Failure when the bundle is meant for another server than the one this has been so far."""
    _refuse_other(request["bundle"]["server"], state)
    here = (state.manifest() or request["bundle"])["installation"]
    if here != request["bundle"]["installation"]:
        raise Failure("server", f"belongs to the installation {here}, not to {request['bundle']['installation']}")


def _refuse_other(server: str, state: State) -> None:
    here = (state.manifest() or {"server": server})["server"]
    if here != server:
        raise Failure(
            "server", f"{here} answers at this address, not {server}; look at the addresses in installation.yml"
        )


def _reason(error: Exception, otherwise: str) -> Json:
    """Return what failed and why; `otherwise` names it where the error does not."""
    if isinstance(error, Failure):
        return {"what": error.what, "message": error.message}
    if isinstance(error, OSError):
        return {"what": error.filename or otherwise, "message": error.strerror or str(error)}
    return {"what": otherwise, "message": str(error)}


def _detach(action: Callable[[], None]) -> None:
    """Do something from a process of its own, once the connection has ended."""
    if os.fork() == 0:
        os.setsid()
        devnull = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(devnull, descriptor)
        time.sleep(RETIREMENT)
        action()
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
