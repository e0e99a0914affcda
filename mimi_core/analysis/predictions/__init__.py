"""Where predictions change from cut to cut."""
