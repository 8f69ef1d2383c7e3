"""Do the job with pyinfra: the same templates, and a restart for the units whose files changed."""

from collections import defaultdict

from pyinfra import host
from pyinfra.operations import files, server

changes = defaultdict(list)
for file in host.data.bench_files:
    done = files.template(
        name=f"write {file['src']}",
        src=f"{host.data.bench_templates}/{file['src']}",
        dest=file["dest"].replace("%i", host.data.instance["name"]),
        user="root",
        group="root",
        mode=file["mode"].lstrip("0"),
        create_remote_dir=True,
        jinja_env_kwargs={"trim_blocks": True},
        options=host.data.options,
        instance=host.data.instance,
    )
    changes[file["unit"]].append(done)

for unit, operations in changes.items():
    server.shell(
        name=f"restart {unit}",
        commands=[f"systemctl restart {unit}@{host.data.instance['name']}.service"],
        _if=[lambda operations=operations: any(operation.did_change() for operation in operations)],
    )
