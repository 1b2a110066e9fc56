"""One module for each plugin: a workflow `wf` that says "right" when all is right."""
