"""The app as a server: what it lets in, what it asks for, and who may do what."""
