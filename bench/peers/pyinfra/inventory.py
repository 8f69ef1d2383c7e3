"""Name the servers for pyinfra, from the file that the benchmark wrote."""

import json
import os

with open(os.environ["BENCH_JOB"]) as file:
    job = json.load(file)
servers = ([(host["address"], {"instance": {"name": host["instance"]}}) for host in job["hosts"]], job["data"])
