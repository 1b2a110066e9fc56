"""x"""


def alike(theirs: str, ours: str) -> bool:
    return theirs == ours
