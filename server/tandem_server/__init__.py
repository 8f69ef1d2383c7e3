"""Change one server as one transaction: the program that runs on every server, standard library only.

It knows nothing of options, roles or Ansible. A bundle says which files, addresses and units the server should have;
the program compares, stages, validates, journals, places, settles units and addresses, probes, and commits or undoes.
"""
