"""What is shown before a run is launched."""
