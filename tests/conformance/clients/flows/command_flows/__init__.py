"""What command lines register and run."""
