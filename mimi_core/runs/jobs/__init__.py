"""Work that needs torch, done for the app in processes of its own."""
