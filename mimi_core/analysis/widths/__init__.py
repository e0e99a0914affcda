"""The widths of every layer, cut by cut."""
