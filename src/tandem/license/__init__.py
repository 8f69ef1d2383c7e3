"""Issue licenses, make allocations, and verify both; counting them is the guard's, which servers have too."""
