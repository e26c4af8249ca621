"""What a sweep measures of a trained net: one file a kind, with its settings, its numbers and its cost."""
