"""What all rooms of the analysis share: words, labels, statistics, looks, parts of charts."""
