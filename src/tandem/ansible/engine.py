"""Be `ansible-playbook` for the command line: the same program, which is sooner at work.

It looks for garbage more seldom, which matters while it loads itself, and what it reads of its own collection is
remembered: thousands of lines of YAML that are the same until Ansible is upgraded.
"""

from __future__ import annotations

import gc
import json
import sys
from typing import Any

from tandem import cache

Json = dict[str, Any]
THRESHOLD = 100_000
"""Objects that are made before garbage is looked for; by default looking takes an eighth of the time to load."""


def main() -> None:
    """Run Ansible with the words of this program."""
    gc.set_threshold(THRESHOLD)
    from ansible.cli.playbook import main as run  # noqa: PLC0415  the threshold is for this
    from ansible.utils.collection_loader import _collection_finder as finder  # noqa: PLC0415

    read = finder._meta_yml_to_dict  # noqa: SLF001  which says itself that it may be replaced, for this

    def remembered(text: bytes | str, content_id: object) -> Json:
        kept, key = cache.default(), cache.key("collection", text)
        if (data := kept.get(key)) is None:
            data = json.dumps(read(text, content_id)).encode()  # every scalar is a string
            kept.put(key, data)
        found: Json = json.loads(data)
        return found

    finder._meta_yml_to_dict = remembered  # noqa: SLF001
    sys.argv[0] = "ansible-playbook"  # what Ansible calls itself in its messages
    run()


if __name__ == "__main__":
    main()
