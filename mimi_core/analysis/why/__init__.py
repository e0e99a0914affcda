"""One cut explained."""
