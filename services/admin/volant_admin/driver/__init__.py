"""What drivers may do: add nodes below their own, and hear what becomes of them.

Not here: who tells the engine of them, and how results are told (`dispatch`); what an eager workflow is (the SDK's).
"""
