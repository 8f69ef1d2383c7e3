"""Run the command line by `python -m tandem`."""

from tandem.cli import main

main()
