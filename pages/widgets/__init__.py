"""Parts of pages: each draws one thing, and is called by a page."""
