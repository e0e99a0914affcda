"""Run folders: what a run writes, how it is found again, and how it is started and stopped. No torch."""
