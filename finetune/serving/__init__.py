"""A trained adapter as files that others serve: merged, quantised, exported, and compared with what was trained."""
