"""The program on the rented machine: restores, runs, syncs, reports, leaves.

Standard library and obstore only, and no newer syntax or calls than Python 3.10 has: rented machines bring
whatever Python their image holds. It starts in about a tenth of a second, so nothing heavy is imported here.
"""
