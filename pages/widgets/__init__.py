"""Parts of pages, each of which draws one thing and is called by a page.

Between them and who looks stand `hosts`, `uploads`, `people`, `signin`, `gate` and `acting`.
"""
