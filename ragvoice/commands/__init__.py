"""The commands of `ragvoice`: each function reads its flags, builds what it needs, and prints. Light to import."""
