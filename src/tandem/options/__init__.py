"""Know the options: declarations and their types, layers, resolution, and explaining it."""

from tandem.options.layers import Layers
from tandem.options.nodes import Branch, Nodes
from tandem.options.option import Option, declare
from tandem.options.resolve import Effective, Tree
from tandem.options.value import Value

__all__ = ["Branch", "Effective", "Layers", "Nodes", "Option", "Tree", "Value", "declare"]
