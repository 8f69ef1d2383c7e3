"""Let each site apply to its own servers: the controller speaks with one of them, its runner, and that with the others.

On the controller: `by_site` says who does which servers, `part` follows one site, `parcel` is what its runner is sent.
On the runner: `wrapper` keeps the directory, and the line to the controller; `at_site` reaches the servers.
"""
