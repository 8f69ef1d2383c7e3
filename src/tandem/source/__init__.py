"""Read an inventory directory strictly, with the file and line of every value."""

from tandem.source.node import BROKEN, Node, Secret
from tandem.source.read import Source, read, read_yaml
from tandem.source.yaml import parse

__all__ = ["BROKEN", "Node", "Secret", "Source", "parse", "read", "read_yaml"]
