"""Hold a compiled installation: bundles, stored configurations and their differences."""

from tandem.configuration.compile import Configuration, compile_model
from tandem.configuration.content import Content
from tandem.configuration.store import DirectoryStore, StoredConfiguration

__all__ = ["Configuration", "Content", "DirectoryStore", "StoredConfiguration", "compile_model"]
