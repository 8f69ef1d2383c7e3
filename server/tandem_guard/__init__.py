"""Read license and allocation, and judge them: the standard library only, for servers have nothing else.

What the documents say and how they are counted is said here once, for controllers too; only signatures are looked at
by two programs: signxml on controllers, xmlsec1 on servers.
"""
