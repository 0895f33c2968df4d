"""Asking a cloud's metadata service, from inside the machine, whether the machine will be taken.

One file for each service, named as `core.facts.NoticeSource` names it. A watcher asks in a thread of its own. A service
that is absent, slow, broken or talks nonsense costs the job nothing, and is asked ever more seldom.
"""
