"""The composition root: opens what the settings ask for, listens, and closes it again in order.

Only what belongs to no service lives here: which parts there are, ports, the HTTP front, the commands of embedded mode.
"""
