"""Do what the action plugins of Tandem promise: one module per plugin."""
