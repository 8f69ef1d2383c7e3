"""Turn options and topology into the files of each server."""

from tandem.render.files import INSTANCE, RenderedFile, placed, render
from tandem.render.options import Decrypt

__all__ = ["INSTANCE", "Decrypt", "RenderedFile", "placed", "render"]
