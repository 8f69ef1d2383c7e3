"""Say what ssh runs on a server: a few lines that find the server program there, or ask for it, and start it."""

from __future__ import annotations

import shlex
from functools import cache

from tandem import server_program
from tandem.configuration.canonical import digest

UNPACKED = "/run/tandem/program-"
"""Where a server keeps the program unpacked and compiled until it boots; the digest follows."""

# Says hello; reads the request before it looks for the program, so that the ordinary case costs no round trip. What
# comes before the request is a password that sudo did not want. Bytecode is kept for the program alone: nothing else
# on a server is written to by looking at it.
STUB = """
import os, sys
installed, digest, size = sys.argv[1:]
path = "{unpacked}" + digest
print('{"event":"hello"}', flush=True)
line = b""
while not line.startswith(b"{"):
    line = sys.stdin.buffer.readline()
    if not line:
        sys.exit(1)
if not os.path.isdir(path):
    import hashlib, io, shutil, zipfile
    try:
        with open(installed, "rb") as file:
            program = file.read()
    except OSError:
        program = b""
    if hashlib.sha256(program).hexdigest() != digest:
        print('{"event":"program"}', flush=True)
        program = sys.stdin.buffer.read(int(size))
    new = "%s.%d" % (path, os.getpid())
    os.umask(0o022)
    try:
        os.makedirs(new)
        zipfile.ZipFile(io.BytesIO(program)).extractall(new)
        os.rename(new, path)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
    if not os.path.isdir(path):
        descriptor = os.memfd_create("server")
        with open(descriptor, "wb", closefd=False) as file:
            file.write(program)
        path = "/proc/self/fd/%d" % descriptor
from importlib.machinery import FileFinder, SourceFileLoader
class Loader(SourceFileLoader):
    def get_code(self, name):
        sys.dont_write_bytecode = False
        try:
            return super().get_code(name)
        finally:
            sys.dont_write_bytecode = True
def finder(directory):
    if not os.path.isdir(directory) or not directory.startswith(path):
        raise ImportError
    return FileFinder(directory, (Loader, [".py"]))
sys.path_hooks.insert(0, finder)
sys.path.insert(0, path)
from tandem_server.__main__ import main
sys.exit(main([], line))
"""


@cache
def command(unpacked: str = UNPACKED) -> str:
    """Return the shell command that starts the server program of this release."""
    program = server_program.build()
    stub = STUB.strip().replace("{unpacked}", unpacked)
    arguments = [server_program.PATH, digest(program), str(len(program))]
    return shlex.join(["/usr/bin/python3", "-ISB", "-c", stub, *arguments])
