"""Whether everything that a run keeps is there, can be read, and agrees; and mending what can be without inventing."""
