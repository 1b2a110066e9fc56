"""The cache as engines use it: many keys in one call, each call one statement. The same artifacts, seen by tags."""
