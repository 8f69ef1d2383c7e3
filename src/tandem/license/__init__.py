"""Issue licenses, make allocations, and verify both; counting them is the guard's, which servers have too."""

from tandem.license.signature import allocation_in, license_in

__all__ = ["allocation_in", "license_in"]
