"""Names: what tasks, workflows and launch plans are called, whatever their versions, with a description and a state."""
