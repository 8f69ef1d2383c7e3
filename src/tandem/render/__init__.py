"""Turn options and topology into the files of each server."""

from tandem.render.files import INSTANCE, RenderedFile, Renderer, placed, render
from tandem.render.options import Decrypt

__all__ = ["INSTANCE", "Decrypt", "RenderedFile", "Renderer", "placed", "render"]
