"""Meet Ansible: the only place that imports it."""
