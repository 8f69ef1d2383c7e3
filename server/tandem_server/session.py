"""Answer the controller, on the configuration server: one session with the store, as many requests as it likes."""

from collections.abc import Callable, Iterable
from itertools import chain
from types import ModuleType

from .channel import Channel
from .disk import Json
from .failure import Failure
from .fleet import Fleet
from .fsck import problems
from .history import History
from .lease import Lease
from .licenses import Licenses
from .store import Store


def serve(channel: Channel, asked: Iterable[Json]) -> Json:
    """Answer what was asked with the opening of a session, then its requests until the controller ends it."""
    store = Store()
    lease = Lease(store.directory)
    channel.send("ready")
    for message in chain(asked, iter(channel.receive, None)):
        try:
            channel.send("answer", value=_answer(store, lease, message))
        except Failure as failure:
            channel.send("answer", failed=f"{failure.what}: {failure.message}")
        except OSError as error:
            channel.send("answer", failed=f"{error.filename or 'store'}: {error.strerror}")
        except ValueError as error:
            channel.send("answer", failed=str(error))
    return {}


def _answer(store: Store, lease: Lease, message: Json) -> object:
    do = message.pop("do")
    history, fleet = History(store), Fleet(store.directory)
    free: dict[str, Callable[..., object]] = {
        "state": store.state,
        "content": store.content,
        "blobs": store.encoded,
        "lacking": store.lacking,
        "put": store.put,
        "add": store.add,
        "keep_plan": store.keep_plan,
        "plan": store.plan,
        "plans": store.plans.all,
        "history": history.tell,
        "fsck": lambda: problems(store),
        "mark": history.mark,
        "unmark": history.unmark,
        "acquire": lease.acquire,
        "renew": lease.renew,
        "release": lease.release,
        "heard": fleet.heard,
        "documents": lambda number, servers: Licenses(store).told_to(number, servers),
        "licenses": lambda **fields: _allocating().licenses_now(store, **fields),
    }
    changing: dict[str, Callable[..., object]] = {
        "end": lambda **fields: store.end(run, **fields),
        "place": store.place,
        "allocate": lambda **fields: _allocating().allocate(store, **fields),
        "discard": history.discard,
        "prune": lambda **fields: _renewing(lease, run, lambda: history.prune(**fields)),
    }
    if do in free:
        return free[do](**message)
    run = message.pop("run")
    lease.renew(run)  # what changes the installation needs the lease
    return changing[do](**message)


def _renewing(lease: Lease, run: int, do: Callable[[], object]) -> object:
    """Do what may take longer than the lease lasts: the controller can renew it only after the answer."""
    from .renewal import Renewal  # noqa: PLC0415  only where that is done

    with Renewal(lambda: lease.renew(run)):
        return do()


def _allocating() -> ModuleType:
    from . import allocating  # noqa: PLC0415  only where there is a license

    return allocating
