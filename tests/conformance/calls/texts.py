"""x"""


def alike(theirs: str, ours: str, request: object) -> bool:
    return theirs == ours
